"""What reading, cutting and writing cost beside the tower, and how indexing grows with the ground."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, cast

import numpy as np

from rsvlm_core import jobs
from rsvlm_core.imagery.raster import Extent, Raster
from rsvlm_core.index.builder import build_index
from rsvlm_core.index.plan import Wanted
from rsvlm_core.jobs.encoders import Encoders
from rsvlm_core.model.encoder import Encoder
from rsvlm_core.model.registry import load_encoder
from tests.bench.commands import sample

BATCH = 32


class _Timed:
    """An encoder that adds up the time inside it."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder, self.info, self.seconds = encoder, encoder.info, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode_patches(self, images: np.ndarray, method: str = "auto") -> np.ndarray:
        """As the encoder does."""
        start = time.perf_counter()
        out = self._encoder.encode_patches(images, method)
        self.seconds += time.perf_counter() - start
        return out


class _Free:
    """An encoder that costs nothing: what is left is everything but the tower."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder, self.info = encoder, encoder.info

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode_images(self, images: np.ndarray) -> np.ndarray:
        """As many vectors, all alike."""
        return np.full((len(images), self.info.embed_dim), self.info.embed_dim**-0.5, np.float32)


class _Given(Encoders):
    """Knows one encoder."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self._given = encoder

    def get(self, *_: object) -> Encoder:
        """That encoder."""
        return self._given


def measure(rounds: int = 3) -> list[dict[str, Any]]:
    """Indexing and the tower alone take turns; then segmentation; then indexing of 1, 2 and 4 parts of the ground."""
    encoder, raster, rows = load_encoder(device="cpu"), str(sample()), []
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu, rest, parts = [], [], [], []
        _tower(encoder, BATCH)  # the first images make the session ready, which is no part of either
        for number in range(rounds):
            whole, tiles = _index(raster, encoder, Path(folder) / f"{number}.rsindex")
            alone = _tower(encoder, tiles)
            others, _ = _index(raster, cast(Encoder, _Free(encoder)), Path(folder) / f"f{number}.rsindex")
            wall.append(alone[0] / whole[0])
            cpu.append(alone[1] / whole[1])
            rest.append(1000 * others[1] / tiles)
            parts.append(alone[1] / (alone[1] + others[1]))
        rows.append(_row(f"index of {tiles} tiles: tower alone / all of it, wall", wall))
        rows.append(_row("the same, processor time of all threads", cpu))
        rows.append(_row("index with a tower that costs nothing, CPU ms a tile", rest))
        rows.append(_row("tower / (tower + that), processor time", parts))
        shares = []
        for _ in range(rounds):
            timed = _Timed(encoder)
            context = jobs.Context(_Given(timed))
            start = time.perf_counter()
            jobs.job("segment")(jobs.Params({
                "sources": [raster], "texts": ["houses"], "out": f"{folder}/masks.gpkg", "extent": _middle(raster, 0.5),
            }), context)  # fmt: skip
            shares.append(timed.seconds / (time.perf_counter() - start))
        rows.append(_row("segment of a quarter: tower / all of it, wall", shares))
        growth: dict[float, list[float]] = {0.5: [], 0.707: [], 1.0: []}
        for number in range(rounds):
            for side, costs in growth.items():
                (_, used), tiles = _index(
                    raster, encoder, Path(folder) / f"g{number}{side}.rsindex", _middle(raster, side)
                )
                costs.append(1000 * used / tiles)
        for side, costs in growth.items():
            rows.append(_row(f"index of {side**2:.0%} of the ground, CPU ms a tile", costs))
    return rows


def _row(name: str, values: list[float]) -> dict[str, Any]:
    return {
        "what": name, "median": round(statistics.median(values), 2), "low": round(min(values), 2),
        "high": round(max(values), 2),
    }


def _index(
    raster: str, encoder: Encoder, out: Path, extent: Extent | None = None
) -> tuple[tuple[float, float], int]:
    """(wall, CPU) seconds, and tiles."""
    wall, cpu = time.perf_counter(), time.process_time()
    report = build_index([raster], out, encoder, Wanted(extent=extent))
    return (time.perf_counter() - wall, time.process_time() - cpu), report.embedded


def _tower(encoder: Encoder, tiles: int) -> tuple[float, float]:
    """(wall, CPU) seconds of embedding as many tiles that are there already."""
    size = encoder.info.image_size
    images = np.random.default_rng(0).integers(0, 256, (BATCH, size, size, 3), dtype=np.uint8)
    wall, cpu = time.perf_counter(), time.process_time()
    for start in range(0, tiles, BATCH):
        encoder.encode_images(images[: min(BATCH, tiles - start)])
    return time.perf_counter() - wall, time.process_time() - cpu


def _middle(raster: str, side: float) -> tuple[float, float, float, float]:
    """The extent of the middle of a raster, a share of its sides."""
    with Raster.open(raster) as opened:
        xmin, ymin, xmax, ymax = opened.bounds
    x, y, w, h = (xmin + xmax) / 2, (ymin + ymax) / 2, (xmax - xmin) * side / 2, (ymax - ymin) * side / 2
    return x - w, y - h, x + w, y + h
