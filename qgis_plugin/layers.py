"""From result files to styled layers in the project. Main thread only."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsColorRampShader,
    QgsFillSymbol,
    QgsGradientColorRamp,
    QgsGradientStop,
    QgsGraduatedSymbolRenderer,
    QgsLayerMetadata,
    QgsMapLayer,
    QgsPalLayerSettings,
    QgsProject,
    QgsRasterBandStats,
    QgsRasterLayer,
    QgsRasterShader,
    QgsRendererCategory,
    QgsRendererRange,
    QgsSingleBandPseudoColorRenderer,
    QgsTextBufferSettings,
    QgsTextFormat,
    QgsUnitTypes,
    QgsVectorLayer,
    QgsVectorLayerSimpleLabeling,
)
from qgis.PyQt import sip
from qgis.PyQt.QtGui import QColor

from .protocol import BackendError
from .translate import mark, tr

# the engine's: distinct in hue and lightness, so that a layer opened again from its file looks the same
COLOURS = ("#e64b35", "#00a0d7", "#ffc400", "#00a86b", "#cc66cc", "#ff7f0e", "#5650d6", "#9acd32", "#f06292", "#795548")
# a perceptual ramp (magma), transparent where nothing is found
RAMP = ((0.0, "#000004"), (0.25, "#51127c"), (0.5, "#b73779"), (0.75, "#fc8961"), (1.0, "#fcfdbf"))
DASHES = ("solid", "dash", "dot", "dash dot", "dash dot dot")
OURS = "rsvlm/result"
CONFIDENT = (0.0, 0.25, 0.5, 0.75, 1.0)
SURE = ("#8c8c8c", "#fcca46", "#fe7f2d", "#e6194b")  # of the steps between them
ALIASES = {
    "rank": mark("Rank"), "score": mark("Score (cosine)"), "confidence": mark("Confidence"), "text": mark("Text"),
    "source": mark("Raster"), "model": mark("Model"), "gsd_m": mark("Pixel size (m)"), "area_m2": mark("Area (m²)"),
    "mean_score": mark("Mean score"), "class": mark("Class"), "evidence": mark("Evidence"),
}


def colour_of(texts: Sequence[str], text: str) -> str:
    """The colour that a prompt has in lists and on the map."""
    return COLOURS[list(texts).index(text) % len(COLOURS)] if text in texts else COLOURS[0]


def colour_of_confidence(confidence: float) -> str:
    """The colour that a place has in lists and on the map where there is one prompt."""
    return SURE[max(0, sum(confidence > limit for limit in CONFIDENT[:-1]) - 1)]


def _outline(colour: str, width: float, fill_alpha: int = 0, dash: str = "solid") -> QgsFillSymbol:
    """A fill symbol: outline in `colour`, `width` mm wide, filled with its tint."""
    red, green, blue = (int(colour[i:i + 2], 16) for i in (1, 3, 5))
    return QgsFillSymbol.createSimple({
        "color": f"{red},{green},{blue},{fill_alpha}",
        "outline_color": colour, "outline_width": str(width), "outline_style": dash, "joinstyle": "miter",
    })


def _dash(number: int) -> str:
    """How the lines of a prompt look, so that prompts differ by more than colour."""
    return DASHES[number % len(DASHES)]


def _texts(layer: QgsVectorLayer) -> list[str]:
    index = layer.fields().indexOf("text")
    return sorted(str(value) for value in layer.uniqueValues(index)) if index >= 0 else []


def style_hits(layer: QgsVectorLayer, texts: Sequence[str] | None = None) -> None:
    """Hits: a colour a prompt, or with one prompt width and tint by confidence; the rank as a label."""
    texts = list(texts or _texts(layer))
    if len(texts) > 1:
        layer.setRenderer(QgsCategorizedSymbolRenderer("text", [
            QgsRendererCategory(text, _outline(colour_of(texts, text), 0.6, 0, _dash(number)), text)
            for number, text in enumerate(texts)
        ]))
    else:
        steps = list(zip(CONFIDENT, CONFIDENT[1:]))
        layer.setRenderer(QgsGraduatedSymbolRenderer("confidence", [
            QgsRendererRange(low, high, _outline(colour, 0.3 + 0.2 * step), f"{low * 100:.0f}–{high * 100:.0f} %")
            for step, ((low, high), colour) in enumerate(zip(steps, SURE))
        ]))
    _label(layer, "rank")


def style_masks(layer: QgsVectorLayer, texts: Sequence[str] | None = None) -> None:
    """Masks: a tinted outline a prompt."""
    texts = list(texts or _texts(layer))
    layer.setRenderer(QgsCategorizedSymbolRenderer("text", [
        QgsRendererCategory(text, _outline(colour_of(texts, text), 0.4, 90, _dash(number)), text)
        for number, text in enumerate(texts)
    ]))


def style_evidence(layer: QgsVectorLayer) -> None:
    """What an answer rests on: a tinted outline a subject, and dashed the views that show it."""
    texts = _texts(layer)
    layer.setRenderer(QgsCategorizedSymbolRenderer("if(\"evidence\" = 'view', 'view', \"text\")", [
        *(QgsRendererCategory(text, _outline(colour_of(texts, text), 0.4, 90), text) for text in texts),
        QgsRendererCategory("view", _outline("#1a1a1a", 0.5, 0, "dash"), tr("views that show it")),
    ]))


def style_classes(layer: QgsVectorLayer) -> None:
    """Classified tiles: a tint a class."""
    name = "class" if layer.fields().indexOf("class") >= 0 else "text"
    values = sorted(str(value) for value in layer.uniqueValues(layer.fields().indexOf(name)))
    layer.setRenderer(QgsCategorizedSymbolRenderer(name, [
        QgsRendererCategory(value, _outline(colour_of(values, value), 0.2, 110), value) for value in values
    ]))


def style_heatmap(layer: QgsRasterLayer) -> None:
    """A score raster: perceptual ramp between its own 2nd percentile and maximum, see-through at the low end."""
    provider = layer.dataProvider()
    low, high = provider.cumulativeCut(1, 0.02, 0.998, layer.extent(), 250_000)
    if not low < high:
        stats = provider.bandStatistics(1, QgsRasterBandStats.Stats.All, layer.extent(), 250_000)
        low, high = stats.minimumValue, max(stats.maximumValue, stats.minimumValue + 1e-6)
    stops = []
    for at, name in RAMP:
        colour = QColor(name)
        colour.setAlpha(min(255, int(420 * at)))
        stops.append((at, colour))
    ramp = QgsGradientColorRamp(stops[0][1], stops[-1][1], False, [QgsGradientStop(at, c) for at, c in stops[1:-1]])
    function = QgsColorRampShader(low, high, ramp, QgsColorRampShader.Type.Interpolated)
    function.setColorRampItemList([
        QgsColorRampShader.ColorRampItem(low + at * (high - low), colour, f"{low + at * (high - low):.3f}")
        for at, colour in stops
    ])
    shader = QgsRasterShader()
    shader.setRasterShaderFunction(function)
    renderer = QgsSingleBandPseudoColorRenderer(provider, 1, shader)
    renderer.setClassificationMin(low)
    renderer.setClassificationMax(high)
    layer.setRenderer(renderer)
    layer.setOpacity(0.7)


def style_threshold(layer: QgsRasterLayer, band: int, colour: str, threshold: float) -> None:
    """A score raster as the mask that a threshold would give: a tint above it, nothing below."""
    below, above = QColor(colour), QColor(colour)
    below.setAlpha(0)
    above.setAlpha(150)
    function = QgsColorRampShader(0.0, 1.0, None, QgsColorRampShader.Type.Discrete)
    function.setColorRampItemList([
        QgsColorRampShader.ColorRampItem(threshold, below, f"≤ {threshold:.2f}"),
        QgsColorRampShader.ColorRampItem(float("inf"), above, f"> {threshold:.2f}"),
    ])
    shader = QgsRasterShader()
    shader.setRasterShaderFunction(function)
    layer.setRenderer(QgsSingleBandPseudoColorRenderer(layer.dataProvider(), band, shader))
    layer.triggerRepaint()


def _label(layer: QgsVectorLayer, field: str) -> None:
    words = QgsTextFormat()
    words.setSize(8)
    words.setSizeUnit(QgsUnitTypes.RenderUnit.RenderPoints)
    words.setColor(QColor("#1a1a1a"))
    halo = QgsTextBufferSettings()
    halo.setEnabled(True)
    halo.setSize(0.8)
    halo.setColor(QColor("#ffffff"))
    words.setBuffer(halo)
    labels = QgsPalLayerSettings()
    labels.fieldName = field
    labels.enabled = True
    labels.setFormat(words)
    layer.setLabeling(QgsVectorLayerSimpleLabeling(labels))
    layer.setLabelsEnabled(True)


def describe(layer: QgsMapLayer, title: str, about: Mapping[str, Any]) -> None:
    """Write title and origin into the layer's metadata, and readable names over its fields."""
    metadata = QgsLayerMetadata(layer.metadata())
    metadata.setTitle(title)
    metadata.setType("dataset")
    metadata.setAbstract("\n".join(f"{key}: {value}" for key, value in about.items() if value not in (None, "")))
    metadata.setHistory(["{} {}".format(datetime.now().isoformat(timespec="seconds"), tr("Search imagery by text"))])
    layer.setMetadata(metadata)
    if isinstance(layer, QgsVectorLayer):
        for index, field in enumerate(layer.fields()):
            if field.name() in ALIASES:
                layer.setFieldAlias(index, tr(ALIASES[field.name()]))


def open_vector(path: str, title: str, about: Mapping[str, Any]) -> QgsVectorLayer:
    """A result file as a layer that is not yet in the project.

    Raises:
        BackendError: QGIS cannot read it.
    """
    layer = QgsVectorLayer(path, title, "ogr")
    if not layer.isValid():
        raise BackendError(tr("The result {} cannot be opened.").format(path), "", "output")
    describe(layer, title, about)
    return layer


def open_raster(path: str, title: str, about: Mapping[str, Any]) -> QgsRasterLayer:
    """A result raster as a layer that is not yet in the project.

    Raises:
        BackendError: QGIS cannot read it.
    """
    layer = QgsRasterLayer(path, title, "gdal")
    if not layer.isValid():
        raise BackendError(tr("The result {} cannot be opened.").format(path), "", "output")
    describe(layer, title, about)
    return layer


def add(project: QgsProject, layer: QgsMapLayer, group_name: str, on_top: bool = True) -> QgsMapLayer:
    """Put a layer into a group of the project, which is made at the top when it is not there.

    Args:
        project: Takes the layer over.
        layer: A result.
        group_name: All results of one raster share a group.
        on_top: Of the group; a raster goes under the outlines.
    """
    root = project.layerTreeRoot()
    group = root.findGroup(group_name) or root.insertGroup(0, group_name)
    layer.setCustomProperty(OURS, True)
    project.addMapLayer(layer, False)
    node = group.insertLayer(0 if on_top else -1, layer)
    node.setExpanded(False)
    return layer


def hide(project: QgsProject, layer: Any) -> None:
    """Uncheck a layer that a newer result replaces."""
    node = project.layerTreeRoot().findLayer(layer.id()) if alive(layer) is not None else None
    if node is not None:
        node.setItemVisibilityChecked(False)


def is_ours(layer: QgsMapLayer) -> bool:
    """Whether a layer is a result of this plugin."""
    return bool(layer.customProperty(OURS, False))


def alive(layer: Any) -> Any:
    """The layer itself while it exists, None after QGIS has deleted it."""
    return None if layer is None or sip.isdeleted(layer) else layer


def id_of(layer: Any) -> str:
    """The layer's id; empty for one that was removed in the meantime."""
    return layer.id() if alive(layer) is not None else ""


def name_of(layer: Any) -> str:
    """The layer's name; a layer that was removed in the meantime has none."""
    return layer.name() if alive(layer) is not None else tr("removed raster")


def result_path(folder: str, kind: str, text: str, suffix: str) -> str:
    """A new file name in `folder` that says what it is: kind, prompt and time."""
    words = "".join(c if c.isalnum() else "-" for c in text.lower())[:40].strip("-") or "result"
    base = os.path.join(folder, "{}-{}-{}".format(datetime.now().strftime("%Y%m%d-%H%M%S"), kind, words))
    path, number = base + suffix, 2
    while os.path.exists(path):
        path, number = f"{base}-{number}{suffix}", number + 1
    return path


def about(**facts: Any) -> dict[str, Any]:
    """Facts for a layer's metadata in the order given, empty ones left out."""
    return {key: value for key, value in facts.items() if value not in (None, "", [])}
