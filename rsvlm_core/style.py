"""How results look when they are opened: colours, and QGIS styles (QML as QGIS 3.22 writes it)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

RGB = tuple[int, int, int]
_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# Distinct in hue and lightness, readable on imagery and for most kinds of colour vision.
CATEGORY_COLOURS: tuple[RGB, ...] = (
    (230, 75, 53), (0, 160, 215), (255, 196, 0), (0, 168, 107), (204, 102, 204),
    (255, 127, 14), (86, 80, 214), (154, 205, 50), (240, 98, 146), (121, 85, 72),
)  # fmt: skip
# Poor to good, for graduated scores; ends in the colour that stands out most from ground.
SCORE_RAMP: tuple[RGB, ...] = ((70, 130, 180), (102, 194, 165), (255, 237, 111), (253, 141, 60), (227, 26, 28))

ALIASES = {
    "rank": "Rank",
    "score": "Score (cosine)",
    "confidence": "Confidence (0-1)",
    "text": "Text",
    "source": "Raster",
    "model": "Model",
    "gsd_m": "Ground resolution (m)",
    "area_m2": "Area (m²)",
    "mean_score": "Mean score (cosine)",
}


def category_colour(index: int) -> RGB:
    """Colour of the index-th text; repeats after ten."""
    return CATEGORY_COLOURS[index % len(CATEGORY_COLOURS)]


def score_colour(score: float, low: float, high: float) -> RGB:
    """Colour of a score between `low` and `high`; the best colour where both are equal."""
    if not high > low:
        return SCORE_RAMP[-1]
    at = min(max((score - low) / (high - low), 0.0), 1.0)
    return SCORE_RAMP[min(int(at * len(SCORE_RAMP)), len(SCORE_RAMP) - 1)]


def graduated_qml(scores: Sequence[float], fields: Sequence[str]) -> str:
    """A style for hits: outlines coloured by `score` in five equal steps, labelled with `rank`.

    Args:
        scores: All scores of the layer; may be empty.
        fields: The layer's fields in order, for their aliases.
    """
    values = [s for s in scores if math.isfinite(s)] or [0.0, 1.0]
    # Written with four decimals, so rounded outwards: the extremes must not fall out of their class.
    low, high = math.floor(min(values) * 1e4) / 1e4, math.ceil(max(values) * 1e4) / 1e4
    if not high > low:
        high = low + 1e-4
    steps = [low + (high - low) * i / len(SCORE_RAMP) for i in range(len(SCORE_RAMP) + 1)]
    root = _root()
    renderer = ET.SubElement(
        root, "renderer-v2", type="graduatedSymbol", attr="score", graduatedMethod="GraduatedColor",
        symbollevels="0", enableorderby="0", forceraster="0",
    )  # fmt: skip
    ranges = ET.SubElement(renderer, "ranges")
    symbols = ET.SubElement(renderer, "symbols")
    for i, colour in enumerate(SCORE_RAMP):
        lower, upper = f"{steps[i]:.4f}", f"{steps[i + 1]:.4f}"
        ET.SubElement(
            ranges, "range", render="true", symbol=str(i), lower=lower, upper=upper, label=f"{lower} – {upper}"
        )
        symbols.append(_fill(str(i), colour, fill_alpha=25, outline_alpha=255, width_mm=0.6))
    _rank_labels(root)
    _aliases(root, fields)
    return _text(root)


def categorized_qml(texts: Sequence[str], fields: Sequence[str], colours: Sequence[RGB] | None = None) -> str:
    """A style for masks and classes: translucent fills, one colour for each value of `text`.

    Args:
        texts: Distinct texts, in the order of their colours.
        fields: The layer's fields in order, for their aliases.
        colours: One for each text; by default `category_colour` of its place.
    """
    root = _root()
    renderer = ET.SubElement(
        root, "renderer-v2", type="categorizedSymbol", attr="text", symbollevels="0", enableorderby="0", forceraster="0"
    )
    categories = ET.SubElement(renderer, "categories")
    symbols = ET.SubElement(renderer, "symbols")
    for i, text in enumerate(texts):
        ET.SubElement(categories, "category", render="true", symbol=str(i), value=text, label=text, type="string")
        colour = colours[i] if colours is not None else category_colour(i)
        symbols.append(_fill(str(i), colour, fill_alpha=90, outline_alpha=255, width_mm=0.46))
    _aliases(root, fields)
    return _text(root)


def _root() -> ET.Element:
    # A style that names its categories leaves everything else of the layer as QGIS has it.
    return ET.Element("qgis", version="3.22.0", styleCategories="Symbology|Labeling|Fields")


def _options(parent: ET.Element, values: dict[str, str]) -> None:
    holder = ET.SubElement(parent, "Option", type="Map")
    for name, value in values.items():
        ET.SubElement(holder, "Option", type="QString", name=name, value=value)


def _fill(name: str, colour: RGB, fill_alpha: int, outline_alpha: int, width_mm: float) -> ET.Element:
    r, g, b = colour
    symbol = ET.Element("symbol", type="fill", name=name, alpha="1", clip_to_extent="1", force_rhr="0")
    layer = ET.SubElement(symbol, "layer", {"class": "SimpleFill", "enabled": "1", "locked": "0"})
    layer.set("pass", "0")  # the rendering pass; as a dictionary's key bandit takes it for a password
    _options(
        layer,
        {
            "color": f"{r},{g},{b},{fill_alpha}",
            "style": "solid",
            "outline_color": f"{r},{g},{b},{outline_alpha}",
            "outline_style": "solid",
            "outline_width": f"{width_mm}",
            "outline_width_unit": "MM",
            "joinstyle": "miter",
        },
    )
    return symbol


def _rank_labels(root: ET.Element) -> None:
    labeling = ET.SubElement(root, "labeling", type="simple")
    settings = ET.SubElement(labeling, "settings", calloutType="simple")
    style = ET.SubElement(
        settings, "text-style", fieldName="rank", isExpression="0", fontSize="9", fontSizeUnit="Point",
        fontWeight="75", namedStyle="Bold", textColor="255,255,255,255", textOpacity="1",
    )  # fmt: skip
    ET.SubElement(
        style, "text-buffer", bufferDraw="1", bufferSize="0.8", bufferSizeUnits="MM", bufferColor="20,20,20,220",
        bufferOpacity="1", bufferJoinStyle="128",
    )  # fmt: skip
    ET.SubElement(settings, "placement", placement="1", centroidInside="1", quadOffset="4")
    # Better ranks keep their label where labels collide.
    ET.SubElement(settings, "rendering", drawLabels="1", scaleVisibility="0", obstacle="0", displayAll="0")


def _aliases(root: ET.Element, fields: Sequence[str]) -> None:
    aliases = ET.SubElement(root, "aliases")
    for i, field in enumerate(fields):
        ET.SubElement(aliases, "alias", index=str(i), field=field, name=ALIASES.get(field, ""))


def _text(root: ET.Element) -> str:
    ET.indent(root)
    # XML cannot hold control characters in any spelling; one in a text must not cost the whole style
    qml = _NO_XML.sub(" ", ET.tostring(root, encoding="unicode"))
    return f"<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n{qml}"
