"""RS-Landmarks: tiles of georeferenced imagery captioned by what maps know to lie in them.

Tiles are made in parts of 256: a part is done when its `parts/NAME.json` is there, and is not done again. Then the
parts are merged in order into shards with a data card.
"""

from __future__ import annotations

import hashlib
import json
import re
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pyproj import Transformer

from rsvlm_core.errors import DataError, RsvlmError, UsageError, first_line
from rsvlm_core.imagery.raster import Raster
from rsvlm_core.progress import Progress, ShouldStop, check, never, silent
from rsvlm_core.tiles.grid import Tile, TileGrid
from training.build.card import Tally, write_card
from training.build.landmarks import Landmark, read_landmarks, refuse_name
from training.build.parts import PartWriter, begin_parts, part_name, read_part
from training.build.scene import Sight, Surroundings
from training.build.shardout import ShardWriter, to_json, webp
from training.build.split import split_ground
from training.build.writers import GrammarWriter, Writer, unsupported, without

_TILES = 256  # that are one part of the work
_REMOTE = re.compile(r"https?://", re.IGNORECASE)
_PATIENCE_S, _LARGEST_ITEM = 30.0, 4 << 20  # of a STAC item that lies elsewhere
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
    """Rasters of files, folders, URLs and STAC items, local or by URL (their `visual` asset, else the first GeoTIFF).

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
            found.append(_stac_asset(source))
        else:
            found.append(source)
    return found


def _stac_asset(source: str) -> str:
    try:
        if _REMOTE.match(source):
            with urllib.request.urlopen(source, timeout=_PATIENCE_S) as answer:  # noqa: S310
                text = answer.read(_LARGEST_ITEM).decode("utf-8")
        else:
            text = Path(source).read_text("utf-8")
        assets = json.loads(text)["assets"]
        by_kind = [
            a["href"] for want in ("visual", "tiff", ".tif") for name, a in assets.items()
            if want in name.lower() or want in str(a.get("type", "")).lower() or want in a["href"].lower()
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        raise DataError(f"{source} is not a STAC item ({first_line(e)}).", "Give an item with assets.") from e
    if not by_kind:
        raise DataError(f"The STAC item {source} has no GeoTIFF asset.", "Give another item.")
    href = str(by_kind[0])
    if _REMOTE.match(source):
        return urllib.parse.urljoin(source, href)
    return href if "://" in href or Path(href).is_absolute() else str(Path(source).parent / href)


def caption_raster(
    source: str, layers: Sequence[Path], parts: Path, tiling: Tiling, writer: Writer, *,
    progress: Progress = silent, should_stop: ShouldStop = never,
) -> list[str]:
    """Caption the tiles of one raster into `parts`, those that are not done; returns the stems of their files.

    Raises:
        RasterError: The raster cannot be used.
        DataError: A vector layer cannot be read, or a language model does not answer.
        Stopped: The part that was begun is not kept.
    """
    name = part_name(source)
    done = _finished(parts, name)
    if done:
        return done
    with Raster.open(source) as raster:
        grid = TileGrid(
            raster, tiling.gsds or (max(raster.gsd_m), 2 * max(raster.gsd_m)), tiling.size_px, tiling.overlap)
        known = Tally()
        tiles = _Tiles(raster, read_maps(layers, raster, tiling, known), tiling, writer)
        count = max(1, -(-len(grid) // _TILES))
        stems = [f"{name}-{k:05}" for k in range(count)]
        for first, stem in zip(range(0, count * _TILES, _TILES), stems, strict=True):
            if (parts / f"{stem}.json").is_file():
                tiles.go_on(json.loads((parts / f"{stem}.json").read_text("utf-8")))
                continue
            more: dict[str, Any] = {}
            with PartWriter(parts, stem, more) as part:
                if not first:
                    part.tally.add(known)
                for number, tile in enumerate(grid.tiles(first, min(len(grid), first + _TILES)), start=first):
                    check(should_stop, "Finished parts are kept: run the same command again.")
                    progress(number, len(grid), "tiles")
                    made = tiles.make(tile, part.tally)
                    if made is not None:
                        with part.tally.step("write"):
                            part.add(made)
                more |= {"parts": count, **tiles.so_far()}
        progress(len(grid), len(grid), "tiles")
    return stems


def _finished(parts: Path, name: str) -> list[str]:
    """The stems of a raster whose parts are all there, without opening it again; else none."""
    first = parts / f"{name}-00000.json"
    if not first.is_file():
        return []
    stems = [f"{name}-{k:05}" for k in range(json.loads(first.read_text("utf-8"))["parts"])]
    return stems if all((parts / f"{stem}.json").is_file() for stem in stems) else []


def read_maps(layers: Sequence[Path], raster: Raster, tiling: Tiling, tally: Tally) -> list[Landmark]:
    """The landmarks of all layers; what says nothing and names that cannot be said are counted."""
    landmarks: list[Landmark] = []
    for layer in layers:
        with tally.step("read map"):
            found, left = read_landmarks(
                layer, raster.crs, raster.bounds, layer=tiling.layer or None, column=tiling.column or None)
        tally.steps["read map"] += len(found) + sum(left.values()) - 1
        tally.dropped.update({("read map", reason): n for reason, n in left.items() if n})
        for landmark in found:
            if landmark.name:
                with tally.step("proper name"):
                    reason = refuse_name(landmark.name)
                if reason:  # the landmark stays, without it
                    tally.drop("proper name", reason, landmark.name)
                    landmark = replace(landmark, name="")
            landmarks.append(landmark)
    return landmarks


class _Tiles:
    """Makes samples of one raster's tiles, in order; knows what it has shown already.

    Args:
        raster: Open.
        landmarks: Of the map.
        tiling: The settings.
        writer: Of captions.
    """

    def __init__(self, raster: Raster, landmarks: Sequence[Landmark], tiling: Tiling, writer: Writer) -> None:
        self._raster, self._tiling, self._writer, self._fallback = raster, tiling, writer, GrammarWriter()
        self._around = Surroundings(landmarks, raster.transform)
        self._nouns = sorted({m.noun for m in landmarks})
        self._to_degrees = Transformer.from_crs(raster.crs, "EPSG:4326", always_xy=True)
        self._scenes: Counter[tuple[str, ...]] = Counter()
        self._empty = 0

    def so_far(self) -> dict[str, Any]:
        """What `go_on` needs."""
        return {"scenes": [[*scene, n] for scene, n in self._scenes.items()], "empty": self._empty}

    def go_on(self, told: Mapping[str, Any]) -> None:
        """Go on behind a part that was made earlier."""
        self._scenes = Counter({tuple(scene): n for *scene, n in told["scenes"]})
        self._empty = int(told["empty"])

    def make(self, tile: Tile, tally: Tally) -> dict[str, bytes] | None:
        """The files of a tile's sample, or None, counted, where it makes none."""
        tiling, size = self._tiling, self._tiling.size_px
        rng = np.random.default_rng([tiling.seed, int(hashlib.sha256(tile.tile_id.encode()).hexdigest()[:12], 16)])
        with tally.step("look around"):
            sights = self._around.look(tile.geometry, tile.window, tile.gsd_m, size)
        if not sights and self._empty >= tiling.empty:
            tally.drop("look around", "nothing mapped in view", tile.tile_id)
            return None
        self._empty += not sights
        scene = tuple(sorted(s.noun for s in sights))
        self._scenes[scene] += 1
        if sights and self._scenes[scene] > tiling.same_scene:
            tally.drop("look around", "scene repeats", ", ".join(scene))
            return None
        with tally.step("read pixels"):
            patch = self._raster.read(tile.window, (size, size))
        if patch.valid_fraction < tiling.valid:
            tally.drop("read pixels", "nodata", tile.tile_id)
            return None
        with tally.step("compress"):
            image = webp(Image.fromarray(patch.filled()))
        with tally.step("write captions"):
            captions = (self._captions(sights, image, rng, tally) if sights
                        else without(self._nouns, tiling.captions, rng))
        if not captions:
            tally.drop("write captions", "no usable caption", tile.tile_id)
            return None
        centre = tile.geometry.centroid
        lon, lat = self._to_degrees.transform(centre.x, centre.y)
        meta = {
            "captions": captions, "gsd_m": tile.gsd_m, "lat": round(lat, 6), "lon": round(lon, 6),
            "bounds": [round(v, 7) for v in self._to_degrees.transform_bounds(*tile.geometry.bounds)],
            "landmarks": [s.to_json() for s in sights], "tile_id": tile.tile_id, "source": "rs_landmarks",
        }
        return {"webp": image, "json": to_json(meta)}

    def _captions(
        self, sights: Sequence[Sight], image: bytes, rng: np.random.Generator, tally: Tally
    ) -> list[str]:
        """Checked captions; what a language model made up is dropped, and the grammar fills the gap."""
        count, kept = self._tiling.captions, list[str]()
        for caption in self._writer.write(sights, image, count, rng):
            tally.steps["check captions"] += 1
            extra = unsupported(caption, sights, self._nouns)
            if extra:
                tally.drop("check captions", "names what is not in view", f"{caption} ({', '.join(extra)})")
            else:
                kept.append(caption)
        if len(kept) < count and not isinstance(self._writer, GrammarWriter):
            kept += self._fallback.write(sights, image, count - len(kept), rng)
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
    tally, usable, first = Tally(), list[str](), None
    for raster in rasters:
        tally.steps["open imagery"] += 1
        try:
            usable += caption_raster(raster, [Path(layer) for layer in layers], parts, tiling, writer,
                                     progress=progress, should_stop=should_stop)
        except RsvlmError as e:
            if e.code != "raster":
                raise
            first = first or e
            tally.drop("open imagery", "unusable raster", str(e))
    if not usable and first is not None:
        raise first
    return write_card(
        out, "RS-Landmarks style set", tally, record=("tiles", "look around"),
        sources=[*map(_short, rasters), *(Path(layer).name for layer in layers)], notes=NOTES,
        settings={**asdict(tiling), "writer": writer.name},
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
        again = (f for stem in stems for f in read_part(parts, stem, tally))
        for number, files in enumerate(tally.each("read again", again)):
            where = sides[number] if sides else names[0]
            if where == "neither":
                tally.steps["split"] += 1
                tally.drop("split", "between train and test places")
                continue
            meta = json.loads(files["json"])
            sentences.update(c.lower() for c in meta["captions"])
            nouns.update(m["noun"] for m in meta["landmarks"])
            counts[where] += 1
            with tally.step("into shards"):
                shards[where].add(f"{shards[where].samples:08}", files)
    return {
        "samples": counts.total(), **({f"{n}_samples": counts[n] for n in names} if tiling.test else {}),
        "shards": sum(len(s.paths) for s in shards.values()), "captions": sentences.total(),
        "distinct_captions": len(sentences), "nouns": dict(nouns.most_common(40)),
    }


def _short(source: str) -> str:
    return source.rpartition("/")[2]
