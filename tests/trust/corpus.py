"""Rasters that strangers send: each with what must come of it.

A case writes a file into a folder and gives what to name on the command line. It is `good` (the red square must be
found where it is), `bad` (refused in words), or `read` (it opens; what is found depends on what the file lost).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

import numpy as np
import rasterio
from affine import Affine
from pyproj import CRS
from rasterio.enums import ColorInterp

from tests.fakes import COLOURS
from tests.trust.scene import NORTH_UP, RED, SIDE, as_driver, rgb, write

Make = Callable[[Path], Path]


class Case(NamedTuple):
    """One file of the corpus."""

    name: str
    make: Make
    fate: str


CASES: list[Case] = []


def case(fate: str) -> Callable[[Make], Make]:
    """Register a maker."""

    def add(make: Make) -> Make:
        CASES.append(Case(make.__name__, make, fate))
        return make

    return add


def as_vrt(path: Path, raster: Path, wkt: str) -> Path:
    """One band of a raster under any coordinate system, as no library would write it."""
    path.write_text(
        f'<VRTDataset rasterXSize="{SIDE}" rasterYSize="{SIDE}"><SRS>{escape(wkt)}</SRS>'
        "<GeoTransform>500000,0.5,0,5400000,0,-0.5</GeoTransform>"
        '<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename>'
        f"{raster}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    return path


def _cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


# damaged files


@case("bad")
def zero_bytes(folder: Path) -> Path:
    (folder / "z.tif").touch()
    return folder / "z.tif"


@case("bad")
def truncated_in_the_header(folder: Path) -> Path:
    return _cut(write(folder / "t.tif"), 0.001)


@case("bad")
def truncated_jpeg2000(folder: Path) -> Path:
    return _cut(as_driver(folder / "t.jp2", "JP2OpenJPEG"), 0.02)


@case("bad")
def truncated_png(folder: Path) -> Path:
    return _cut(as_driver(folder / "t.png", "PNG", worldfile="YES"), 0.02)


@case("bad")
def a_letter_called_tif(folder: Path) -> Path:
    (folder / "letter.tif").write_text("Dear Sir or Madam")
    return folder / "letter.tif"


@case("bad")
def random_bytes(folder: Path) -> Path:
    (folder / "noise.tif").write_bytes(b"II*\x00" + np.random.default_rng(1).bytes(5000))
    return folder / "noise.tif"


@case("good")
def a_geotiff_called_jpg(folder: Path) -> Path:
    return write(folder / "x.tif").rename(folder / "x.jpg")


@case("good")
def jpeg2000(folder: Path) -> Path:
    return as_driver(folder / "x.jp2", "JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES")


@case("good")
def png_with_a_world_file(folder: Path) -> Path:
    path = as_driver(folder / "x.png", "PNG")
    t = NORTH_UP
    path.with_suffix(".pgw").write_text("\n".join(str(v) for v in (t.a, t.d, t.b, t.e, t.c + t.a / 2, t.f + t.e / 2)))
    return path


# odd shapes


@case("read")
def one_pixel(folder: Path) -> Path:
    return write(folder / "p.tif", np.full((3, 1, 1), 200, np.uint8))


@case("read")
def one_row_of_100000(folder: Path) -> Path:
    return write(folder / "r.tif", np.full((3, 1, 100_000), 90, np.uint8))


@case("bad")
def no_bands(folder: Path) -> Path:
    (folder / "none.vrt").write_text('<VRTDataset rasterXSize="64" rasterYSize="64"></VRTDataset>')
    return folder / "none.vrt"


@case("good")
def three_hundred_bands(folder: Path) -> Path:
    return write(folder / "many.tif", np.concatenate([rgb(), np.zeros((297, SIDE, SIDE), np.uint8)]), compress="lzw")


@case("bad")
def larger_than_the_earth(folder: Path) -> Path:
    """A file of a few hundred bytes that claims 4 * 10^18 pixels."""
    (folder / "huge.vrt").write_text(
        '<VRTDataset rasterXSize="2000000000" rasterYSize="2000000000"><SRS>EPSG:32633</SRS>'
        "<GeoTransform>500000,0.5,0,5400000,0,-0.5</GeoTransform>"
        '<VRTRasterBand dataType="Byte" band="1"/></VRTDataset>'
    )
    return folder / "huge.vrt"


@case("bad")
def many_more_tiles_than_anyone_means(folder: Path) -> Path:
    """A sparse file that is small on disk and 1.6 * 10^11 pixels large."""
    with rasterio.open(
        folder / "sparse.tif", "w", driver="GTiff", count=1, width=400_000, height=400_000, dtype="uint8",
        crs="EPSG:3857", transform=Affine(0.5, 0, 0, 0, -0.5, 0), sparse_ok=True, tiled=True, blockxsize=4096,
        blockysize=4096, bigtiff="yes",
    ):
        pass
    return folder / "sparse.tif"


# odd values


@case("bad")
def complex_numbers(folder: Path) -> Path:
    return write(folder / "c.tif", np.ones((1, 64, 64), np.complex64))


@case("good")
def nan_and_infinities(folder: Path) -> Path:
    values = rgb().astype(np.float32)
    values[:, 5:9, 5:9], values[:, 90:94, 20:24], values[:, 100, 100] = np.nan, np.inf, -np.inf
    return write(folder / "n.tif", values)


@case("bad")
def nothing_but_nan(folder: Path) -> Path:
    return write(folder / "n.tif", np.full((3, 64, 64), np.nan, np.float32))


@case("bad")
def nothing_but_nodata(folder: Path) -> Path:
    return write(folder / "n.tif", np.zeros((3, 64, 64), np.uint8), nodata=0)


@case("good")
def nodata_inside(folder: Path) -> Path:
    scene = rgb()
    scene[:, 90:120, 10:50] = 0
    return write(folder / "n.tif", scene, nodata=0)


@case("good")
def half_transparent(folder: Path) -> Path:
    alpha = np.full((1, SIDE, SIDE), 255, np.uint8)
    alpha[:, 96:] = 0
    path = write(folder / "a.tif", np.concatenate([rgb(), alpha]))
    with rasterio.open(path, "r+") as dst:
        dst.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
    return path


@case("good")
def palette(folder: Path) -> Path:
    index = np.zeros((1, SIDE, SIDE), np.uint8)
    index[0][RED] = 7
    path = write(folder / "p.tif", index)
    with rasterio.open(path, "r+") as dst:
        dst.write_colormap(1, {0: (*COLOURS["green"], 255), 7: (*COLOURS["red"], 255)})
    return path


@case("read")
def one_bit(folder: Path) -> Path:
    bits = np.zeros((1, SIDE, SIDE), np.uint8)
    bits[0][RED] = 1
    return write(folder / "b.tif", bits, nbits=1)


@case("good")
def uint32(folder: Path) -> Path:
    return write(folder / "u.tif", rgb().astype(np.uint32) * 10_000_000)


@case("good")
def int16_below_zero(folder: Path) -> Path:
    return write(folder / "i.tif", rgb().astype(np.int16) - 300, nodata=-32768)


@case("good")
def float64_of_great_size(folder: Path) -> Path:
    return write(folder / "f.tif", rgb().astype(np.float64) * 1e300)


# odd places


@case("good")
def rotated(folder: Path) -> Path:
    return write(folder / "r.tif", transform=NORTH_UP * Affine.rotation(33))


@case("good")
def sheared(folder: Path) -> Path:
    return write(folder / "s.tif", transform=NORTH_UP * Affine.shear(12, 5))


@case("good")
def south_up(folder: Path) -> Path:
    return write(folder / "s.tif", transform=Affine(0.5, 0, 500000, 0, 0.5, 5400000))


@case("good")
def mirrored(folder: Path) -> Path:
    return write(folder / "m.tif", transform=Affine(-0.5, 0, 500000, 0, -0.5, 5400000))


@case("bad")
def flat_on_a_line(folder: Path) -> Path:
    """A geotransform that maps all pixels onto one line."""
    (folder / "line.vrt").write_text(
        f'<VRTDataset rasterXSize="64" rasterYSize="64"><SRS>EPSG:32633</SRS>'
        f"<GeoTransform>500000,0.5,0.5,5400000,0.5,0.5</GeoTransform>"
        f'<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename>'
        f'{write(folder / "in.tif")}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>'
    )
    return folder / "line.vrt"


@case("bad")
def no_crs(folder: Path) -> Path:
    return write(folder / "n.tif", crs=None)


@case("bad")
def unknown_crs(folder: Path) -> Path:
    return write(folder / "u.tif", crs='LOCAL_CS["a site grid",UNIT["metre",1]]')


@case("bad")
def a_crs_that_leads_nowhere(folder: Path) -> Path:
    """A projection that can be read, and that shrinks the Earth to nothing."""
    path = write(folder / "k.tif")
    wkt = CRS("EPSG:32633").to_wkt("WKT1_GDAL").replace('"scale_factor",0.9996', '"scale_factor",0')
    assert '"scale_factor",0]' in wkt
    return as_vrt(folder / "k.vrt", path, wkt)


@case("good")
def degrees(folder: Path) -> Path:
    return write(folder / "d.tif", crs="EPSG:4326", transform=Affine(4.5e-6, 0, 8.5, 0, -4.5e-6, 10.0))


@case("good")
def feet(folder: Path) -> Path:
    return write(folder / "f.tif", crs="EPSG:2263", transform=Affine(1.6404, 0, 980000, 0, -1.6404, 200000))


@case("good")
def across_the_antimeridian_in_degrees(folder: Path) -> Path:
    step = 4.5e-6
    return write(folder / "a.tif", crs="EPSG:4326", transform=Affine(step, 0, 180 - 40 * step, 0, -step, -16.5))


@case("good")
def across_the_antimeridian_in_utm(folder: Path) -> Path:
    return write(folder / "a.tif", crs="EPSG:32701", transform=Affine(0.5, 0, 179_900.0, 0, -0.5, 8_170_000))


@case("good")
def at_the_north_pole(folder: Path) -> Path:
    return write(folder / "p.tif", crs="EPSG:3413", transform=Affine(0.5, 0, -32.0, 0, -0.5, 32.0))


@case("good")
def at_the_south_pole(folder: Path) -> Path:
    return write(folder / "p.tif", crs="EPSG:3031", transform=Affine(0.5, 0, -32.0, 0, -0.5, 32.0))


@case("bad")
def degrees_beyond_the_pole(folder: Path) -> Path:
    return write(folder / "p.tif", crs="EPSG:4326", transform=Affine(0.01, 0, 0, 0, -0.01, 95.0))


@case("bad")
def metres_said_to_be_degrees(folder: Path) -> Path:
    return write(folder / "m.tif", crs="EPSG:4326")


# what is no file, or more than one


@case("bad")
def a_mosaic_of_missing_files(folder: Path) -> Path:
    (folder / "m.vrt").write_text(
        '<VRTDataset rasterXSize="64" rasterYSize="64"><SRS>EPSG:32633</SRS>'
        "<GeoTransform>500000,0.5,0,5400000,0,-0.5</GeoTransform>"
        '<VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        '<SourceFilename relativeToVRT="1">gone.tif</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>'
    )
    return folder / "m.vrt"


@case("unreadable")
def a_mosaic_of_itself(folder: Path) -> Path:
    (folder / "m.vrt").write_text(
        '<VRTDataset rasterXSize="64" rasterYSize="64"><SRS>EPSG:32633</SRS>'
        "<GeoTransform>500000,0.5,0,5400000,0,-0.5</GeoTransform>"
        '<VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        '<SourceFilename relativeToVRT="1">m.vrt</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>'
    )
    return folder / "m.vrt"


@case("bad")
def a_mosaic_that_grows_when_it_is_read(folder: Path) -> Path:
    """Entities that double with every level: the parser must not hold them all."""
    levels = "".join(f'<!ENTITY e{i} "&e{i - 1};&e{i - 1};">' for i in range(1, 40))
    (folder / "bomb.vrt").write_text(
        f'<!DOCTYPE x [<!ENTITY e0 "aaaaaaaaaa">{levels}]>'
        '<VRTDataset rasterXSize="64" rasterYSize="64"><SRS>&e39;</SRS></VRTDataset>'
    )
    return folder / "bomb.vrt"


@case("bad")
def a_folder(folder: Path) -> Path:
    (folder / "d.tif").mkdir()
    (folder / "d.tif" / "note.txt").write_text("no pixels here")
    return folder / "d.tif"


@case("bad")
def an_empty_folder(folder: Path) -> Path:
    (folder / "d").mkdir()
    return folder / "d"


@case("bad")
def a_fifo(folder: Path) -> Path:
    """Reading one waits for a writer that never comes."""
    os.mkfifo(folder / "pipe.tif")
    return folder / "pipe.tif"


@case("bad")
def a_socket(folder: Path) -> Path:
    there = os.getcwd()
    os.chdir(folder)  # names of sockets are short
    try:
        socket.socket(socket.AF_UNIX).bind("s.tif")
    finally:
        os.chdir(there)
    return folder / "s.tif"


@case("bad")
def a_device_without_end(folder: Path) -> Path:
    (folder / "zero.tif").symlink_to("/dev/zero")
    return folder / "zero.tif"


@case("bad")
def a_link_to_itself(folder: Path) -> Path:
    (folder / "loop.tif").symlink_to(folder / "loop.tif")
    return folder / "loop.tif"


# odd names


@case("good")
def a_name_with_spaces_quotes_and_an_emoji(folder: Path) -> Path:
    return write(folder / "a b's \"best\" 🛰 100% #1 [x].tif")


@case("good")
def a_name_with_a_newline(folder: Path) -> Path:
    return write(folder / "two\nlines.tif")


@case("good")
def a_name_like_an_option(folder: Path) -> Path:
    return write(folder / "--out.tif")


@case("good")
def a_name_of_200_letters(folder: Path) -> Path:
    return write(folder / ("ä" * 100 + ".tif"))


@case("bad")
def a_missing_name_with_control_characters(folder: Path) -> Path:
    return folder / "gone\x1b[2J\r\n\a.tif"
