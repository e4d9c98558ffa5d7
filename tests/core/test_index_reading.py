"""How an index reads its rasters: each block about once, nothing that is not there, little over the network."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil

from rsvlm_core.imagery.patch import Window
from rsvlm_core.imagery.raster import Raster
from rsvlm_core.index import decode, plan
from rsvlm_core.index.builder import build_index
from rsvlm_core.index.store import open_index
from rsvlm_core.tiles.grid import TileGrid
from tests.fakes import FakeEncoder

Make = Callable[..., Path]
SIDE = 1536


class _Counting(http.server.SimpleHTTPRequestHandler):
    """Serves byte ranges, and keeps count of what it sent."""

    sent: list[int]

    def do_GET(self) -> None:  # noqa: N802
        data = Path(self.translate_path(self.path)).read_bytes()
        first, _, last = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        start, stop = int(first), min(len(data), int(last or len(data) - 1) + 1)
        self.sent.append(stop - start)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
        self.send_header("Content-Length", str(stop - start))
        self.end_headers()
        self.wfile.write(data[start:stop])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[int]]]:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GDAL_HTTP_PROXY", "")
    handler = type("Handler", (_Counting,), {"sent": []})
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(tmp_path))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", handler.sent  # type: ignore[attr-defined]
    server.shutdown()


@pytest.fixture
def cog(make_raster: Make) -> Path:
    """Noise, which does not compress: 7 MB, with overviews another third."""
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    plain = make_raster(pixels, "plain.tif", gsd=1.0)
    path = plain.with_name("cog.tif")
    with rasterio.open(plain) as source:
        rasterio.shutil.copy(source, path, driver="COG", blocksize=256, compress="DEFLATE")
    return path


def test_a_remote_raster_comes_over_the_network_about_once(
    cog: Path, web: tuple[str, list[int]], tmp_path: Path
) -> None:
    address, sent = web
    report = build_index([f"{address}/cog.tif"], tmp_path / "x.rsindex", FakeEncoder(), plan.Wanted([1.0, 2.0, 4.0]))
    assert report.embedded > 1000 and not report.failed
    assert sum(sent) < 1.1 * cog.stat().st_size


def test_a_coarse_look_at_a_remote_raster_takes_its_overviews_alone(
    cog: Path, web: tuple[str, list[int]], tmp_path: Path
) -> None:
    address, sent = web
    build_index([f"{address}/cog.tif"], tmp_path / "x.rsindex", FakeEncoder(), plan.Wanted([4.0]))
    assert sum(sent) < 0.2 * cog.stat().st_size


def test_blocks_that_were_never_written_are_not_read(
    make_raster: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blank = np.zeros((SIDE, SIDE), np.uint8)
    path = make_raster(
        blank, nodata=0, gsd=1.0, tiled=True, blockxsize=256, blockysize=256, compress="deflate", sparse_ok=True
    )
    with rasterio.open(path, "r+") as target:
        target.write(np.full((1, 256, 256), 90, np.uint8), window=rasterio.windows.Window(512, 256, 256, 256))
    read: list[Window] = []
    really = Raster.read

    def noted(self: Raster, window: Window, shape: tuple[int, int]) -> object:
        read.append(window)
        return really(self, window, shape)

    monkeypatch.setattr(Raster, "read", noted)
    report = build_index([str(path)], tmp_path / "x.rsindex", FakeEncoder(), plan.Wanted([1.0]))
    assert report.tiles > 3000 and report.embedded + report.skipped_nodata == report.tiles
    # 256 m are at most 13 tiles of 32 m that overlap by a quarter
    assert 80 < report.embedded <= len(read) < 200
    for window in read:
        assert 512 - 32 < window.col + 16 < 768 + 16 and 256 - 32 < window.row + 16 < 512 + 32


def test_tiles_without_pixels_hold_none_while_they_wait(make_raster: Make) -> None:
    options = {"tiled": True, "blockxsize": 256, "blockysize": 256, "sparse_ok": True}
    path = make_raster(np.zeros((600, 600), np.uint8), nodata=0, gsd=1.0, **options)
    with rasterio.open(path, "r+") as target:
        target.write(np.full((1, 64, 300), 90, np.uint8), window=rasterio.windows.Window(0, 0, 300, 64))
    with Raster.open(str(path)) as raster:
        tiles = list(TileGrid(raster, (1.0,), 32))
        entry = plan._entry(raster, None, plan.Wanted(gsds=(1.0,)), FakeEncoder().info)
        valid = {t.tile_id: raster.read(t.window, (32, 32)) for t in tiles}
    with decode.TileReader(entry, 32) as reader:
        for tile, seen in reader.read(tiles):
            assert isinstance(seen, decode.Seen) and seen.valid_fraction == valid[tile.tile_id].valid_fraction
            assert (seen.image is None) == (seen.valid_fraction == 0)
            if seen.image is not None:
                assert (seen.image == valid[tile.tile_id].filled()).all()
    fractions = [patch.valid_fraction for patch in valid.values()]
    assert min(fractions) == 0 and max(fractions) == 1 and len(set(fractions)) > 2


def test_missing_blocks_count_only_where_they_mean_nothing(make_raster: Make) -> None:
    options = {"tiled": True, "blockxsize": 256, "blockysize": 256, "sparse_ok": True}
    black = make_raster(np.zeros((512, 512, 3), np.uint8), "black.tif", **options)
    with Raster.open(str(black)) as raster:  # without nodata, what was never written is black
        assert not raster.empty(Window(0, 0, 100, 100))
    half = np.zeros((512, 512, 4), np.uint8)
    half[:, 300:] = (10, 20, 30, 255)
    path = make_raster(half, "half.tif", photometric="RGB", alpha="yes", **options)
    with Raster.open(str(path)) as raster:
        assert raster.empty(Window(0, 0, 200, 200)) and raster.empty(Window(-50, 20, 300, 300))
        assert not raster.empty(Window(0, 0, 257, 10)) and not raster.empty(Window(400, 400, 100, 100))
        assert not raster.read(Window(0, 0, 200, 200), (32, 32)).valid.any()


def test_all_scales_of_a_place_come_together(make_raster: Make) -> None:
    path = make_raster(np.full((SIDE, SIDE), 80, np.uint8), gsd=1.0, tiled=True, blockxsize=256, blockysize=256)
    with Raster.open(str(path)) as raster:
        grid = TileGrid(raster, (1.0, 2.0, 4.0), 32)
        tiles = list(grid)
    assert len({t.tile_id for t in tiles}) == len(tiles)
    levels = np.array([t.level for t in tiles])
    assert set(levels[:200]) == {0, 1, 2}
    # a square of two coarsest tiles comes whole, so what is decoded for one scale is still there for the next
    windows = [t.window for t in tiles]
    high, wide = 2 * max(w.height for w in windows), 2 * max(w.width for w in windows)
    squares = [(int((w.row + w.height / 2) / high), int((w.col + w.width / 2) / wide)) for w in windows]
    changes = sum(one != two for one, two in zip(squares, squares[1:], strict=False))
    assert changes + 1 == len(set(squares)) == 36


def test_first_parts_are_small_and_keep_something(make_raster: Make, tmp_path: Path) -> None:
    assert plan._ends(5000)[:5] == [32, 96, 224, 480, 992] and plan._ends(5000)[-1] == 5000
    assert plan._ends(7) == [7] and plan._ends(96) == [32, 96] and plan._ends(97) == [32, 96, 97]
    path = make_raster(np.full((400, 400), 80, np.uint8), gsd=1.0)
    seen: list[int] = []

    class Slow(FakeEncoder):
        def encode_images(self, images: np.ndarray) -> np.ndarray:
            seen.append(len(images))
            return super().encode_images(images)

    with pytest.raises(Exception, match="[Ss]topped"):
        build_index(
            [str(path)], tmp_path / "x.rsindex", Slow(), plan.Wanted([1.0], batch=16),
            should_stop=lambda: sum(seen) >= 48,
        )
    assert len(open_index(tmp_path / "x.rsindex", None)) == 32


def test_reading_runs_ahead_but_not_far(make_raster: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_raster(np.full((600, 600), 80, np.uint8), gsd=1.0)
    monkeypatch.setattr(decode, "cores", lambda: 2)
    read: list[object] = []
    really = Raster.read

    def noted(self: Raster, window: Window, shape: tuple[int, int]) -> object:
        read.append(window)
        return really(self, window, shape)

    monkeypatch.setattr(Raster, "read", noted)
    with Raster.open(str(path)) as raster:
        tiles = list(TileGrid(raster, (1.0,), 32))
        entry = plan._entry(raster, None, plan.Wanted(gsds=(1.0,)), FakeEncoder().info)
    assert len(tiles) > 300
    with decode.TileReader(entry, 32, ahead=20) as reader:
        stream = reader.read(iter(tiles))
        got = [next(stream) for _ in range(10)]
        assert [t for t, _ in got] == tiles[:10]
        assert len(read) <= 3 * 20
        assert [t for t, _ in stream] == tiles[10:]
    assert len(read) == len(tiles)
