"""Sample rasters for the demo: real imagery that packages on PyPI carry. They are unpacked, never imported."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Samples:
    """Rasters, and what to look for in them.

    Attributes:
        rasters: Files.
        query: A text that fits some place in them.
        credit: Whose imagery it is, and its terms.
    """

    rasters: tuple[Path, ...]
    query: str
    credit: str


def fetch(folder: Path) -> Samples:
    """The samples, fetched once: three places in Rotterdam, else San Francisco Bay.

    Args:
        folder: Where the rasters are kept.

    Raises:
        SystemExit: Neither can be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = _rotterdam(folder) or _san_francisco(folder)
    if found is None:
        raise SystemExit("No sample can be fetched. Use a raster of your own: make demo RASTER=… QUERY=…")
    return found


def _rotterdam(folder: Path) -> Samples | None:
    """Three chips of 300 m, 4 bands at 1 m and panchromatic at 0.5 m, joined to colour at 0.5 m."""
    rasters = tuple(folder / f"rotterdam_{place}.tif" for place in ("tanks", "harbour", "town"))
    if not all(r.exists() for r in rasters):
        inside = "solaris/data/preproc_tutorial/{}{}.tif"
        members = [inside.format(kind, number) for number in (3, 2, 1) for kind in ("ms", "pan")]
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            parts = _unpack("solaris==0.4.0", members, Path(scratch))
            if parts is None:
                return None
            for raster, ms, pan in zip(rasters, parts[::2], parts[1::2], strict=True):
                _sharpen(ms, pan, raster)
    return Samples(rasters, "storage tanks", "SpaceNet 6, Maxar, CC BY-SA 4.0")


def _san_francisco(folder: Path) -> Samples | None:
    """A Landsat 7 scene at 30 m, near infrared shown as green so that plants look like plants."""
    raster = folder / "san_francisco_bay.tif"
    if not raster.exists():
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            parts = _unpack("localtileserver", ["localtileserver/tiler/data/landsat7.tif"], Path(scratch))
            if parts is None:
                return None
            _reorder(parts[0], (2, 1, 3), raster)
    return Samples((raster,), "forest and mountains", "Landsat 7, U.S. Geological Survey, public domain")


def _unpack(package: str, members: Sequence[str], folder: Path) -> list[Path] | None:
    """Members of a package's wheel as files, or None where it cannot be had."""
    print(f"Fetching sample rasters from the package {package} …", flush=True)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps",
               "--only-binary", ":all:", "--dest", str(folder), package]
    done = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        print(f"  not to be had: {(done.stderr.strip() or 'no wheel').splitlines()[-1]}")
        return None
    with zipfile.ZipFile(wheels[0]) as contents:
        if not set(members) <= set(contents.namelist()):
            print(f"  {wheels[0].name} does not carry them")
            return None
        return [Path(contents.extract(member, folder)) for member in members]


def _sharpen(ms: Path, pan: Path, out: Path) -> None:
    """Blue, green, red, infrared and a panchromatic band of twice the resolution -> red, green, blue (Brovey)."""
    import numpy as np
    import rasterio
    from rasterio.enums import Resampling

    with rasterio.open(pan) as fine, rasterio.open(ms) as coarse:
        light = fine.read(1).astype(np.float32)
        colour = coarse.read((3, 2, 1), out_shape=(3, *light.shape), resampling=Resampling.bilinear).astype(np.float32)
        profile = {**fine.profile, "count": 3, "dtype": "uint16", "nodata": 0, "photometric": "RGB"}
    sharp = np.clip(colour * light / np.maximum(colour.mean(axis=0), 1), 0, 65535)
    with rasterio.open(_beside(out), "w", **profile) as target:
        target.write(sharp.astype(np.uint16))
    _beside(out).replace(out)


def _reorder(source: Path, bands: Sequence[int], out: Path) -> None:
    """The same raster with its bands in another order."""
    import rasterio

    with rasterio.open(source) as raster:
        profile = {**raster.profile, "photometric": "RGB"}
        pixels = raster.read(bands)
    with rasterio.open(_beside(out), "w", **profile) as target:
        target.write(pixels)
    _beside(out).replace(out)


def _beside(out: Path) -> Path:
    return out.with_name(f".part-{out.name}")
