"""What indexing holds does not grow with the number of tiles."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

WIDTH, SMALL, LARGE = 2048, 4_500, 9_000

CHILD = """
import json, sys
from dataclasses import replace
from pathlib import Path
import numpy as np, rasterio
from affine import Affine
from rasterio.windows import Window
sys.path.insert(0, {root!r})
from rsvlm_core.index.builder import build_index
from rsvlm_core.index.plan import Wanted
from tests.fakes import FakeEncoder

class Wide(FakeEncoder):
    def __init__(self):
        super().__init__(128)
        self.info = replace(self.info, embed_dim={width})

    def encode_images(self, images):
        return np.pad(super().encode_images(images), ((0, 0), (0, {width} - 4)))

def built(side):
    path = Path(sys.argv[1]) / f"{{side}}.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=side, height=side, count=1, dtype="uint8", nodata=0, crs="EPSG:32633",
        transform=Affine(1, 0, 5e5, 0, -1, 5.4e6), tiled=True, blockxsize=256, blockysize=256, sparse_ok=True,
        compress="deflate",
    ) as out:
        for row in range(0, side, 256):
            high = min(256, side - row)
            out.write(np.full((1, high, side // 2), 90, np.uint8), window=Window(0, row, side // 2, high))
    report = build_index([str(path)], path.with_suffix(".rsindex"), Wide(), Wanted([1.0]))
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return report.tiles, report.embedded, int(peak.split()[1]) / 1024

print(json.dumps([built({small}), built({large})]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the peak on Linux only")
def test_memory_does_not_grow_with_the_tiles(tmp_path: Path) -> None:
    """Four times the tiles, half of them embedded, in one process: its peak stays where it was."""
    code = CHILD.format(root=str(Path(__file__).resolve().parents[2]), width=WIDTH, small=SMALL, large=LARGE)
    # GDAL's blocks are bounded, by more than a small raster has; and allocators shall not keep what is given back,
    # which is bounded too, but comes slowly to its bound
    settings = {
        "GDAL_CACHEMAX": "8", "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "16384",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
    }
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True,
        env={**os.environ, **settings},
    )
    (few, few_embedded, before), (many, embedded, after) = json.loads(done.stdout)
    vectors = (embedded - few_embedded) * WIDTH * 4 / 2**20  # MB more, if they were kept
    assert many > 3.9 * few and vectors > 24
    assert after - before < 16, (before, after)
