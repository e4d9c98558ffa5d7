"""What an index has to hold, before a single tile is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import shapely
from pyproj import CRS

from rsvlm_core.errors import UsageError
from rsvlm_core.imagery.opening import canonical
from rsvlm_core.imagery.projecting import project_one
from rsvlm_core.imagery.raster import Extent, Raster, as_geometry, outside
from rsvlm_core.index.manifest import Area, IndexManifest, Part, Source
from rsvlm_core.model.encoder import ModelInfo
from rsvlm_core.tiles.grid import OVERLAP, TileGrid, checked_gsds, default_gsds

# Tiles of a part: some seconds of work on two processor cores, the most that being killed can cost. The first parts are
# smaller, so that what is stopped soon has something to show.
PART_TILES = 512
_FIRST_TILES = 32
# Tiles with a smaller share of valid pixels are not stored ...
MIN_VALID = 0.25
# ... unless a raster has no better ones; then those with at least this share of its best.
RELAXED_SHARE = 0.5


@dataclass(frozen=True)
class Wanted:
    """What a caller asks of an index.

    Attributes:
        gsds: Levels in metres per pixel; None keeps those of a raster that is in the index, else chooses by raster
            and model.
        bands: Seen as red, green, blue, counted from 1, a lone one as grey; None likewise.
        extent: In the CRS of the first raster; only tiles that touch it are added. None is everything.
        min_valid: Share of valid pixels that a tile needs; lowered for a raster that has no such tile.
        overlap: Share of a tile's side that neighbours share.
        fresh: Forget what the folder holds.
        batch: Tiles that the model sees at once.
    """

    gsds: Sequence[float] | None = None
    bands: Sequence[int] | None = None
    extent: Extent | None = None
    min_valid: float = MIN_VALID
    overlap: float = OVERLAP
    fresh: bool = False
    batch: int = 32

    def __post_init__(self) -> None:
        if self.bands is not None:
            seen = tuple(self.bands) * (3 if len(self.bands) == 1 else 1)
            object.__setattr__(self, "bands", seen)  # compared with those of sources


def plan(
    manifest: IndexManifest, sources: Sequence[str], wanted: Wanted, info: ModelInfo
) -> tuple[IndexManifest, list[str]]:
    """Extend a manifest by what is missing.

    A raster that changed, or that is wanted with other bands or levels, is planned anew. An extent adds the tiles
    that touch it and are not in the index yet.

    Returns:
        The manifest with every part that should exist, and the names under which the sources stand in it; those that
        the extent does not touch are left out.

    Raises:
        RasterError: A raster cannot be used.
        UsageError: The extent touches none of the rasters.
    """
    names: list[str] = []
    missed: UsageError | None = None
    first_crs: CRS | None = None
    for name in dict.fromkeys(canonical(s) for s in sources):
        known = manifest.named(name)
        with _opened(name, known, wanted) as raster:
            first_crs = first_crs if first_crs is not None else raster.crs
            area = None if wanted.extent is None else project_one(as_geometry(wanted.extent), first_crs, raster.crs)
            if area is not None and not area.intersection(raster.footprint).area > 0:
                missed = missed or UsageError(*outside(area, raster.bounds, name))
                continue
            names.append(name)
            entry = _entry(raster, known, wanted, info)
            added = _added(raster, entry, area, manifest)
        if added is not None:
            manifest = replace(manifest, next_part=added.parts[-1].number + 1)
            entry = replace(entry, areas=(*entry.areas, added))
        if entry != known:
            manifest = manifest.with_source(entry)
    if not names and missed is not None:
        raise missed
    return manifest, names


def grid_of(raster: Raster, entry: Source, area: int, image_size: int, overlap: float) -> TileGrid:
    """The tiles of one area of a source; the parts' positions count in it.

    Args:
        raster: Open.
        entry: What the index knows of it.
        area: Number of the area; tiles of those before it are left out.
        image_size: Side of a tile in pixels.
        overlap: Share of a tile's side that neighbours share.
    """
    geometry = entry.areas[area].geometry
    grid = TileGrid(raster, entry.gsds, image_size, overlap, geometry)
    return grid.without([a.geometry for a in entry.areas[:area]])


def relaxed(manifest: IndexManifest, name: str, best: float) -> IndexManifest:
    """Plan a raster anew that has no tile with enough valid pixels, at half of the best share that it has.

    Raises:
        ValueError: There is no such raster in the manifest.
    """
    entry = manifest.named(name)
    if entry is None:
        raise ValueError(f"{name} is not in the manifest")
    areas = []
    for area in entry.areas:
        first = manifest.next_part
        areas.append(replace(area, parts=tuple(replace(p, number=first + i) for i, p in enumerate(area.parts))))
        manifest = replace(manifest, next_part=first + len(area.parts))
    return manifest.with_source(replace(entry, min_valid=best * RELAXED_SHARE, areas=tuple(areas)))


def _opened(name: str, known: Source | None, wanted: Wanted) -> Raster:
    """The raster, with the stored stretch where it is still the same."""
    if known is not None and wanted.bands in (None, known.bands):
        raster = Raster.open(name, bands=known.bands, stretch=known.stretch)
        if raster.fingerprint == known.fingerprint:
            return raster
        raster.close()
    return Raster.open(name, bands=wanted.bands if known is None or wanted.bands is not None else known.bands)


def _entry(raster: Raster, known: Source | None, wanted: Wanted, info: ModelInfo) -> Source:
    """The known entry where it still holds, else a new one without areas."""
    if wanted.gsds is not None:
        gsds = checked_gsds(wanted.gsds)
    else:
        gsds = known.gsds if known is not None else default_gsds(raster, info)
    if (
        known is not None
        and (known.fingerprint, known.bands, known.gsds) == (raster.fingerprint, raster.bands, gsds)
    ):
        return known
    return Source(
        raster.source, raster.fingerprint, raster.wkt, tuple(float(v) for v in raster.transform[:6]), raster.width,
        raster.height, raster.bands, raster.stretch, gsds, wanted.min_valid,
    )


def _added(
    raster: Raster, entry: Source, area: shapely.Geometry | None, manifest: IndexManifest
) -> Area | None:
    """The area that has to be added; None where all of its tiles are planned already."""
    extent = None if area is None else shapely.to_wkb(area).hex()
    if any(a.extent is None or a.extent == extent for a in entry.areas):
        return None
    grid = TileGrid(raster, entry.gsds, manifest.image_size, manifest.overlap, area)
    count = len(grid.without([a.geometry for a in entry.areas]))
    if count == 0:
        return None
    ends = _ends(count)
    parts = tuple(
        Part(manifest.next_part + i, start, end) for i, (start, end) in enumerate(zip([0, *ends], ends, strict=False))
    )
    return Area(extent, parts)


def _ends(count: int) -> list[int]:
    """Where parts end: each is twice as large as the one before, until they are of full size."""
    ends, size = [min(count, _FIRST_TILES, PART_TILES)], min(_FIRST_TILES, PART_TILES)
    while ends[-1] < count:
        size = min(2 * size, PART_TILES)
        ends.append(min(count, ends[-1] + size))
    return ends
