"""Reading tiles ahead of the encoder."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from rsvlm_core.errors import RasterError
from rsvlm_core.imagery.opening import is_local
from rsvlm_core.imagery.patch import UInt8
from rsvlm_core.imagery.raster import Raster
from rsvlm_core.index.manifest import Source
from rsvlm_core.machine import cores
from rsvlm_core.tiles.grid import Tile

# Threads that decode: more than these feed any encoder. From a server one fetches, and finds in GDAL's cache what it
# fetched before; several at once fetch the same blocks (measured: 2.3 times the file with four, 1.0 with one).
_MOST, _REMOTE = 8, 1
# Tiles of a run at most: those of three scales in one square of a `TileGrid`.
RUN = 160



@dataclass(frozen=True)
class Seen:
    """What is kept of a tile until it is embedded: hundreds wait, so nothing that is not needed.

    Attributes:
        valid_fraction: Share of valid pixels, 0..1.
        image: [S, S, 3] uint8, holes filled; None where nothing is valid.
    """

    valid_fraction: float
    image: UInt8 | None


_NOTHING = Seen(0.0, None)
_Run = list[tuple[Tile, "Future[Seen | RasterError]"]]


class TileReader:
    """Threads that read tiles of one source in order, each with a raster handle of its own.

    GDAL keeps what it decoded for each handle, so a thread is given runs of neighbours, and a block of the file is
    decoded about once.

    Args:
        source: Which raster, and how its values are seen.
        size_px: Side of the result in pixels.
        ahead: Tiles of a run at most; each thread and one more run may be read before they are asked for, which
            bounds the memory.
    """

    def __init__(self, source: Source, size_px: int, ahead: int = RUN) -> None:
        self._source, self._size, self._longest = source, size_px, max(1, ahead)
        self._own = threading.local()
        self._open: list[Raster] = []
        self._left = threading.Event()
        self._threads = min(_MOST, cores()) if is_local(source.source) else _REMOTE
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="tiles")

    def __enter__(self) -> TileReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self._left.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for raster in self._open:
            raster.close()

    def read(self, tiles: Iterable[Tile]) -> Iterator[tuple[Tile, Seen | RasterError]]:
        """Each tile with its pixels, or with the reason why they cannot be read, in the order given."""
        coming = self._runs(tiles)
        waiting: deque[_Run] = deque()

        def ask() -> None:
            run = next(coming, None)
            if run is not None:
                waiting.append(run)
                self._pool.submit(self._read, run)

        for _ in range(self._threads + 1):
            ask()
        while waiting:
            for tile, future in waiting.popleft():
                yield tile, future.result()
            ask()

    def _runs(self, tiles: Iterable[Tile]) -> Iterator[_Run]:
        """Neighbours together: a run ends where the finest level begins again, which is somewhere else."""
        run: _Run = []
        for tile in tiles:
            if run and (len(run) == self._longest or tile.level < run[-1][0].level):
                yield run
                run = []
            run.append((tile, Future()))
        if run:
            yield run

    def _read(self, run: _Run) -> None:
        for tile, future in run:
            if self._left.is_set():
                return
            try:
                future.set_result(self._one(tile))
            except BaseException as error:  # raised again where the tile is asked for
                future.set_exception(error)

    def _one(self, tile: Tile) -> Seen | RasterError:
        try:
            if not hasattr(self._own, "raster"):
                self._own.raster = Raster.open(
                    self._source.source, bands=self._source.bands, stretch=self._source.stretch
                )
                self._open.append(self._own.raster)
            raster: Raster = self._own.raster
            if raster.empty(tile.window):
                return _NOTHING
            patch = raster.read(tile.window, (self._size, self._size))
            fraction = patch.valid_fraction
            return Seen(fraction, patch.filled()) if fraction else _NOTHING
        except RasterError as error:
            return error
