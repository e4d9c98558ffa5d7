"""What an index was made of: a STAC collection with the fields of the embedding extension."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from affine import Affine
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from rsvlm_core import __version__
from rsvlm_core.errors import SearchIndexError
from rsvlm_core.imagery.projecting import LONLAT, project_one
from rsvlm_core.imagery.stretch import Stretch
from rsvlm_core.index.files import MANIFEST, PARTS, part_name, write_text_whole
from rsvlm_core.model.encoder import ModelInfo

FORMAT_VERSION = 1
_MOST, _MOST_PARTS = 1_000_000, 1_000_000_000  # widths and sides; numbers of parts
# A proposal still; its version is pinned so that readers know which.
_EMBEDDING_EXTENSION = "https://stac-extensions.github.io/embedding/v0.0.1/schema.json"


@dataclass(frozen=True)
class Part:
    """A run of tiles, in the grid's order, that is embedded and stored together.

    Attributes:
        number: Gives the file its name; never used twice in a folder.
        start: Position of the first tile among the area's tiles.
        stop: Position after the last.
    """

    number: int
    start: int
    stop: int


@dataclass(frozen=True)
class Area:
    """A selection of a source's tiles: those that touch `extent` and no earlier area.

    Attributes:
        extent: Hexadecimal WKB in the source's CRS; None is the whole raster.
        parts: What its tiles are divided into.
    """

    extent: str | None
    parts: tuple[Part, ...]

    @property
    def geometry(self) -> shapely.Geometry | None:
        """The extent as a geometry, None for the whole raster."""
        return None if self.extent is None else shapely.from_wkb(bytes.fromhex(self.extent))


@dataclass(frozen=True)
class Source:
    """One raster of an index.

    Attributes:
        source: Its path or URL.
        fingerprint: What `imagery.Raster` said when it was indexed.
        wkt: Its CRS.
        transform: a, b, c, d, e, f of pixel to CRS.
        width: Columns.
        height: Rows.
        bands: Seen as red, green, blue.
        stretch: How values became 0..255.
        gsds: Levels, finest first, metres per pixel.
        min_valid: Tiles with a smaller share of valid pixels are not stored.
        areas: What is indexed of it.
    """

    source: str
    fingerprint: str
    wkt: str
    transform: tuple[float, ...]
    width: int
    height: int
    bands: tuple[int, int, int]
    stretch: Stretch
    gsds: tuple[float, ...]
    min_valid: float
    areas: tuple[Area, ...] = ()

    @property
    def crs(self) -> CRS:
        """Its CRS."""
        return CRS.from_wkt(self.wkt)

    @property
    def footprint(self) -> shapely.Polygon:
        """Its outline in its CRS."""
        place = Affine(*self.transform)
        corners = ((0, 0), (self.width, 0), (self.width, self.height), (0, self.height))
        return shapely.Polygon([place * corner for corner in corners])

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of all areas."""
        return tuple(part for area in self.areas for part in area.parts)


@dataclass(frozen=True)
class IndexManifest:
    """The content of `collection.json`.

    Attributes:
        model: Id of the model, as for `--model`.
        model_sha256: Hash of its weights.
        dimensions: Width of a vector.
        image_size: Side in pixels of what a vector saw.
        overlap: Share of a tile's side that neighbours share.
        sources: The rasters.
        next_part: First part number that was never used.
    """

    model: str
    model_sha256: str
    dimensions: int
    image_size: int
    overlap: float
    sources: tuple[Source, ...] = field(default=())
    next_part: int = 0

    @classmethod
    def of(cls, info: ModelInfo, overlap: float) -> IndexManifest:
        """An index without a raster."""
        return cls(info.id, info.sha256, info.embed_dim, info.image_size, overlap)

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts, by number: the order of rows in an index."""
        return tuple(sorted((part for source in self.sources for part in source.parts), key=lambda part: part.number))

    @property
    def crs(self) -> CRS:
        """CRS of the first raster, in which results are given."""
        return self.sources[0].crs

    def named(self, source: str) -> Source | None:
        """The entry of a raster."""
        return next((s for s in self.sources if s.source == source), None)

    def with_source(self, entry: Source) -> IndexManifest:
        """The same with one raster added or replaced in its place."""
        if self.named(entry.source) is None:
            return replace(self, sources=(*self.sources, entry))
        return replace(self, sources=tuple(entry if s.source == entry.source else s for s in self.sources))

    def check_model(self, info: ModelInfo, folder: Path) -> None:
        """Refuse to compare vectors of different models.

        Raises:
            SearchIndexError: The index was made by another model.
        """
        if (self.model_sha256, self.dimensions) == (info.sha256, info.embed_dim):
            return
        raise SearchIndexError(
            f"{folder} was made with the model {self.model} ({self.model_sha256[:12]}), not with {info.id} "
            f"({info.sha256[:12]}); their vectors cannot be compared.",
            ("The model has been renewed: build" if self.model == info.id else f"Use --model {self.model}, or build")
            + " the index again with --fresh or under another name.",
        )

    def check_values(self) -> None:
        """See that all values are such as rsvlm writes: the file may come from anyone.

        Raises:
            ValueError, TypeError, ProjError, GEOSException: One is not.
        """
        sound = 1 <= self.dimensions <= _MOST and 1 <= self.image_size <= _MOST and 0 <= self.overlap < 1
        sound = sound and 0 <= self.next_part <= _MOST_PARTS
        for source in self.sources:
            a, b, _, d, e, _ = source.transform
            sound = sound and all(map(math.isfinite, source.transform)) and a * e != b * d
            sound = sound and 1 <= source.width < 2**31 and 1 <= source.height < 2**31 and min(source.bands) >= 1
            sound = sound and bool(source.gsds) and all(0 < gsd < math.inf for gsd in source.gsds)
            sound = sound and 0 <= source.min_valid <= 1
            sound = sound and len(source.stretch.low) == len(source.stretch.high) == 3
            sound = sound and all(map(math.isfinite, (*source.stretch.low, *source.stretch.high)))
            sound = sound and all(0 <= p.start <= p.stop and 0 <= p.number < self.next_part for p in source.parts)
            for area in source.areas:
                sound = sound and (area.geometry is None or isinstance(area.geometry, shapely.Geometry))
        for wkt in {source.wkt for source in self.sources}:
            Transformer.from_crs(CRS.from_wkt(wkt), LONLAT, always_xy=True)  # some that are read lead nowhere
        if not sound:
            raise ValueError("a number in it is none that rsvlm writes")

    def save(self, folder: Path) -> None:
        """Write `collection.json` in one step.

        Raises:
            OutputError: It cannot be written.
        """
        write_text_whole(folder / MANIFEST, json.dumps(self.to_json(folder), indent=1) + "\n")

    def to_json(self, folder: Path) -> dict[str, Any]:
        """The STAC collection."""
        stride = round(self.image_size * (1 - self.overlap))
        levels = sorted({g for s in self.sources for g in s.gsds})
        return {
            "type": "Collection",
            "stac_version": "1.0.0",
            "stac_extensions": [_EMBEDDING_EXTENSION],
            "id": folder.name.removesuffix(".rsindex") or "index",
            "title": "Searchable imagery",
            "description": f"Embeddings of image tiles by the model {self.model}, for search by text and by example.",
            "license": "other",
            "extent": {"spatial": {"bbox": [_lonlat_box(self.sources)]}, "temporal": {"interval": [[None, None]]}},
            "links": [
                {"rel": "emb:model", "href": f"urn:sha256:{self.model_sha256}", "title": self.model},
                *({"rel": "emb:source-data", "href": s.source} for s in self.sources),
            ],
            "assets": {
                "embeddings": {
                    "href": f"./{PARTS}/", "type": "application/vnd.apache.parquet", "roles": ["data"],
                    "title": "GeoParquet parts; one row a tile",
                }
            },
            "data_type": "float32",
            **({"gsd": levels[0]} if levels else {}),
            "emb:type": "chip",
            "emb:dimensions": self.dimensions,
            "emb:chip_layout": {
                "layout_type": "regular_grid", "chip_size": [self.image_size, self.image_size],
                "stride": [stride, stride],
            },
            "emb:fit_for_use": ["retrieval", "similarity_search"],
            "emb:quantization": {"method": "none", "original_dtype": "float32"},
            "emb:preprocessing": {
                "format": "rsvlm",
                "expression": {
                    "resampling": "average", "size": [self.image_size, self.image_size], "dtype": "uint8",
                    "invalid_pixels": "mean colour of the tile's valid pixels", "normalized": "L2",
                },
            },
            "rsvlm:format_version": FORMAT_VERSION,
            "rsvlm:software": __version__,
            "rsvlm:model": {"id": self.model, "sha256": self.model_sha256},
            "rsvlm:overlap": self.overlap,
            "rsvlm:next_part": self.next_part,
            "rsvlm:sources": [_source_to_json(s) for s in self.sources],
        }

    @classmethod
    def load(cls, folder: Path) -> IndexManifest:
        """Read `collection.json`.

        Raises:
            SearchIndexError: There is none, it is damaged, or a newer version wrote it.
        """
        path = folder / MANIFEST
        if not path.is_file():
            what = "no such folder" if not folder.exists() else f"not an index folder: it has no {MANIFEST}"
            raise SearchIndexError(f"{folder}: {what}.", "Build one with: rsvlm index RASTER --out NAME.rsindex")
        remedy = "Build the index again with --fresh."
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            version = int(data["rsvlm:format_version"])
        except OSError as error:
            raise SearchIndexError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise SearchIndexError(f"{path} is damaged, or was not written by rsvlm.", remedy) from error
        if version > FORMAT_VERSION:
            raise SearchIndexError(
                f"{folder} was made by a newer rsvlm (index format {version}; this one reads up to {FORMAT_VERSION}).",
                "Update rsvlm, or build the index again with --fresh.",
            )
        try:
            made = cls(
                str(data["rsvlm:model"]["id"]), str(data["rsvlm:model"]["sha256"]), int(data["emb:dimensions"]),
                int(data["emb:chip_layout"]["chip_size"][0]), float(data["rsvlm:overlap"]),
                tuple(_source_from_json(s) for s in data["rsvlm:sources"]), int(data["rsvlm:next_part"]),
            )
            made.check_values()
        except (
            ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, ProjError,
            shapely.errors.GEOSException,
        ) as error:
            raise SearchIndexError(f"{path} is damaged: {_shown(error)}.", remedy) from error
        return made


def _shown(error: Exception) -> str:
    text = repr(error)
    return text if len(text) <= 200 else f"{text[:197]}..."


def _lonlat_box(sources: tuple[Source, ...]) -> list[float]:
    boxes = [project_one(s.footprint, s.crs, LONLAT) for s in sources]
    bounds = np.array([b.bounds for b in boxes if not b.is_empty])
    if not len(bounds):
        return [-180.0, -90.0, 180.0, 90.0]
    return [*(float(v) for v in bounds[:, :2].min(axis=0)), *(float(v) for v in bounds[:, 2:].max(axis=0))]


def _source_to_json(source: Source) -> dict[str, Any]:
    return {
        "source": source.source, "fingerprint": source.fingerprint, "wkt": source.wkt,
        "transform": list(source.transform), "width": source.width, "height": source.height,
        "bands": list(source.bands), "stretch": source.stretch.to_json(), "gsds": list(source.gsds),
        "min_valid": source.min_valid,
        "areas": [
            {
                "extent": area.extent,
                "parts": [
                    {"file": part_name(p.number), "number": p.number, "tiles": [p.start, p.stop]} for p in area.parts
                ],
            }
            for area in source.areas
        ],
    }


def _source_from_json(data: dict[str, Any]) -> Source:
    red, green, blue = (int(b) for b in data["bands"])
    return Source(
        str(data["source"]), str(data["fingerprint"]), str(data["wkt"]), tuple(float(v) for v in data["transform"]),
        int(data["width"]), int(data["height"]), (red, green, blue), Stretch.from_json(data["stretch"]),
        tuple(float(g) for g in data["gsds"]), float(data["min_valid"]),
        tuple(
            Area(
                area["extent"],
                tuple(Part(int(p["number"]), int(p["tiles"][0]), int(p["tiles"][1])) for p in area["parts"]),
            )
            for area in data["areas"]
        ),
    )
