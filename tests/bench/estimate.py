"""What a country costs, from measured slopes: `python -m tests.bench.estimate` measures, then prints the table.

A slope is the difference of two sizes, so that start-up does not count. Processor seconds are taken, not wall time, so
that the table says what it costs on machines that have nothing else to do. GPU hours are not measured here: they follow
from the arithmetic of the tower and a rate that is stated.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from rsvlm_core.index.exact import top_rows
from rsvlm_core.settings import data_dir
from tests.bench.bench_search import KEPT, TOP
from tests.bench.country import real_space

ROOT = Path(__file__).resolve().parents[2]
# Multiply-adds a second of one GPU that are taken as reached, of the half-precision peak of a current data-centre card.
GPU_MACS = 50e12


@dataclass(frozen=True)
class Slopes:
    """What one more tile costs.

    Attributes:
        index_s: Processor seconds to read, cut, embed and write it.
        part_bytes: Of GeoParquet.
        map_bytes: Of memory maps, a cache.
        exact_s: Processor seconds that it adds to an exact query of one text.
        tower_macs: Multiply-adds of the image tower.
    """

    index_s: float
    part_bytes: float
    map_bytes: float
    exact_s: float
    tower_macs: float


def tiles_of(area_km2: float, gsd: float, image_px: int, overlap: float, scales: int = 3) -> float:
    """Tiles of an area at its own ground sampling distance and at twice and four times that."""
    stride = image_px * (1 - overlap) * gsd
    return sum(area_km2 * 1e6 / (stride * 2**scale) ** 2 for scale in range(scales))


def slope(small: tuple[float, float], large: tuple[float, float]) -> float:
    """Of (size, cost) pairs."""
    return (large[1] - small[1]) / (large[0] - small[0])


def costs(slopes: Slopes, tiles: float, area_km2: float, gsd: float) -> dict[str, float]:
    """The table's numbers."""
    return {
        "tiles": tiles,
        "pixels": area_km2 * 1e6 / gsd**2,
        "core_hours": tiles * slopes.index_s / 3600,
        "gpu_hours": tiles * slopes.tower_macs / GPU_MACS / 3600,
        "part_bytes": tiles * slopes.part_bytes,
        "map_bytes": tiles * slopes.map_bytes,
        "exact_query_core_s": tiles * slopes.exact_s,
    }


def measure(folder: Path, sides: tuple[int, int] = (1680, 3360), rows: tuple[int, int] = (100_000, 400_000)) -> Slopes:
    """Run the product on rasters of two sizes, and exact search on two numbers of vectors."""
    from rsvlm_core.model.registry import load_encoder

    runs = [_index(folder, side) for side in sides]
    encoder = load_encoder(None, "cpu")
    space = real_space(encoder, data_dir() / "data" / "rsicd" / "val-000.tar", KEPT)
    vectors = [space.map(folder / f"{n}.npy", n) for n in rows]
    seconds = [_least(lambda v=v: top_rows(v, space.texts[:1], TOP)) for v in vectors]  # type: ignore[misc]

    def per_tile(key: str) -> float:
        small, large = ((run["tiles"], run[key]) for run in runs)
        return slope(small, large)

    query = slope((rows[0], seconds[0]), (rows[1], seconds[1]))
    return Slopes(per_tile("cpu_s"), per_tile("parts"), per_tile("maps"), query, _tower_macs())


def _index(folder: Path, side: int) -> dict[str, float]:
    """Index a made-up orthophoto with the command, as a user does."""
    import rasterio
    from affine import Affine

    raster, out = folder / f"{side}.tif", folder / f"{side}.rsindex"
    rng = np.random.default_rng(0)
    ground = np.kron(rng.integers(0, 255, (3, side // 8, side // 8)), np.ones((8, 8))).astype(np.uint8)
    with rasterio.open(
        raster, "w", driver="GTiff", count=3, width=side, height=side, dtype="uint8", crs="EPSG:32633", tiled=True,
        compress="deflate", transform=Affine(0.5, 0, 5e5, 0, -0.5, 5.4e6),
    ) as target:
        target.write(ground ^ rng.integers(0, 16, ground.shape).astype(np.uint8))
    command = [sys.executable, "-m", "rsvlm_core", "index", str(raster), "--out", str(out), "--json"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}: {said}")
    return {
        "tiles": json.loads(said)["embedded"],
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "parts": sum(p.stat().st_size for p in (out / "parts").iterdir()),
        "maps": sum(p.stat().st_size for p in out.glob("*.npy")),
    }


def _least(work: Callable[[], object], times: int = 7) -> float:
    """Processor seconds of the least disturbed of some runs, after one to warm up."""
    found = []
    for _ in range(times + 1):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found[1:])


def _tower_macs() -> float:
    """Of one image, as PyTorch counts."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from rsvlm_core.model.torch_encoder import TorchEncoder
    from rsvlm_core.settings import weights_dir

    encoder = TorchEncoder.load(weights_dir(), "cpu")
    size = encoder.info.image_size
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        encoder.encode_images(np.zeros((1, size, size, 3), np.uint8))
    return counter.get_total_flops() / 2


def table(slopes: Slopes, area_km2: float, gsd: float) -> str:
    """As Markdown."""
    found = costs(slopes, tiles_of(area_km2, gsd, 224, 0.25), area_km2, gsd)
    rows = [
        ("pixels", f"{found['pixels']:.2g}"),
        ("tiles (three scales, a quarter overlap)", f"{found['tiles'] / 1e6:.1f} million"),
        ("to index, processor cores", f"{found['core_hours']:.0f} core-hours"),
        (
            f"to index, GPU at {GPU_MACS / 1e12:.0f} T multiply-adds/s (not measured; the tower alone)",
            f"{found['gpu_hours']:.1g} GPU-hours",
        ),
        ("GeoParquet parts", f"{found['part_bytes'] / 1e9:.0f} GB"),
        ("memory maps (a cache)", f"{found['map_bytes'] / 1e9:.0f} GB"),
        ("exact query, everything in memory", f"{found['exact_query_core_s']:.1f} core-seconds"),
    ]
    width = math.ceil(max(len(name) for name, _ in rows))
    return "\n".join(["| what | costs |", "|---|---|", *(f"| {name:{width}} | {value} |" for name, value in rows)])


def main() -> None:
    """Measure and print, or print from slopes that were measured before."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--area", type=float, default=100_000, help="km²")
    parser.add_argument("--gsd", type=float, default=0.5, help="metres per pixel")
    parser.add_argument("--slopes", type=Path, help="JSON that an earlier run printed")
    args = parser.parse_args()
    if args.slopes:
        slopes = Slopes(**json.loads(args.slopes.read_text()))
    else:
        with tempfile.TemporaryDirectory() as folder:
            slopes = measure(Path(folder))
    print(json.dumps(asdict(slopes)))
    print(table(slopes, args.area, args.gsd))


if __name__ == "__main__":
    main()
