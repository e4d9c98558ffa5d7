"""Building an index folder, part by part: killed at any moment it opens, and running again continues."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from rsvlm_core.errors import OutputError, RasterError, SearchIndexError, UsageError
from rsvlm_core.imagery.raster import Extent, Raster
from rsvlm_core.index.decode import TileReader
from rsvlm_core.index.files import MANIFEST, PARTS, VECTORS_OF, is_ours, leftovers, part_name
from rsvlm_core.index.lock import WriterLock
from rsvlm_core.index.manifest import IndexManifest, Part, Source
from rsvlm_core.index.parts import PartNotes, read_notes
from rsvlm_core.index.partwork import PartWork
from rsvlm_core.index.places import Places
from rsvlm_core.index.plan import MIN_VALID, Wanted, grid_of, plan, relaxed
from rsvlm_core.index.vectors import load_vectors
from rsvlm_core.model.encoder import Encoder
from rsvlm_core.progress import Progress, ShouldStop, check, never, silent
from rsvlm_core.tiles.grid import OVERLAP, TileGrid


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


def build_index(
    sources: Sequence[str],
    out: Path,
    encoder: Encoder,
    *,
    gsds: Sequence[float] | None = None,
    bands: Sequence[int] | None = None,
    extent: Extent | None = None,
    fresh: bool = False,
    batch: int = 32,
    overlap: float = OVERLAP,
    min_valid: float = MIN_VALID,
    progress: Progress = silent,
    should_stop: ShouldStop = never,
) -> IndexReport:
    """Embed the tiles of rasters into an index folder; what it holds already is kept.

    Args:
        sources: Rasters; those of earlier runs stay in the index whether or not they are named again.
        out: The folder, made where it does not exist.
        encoder: The model.
        gsds: Levels in metres per pixel; None keeps what a raster has, else chooses by raster and model.
        bands: Seen as red, green, blue; None likewise.
        extent: In the CRS of the first raster; only tiles that touch it are added.
        fresh: Forget what the folder holds.
        batch: Tiles that the model sees at once.
        overlap: Share of a tile's side that neighbours share.
        min_valid: Share of valid pixels that a tile needs; lowered for a raster that has no such tile.
        progress: Told of tiles.
        should_stop: Polled for every tile; finished parts stay.

    Raises:
        RasterError: A raster cannot be used at all (single tiles that cannot be read are reported).
        SearchIndexError: The folder belongs to another model, another layout or a newer version, or is being written.
        OutputError: The folder cannot be written, or holds other things.
        UsageError: The extent touches no raster.
        Stopped: should_stop said so.
    """
    started = time.monotonic()
    folder = Path(out)
    seen = None if bands is None else tuple(bands) * (3 if len(bands) == 1 else 1)
    wanted = Wanted(None if gsds is None else tuple(gsds), seen, extent, min_valid)
    if not sources:
        raise UsageError("No raster was given.", "Name at least one.")
    is_new = _prepare(folder)
    try:
        with WriterLock(folder) as lock:
            before = _existing(folder, encoder, overlap, fresh)
            manifest, names = plan(before, sources, wanted, encoder.info)
            if manifest != before or fresh or not (folder / MANIFEST).is_file():
                manifest.save(folder)
            work = Work(folder, manifest, encoder, max(1, batch), lock, progress, should_stop)
            work.clean()
            report = work.run(names)
            load_vectors(folder, work.files(), manifest.dimensions)
            Places(folder, work.files())
    except BaseException:
        if is_new and not (folder / MANIFEST).exists():
            _remove_empty(folder)
        raise
    return replace(report, seconds=time.monotonic() - started)


def _prepare(folder: Path) -> bool:
    """Make the folder, or see that it is ours; tells whether it is new."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file.", "Give the name of a folder for the index, such as NAME.rsindex.")
    is_new = not folder.exists()
    try:
        if not is_new and not (folder / MANIFEST).is_file() and not is_ours(folder):
            raise OutputError(
                f"{folder} holds other things than an index.", "Give the name of a new folder, such as NAME.rsindex."
            )
        (folder / PARTS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be made: {error.strerror}.", "Choose another place, or check permissions."
        ) from error
    return is_new


def _remove_empty(folder: Path) -> None:
    """Take away what was made for an index that could not even be planned."""
    try:
        for path in (folder / ".lock", *leftovers(folder)):
            path.unlink(missing_ok=True)
        (folder / PARTS).rmdir()
        folder.rmdir()
    except OSError:
        pass  # something is in it after all; it stays, and is harmless


def _existing(folder: Path, encoder: Encoder, overlap: float, fresh: bool) -> IndexManifest:
    """The manifest to continue from; an empty one where there is none or it shall be forgotten."""
    empty = IndexManifest.of(encoder.info, overlap)
    # names of parts are never used twice, so that nothing stored about an old one is taken for a new one
    numbers = [int(m[1]) for p in (folder / PARTS).iterdir() if (m := re.fullmatch(r"part-(\d+)\.parquet", p.name))]
    empty = replace(empty, next_part=max(numbers, default=-1) + 1)
    if fresh:
        (folder / VECTORS_OF).unlink(missing_ok=True)
        return empty
    if not (folder / MANIFEST).is_file():
        return empty
    manifest = IndexManifest.load(folder)
    manifest.check_model(encoder.info, folder)
    if abs(manifest.overlap - overlap) > 1e-9:
        raise SearchIndexError(
            f"{folder} has tiles that overlap by {manifest.overlap:g}, not {overlap:g}.",
            "Build it again with --fresh, or under another name.",
        )
    return manifest


class Work:
    """One run over the missing parts of a manifest, which grows on the way where a raster has no good tile."""

    def __init__(
        self, folder: Path, manifest: IndexManifest, encoder: Encoder, batch: int, lock: WriterLock,
        progress: Progress, should_stop: ShouldStop,
    ) -> None:
        self._folder, self._manifest, self._encoder, self._batch = folder, manifest, encoder, batch
        self._lock, self._progress, self._should_stop = lock, progress, should_stop
        self._done = self._total = self._embedded = 0
        self._read: dict[int, PartNotes | None] = {}

    def files(self) -> list[Path]:
        """The parts that exist, in order."""
        return [p for p in (self._path(part) for part in self._manifest.parts) if p.is_file()]

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
            self._embed(self._entry(name), missing[name])
            best = self._best_of_none(self._entry(name))
            if best > 0:
                self._manifest = relaxed(self._manifest, name, best)
                self.save()
                self.clean()
                todo = self._missing(self._entry(name))
                self._total += sum(p.stop - p.start for _, p in todo)
                self._embed(self._entry(name), todo)
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

    def _path(self, part: Part) -> Path:
        return self._folder / PARTS / part_name(part.number)

    def _notes(self, entry: Source) -> list[PartNotes]:
        return [n for n in (self._of(p) for p in entry.parts) if n is not None]

    def _of(self, part: Part) -> PartNotes | None:
        """The notes of a part, read once; None where it has to be made."""
        if part.number not in self._read:
            self._read[part.number] = read_notes(self._path(part))
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
            notes = self._of(part)
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

    def _embed(self, entry: Source, todo: Sequence[tuple[int, Part]]) -> None:
        if not todo:
            return
        with Raster.open(entry.source, bands=entry.bands, stretch=entry.stretch) as raster:
            grids = {area: self._grid(raster, entry, area) for area in {area for area, _ in todo}}
            crs = raster.crs
        with TileReader(entry, self._manifest.image_size, ahead=2 * self._batch) as reader:
            # one stream over all parts, so that reading goes on while a part ends
            stream = reader.read(t for area, part in todo for t in grids[area].tiles(part.start, part.stop))
            for _, part in todo:
                made = PartWork(entry, self._encoder, self._batch)
                for tile, got in islice(stream, part.stop - part.start):
                    check(self._should_stop, "Finished parts are kept; run the same again to continue.")
                    made.add(tile, got)
                    self._done += 1
                    if made.waiting == 0:
                        self._progress(self._done, self._total, "tiles")
                self._read[part.number] = made.store(self._path(part), crs, part.stop - part.start)
                self._embedded += len(made.tiles)
                self._lock.beat()
