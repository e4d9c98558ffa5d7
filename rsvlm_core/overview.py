"""One picture of a result: the imagery with hits or masks on it, details beside it, scale bar and legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import geopandas as gpd
import numpy as np
import shapely
from PIL import Image, ImageDraw, ImageFont

from rsvlm_core import style
from rsvlm_core.errors import OutputError
from rsvlm_core.imagery.patch import Window
from rsvlm_core.imagery.raster import Raster
from rsvlm_core.scratch import whole

_MAP_LONG, _MAP_SHORT = 1080, 640  # longer side of the map at most, and the least height of the page
_CHIP, _GAP, _MARGIN, _HEADER = 208, 14, 22, 70
_INK, _QUIET, _PAPER = (240, 242, 245), (160, 168, 178), (24, 27, 32)
_ZOOM = 2  # overlays are drawn this much larger and reduced, for smooth lines


@dataclass(frozen=True)
class _Item:
    """A polygon to draw: outline in pixels of the raster, colour, and what to write about it."""

    shape: Any
    colour: style.RGB
    rank: int
    note: str


def draw_overview(
    source: str, out_png: Path, hits: gpd.GeoDataFrame | None = None, masks: gpd.GeoDataFrame | None = None,
    title: str = "", bands: Sequence[int] | None = None,
) -> Path:
    """Draw a result over its raster.

    Args:
        source: The raster.
        out_png: Where the picture goes.
        hits: As from a search: numbered outlines on the map, the best ones as chips beside it.
        masks: As from a segmentation: translucent on the map, a legend and the largest ones enlarged beside it.
        title: Usually the text that was asked for.
        bands: Which to see as red, green, blue (1-based); None chooses.

    Returns:
        `out_png`.

    Raises:
        RasterError: The raster cannot be used.
        OutputError: The picture cannot be written.
    """
    with Raster.open(source, bands=bands) as raster:
        chips = _items(raster, hits, by_text=False) if hits is not None else []
        areas = _items(raster, masks, by_text=True) if masks is not None else []
        scale = min(_MAP_LONG / max(raster.width, raster.height), 4.0)
        size = (max(1, round(raster.width * scale)), max(1, round(raster.height * scale)))
        view = Window(0, 0, raster.width, raster.height)
        picture = _scene(raster, view, size, areas, chips)
        _scale_bar(picture, raster.gsd_m[0] / scale)
        height = max(_MAP_SHORT, size[1])
        panel = _panel(raster, chips, areas, masks, height)
        page = Image.new(
            "RGB", (_MARGIN * 2 + size[0] + (panel.width + _MARGIN if panel else 0), _HEADER + height + _MARGIN), _PAPER
        )
        draw = ImageDraw.Draw(page)
        _header(draw, raster, title, len(hits) if hits is not None else None, masks, page.width)
        page.paste(picture, (_MARGIN, _HEADER))
        if panel:
            page.paste(panel, (_MARGIN * 2 + size[0], _HEADER))
    return _save(page, Path(out_png))


def _items(raster: Raster, frame: gpd.GeoDataFrame, by_text: bool) -> list[_Item]:
    """Rows that lie on the raster, best first, in its pixels."""
    if not len(frame):
        return []
    colours = {t: style.category_colour(i) for i, t in enumerate(_texts(frame))}
    here = frame[frame["source"] == raster.source] if (frame["source"] == raster.source).any() else frame
    here = here.to_crs(raster.wkt).sort_values("rank", kind="stable")
    inverse = ~raster.transform
    shapes = shapely.transform(
        here.geometry.to_numpy(), lambda xy: np.stack(inverse * (xy[:, 0], xy[:, 1]), axis=1)
    )
    low, high = float(frame["score"].min()), float(frame["score"].max())
    out = []
    for shape, row in zip(shapes, here.to_dict("records"), strict=True):
        colour = colours[row["text"]] if by_text else style.score_colour(row["score"], low, high)
        note = f"{row['confidence']:.0%} · {row['score']:.3f}" if not by_text else _area(row["area_m2"])
        out.append(_Item(shape, colour, int(row["rank"]), note))
    return out


def _texts(frame: gpd.GeoDataFrame) -> list[str]:
    asked = frame.attrs.get("texts", [])
    return list(dict.fromkeys([*asked, *frame["text"].tolist()]))


def _scene(
    raster: Raster, view: Window, size: tuple[int, int], areas: Sequence[_Item], outlines: Sequence[_Item],
    numbers: bool = True, thick: float = 2.0,
) -> Image.Image:
    """A window of the raster with areas filled and outlines drawn, [w, h] = size."""
    patch = raster.read(view, (size[1], size[0]))
    rgb = np.where(patch.valid[..., None], patch.rgb, np.array([52, 56, 62], np.uint8))
    base = Image.fromarray(rgb.astype(np.uint8)).convert("RGBA")
    layer = Image.new("RGBA", (size[0] * _ZOOM, size[1] * _ZOOM), (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    fx, fy = size[0] * _ZOOM / view.width, size[1] * _ZOOM / view.height
    frame = shapely.box(view.col, view.row, view.col + view.width, view.row + view.height)

    def points(ring: Any) -> list[tuple[float, float]]:
        xy = shapely.get_coordinates(ring)
        return [((x - view.col) * fx, (y - view.row) * fy) for x, y in xy]

    width = max(1, round(thick * _ZOOM))
    for item in areas:
        if not item.shape.intersects(frame):
            continue
        for part in shapely.get_parts(item.shape):
            if part.interiors:  # a hole shows the imagery below: cut it out of a layer of its own
                own = Image.new("L", layer.size, 0)
                pen = ImageDraw.Draw(own)
                pen.polygon(points(part.exterior), fill=105)
                for hole in part.interiors:
                    pen.polygon(points(hole), fill=0)
                layer.paste((*item.colour, 105), mask=own.point(lambda v: 255 if v else 0))
            else:
                draw.polygon(points(part.exterior), fill=(*item.colour, 105))
            for ring in (part.exterior, *part.interiors):
                draw.line(points(ring), fill=(*item.colour, 255), width=width, joint="curve")
    for item in reversed(outlines):  # the best ones on top
        for part in shapely.get_parts(item.shape):
            draw.line(points(part.exterior), fill=(10, 12, 14, 170), width=width + 2 * _ZOOM, joint="curve")
            draw.line(points(part.exterior), fill=(*item.colour, 255), width=width, joint="curve")
    scene = Image.alpha_composite(base, layer.resize(size, Image.Resampling.BOX)).convert("RGB")
    if numbers:
        pen = ImageDraw.Draw(scene)
        taken: list[tuple[float, float]] = []
        for item in outlines:
            left, top, right, _ = item.shape.bounds
            at = ((max(left, 0) - view.col) * fx / _ZOOM + 13, (max(top, 0) - view.row) * fy / _ZOOM + 13)
            if (right - left) * fx / _ZOOM < 14 or any(math.dist(at, other) < 20 for other in taken):
                continue  # no room for a number that could be read
            taken.append(at)
            _badge(pen, at, str(item.rank), item.colour)
    return scene


def _panel(
    raster: Raster, chips: Sequence[_Item], areas: Sequence[_Item], masks: gpd.GeoDataFrame | None, height: int
) -> Image.Image | None:
    """What stands beside the map: legend, then chips of the best hits or details of the largest masks."""
    rows = max(1, (height + _GAP) // (_CHIP + 26 + _GAP))
    legend = _legend_rows(masks) if masks is not None else []
    top = 30 * len(legend) + (_GAP if legend else 0)
    if chips:
        shown = [(c, _square(raster, c.shape, 1.0)) for c in chips]
    else:
        shown = _details(raster, areas)
    if legend:
        rows = max(0, (height - top + _GAP) // (_CHIP + 26 + _GAP))
    columns = 3 if chips and len(chips) > 2 * rows else 2
    shown = shown[: rows * columns]
    if not shown and not legend:
        return None
    panel = Image.new("RGB", (columns * (_CHIP + _GAP) - _GAP, height), _PAPER)
    draw = ImageDraw.Draw(panel)
    for i, (text, colour, note) in enumerate(legend):
        y = 30 * i
        draw.rounded_rectangle((0, y + 3, 20, y + 21), 4, fill=_blend(colour), outline=colour, width=2)
        draw.text((30, y + 1), _fit(text, panel.width - 190, 17), fill=_INK, font=_font(17))
        draw.text((panel.width, y + 4), note, fill=_QUIET, font=_font(14), anchor="ra")
    for i, (item, view) in enumerate(shown):
        x, y = (i % columns) * (_CHIP + _GAP), top + (i // columns) * (_CHIP + 26 + _GAP)
        near = areas if not chips else []
        chip = _scene(raster, view, (_CHIP, _CHIP), near, [], numbers=False, thick=1.5)
        panel.paste(chip, (x, y))
        draw.rectangle((x, y, x + _CHIP - 1, y + _CHIP - 1), outline=item.colour, width=2)
        if chips:
            _badge(draw, (x + 17, y + 17), str(item.rank), item.colour)
        draw.text((x, y + _CHIP + 4), item.note, fill=_QUIET, font=_font(14))
    return panel


def _legend_rows(masks: gpd.GeoDataFrame) -> list[tuple[str, style.RGB, str]]:
    rows = []
    for i, text in enumerate(_texts(masks)[:10]):
        own = masks[masks["text"] == text]
        rows.append((text, style.category_colour(i), f"{len(own)} · {_area(float(own['area_m2'].sum()))}"))
    return rows


def _details(raster: Raster, areas: Sequence[_Item]) -> list[tuple[_Item, Window]]:
    """Enlarged views: the larger masks of each colour in turn, no two views showing the same place."""
    by_colour: dict[style.RGB, list[_Item]] = {}
    for item in sorted(areas, key=lambda item: -item.shape.area):
        left, top, right, bottom = item.shape.bounds
        if max(right - left, bottom - top) < max(raster.width, raster.height) / 4:  # larger ones are seen on the map
            by_colour.setdefault(item.colour, []).append(item)
    lanes = [list(items) for items in by_colour.values()]
    chosen: list[tuple[_Item, Window]] = []
    while any(lanes) and len(chosen) < 24:
        for lane in lanes:
            while lane:
                item = lane.pop(0)
                view = _square(raster, item.shape, 1.8)
                centre = (view.col + view.width / 2, view.row + view.height / 2)
                if all(
                    math.dist(centre, (v.col + v.width / 2, v.row + v.height / 2)) > max(view.width, v.width) / 2
                    for _, v in chosen
                ):
                    chosen.append((item, view))
                    break
    return chosen


def _square(raster: Raster, shape: Any, room: float) -> Window:
    """A square around a shape, `room` times as large, not so small that pixels show nor larger than the raster."""
    left, top, right, bottom = shape.bounds
    side = max((right - left) * room, (bottom - top) * room, _CHIP / 3 if room > 1 else 8.0)
    side = min(side, max(raster.width, raster.height))
    col, row = (left + right - side) / 2, (top + bottom - side) / 2
    if room > 1:  # a detail may move to stay on the imagery; a hit is shown as it is
        col = min(max(col, 0.0), max(raster.width - side, (raster.width - side) / 2))
        row = min(max(row, 0.0), max(raster.height - side, (raster.height - side) / 2))
    return Window(col, row, side, side)


def _header(
    draw: ImageDraw.ImageDraw, raster: Raster, title: str, hits: int | None, masks: gpd.GeoDataFrame | None, width: int
) -> None:
    name = Path(raster.source.split("?")[0]).name or raster.source
    facts = [name, f"{math.sqrt(raster.gsd_m[0] * raster.gsd_m[1]):.3g} m/px", raster.crs.name]
    if hits is not None:
        facts.append(f"{hits} hit{'' if hits == 1 else 's'}")
    if masks is not None:
        facts.append(f"{len(masks)} outline{'' if len(masks) == 1 else 's'}")
    draw.text((_MARGIN, 12), _fit(title or name, width - 2 * _MARGIN, 24), fill=_INK, font=_font(24, bold=True))
    draw.text((_MARGIN, 44), _fit("  ·  ".join(facts), width - 2 * _MARGIN, 14), fill=_QUIET, font=_font(14))


def _scale_bar(picture: Image.Image, metres_per_pixel: float) -> None:
    """A bar of a round length, about a fifth of the picture."""
    wanted = metres_per_pixel * picture.width / 5
    if not (math.isfinite(wanted) and wanted > 0):
        return
    power = 10.0 ** math.floor(math.log10(wanted))
    metres = next(m * power for m in (5, 2, 1) if m * power <= wanted * 1.0001)
    length = metres / metres_per_pixel
    label = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    draw = ImageDraw.Draw(picture, "RGBA")
    x, y = 16, picture.height - 18
    draw.rounded_rectangle((x - 8, y - 28, x + length + 8, y + 10), 5, fill=(15, 17, 20, 150))
    draw.line([(x, y - 5), (x, y), (x + length, y), (x + length, y - 5)], fill=(255, 255, 255, 255), width=2)
    draw.text((x + length / 2, y - 8), label, fill=(255, 255, 255, 255), font=_font(13), anchor="ms")


def _badge(draw: ImageDraw.ImageDraw, centre: tuple[float, float], text: str, colour: style.RGB) -> None:
    x, y = centre
    half = 7 + 4 * len(text)
    draw.rounded_rectangle((x - half, y - 11, x + half, y + 11), 6, fill=colour, outline=(15, 17, 20), width=1)
    dark = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 150
    draw.text((x, y), text, fill=(15, 17, 20) if dark else (255, 255, 255), font=_font(13, bold=True), anchor="mm")


def _blend(colour: style.RGB) -> style.RGB:
    r, g, b = ((c + 2 * p) // 3 for c, p in zip(colour, _PAPER, strict=True))
    return r, g, b


def _area(m2: float) -> str:
    if m2 >= 1e6:
        return f"{m2 / 1e6:.3g} km²"
    return f"{m2 / 1e4:.3g} ha" if m2 >= 1e4 else f"{m2:.3g} m²" if m2 < 1000 else f"{m2:.0f} m²"


@cache
def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which knows most alphabets, of the system or of matplotlib; else Pillow's own, which knows Latin."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    found = find_spec("matplotlib")  # for its fonts alone: importing it takes half a second
    folder = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" if found and found.origin else Path()
    for path in (folder / name, Path(name)):  # by its bare name in the folders of the system
        try:
            return ImageFont.truetype(str(path), size)
        except OSError:
            continue
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))


def _fit(text: str, width: float, size: int) -> str:
    """A text cut to a width in pixels."""
    line = " ".join(text.split())
    if _font(size).getlength(line) <= width:
        return line
    while line and _font(size).getlength(line + "…") > width:
        line = line[:-1]
    return line + "…"


def _save(page: Image.Image, out: Path) -> Path:
    try:
        with whole(out) as part:
            page.save(part, format="PNG", optimize=True)
    except OSError as error:
        raise OutputError(f"{out} could not be written ({error.strerror or error}).", "Write elsewhere.") from error
    return out
