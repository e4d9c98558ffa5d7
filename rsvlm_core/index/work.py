"""What is missing in an index folder, and what came of making it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rsvlm_core.errors import RasterError
from rsvlm_core.imagery.raster import Raster
from rsvlm_core.index.files import PARTS, leftovers, part_name
from rsvlm_core.index.lock import WriterLock
from rsvlm_core.index.manifest import IndexManifest, Part, Source
from rsvlm_core.index.parts import PartNotes, read_notes
from rsvlm_core.index.plan import grid_of, relaxed
from rsvlm_core.progress import Progress, ShouldStop
from rsvlm_core.tiles.grid import TileGrid


@dataclass(frozen=True)
class IndexReport:
    """What building did.

    Attributes:
        tiles: Tiles of the given rasters (inside all extents asked for so far).
        embedded: Of these, embedded in this run.
        skipped_nodata: Of these, not stored for lack of valid pixels.
        failed: `tile id: reason` of those that could not be read.
        seconds: Duration of this run.
    """

    tiles: int
    embedded: int
    skipped_nodata: int
    failed: tuple[str, ...]
    seconds: float


class Work(ABC):
    """One run over the missing parts of a manifest; how parts are made is left to an engine.

    Args:
        folder: The index.
        manifest: What it shall hold.
        lock: Held on the folder.
        progress: Told of tiles.
        should_stop: Polled; finished parts stay.
    """

    def __init__(
        self, folder: Path, manifest: IndexManifest, lock: WriterLock, progress: Progress, should_stop: ShouldStop
    ) -> None:
        self._folder, self._manifest = folder, manifest
        self._lock, self._progress, self._should_stop = lock, progress, should_stop
        self._done = self._total = self._embedded = 0
        self._read: dict[int, PartNotes | None] = {}

    @abstractmethod
    def embed(self, entry: Source, todo: Sequence[tuple[int, Part]]) -> None:
        """Make parts, given with the areas they are of; each is counted by `made` as soon as it is stored."""

    def made(self, part: Part, notes: PartNotes) -> None:
        """Count a part that is stored."""
        self._read[part.number] = notes
        self._embedded += notes.tiles - notes.skipped - len(notes.failed)
        self._lock.beat()

    def files(self) -> list[Path]:
        """The parts that exist, in order."""
        return [p for p in (self.path(part) for part in self._manifest.parts) if p.is_file()]

    def save(self) -> None:
        """Write the manifest."""
        self._manifest.save(self._folder)

    def clean(self) -> None:
        """Remove what killed writers left and what the manifest no longer names."""
        named = {part_name(p.number) for p in self._manifest.parts}
        orphans = [p for p in (self._folder / PARTS).iterdir() if p.name.startswith("part-") and p.name not in named]
        for path in (*leftovers(self._folder), *orphans):
            path.unlink(missing_ok=True)

    def run(self, names: Sequence[str]) -> IndexReport:
        """Make every missing part of the named sources."""
        missing = {name: self._missing(self._entry(name)) for name in names}
        self._total = sum(p.stop - p.start for todo in missing.values() for _, p in todo)
        for name in names:
            self.embed(self._entry(name), missing[name])
            best = self._best_of_none(self._entry(name))
            if best > 0:
                self._manifest = relaxed(self._manifest, name, best)
                self.save()
                self.clean()
                todo = self._missing(self._entry(name))
                self._total += sum(p.stop - p.start for _, p in todo)
                self.embed(self._entry(name), todo)
        if self._total:
            self._progress(self._done, self._total, "tiles")
        notes = [n for name in names for n in self._notes(self._entry(name))]
        return IndexReport(
            tiles=sum(n.tiles for n in notes),
            embedded=self._embedded,
            skipped_nodata=sum(n.skipped for n in notes),
            failed=tuple(f"{tile}: {reason}" for n in notes for tile, reason in n.failed),
            seconds=0.0,
        )

    def _entry(self, name: str) -> Source:
        entry = self._manifest.named(name)
        if entry is None:
            raise ValueError(f"{name} was not planned")
        return entry

    def path(self, part: Part) -> Path:
        """The file of a part."""
        return self._folder / PARTS / part_name(part.number)

    def _notes(self, entry: Source) -> list[PartNotes]:
        return [n for n in (self.notes_of(p) for p in entry.parts) if n is not None]

    def notes_of(self, part: Part) -> PartNotes | None:
        """The notes of a part, read once; None where it has to be made."""
        if part.number not in self._read:
            self._read[part.number] = read_notes(self.path(part))
        return self._read[part.number]

    def _best_of_none(self, entry: Source) -> float:
        """Best share of valid pixels in a raster without a good enough tile; 0 where one was, or nothing is valid."""
        notes = self._notes(entry)
        if any(n.tiles > n.skipped + len(n.failed) for n in notes):
            return 0.0
        return max((n.best_skipped for n in notes), default=0.0)

    def _missing(self, entry: Source) -> list[tuple[int, Part]]:
        """(area, part) of parts that are not there, are not whole, or have tiles that can now be read."""
        todo = []
        for area, part in ((i, p) for i, a in enumerate(entry.areas) for p in a.parts):
            notes = self.notes_of(part)
            made = notes is not None and notes.fingerprint == entry.fingerprint
            if notes is None or not made or (notes.failed and self._can_read(entry, area, part, notes.failed[0][0])):
                todo.append((area, part))
        return todo

    def _can_read(self, entry: Source, area: int, part: Part, tile_id: str) -> bool:
        """Whether a tile that failed can be read now: a server may have been away, a file repaired."""
        try:
            with Raster.open(entry.source, bands=entry.bands, stretch=entry.stretch) as raster:
                grid = self._grid(raster, entry, area)
                for tile in grid.tiles(part.start, part.stop):
                    if tile.tile_id == tile_id:
                        raster.read(tile.window, (self._manifest.image_size, self._manifest.image_size))
        except RasterError:
            return False
        return True

    def _grid(self, raster: Raster, entry: Source, area: int) -> TileGrid:
        return grid_of(raster, entry, area, self._manifest.image_size, self._manifest.overlap)
