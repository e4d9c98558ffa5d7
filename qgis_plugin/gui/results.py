"""What answers become: layers in the project, and what the tabs show of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from qgis.core import QgsMapLayer, QgsProject, QgsRasterLayer

from .. import jobs, layers
from ..protocol import Request
from ..translate import tr
from .describe_tab import DescribeTab, Place
from .outline_tab import OutlineTab
from .search_tab import SearchTab


class Results:
    """Takes each kind of answer; every one raises `BackendError` where a file of it cannot be read.

    Args:
        search: Tab of the places.
        outline: Tab of the outlines.
        describe: Tab of the sentences.
        pictures: What small pictures are drawn from, for the raster that was asked about.
        holes: What is missing in files that layers were drawn into.
    """

    def __init__(
        self, search: SearchTab, outline: OutlineTab, describe: DescribeTab,
        pictures: Callable[[Any], list[QgsRasterLayer]], holes: Mapping[str, str],
    ) -> None:
        self.search, self.outline, self.describe, self._pictures = search, outline, describe, pictures
        self._holes = holes
        self._latest: dict[str, QgsMapLayer] = {}

    def _about(
        self, layer_name: str, request: Request, result: dict[str, Any], texts: list[str] | None = None
    ) -> dict[str, Any]:
        params = request.params
        read = [*params.get("sources", []), params.get("source", "")]
        failed = result.get("failed") or []
        return layers.about(**{
            tr("Text"): "; ".join(texts or params.get("texts", [params.get("text", "")])), tr("Raster"): layer_name,
            tr("Answer"): result.get("text"),
            tr("Model"): params.get("model", "") or tr("bundled"), tr("Threshold"): result.get("threshold"),
            tr("Refinement"): params.get("refine"), tr("Extent"): params.get("extent"),
            tr("Finished part"): f"{jobs.percent(result['finished'])} %" if jobs.is_partial(result) else "",
            tr("Failed tiles"): f"{len(failed)} ({'; '.join(map(str, failed[:20]))})" if failed else "",
            tr("Empty places"): " ".join(self._holes.get(path, "") for path in read).strip(),
            tr("Time"): datetime.now().isoformat(timespec="seconds"),
        })

    def show_hits(self, raster: QgsRasterLayer, request: Request, result: dict[str, Any]) -> None:
        """Places found: a layer, and pictures."""
        texts = list(request.params.get("texts", []))
        name = layers.name_of(raster)
        title = tr("Places: {}").format("; ".join(texts) or tr("like the examples"))
        layer = layers.open_vector(
            request.params["out"], title, self._about(name, request, result))
        layers.style_hits(layer, texts)
        self._newest("hits", layer, name)
        self.search.show_result(layer, self._pictures(raster), result, texts, layers.id_of(raster))

    def show_heatmap(self, raster: QgsRasterLayer, request: Request, result: dict[str, Any]) -> None:
        """A heatmap under them."""
        name = layers.name_of(raster)
        layer = layers.open_raster(
            request.params["out"], tr("Heatmap: {}").format(request.params["text"]),
            self._about(name, request, result))
        layers.style_heatmap(layer)
        layers.add(QgsProject.instance(), layer, tr("Search: {}").format(name), on_top=False)
        self.search.show_heatmap(layer, request.params["text"], layers.id_of(raster))

    def show_masks(self, raster: QgsRasterLayer, request: Request, result: dict[str, Any]) -> None:
        """Outlines: a layer, and pictures for review."""
        texts = self.outline.texts_of(request)
        name, title = layers.name_of(raster), tr("Outlines: {}").format("; ".join(texts))
        if jobs.is_partial(result):
            title = tr("{} (only {} % finished)").format(title, jobs.percent(result["finished"]))
        layer = layers.open_vector(request.params["out"], title, self._about(name, request, result, texts))
        layers.style_masks(layer, texts)
        self._newest("masks", layer, name)
        self.outline.show_result(layer, self._pictures(raster), result, request)

    def show_evidence(self, raster: QgsRasterLayer, place: Place, request: Request, result: dict[str, Any]) -> None:
        """The answer as words, and what it rests on as a layer, where that can be shown."""
        self.describe.show_answer(place, request, result)
        out = request.params["out"]
        if not result.get("count"):
            if os.path.exists(out):
                os.remove(out)  # an empty file would only be in the way
            return
        name, question = layers.name_of(raster), request.params["question"]
        layer = layers.open_vector(
            out, tr("Evidence: {}").format(question), self._about(name, request, result, [question]))
        layers.style_evidence(layer)
        self._newest("evidence", layer, name)

    def _newest(self, kind: str, layer: QgsMapLayer, raster_name: str) -> None:
        """Add a result and hide those before it, which stay in the project."""
        for old in self._latest.values():
            layers.hide(QgsProject.instance(), old)
        if kind != "hits":
            self.search.hide_heatmap()
        self._latest[kind] = layers.add(QgsProject.instance(), layer, tr("Search: {}").format(raster_name))
