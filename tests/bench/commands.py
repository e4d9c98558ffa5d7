"""Commands as users run them, each in a process of its own: seconds and peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsvlm_core.settings import data_dir

ROOT = Path(__file__).resolve().parents[2]
SIDES = {"1 GB": 18_432, "100 GB": 184_320}  # pixels of three bytes
GSD, FILLED = 0.5, 4096  # metres per pixel; pixels of the side of the part that holds imagery


@dataclass(frozen=True)
class Ran:
    """One command.

    Attributes:
        seconds: Wall time, start-up included.
        cpu_seconds: Processor time of all its threads: what it costs on a machine that has other work too.
        peak_mb: Largest resident memory of its process, MB (10^6 bytes).
        said: Its --json.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: int
    said: dict[str, Any]


def run(*arguments: str, **environment: str) -> Ran:
    """Run a command of rsvlm and watch it. The caller must be small: a child's peak begins with its parent's.

    Raises:
        SystemExit: It failed.
    """
    command = [sys.executable, "-m", "rsvlm_core", *arguments, "--json"]
    start = time.monotonic()
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, **environment},
    )
    assert process.stdout is not None
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}: {out}")
    scale = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB on Linux
    cpu = usage.ru_utime + usage.ru_stime
    return Ran(round(seconds, 1), round(cpu, 1), round(usage.ru_maxrss * scale / 1e6), json.loads(out))


def sample() -> Path:
    """The orthophoto that the numbers are about.

    Raises:
        SystemExit: It is not here.
    """
    path = data_dir() / "rasters" / "barnarp_west.tif"
    if not path.exists():
        raise SystemExit(f"There is no {path}; set RSVLM_DATA.")
    return path


def cold_start(rounds: int = 1) -> list[dict[str, Any]]:
    """A search on a raster that was never seen, taking turns between runtimes; the median by wall time."""
    ran: dict[str, list[Ran]] = {"onnx": [], "torch": []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            for runtime, list_ in ran.items():
                out = f"{folder}/{runtime}{number}.gpkg"
                list_.append(run(
                    "search", str(sample()), "--text", "houses", "--out", out, "--runtime", runtime,
                    RSVLM_CACHE=f"{folder}/{runtime}{number}",
                ))
    rows = []
    for runtime, list_ in ran.items():
        median = sorted(list_, key=lambda r: r.seconds)[len(list_) // 2]
        rows.append({
            "runtime": runtime, "wall s": median.seconds, "CPU s": median.cpu_seconds, "peak MB": median.peak_mb,
            "of it index s": median.said["seconds_index"], "query s": median.said["seconds_query"],
            "tiles": median.said["tiles_searched"], "least wall s": min(r.seconds for r in list_),
        })
    return rows


def sparse_raster(path: Path, side: int) -> None:
    """A raster of side x side pixels, blocks of which exist in one square only."""
    import numpy as np
    import rasterio
    from affine import Affine
    from rasterio.windows import Window

    rng = np.random.default_rng(0)
    small = rng.integers(1, 256, (3, FILLED // 32, FILLED // 32), dtype=np.uint8)
    with rasterio.open(
        path, "w", driver="GTiff", count=3, width=side, height=side, dtype="uint8", nodata=0, crs="EPSG:32633",
        transform=Affine(GSD, 0, 400_000.0, 0, -GSD, 5_400_000.0), tiled=True, blockxsize=512, blockysize=512,
        interleave="pixel", sparse_ok=True, bigtiff="yes",
    ) as target:
        target.write(small.repeat(32, axis=1).repeat(32, axis=2), window=Window(8192, 8192, FILLED, FILLED))


def memory_by_size() -> list[dict[str, Any]]:
    """Indexing a whole raster, and segmenting the imagery in it, where the raster is small and where it is large."""
    left, top = 400_000 + 8192 * GSD, 5_400_000 - 8192 * GSD
    extent = f"{left},{top - 1024 * GSD},{left + 1024 * GSD},{top}"
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, side in SIDES.items():
            raster = Path(folder) / f"{side}.tif"
            subprocess.run(  # in a process of its own, lest this one grow
                [sys.executable, "-c", "import sys; from pathlib import Path; from tests.bench.commands import *; "
                 "sparse_raster(Path(sys.argv[1]), int(sys.argv[2]))", str(raster), str(side)], cwd=ROOT, check=True,
            )  # fmt: skip
            index = run("index", str(raster), "--out", f"{folder}/{side}.rsindex", "--gsd", "2.0")
            masks = run("segment", str(raster), "--text", "houses", "--extent", extent, "--out", f"{folder}/m.gpkg")
            rows.append({
                "raster": name, "tiles": index.said["tiles"], "embedded": index.said["embedded"],
                "index peak MB": index.peak_mb, "index CPU s": index.cpu_seconds, "segment peak MB": masks.peak_mb,
                "segment CPU s": masks.cpu_seconds,
            })
            raster.unlink()
    small, large = rows
    peaks = {k: round(large[k] / small[k], 3) for k in ("index peak MB", "segment peak MB")}
    rows.append({"raster": "100 GB / 1 GB", **peaks})
    return rows
