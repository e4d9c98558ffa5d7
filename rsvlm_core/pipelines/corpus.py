"""What is searched: one index folder, or rasters with an index each in the user's cache."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import shapely
from pyproj import CRS

from rsvlm_core import __version__
from rsvlm_core.engines.folder import FolderEngine
from rsvlm_core.errors import OutputError, RsvlmError, UsageError
from rsvlm_core.imagery.opening import is_local
from rsvlm_core.imagery.projecting import project_one
from rsvlm_core.imagery.raster import Outline, as_geometry, outside, peek
from rsvlm_core.index.builder import build_index
from rsvlm_core.index.files import LOCK, MANIFEST
from rsvlm_core.index.lock import WriterLock
from rsvlm_core.index.manifest import FORMAT_VERSION
from rsvlm_core.index.plan import Wanted
from rsvlm_core.index.remote import fetched
from rsvlm_core.index.store import VectorIndex
from rsvlm_core.model.encoder import Encoder
from rsvlm_core.pipelines.warm import Warm
from rsvlm_core.progress import Progress, ShouldStop
from rsvlm_core.settings import cache_dir
from rsvlm_core.tiles.grid import OVERLAP, checked_gsds

# Indexes of bare rasters that were not used for longest are removed beyond this many bytes.
CACHE_BYTES = 10_000_000_000
# Rasters of hits that are compared with what was indexed.
_LOOKED_AT = 20
# Regions with more corners than this are embedded by their convex hull; they still filter exactly.
_MANY_CORNERS = 2000


@dataclass(frozen=True)
class Corpus:
    """Opened indexes to search together.

    Attributes:
        engines: At least one, each over an index folder.
        crs: Of the first raster; results are given in it.
        seconds: Time spent building and opening.
        failed: `tile id: reason` of tiles that could not be read.
    """

    engines: tuple[FolderEngine, ...]
    crs: CRS
    seconds: float
    failed: tuple[str, ...]

    def __len__(self) -> int:
        return sum(len(engine) for engine in self.engines)

    @property
    def indexes(self) -> tuple[VectorIndex, ...]:
        """The opened indexes."""
        return tuple(engine.index for engine in self.engines)


def is_index(source: str) -> bool:
    """Whether a source is meant as an index folder rather than a raster."""
    path = Path(source)
    return path.suffix.lower() == ".rsindex" or (path / MANIFEST).is_file()


def first_crs(sources: Sequence[str], warm: Warm | None = None) -> CRS:
    """The CRS of the first raster, in which extents are given and results come.

    Args:
        sources: Rasters, or one index folder.
        warm: What earlier searches left open.

    Raises:
        UsageError: Nothing was named.
        RasterError, SearchIndexError: It cannot be opened.
    """
    if not sources:
        raise UsageError("No raster was given.", "Name rasters, or one index folder (.rsindex).")
    if not is_index(sources[0]):
        return peek(sources[0]).crs
    return (warm or Warm()).engine(fetched(sources[0]), None).crs


def open_corpus(
    sources: Sequence[str],
    encoder: Encoder,
    *,
    region: shapely.Geometry | None,
    gsds: Sequence[float] | None,
    bands: Sequence[int] | None,
    overlap: float = OVERLAP,
    warm: Warm | None = None,
    progress: Progress,
    should_stop: ShouldStop,
) -> Corpus:
    """Open an index, or build or complete those of rasters in the cache.

    Args:
        sources: Rasters, or exactly one index folder.
        encoder: The model.
        region: In the CRS of the first raster; tiles elsewhere need not be embedded.
        gsds: Levels for rasters; None chooses.
        bands: Bands of rasters; None chooses.
        overlap: Share of a tile's side that neighbours share, for rasters.
        warm: What earlier searches left open.
        progress: Told of tiles.
        should_stop: Polled.

    Raises:
        RasterError: A raster cannot be used.
        RsvlmError: None of the tiles could be read.
        SearchIndexError: The index cannot be used.
        OutputError: The cache folder cannot be written.
        UsageError: An index among several sources, or the region touches no raster.
    """
    started = time.monotonic()
    warm = warm if warm is not None else Warm()
    if any(is_index(s) for s in sources):
        _check_alone(sources, fixed=gsds is not None or bands is not None)
        engine = warm.engine(fetched(sources[0]), encoder.info)
        _check_region(engine.index, region)
        return Corpus((engine,), engine.crs, time.monotonic() - started, engine.index.failed)
    if not sources:
        raise UsageError("No raster was given.", "Name rasters, or one index folder (.rsindex).")
    outlines = [peek(s) for s in dict.fromkeys(sources)]
    crs = outlines[0].crs
    chosen = [(o, part) for o in outlines for part in _parts_of(region, crs, o)]
    if not chosen:
        raise UsageError(*outside(region, outlines[0].footprint.bounds, outlines[0].source))
    engines, built = [], False
    for outline, part in chosen:
        folder = _cached(outline, encoder, gsds, bands, overlap)
        wanted = Wanted(gsds, bands, part, overlap=overlap)
        built |= _complete(folder, outline, encoder, wanted, warm, progress, should_stop)
        engines.append(warm.engine(folder, encoder.info))
    if built:
        _prune([e.index.folder for e in engines])
    failed = tuple(f for e in engines for f in e.index.failed)
    corpus = Corpus(tuple(engines), crs, time.monotonic() - started, failed)
    if failed and len(corpus) == 0:
        raise RsvlmError(
            f"None of the {len(failed)} tiles could be read; the first: {failed[0].rstrip('.')}.",
            "Check the raster with gdalinfo.",
        )
    return corpus


def _check_alone(sources: Sequence[str], fixed: bool) -> None:
    """UsageError for an index beside other sources, or with bands or levels (`fixed`) that it cannot have."""
    if len(sources) > 1:
        raise UsageError(
            "An index folder is searched alone.", "Name one index, or rasters; rsvlm index adds rasters to one."
        )
    if fixed:
        raise UsageError(
            f"{sources[0]} is an index; its bands and ground sampling distances are fixed.",
            "Leave them out, or name the rasters instead.",
        )


def _complete(
    folder: Path, outline: Outline, encoder: Encoder, wanted: Wanted, warm: Warm, progress: Progress,
    should_stop: ShouldStop,
) -> bool:
    """Build what a raster's cached index lacks; False where an earlier search saw that it lacks nothing."""
    part = wanted.extent
    extent = None if part is None else shapely.to_wkb(as_geometry(part)).hex()
    if warm.is_built(folder, extent) or warm.is_built(folder, None):
        return False
    try:
        report = build_index([outline.source], folder, encoder, wanted, progress=progress, should_stop=should_stop)
    except OutputError as error:
        raise OutputError(
            error.message, "Free some space there, or set RSVLM_CACHE to a folder that can be written."
        ) from error
    if not report.failed:
        warm.built(folder, extent)
    return True


def changed_sources(corpus: Corpus, names: Sequence[str]) -> tuple[str, ...]:
    """A sentence for each of these local rasters that is gone or is no longer what was indexed, and for a torn index.

    Only the first few are looked at: a search must not wait for a hundred files.
    """
    known = {s.source: s.fingerprint for index in corpus.indexes for s in index.manifest.sources}
    said = [
        f"{index.folder} is not complete: its writer was stopped or is at work; run rsvlm index again to finish it."
        for index in corpus.indexes if not index.complete
    ]
    for name in [n for n in dict.fromkeys(names) if n in known and is_local(n)][:_LOOKED_AT]:
        try:
            changed = peek(name).fingerprint != known[name]
        except RsvlmError:
            said.append(f"{name} is gone or cannot be opened any more; rsvlm index would leave it out.")
            continue
        if changed:
            said.append(f"{name} has changed since it was indexed; run rsvlm index again to see it as it is.")
    return tuple(said)


def _parts_of(
    region: shapely.Geometry | None, crs: CRS, outline: Outline
) -> list[shapely.Geometry | None]:
    """What to embed of a raster: nothing, all (None), or a region in its CRS."""
    if region is None:
        return [None]
    simple = region if shapely.get_num_coordinates(region) <= _MANY_CORNERS else region.convex_hull
    local = project_one(simple, crs, outline.crs)
    local = local if local.is_valid else local.buffer(0)
    if not local.intersection(outline.footprint).area > 0:
        return []
    return [None] if local.contains(outline.footprint) else [local]


def _check_region(index: VectorIndex, region: shapely.Geometry | None) -> None:
    if region is None:
        return
    crs = index.manifest.crs
    prints = [project_one(s.footprint, s.crs, crs) for s in index.manifest.sources]
    if not any(p.intersects(region) for p in prints):
        raise UsageError(*outside(region, shapely.union_all(prints).bounds, str(index.folder)))


def _cached(
    outline: Outline, encoder: Encoder, gsds: Sequence[float] | None, bands: Sequence[int] | None, overlap: float
) -> Path:
    """Folder of a raster's index in the cache; another one when raster, model, wishes or our defaults change."""
    facts = [
        FORMAT_VERSION, __version__, outline.source, outline.fingerprint, encoder.info.sha256, encoder.info.embed_dim,
        encoder.info.image_size, None if gsds is None else checked_gsds(gsds), None if bands is None else list(bands),
        overlap,
    ]
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    stem = re.sub(r"[^A-Za-z0-9]+", "-", PurePath(outline.source).stem).strip("-")[:32] or "raster"
    return cache_dir() / "indexes" / f"{stem}-{key}.rsindex"


def _prune(used: Sequence[Path]) -> None:
    """Keep the cache within its size; what cannot be removed is left alone."""
    try:
        folders = [p for p in (cache_dir() / "indexes").iterdir() if p.suffix == ".rsindex"]
        sizes = {p: sum(f.stat().st_size for f in p.rglob("*") if f.is_file()) for p in folders}
        ages = {p: (p / LOCK).stat().st_mtime for p in folders if (p / LOCK).is_file()}
    except OSError:
        return
    excess = sum(sizes.values()) - CACHE_BYTES
    for folder in sorted(set(ages) - set(used), key=lambda p: ages[p]):
        if excess <= 0:
            return
        try:
            with WriterLock(folder):
                shutil.rmtree(folder, ignore_errors=True)
        except (RsvlmError, OSError):
            continue
        excess -= sizes[folder]
