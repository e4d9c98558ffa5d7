"""Reading tiles ahead of the encoder."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from rsvlm_core.errors import RasterError
from rsvlm_core.imagery.patch import Patch
from rsvlm_core.imagery.raster import Raster
from rsvlm_core.index.manifest import Source
from rsvlm_core.tiles.grid import Tile


class TileReader:
    """Threads that read tiles of one source in order, each with a raster handle of its own.

    Args:
        source: Which raster, and how its values are seen.
        size_px: Side of the result in pixels.
        ahead: Tiles that may be read before they are asked for: bounds the memory.
    """

    def __init__(self, source: Source, size_px: int, ahead: int) -> None:
        self._source, self._size, self._ahead = source, size_px, ahead
        self._own = threading.local()
        self._open: list[Raster] = []
        self._pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="tiles")

    def __enter__(self) -> TileReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        for raster in self._open:
            raster.close()

    def read(self, tiles: Iterable[Tile]) -> Iterator[tuple[Tile, Patch | RasterError]]:
        """Each tile with its pixels, or with the reason why they cannot be read, in the order given."""
        coming = iter(tiles)
        waiting: deque[tuple[Tile, Future[Patch | RasterError]]] = deque()
        for tile in islice(coming, self._ahead):
            waiting.append((tile, self._pool.submit(self._one, tile)))
        while waiting:
            tile, future = waiting.popleft()
            for following in islice(coming, 1):
                waiting.append((following, self._pool.submit(self._one, following)))
            yield tile, future.result()

    def _one(self, tile: Tile) -> Patch | RasterError:
        try:
            if not hasattr(self._own, "raster"):
                self._own.raster = Raster.open(
                    self._source.source, bands=self._source.bands, stretch=self._source.stretch
                )
                self._open.append(self._own.raster)
            patch: Patch = self._own.raster.read(tile.window, (self._size, self._size))
            return patch
        except RasterError as error:
            return error
