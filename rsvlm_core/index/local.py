"""Parts made in this process: threads read ahead, the model embeds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from rsvlm_core.imagery.raster import Raster
from rsvlm_core.index.decode import TileReader
from rsvlm_core.index.lock import WriterLock
from rsvlm_core.index.manifest import IndexManifest, Part, Source
from rsvlm_core.index.partwork import PartWork
from rsvlm_core.index.plan import grid_of
from rsvlm_core.index.work import Work
from rsvlm_core.model.encoder import Encoder
from rsvlm_core.progress import Progress, ShouldStop, check


class LocalWork(Work):
    """See `Work`.

    Args:
        folder: The index.
        manifest: What it shall hold.
        encoder: The model.
        batch: Tiles that the model sees at once.
        lock: Held on the folder.
        progress: Told of tiles.
        should_stop: Polled for every tile.
    """

    def __init__(
        self, folder: Path, manifest: IndexManifest, encoder: Encoder, batch: int, lock: WriterLock,
        progress: Progress, should_stop: ShouldStop,
    ) -> None:
        super().__init__(folder, manifest, lock, progress, should_stop)
        self._encoder, self._batch = encoder, batch

    def embed(self, entry: Source, todo: Sequence[tuple[int, Part]]) -> None:
        """Make parts one after the other, reading ahead."""
        if not todo:
            return
        with Raster.open(entry.source, bands=entry.bands, stretch=entry.stretch) as raster:
            size, overlap = self._manifest.image_size, self._manifest.overlap
            grids = {area: grid_of(raster, entry, area, size, overlap) for area in {area for area, _ in todo}}
            crs = raster.crs
        with TileReader(entry, self._manifest.image_size) as reader:
            # one stream over all parts, so that reading goes on while a part ends
            stream = reader.read(t for area, part in todo for t in grids[area].tiles(part.start, part.stop))
            for _, part in todo:
                work = PartWork(entry, self._encoder, self._batch)
                for tile, got in islice(stream, part.stop - part.start):
                    check(self._should_stop, "Finished parts are kept; run the same again to continue.")
                    work.add(tile, got)
                    self._done += 1
                    if work.waiting == 0:
                        self._progress(self._done, self._total, "tiles")
                self.made(part, work.store(self.path(part), crs, part.stop - part.start))
