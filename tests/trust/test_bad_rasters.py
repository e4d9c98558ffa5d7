"""Every file of the corpus: a right result or one clear line, and nothing that exists is lost."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from shapely.geometry import Point

from rsvlm_core.errors import RsvlmError
from rsvlm_core.imagery.patch import Window
from rsvlm_core.imagery.raster import Raster
from tests.trust import scale
from tests.trust.conftest import snapshot
from tests.trust.corpus import CASES
from tests.trust.scene import RED_CENTRE, as_driver, write

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_corpus(case, rsvlm, must_refuse, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    source = case.make(folder)
    (out / "hits.gpkg").write_bytes(b"an earlier result")
    (out / "masks.gpkg").write_bytes(b"an earlier result")
    before = snapshot(folder) if case.fate != "bad" or source.is_file() and source.stat().st_size < 1e7 else {}
    search = ("search", source, "--text", "red", "--top", 1, "--out", out / "hits.gpkg")
    segment = ("segment", source, "--text", "red", "--out", out / "masks.gpkg")
    scale.count("corpus: files", 1)
    if case.fate in ("bad", "unreadable"):
        name = source.name if source.name.isprintable() else "gone"
        must_refuse(*search, names=name)
        must_refuse(*segment, names=name)
        must_refuse("index", source, "--out", out / "x.rsindex", names=name)
        for name in ("hits.gpkg", "masks.gpkg"):
            assert (out / name).read_bytes() == b"an earlier result"
        # a raster that opens and cannot be read leaves an index that continues once it can
        left = {p.name for p in out.iterdir()} - {"hits.gpkg", "masks.gpkg"}
        assert left == ({"x.rsindex"} if case.fate == "unreadable" else set())
        return
    said = rsvlm(*search)
    assert said.status == 0, said
    hits = gpd.read_file(out / "hits.gpkg")
    assert len(hits) == (case.name != "one_pixel") and np.isfinite(hits["score"]).all()
    assert set(hits["source"]) <= {str(source)}
    assert rsvlm(*segment).status == 0
    masks = gpd.read_file(out / "masks.gpkg")
    assert masks.geometry.is_valid.all()
    assert snapshot(folder) == before, "the input's folder was written to"
    if case.fate == "good":
        with rasterio.open(source) as src:
            centre = Point(*(src.transform * RED_CENTRE))
            assert hits.crs == src.crs
        assert hits.geometry[0].buffer(0).contains(centre)
        assert hits["score"][0] > 0.8


@pytest.mark.parametrize("driver", ["GTiff", "PNG", "JP2OpenJPEG"])
def test_flipped_bits_and_cut_ends(driver, tmp_path):
    """Hundreds of damaged files: each opens and reads, or says why not; never anything else."""
    suffix = {"GTiff": ".tif", "PNG": ".png", "JP2OpenJPEG": ".jp2"}[driver]
    whole = tmp_path / f"whole{suffix}"
    whole = write(whole, compress="deflate") if driver == "GTiff" else as_driver(whole, driver, WORLDFILE="YES")
    data = whole.read_bytes()
    rng = np.random.default_rng(8)
    opened = refused = 0
    for i in scale.within(0.005, range(scale.pick(60, 30_000))):
        damaged = bytearray(data[: int(rng.integers(1, len(data)))] if i % 3 == 0 else data)
        for _ in range(int(rng.integers(1, 6)) if i % 3 else 0):
            # the first bytes hold what a reader believes
            at = int(rng.integers(0, min(len(damaged), 400) if i % 2 else len(damaged)))
            damaged[at] ^= 1 << int(rng.integers(0, 8))
        path = tmp_path / f"d{i}{suffix}"
        path.write_bytes(damaged)
        for beside in tmp_path.glob("whole*.*"):
            if beside != whole:
                (tmp_path / beside.name.replace("whole", f"d{i}")).write_bytes(beside.read_bytes())
        try:
            with Raster.open(str(path)) as raster:
                patch = raster.read(Window(0, 0, min(raster.width, 512), min(raster.height, 512)), (32, 32))
                assert patch.rgb.shape == (32, 32, 3)
            opened += 1
        except RsvlmError as error:
            assert path.name in error.message and error.remedy
            refused += 1
        for made in tmp_path.glob(f"d{i}*"):
            made.unlink()
    scale.count("corpus: damaged copies", opened + refused)
    assert refused > (opened + refused) / 10


def test_python_in_a_mosaic_is_not_run(rsvlm, tmp_path):
    """GDAL can run Python that a .vrt brings; from a stranger's file nothing may run."""
    source, mark = write(tmp_path / "in.tif"), tmp_path / "ran"
    (tmp_path / "evil.vrt").write_text(f"""<VRTDataset rasterXSize="128" rasterYSize="128"><SRS>EPSG:32633</SRS>
<GeoTransform>500000,0.5,0,5400000,0,-0.5</GeoTransform>
<VRTRasterBand dataType="Byte" band="1" subClass="VRTDerivedRasterBand"><PixelFunctionType>f</PixelFunctionType>
<PixelFunctionLanguage>Python</PixelFunctionLanguage><PixelFunctionCode><![CDATA[
def f(in_ar, out_ar, *args, **kwargs):
    open({str(mark)!r}, "w").close()
]]></PixelFunctionCode><SimpleSource><SourceFilename>{source}</SourceFilename></SimpleSource></VRTRasterBand>
</VRTDataset>""")
    assert rsvlm("search", tmp_path / "evil.vrt", "--text", "red", "--out", tmp_path / "h.gpkg").status in (0, 2)
    assert not mark.exists()


def test_a_missing_raster_in_a_list_stops_before_the_work(must_refuse, tmp_path):
    good = write(tmp_path / "good.tif")
    must_refuse("index", good, tmp_path / "gone.tif", "--out", tmp_path / "x.rsindex", names="gone.tif")
    assert not Path(tmp_path / "x.rsindex").exists()
