"""RS-Landmarks: tiles of georeferenced imagery captioned by what maps know to lie in them.

One raster is one unit of work: it is done when its `parts/NAME.json` is there, and is not done again. Then the parts
are merged in order into shards with a data card.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pyproj import Transformer

from rsvlm_core.errors import DataError, RsvlmError, UsageError
from rsvlm_core.imagery.raster import Raster
from rsvlm_core.progress import Progress, ShouldStop, check, never, silent
from rsvlm_core.tiles.grid import TileGrid
from training.build.card import Tally, write_card
from training.build.landmarks import Landmark, read_landmarks
from training.build.parts import PartWriter, begin_parts, part_name, read_part
from training.build.scene import Sight, Surroundings
from training.build.shardout import ShardWriter, to_json, webp
from training.build.split import split_ground
from training.build.writers import GrammarWriter, Writer, unsupported, without

_RASTERS = (".tif", ".tiff", ".vrt", ".jp2", ".img", ".gpkg")
NOTES = (
    "The imagery's and the map's owners set the terms; OpenStreetMap data is under ODbL and asks for attribution.",
    "Maps are incomplete and not of the day of the image: what is named is mapped; what is not may still be there.",
)


@dataclass(frozen=True)
class Tiling:
    """Which tiles, and what they must have.

    Attributes:
        gsds: Metres per pixel; empty takes the raster's own and twice that.
        size_px: Side of a tile.
        overlap: Of neighbours, as a share of the side.
        valid: Least share of valid pixels.
        captions: A tile.
        same_scene: How many tiles may show the same set of nouns (an extract has 10,000 of farmland alone).
        column: What says what a feature is; empty for the usual ones.
        layer: Of the vector file; empty for all.
        seed: Of the captions, and of the choice of test places.
        test: Share of the tiles that goes into `test-*.tar`, whole places of them; 0 makes `rs_landmarks-*.tar` alone.
        empty: So many tiles of a raster in which nothing is mapped are kept, captioned as places without what the map
            knows elsewhere; for complete maps only.
    """

    gsds: tuple[float, ...] = ()
    size_px: int = 224
    overlap: float = 0.0
    valid: float = 0.9
    captions: int = 4
    same_scene: int = 200
    column: str = ""
    layer: str = ""
    seed: int = 0
    test: float = 0.0
    empty: int = 0


def imagery(sources: Sequence[str | Path]) -> list[str]:
    """Rasters of files, folders, URLs and STAC items (their `visual` asset, else their first GeoTIFF).

    Raises:
        DataError: A folder without rasters, or an item without imagery.
    """
    found: list[str] = []
    for source in map(str, sources):
        path = Path(source)
        if path.is_dir():
            inside = sorted(str(p) for p in path.rglob("[!.]*") if p.suffix.lower() in _RASTERS[:5])
            if not inside:
                raise DataError(f"{source} holds no rasters.", f"Looked for {', '.join(_RASTERS[:5])}.")
            found += inside
        elif path.suffix == ".json":
            found.append(_stac_asset(path))
        else:
            found.append(source)
    return found


def _stac_asset(path: Path) -> str:
    try:
        assets = json.loads(path.read_text("utf-8"))["assets"]
        by_kind = [
            a["href"] for want in ("visual", "tiff", ".tif") for name, a in assets.items()
            if want in name.lower() or want in str(a.get("type", "")).lower() or want in a["href"].lower()
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        raise DataError(f"{path} is not a STAC item ({e}).", "Give an item with assets.") from e
    if not by_kind:
        raise DataError(f"The STAC item {path} has no GeoTIFF asset.", "Give another item.")
    href = str(by_kind[0])
    return href if "://" in href or Path(href).is_absolute() else str(path.parent / href)


def caption_raster(
    source: str, layers: Sequence[Path], parts: Path, tiling: Tiling, writer: Writer, *,
    progress: Progress = silent, should_stop: ShouldStop = never,
) -> str:
    """Caption the tiles of one raster into `parts`, unless that is done; returns the stem of its files.

    Raises:
        RasterError: The raster cannot be used.
        DataError: A vector layer cannot be read, or a language model does not answer.
        Stopped: Nothing of this raster is kept.
    """
    stem = part_name(source)
    if (parts / f"{stem}.json").is_file():
        return stem
    fallback = GrammarWriter()
    with Raster.open(source) as raster, PartWriter(parts, stem) as part:
        tally = part.tally
        landmarks: list[Landmark] = []
        for layer in layers:
            with tally.step("read map"):
                found, left = read_landmarks(
                    layer, raster.crs, raster.bounds, layer=tiling.layer or None, column=tiling.column or None)
            landmarks += found
            tally.steps["read map"] += len(found) + sum(left.values()) - 1
            tally.dropped.update({("read map", reason): n for reason, n in left.items() if n})
        around = Surroundings(landmarks, raster.transform)
        gsds = tiling.gsds or (max(raster.gsd_m), 2 * max(raster.gsd_m))
        grid = TileGrid(raster, gsds, tiling.size_px, tiling.overlap)
        to_degrees = Transformer.from_crs(raster.crs, "EPSG:4326", always_xy=True)
        scenes: Counter[tuple[str, ...]] = Counter()
        nouns, empty = sorted({m.noun for m in landmarks}), 0
        for number, tile in enumerate(grid):
            check(should_stop, "Finished rasters are kept: run the same command again.")
            progress(number, len(grid), "tiles")
            rng = np.random.default_rng([tiling.seed, int(hashlib.sha256(tile.tile_id.encode()).hexdigest()[:12], 16)])
            with tally.step("look around"):
                sights = around.look(tile.geometry, tile.window, tile.gsd_m, tiling.size_px)
            if not sights and empty >= tiling.empty:
                tally.drop("look around", "nothing mapped in view", tile.tile_id)
                continue
            empty += not sights
            scene = tuple(sorted(s.noun for s in sights))
            scenes[scene] += 1
            if sights and scenes[scene] > tiling.same_scene:
                tally.drop("look around", "scene repeats", ", ".join(scene))
                continue
            with tally.step("read pixels"):
                patch = raster.read(tile.window, (tiling.size_px, tiling.size_px))
            if patch.valid_fraction < tiling.valid:
                tally.drop("read pixels", "nodata", tile.tile_id)
                continue
            image = webp(Image.fromarray(patch.filled()))
            with tally.step("write captions"):
                captions = (_captions(writer, fallback, sights, image, tiling, rng, tally) if sights
                            else without(nouns, tiling.captions, rng))
            if not captions:
                tally.drop("write captions", "no usable caption", tile.tile_id)
                continue
            centre = tile.geometry.centroid
            lon, lat = to_degrees.transform(centre.x, centre.y)
            meta = {
                "captions": captions, "gsd_m": tile.gsd_m, "lat": round(lat, 6), "lon": round(lon, 6),
                "bounds": [round(v, 7) for v in to_degrees.transform_bounds(*tile.geometry.bounds)],
                "landmarks": [s.to_json() for s in sights], "tile_id": tile.tile_id, "source": "rs_landmarks",
            }
            with tally.step("write"):
                part.add({"webp": image, "json": to_json(meta)})
        progress(len(grid), len(grid), "tiles")
    return stem


def _captions(
    writer: Writer, fallback: GrammarWriter, sights: Sequence[Sight], image: bytes, tiling: Tiling,
    rng: np.random.Generator, tally: Tally,
) -> list[str]:
    """Checked captions; what a language model made up is dropped, and the grammar fills the gap."""
    written = writer.write(sights, image, tiling.captions, rng)
    kept = []
    for caption in written:
        extra = unsupported(caption, sights)
        if extra:
            tally.steps["check captions"] += 1
            tally.drop("check captions", "names what is not in view", f"{caption} ({', '.join(extra)})")
        else:
            tally.steps["check captions"] += 1
            kept.append(caption)
    if len(kept) < tiling.captions and not isinstance(writer, GrammarWriter):
        kept += fallback.write(sights, image, tiling.captions - len(kept), rng)
    return list(dict.fromkeys(kept))


def build(
    sources: Sequence[str | Path], layers: Sequence[str | Path], out: Path, *, tiling: Tiling | None = None,
    writer: Writer | None = None, per_shard: int = 1000, progress: Progress = silent, should_stop: ShouldStop = never,
) -> dict[str, Any]:
    """Build the set; run again after a stop to go on. Returns the data card.

    A raster that cannot be used is counted and named, and the others go on; when none can be used, the first error
    is raised.

    Args:
        sources: Rasters, folders of them, STAC items.
        layers: Vector files with landmarks.
        out: Folder for shards, card and parts.
        tiling: Which tiles.
        writer: Of captions; default the local grammar.
        per_shard: Samples in a shard.
        progress: Called after every tile.
        should_stop: Asked before every tile.
    """
    tiling, writer = tiling or Tiling(), writer or GrammarWriter()
    if not layers:
        raise UsageError("No vector layer is given.", "Name at least one, for instance an OpenStreetMap extract.")
    rasters, parts = imagery(sources), out / "parts"
    begin_parts(parts, {**asdict(tiling), "layers": [str(layer) for layer in layers], "writer": writer.name})
    tally, usable, first = Tally(), [], None
    for raster in rasters:
        tally.steps["open imagery"] += 1
        try:
            usable.append(caption_raster(raster, [Path(layer) for layer in layers], parts, tiling, writer,
                                         progress=progress, should_stop=should_stop))
        except RsvlmError as e:
            if e.code != "raster":
                raise
            first = first or e
            tally.drop("open imagery", "unusable raster", str(e))
    if not usable and first is not None:
        raise first
    return write_card(
        out, "RS-Landmarks style set", tally, sources=[*map(_short, rasters), *(Path(layer).name for layer in layers)],
        notes=NOTES, settings={**asdict(tiling), "writer": writer.name},
        result=_merge(parts, usable, out, tiling, per_shard, tally),
    )


def _merge(
    parts: Path, stems: Sequence[str], out: Path, tiling: Tiling, per_shard: int, tally: Tally
) -> dict[str, Any]:
    """Write the parts' tiles, in order, into shards; adds to `tally`. Returns what the set holds."""
    sentences: Counter[str] = Counter()
    nouns: Counter[str] = Counter()
    sides: list[str] = []
    if tiling.test:
        bounds = [json.loads(f["json"])["bounds"] for stem in stems for f in read_part(parts, stem, Tally())]
        sides = split_ground(bounds, tiling.test, tiling.seed)
    counts: Counter[str] = Counter()
    names = ("train", "test") if tiling.test else ("rs_landmarks",)
    with ExitStack() as stack:
        shards = {name: stack.enter_context(ShardWriter(out, name, per_shard)) for name in names}
        for number, files in enumerate(f for stem in stems for f in read_part(parts, stem, tally)):
            where = sides[number] if sides else names[0]
            if where == "neither":
                tally.steps["split"] += 1
                tally.drop("split", "between train and test places")
                continue
            meta = json.loads(files["json"])
            sentences.update(c.lower() for c in meta["captions"])
            nouns.update(m["noun"] for m in meta["landmarks"])
            counts[where] += 1
            shards[where].add(f"{shards[where].samples:08}", files)
    return {
        "samples": counts.total(), **({f"{n}_samples": counts[n] for n in names} if tiling.test else {}),
        "shards": sum(len(s.paths) for s in shards.values()), "captions": sentences.total(),
        "distinct_captions": len(sentences), "nouns": dict(nouns.most_common(40)),
    }


def _short(source: str) -> str:
    return source.rpartition("/")[2]
