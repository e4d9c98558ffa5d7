"""Searching in the panel: pictures, layers, filters, examples, heatmap; offscreen, against the fake engine."""

import pytest
from driving import results, search, shown
from qgis.core import QgsCoordinateReferenceSystem, QgsProject, QgsRectangle
from qgis.PyQt.QtCore import Qt


def test_a_search_gives_pictures_and_a_styled_layer_in_a_group(dock, until):
    search(dock, until, "houses; forest")
    layer = results()[0]
    assert layer.featureCount() == 20 and layer.name() == "Places: houses; forest"
    assert [category.value() for category in layer.renderer().categories()] == ["houses", "forest"]
    assert layer.metadata().title() == "Places: houses; forest" and "ortho" in layer.metadata().abstract()
    assert layer.crs().authid() == "EPSG:25832"
    assert QgsProject.instance().layerTreeRoot().findGroup("Search: ortho") is not None
    assert dock.search.view.model().rowCount() == 20
    assert dock.search.filters.isVisibleTo(dock)


def test_the_slider_filters_list_and_map_without_a_new_search(dock, until):
    search(dock, until, "houses")
    layer = results()[0]
    dock.search.confidence.setValue(80)
    shown = dock.search.view.model().rowCount()
    assert 0 < shown < 20 and layer.featureCount() == shown
    dock.search.confidence.setValue(0)
    assert dock.search.view.model().rowCount() == 20 and layer.featureCount() == 20
    assert len(results()) == 1 and dock.search.summary.text().startswith("20 places")
    dock.search.confidence.setValue(80)
    assert dock.search.summary.text().startswith(f"{shown} of 20 places") and "0.5 m" in dock.search.summary.text()
    dock.search.confidence.setValue(99)
    assert "No place is that sure" in dock.search.view.hint and dock.search.view.model().rowCount() == 0
    QgsProject.instance().removeMapLayer(layer)
    assert "Try: houses" in dock.search.view.hint


def test_pictures_are_drawn_for_what_is_seen(dock, until):
    dock.show()
    search(dock, until, "houses")
    first = dock.search.view.model().index(0, 0).data(257)
    until(lambda: dock.search.view.thumbnails.picture(first.fid, first.geometry.boundingBox()) is not None)
    picture = dock.search.view.thumbnails.picture(first.fid, first.geometry.boundingBox())
    assert len({picture.pixel(x, x) for x in range(0, picture.width(), 5)}) > 3


def test_pictures_come_in_the_order_of_the_places_and_only_for_what_is_in_sight(dock, until):
    dock.show()
    dock.resize(400, 700)
    search(dock, until, "houses")
    view, came = dock.search.view, []
    view.thumbnails.drawn.connect(came.append)
    ids = [view.model().index(row, 0).data(257).fid for row in range(20)]
    seen = [fid for row, fid in enumerate(ids)
            if view.viewport().rect().intersects(view.visualRect(view.model().index(row, 0)))]
    assert 2 < len(seen) < 20
    until(lambda: set(seen) <= set(view.thumbnails._kept))
    assert came == [fid for fid in seen if fid in came] and set(view.thumbnails._kept) == set(seen)
    view.scrollToBottom()
    until(lambda: ids[-1] in view.thumbnails._kept)


def test_a_click_brings_the_place_into_the_map(dock, until, window):
    search(dock, until, "houses")
    hit = dock.search.view.model().index(3, 0).data(257)
    dock.search.view.visited.emit(hit)
    assert window.canvas.extent().contains(hit.geometry.boundingBox())
    assert window.canvas.extent().width() < 4 * hit.geometry.boundingBox().width()
    dock.search.view.chosen.emit(hit)
    assert results()[0].selectedFeatureIds() == [hit.fid]


def test_the_heatmap_goes_under_the_places_and_can_be_hidden(dock, until):
    search(dock, until, "houses")
    dock.search.heatmap.click()
    until(lambda: not dock._session.busy)
    heat = next(layer for layer in results() if layer.name().startswith("Heatmap"))
    group = QgsProject.instance().layerTreeRoot().findGroup("Search: ortho")
    assert [node.layer().name() for node in group.children()] == ["Places: houses", "Heatmap: houses"]
    assert dock.search.heatmap.isChecked()
    dock.search.heatmap.click()
    assert not group.findLayer(heat.id()).itemVisibilityChecked()


def test_where_restricts(dock, until):
    dock.where.set_rectangle(QgsRectangle(500000, 5699800, 500100, 5699900), QgsCoordinateReferenceSystem("EPSG:25832"))
    search(dock, until, "houses")
    assert QgsRectangle(499999, 5699799, 500101, 5699901).contains(results()[0].extent())


def test_texts_are_remembered(dock, until):
    search(dock, until, "a red roof")
    box = dock.search.text
    assert box.itemText(0) == "a red roof" and box.itemText(1) == "" and box.itemText(2) == "houses"  # a line between
    assert box.currentText() == "a red roof" and box.lineEdit().cursorPosition() == 0


def test_more_like_this_searches_again_with_examples_and_undo_takes_them_back(dock, until, monkeypatch):
    sent = []
    run = dock._session.run
    monkeypatch.setattr(dock._session, "run", lambda request: (sent.append(request), run(request)))
    search(dock, until, "houses")
    view = dock.search.view
    view.setCurrentIndex(view.model().index(2, 0))
    box = view.selected()[0].geometry.boundingBox()
    dock.search.add_examples("like")
    until(lambda: not dock._session.busy)
    view.setCurrentIndex(view.model().index(0, 0))
    dock.search.add_examples("unlike")
    until(lambda: not dock._session.busy)
    assert "1 like, 1 not like" in dock.search.examples.words.text()
    marks = [view.model().index(row, 0).data(258) for row in range(20)]
    assert marks[0] == "unlike" and marks[2] == "like" and marks.count(None) == 18  # still, in the new result
    params = sent[-1].params
    from qgis.core import QgsVectorLayer

    liked = QgsVectorLayer(params["like"])
    assert liked.isValid() and liked.featureCount() == 1 and liked.crs().authid() == "EPSG:25832"
    assert liked.extent().center().distance(box.center()) < 0.01
    assert QgsVectorLayer(params["unlike"]).featureCount() == 1
    dock.search.examples.undo.click()
    until(lambda: not dock._session.busy)
    assert "unlike" not in sent[-1].params and "like" in sent[-1].params
    dock.search.examples.clear_all.click()
    until(lambda: not dock._session.busy)
    assert "like" not in sent[-1].params and not dock.search.examples.isVisibleTo(dock)


def test_coordinates_are_latitude_and_longitude(dock, until):
    from qgis.core import QgsGeometry
    from search_imagery_by_text.gui import places

    point = QgsGeometry.fromRect(QgsRectangle(499999, 5699999, 500001, 5700001))
    latitude, longitude = map(float, places.coordinates([point], QgsCoordinateReferenceSystem("EPSG:25832")).split(","))
    assert longitude == pytest.approx(9.0, abs=1e-5) and latitude == pytest.approx(51.4507, abs=1e-3)


def test_a_new_search_hides_the_one_before_and_keeps_it(dock, until):
    search(dock, until, "houses")
    first = results()[0]
    search(dock, until, "forest")
    assert len(results()) == 2 and not shown(first)


def test_further_rasters_are_searched_with_the_first(dock, until, monkeypatch, tmp_path):
    from conftest import write_raster
    from qgis.core import QgsRasterLayer

    other = QgsRasterLayer(str(write_raster(tmp_path / "other.tif", origin=(500400.0, 5700000.0))), "other")
    QgsProject.instance().addMapLayer(other)
    dock.layer._fill()
    actions = {action.text(): action for action in dock.layer.menu.actions()}
    assert list(actions) == ["other"]  # not the first again
    actions["other"].setChecked(True)
    assert dock.layer.others() == [other] and dock.layer.more.text() == "+1"
    sent = []
    run = dock._session.run
    monkeypatch.setattr(dock._session, "run", lambda request: (sent.append(request), run(request)))
    # a rectangle that only the second raster covers
    dock.where.set_rectangle(QgsRectangle(500500, 5699800, 500600, 5699900), QgsCoordinateReferenceSystem("EPSG:25832"))
    search(dock, until, "houses")
    assert len(sent[0].params["sources"]) == 2 and sent[0].params["extent"] == [500500, 5699800, 500600, 5699900]
    assert other in dock.search.view.thumbnails._layers
    QgsProject.instance().removeMapLayer(other)
    assert dock.layer.others() == []


def heatmaps():
    """Heatmap layers by their text, and whether they are shown."""
    return {layer.name()[len("Heatmap: "):]: shown(layer) for layer in results() if layer.name().startswith("Heatmap")}


def heat(dock, until):
    dock.search.heatmap.click()
    until(lambda: not dock._session.busy)


def test_the_heatmap_is_of_the_marked_pictures_text_and_makes_way_for_other_results(dock, until):
    search(dock, until, "houses; forest")
    view = dock.search.view
    heat(dock, until)
    view.setCurrentIndex(view.model().index(1, 0))
    assert view.selected()[0].text == "forest"
    dock.search.heatmap.click()
    heat(dock, until)
    assert heatmaps() == {"houses": False, "forest": True}
    search(dock, until, "forest")  # the same text: it stays
    assert dock.search.heatmap.isChecked() and heatmaps()["forest"]
    dock.outline.text.setText("road")
    dock.outline.button.click()
    until(lambda: not dock._session.busy)
    assert not dock.search.heatmap.isChecked() and not heatmaps()["forest"]
    dock.search.heatmap.click()
    assert heatmaps() == {"houses": False, "forest": True} and not dock._session.busy  # the one that is there
    QgsProject.instance().removeMapLayer(QgsProject.instance().mapLayersByName("Heatmap: houses")[0])
    assert dock.search.heatmap.isChecked()
    search(dock, until, "lake")
    assert not dock.search.heatmap.isChecked() and heatmaps() == {"forest": False}


def test_one_texts_pictures_have_the_colours_of_the_map(dock, until):
    search(dock, until, "houses")
    ranges = results()[0].renderer().ranges()
    for row in range(20):
        hit = dock.search.view.model().index(row, 0).data(257)
        there = next(one for one in ranges if one.lowerValue() <= hit.confidence <= one.upperValue())
        assert there.symbol().symbolLayer(0).strokeColor().name() == hit.colour
        assert hit.colour in dock.search.legend.text()
    assert "75–100" in dock.search.legend.text()


def test_texts_differ_by_more_than_colour(dock, until):
    search(dock, until, "houses; forest")
    categories = results()[0].renderer().categories()  # which own the symbols
    lines = [category.symbol().symbolLayer(0) for category in categories]
    assert lines[0].strokeColor() != lines[1].strokeColor() and lines[0].strokeStyle() != lines[1].strokeStyle()
    words = [dock.search.view.model().index(row, 0).data(Qt.ItemDataRole.AccessibleTextRole) for row in range(2)]
    assert "houses" in words[0] and "forest" in words[1]
