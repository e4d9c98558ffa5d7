"""A made-up country: as many vectors as wanted, that lie like those of the bundled model; index folders and pieces.

Real images and captions (RSICD val) are embedded once. A made-up tile is a real image's vector moved by the difference
of two others: the spectrum of the space, its anisotropy and the distance of texts from images stay real.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely
from PIL import Image
from pyproj import CRS

from rsvlm_core.engines.pieces import Card, Piece
from rsvlm_core.imagery.patch import Window
from rsvlm_core.imagery.projecting import LONLAT, project
from rsvlm_core.imagery.stretch import Stretch
from rsvlm_core.index.files import PARTS, part_name
from rsvlm_core.index.manifest import Area, IndexManifest, Part, Source
from rsvlm_core.index.parts import PartNotes, write_part
from rsvlm_core.index.places import corners_of
from rsvlm_core.model.encoder import Encoder, Float32, ModelInfo
from rsvlm_core.tiles.grid import OVERLAP, Tile

UTM = CRS.from_epsg(32633)
MOVED = 0.5
BLOCK = 65536
TILE_M, PIXELS = 112.0, 224  # 224 pixels of 0.5 m
STEP, CORNER = TILE_M * (1 - OVERLAP), (400_000.0, 5_600_000.0)


@dataclass(frozen=True)
class Space:
    """Real vectors.

    Attributes:
        images: [n, D] of images.
        texts: [t, D] of captions.
    """

    images: Float32
    texts: Float32

    def blocks(self, rows: int, seed: int = 0) -> Iterator[Float32]:
        """`rows` made-up vectors in blocks of at most 65536, the same ones every time."""
        for start in range(0, rows, BLOCK):
            yield self.block(start, min(BLOCK, rows - start), seed)

    def block(self, start: int, rows: int, seed: int = 0) -> Float32:
        """The made-up vectors from `start`, a multiple of 65536, on."""
        rng = np.random.default_rng((seed, start))
        a, b, c = rng.integers(0, len(self.images), (3, rows))
        made: Float32 = self.images[a] + MOVED * (self.images[b] - self.images[c])
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        return made

    def map(self, path: Path, rows: int) -> Float32:
        """[rows, D] as a memory map on disk, written block by block; what is there already is used."""
        if not path.exists():
            half = path.with_suffix(".half")
            shape = (rows, self.images.shape[1])
            with half.open("wb") as target:
                kind = np.lib.format.dtype_to_descr(np.dtype(np.float32))
                np.lib.format.write_array_header_1_0(target, {"descr": kind, "fortran_order": False, "shape": shape})
                for block in self.blocks(rows):
                    target.write(block.data)
            half.rename(path)
        found: Float32 = np.load(path, mmap_mode="r")
        return found


def real_space(encoder: Encoder, rsicd_tar: Path, cache: Path, images: int = 1000, texts: int = 64) -> Space:
    """Vectors of the first images and captions of a shard."""
    kept = cache / f"space-{encoder.info.sha256[:12]}-{images}-{texts}.npz"
    if not kept.exists():
        pictures, captions = [], []
        size = (encoder.info.image_size, encoder.info.image_size)
        with tarfile.open(rsicd_tar) as shard:
            for member in shard:
                content = shard.extractfile(member)
                if content is None:
                    continue
                if member.name.endswith(".json") and len(captions) < texts:
                    captions.append(json.loads(content.read())["captions"][0])
                elif member.name.endswith((".webp", ".jpg", ".png")) and len(pictures) < images:
                    pictures.append(np.array(Image.open(io.BytesIO(content.read())).convert("RGB").resize(size)))
        seen = [encoder.encode_images(np.stack(pictures[i : i + 32])) for i in range(0, len(pictures), 32)]
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(kept, images=np.concatenate(seen), texts=encoder.encode_texts(captions))
    found = np.load(kept)
    return Space(found["images"], found["texts"])


def make_index(folder: Path, space: Space, rows: int, info: ModelInfo, part_tiles: int = 512) -> None:
    """An index folder of `rows` tiles of 112 m in a square, all of one raster that does not exist."""
    side = int(np.ceil(rows**0.5))
    x0, y0 = CORNER
    pixels = int(np.ceil(side * STEP * PIXELS / TILE_M)) + PIXELS
    parts = tuple(
        Part(i, start, min(rows, start + part_tiles)) for i, start in enumerate(range(0, rows, part_tiles))
    )
    gsd = TILE_M / PIXELS
    source = Source(
        "/nowhere/country.tif", "made-up", UTM.to_wkt(), (gsd, 0.0, x0, 0.0, -gsd, y0), pixels, pixels,
        (1, 2, 3), Stretch((0.0,) * 3, (255.0,) * 3, True), (gsd,), 0.25, (Area(None, parts),),
    )
    (folder / PARTS).mkdir(parents=True)
    replace(IndexManifest.of(info, OVERLAP), next_part=len(parts)).with_source(source).save(folder)
    stream = (vector for block in space.blocks(rows) for vector in block)
    for part in parts:
        numbers = np.arange(part.start, part.stop)
        row, col = numbers // side, numbers % side
        squares = _squares(numbers, side)
        tiles = [
            Tile(f"t{n}", source.source, 0, int(r), int(c), gsd, Window(0, 0, 1, 1), g)
            for n, r, c, g in zip(numbers, row, col, squares, strict=True)
        ]
        vectors = np.stack([next(stream) for _ in tiles])
        notes = PartNotes(source.fingerprint, info.sha256, len(tiles))
        path = folder / PARTS / part_name(part.number)
        write_part(path, tiles, np.ones(len(tiles)), project(squares, UTM, LONLAT), vectors, notes)


@dataclass(frozen=True)
class MadePiece(Piece):
    """A piece of an index that never was in files.

    Attributes:
        space: Where its vectors lie.
        side: Tiles in a row of the country.
    """

    space: Space
    side: int

    def table(self) -> pa.Table:
        """As that of a part."""
        numbers = np.arange(self.order, self.order + self.rows)
        shapes = project(_squares(numbers, self.side), UTM, LONLAT)
        bounds = shapely.bounds(shapes)
        vectors = self.space.block(self.order, self.rows)
        return pa.table(
            {
                "piece": np.full(self.rows, self.key, np.int64),
                "order": numbers,
                "tile_id": [f"t{n}" for n in numbers],
                "source": ["/nowhere/country.tif"] * self.rows,
                "gsd_m": np.full(self.rows, TILE_M / PIXELS),
                **{name: bounds[:, i] for i, name in enumerate(("xmin", "ymin", "xmax", "ymax"))},
                "corners": pa.FixedSizeListArray.from_arrays(pa.array(corners_of(shapes).reshape(-1)), 8),
                "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1]),
            }
        )


def pieces(space: Space, rows: int, info: ModelInfo) -> tuple[Card, list[MadePiece]]:
    """What `serve-index push` would push of `make_index`'s folder, made when it is asked for."""
    side = int(np.ceil(rows**0.5))
    card = Card(info.id, info.sha256, info.embed_dim, UTM.to_wkt())
    return card, [
        MadePiece(start, Path("/nowhere"), min(BLOCK, rows - start), start, space, side)
        for start in range(0, rows, BLOCK)
    ]


def _squares(numbers: np.ndarray, side: int) -> np.ndarray:
    """Outlines of tiles, in `UTM`."""
    x, y = CORNER[0] + numbers % side * STEP, CORNER[1] - numbers // side * STEP
    squares: np.ndarray = shapely.box(x, y - TILE_M, x + TILE_M, y)
    return squares
