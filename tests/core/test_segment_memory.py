import json
import subprocess
import sys
from pathlib import Path

import pytest

CHILD = """
import json, sys
import numpy as np, rasterio
from affine import Affine
sys.path.insert(0, {root!r})
from rsvlm_core.pipelines.segment import segment
from tests.fakes import FakeEncoder

side, folder = int(sys.argv[1]), sys.argv[2]
path = f"{{folder}}/{{side}}.tif"
rng = np.random.default_rng(0)
with rasterio.open(
    path, "w", driver="GTiff", width=side, height=side, count=3, dtype="uint8", crs="EPSG:32633", tiled=True,
    compress="deflate", transform=Affine(0.5, 0, 500000, 0, -0.5, 5400000),
) as out:
    for row in range(0, side, 256):
        strip = np.full((3, 256, side), 60, np.uint8)
        strip[0, 64:192, :] = np.kron(rng.integers(0, 2, side // 128), np.full(128, 180)).astype(np.uint8)
        out.write(strip, window=rasterio.windows.Window(0, row, side, 256))
segment([path], ["red"], FakeEncoder(64, 4), threshold=0.5)  # warm: what libraries hold once
result = segment(
    [path], ["red", "blue"], FakeEncoder(224, 8), refine="edges", threshold=0.5, mask_raster=f"{{folder}}/m.tif",
    scores=f"{{folder}}/s.tif",
)
# not ru_maxrss: that of a child starts from its parent's
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([len(result.masks), int(peak.split()[1]) / 1024]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the peak on Linux only")
def test_memory_does_not_grow_with_the_raster(tmp_path: Path) -> None:
    """Nine times the pixels, about the same memory, within the two gigabytes that are promised."""
    code = CHILD.format(root=str(Path(__file__).resolve().parents[2]))
    peaks = []
    for side in (1024, 3072):
        done = subprocess.run(
            [sys.executable, "-c", code, str(side), str(tmp_path)], capture_output=True, text=True, check=True
        )
        found, peak = json.loads(done.stdout)
        assert found > 3
        peaks.append(peak)
    # Libraries alone take several hundred megabytes, more or less with the build of torch.
    assert peaks[1] < 2000 and peaks[1] - peaks[0] < 200, peaks
