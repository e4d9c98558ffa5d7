"""Outlining in the panel: thresholds, review, undo, appending; offscreen, against the fake engine."""

import os
import time
from pathlib import Path

import pytest
from driving import assert_it_does_not_stand_still, results, shown
from qgis.core import QgsProject, QgsRectangle
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QPushButton


def outline(dock, until, text="building; road"):
    dock.outline.text.setText(text)
    dock.outline.button.click()
    until(lambda: not dock._session.busy)
    return next(layer for layer in results() if layer.name().startswith("Outlines"))


def previewed():
    return [layer for layer in results() if layer.name().startswith("Preview")]


def test_outlines_give_a_layer_and_say_the_threshold(dock, until):
    dock.outline.text.setText("building; road")
    dock.outline.button.click()
    until(lambda: not dock._session.busy)
    layer = results()[0]
    assert layer.fields().indexOf("area_m2") >= 0 and layer.featureCount() == 12
    assert "21 %" in dock.outline.summary.text() and "building" in dock.outline.summary.text()


def test_the_threshold_slider_shows_its_mask_at_once_and_makes_outlines_when_asked(dock, until, monkeypatch):
    layer = outline(dock, until)
    dock.outline.threshold.setValue(40)
    until(lambda: len(previewed()) == 2)  # one after the other, so that the window never waits for both
    previews = previewed()
    assert [preview.renderer().band() for preview in previews] == [1, 2]
    items = previews[0].renderer().shader().rasterShaderFunction().colorRampItemList()
    assert items[0].value == pytest.approx(0.4) and items[0].color.alpha() == 0 and items[1].color.alpha() > 100
    assert not shown(layer) and not dock.outline.automatic.isChecked()
    sent = []
    run = dock._session.run
    monkeypatch.setattr(dock._session, "run", lambda request: (sent.append(request), run(request)))
    dock.outline.button.click()
    until(lambda: not dock._session.busy)
    assert sent[0].op == "polygons" and sent[0].params["threshold"] == [0.4, 0.4]  # no second look
    again = [made for made in results() if made.name() == "Outlines: building; road" and made is not layer]
    assert [made.featureCount() for made in again] == [7] and "building; road" in again[0].metadata().abstract()
    assert not previewed()
    dock.outline.threshold.setValue(60)
    dock.outline.automatic.setChecked(True)
    assert not previewed()
    QTest.qWait(100)
    assert not previewed(), "what was on its way does not come after the end"


def test_a_class_may_have_its_own_threshold(dock, until, monkeypatch, window):
    outline(dock, until)
    assert dock.outline.of.isVisibleTo(dock.outline) and dock.outline.threshold.value() == 21
    dock.outline.of.setCurrentIndex(2)
    dock.outline.threshold.setValue(60)
    until(lambda: len(previewed()) == 2)  # one after the other, so that the window never waits for both
    previews = previewed()
    limits = [p.renderer().shader().rasterShaderFunction().colorRampItemList()[0].value for p in previews]
    assert limits == pytest.approx([0.21, 0.6])
    dock.outline.of.setCurrentIndex(1)
    assert dock.outline.threshold.value() == 21
    sent = []
    run = dock._session.run
    monkeypatch.setattr(dock._session, "run", lambda request: (sent.append(request), run(request)))
    dock.outline.refine.setCurrentIndex(1)
    dock.outline.button.click()
    assert "one threshold" in window.words() and not sent
    dock.outline.refine.setCurrentIndex(0)
    dock.outline.button.click()
    until(lambda: not dock._session.busy)
    assert sent[0].params["threshold"] == [0.21, 0.6] and "road: 3 outlines, threshold 60 %" in (
        dock.outline.summary.text())


def test_what_the_kept_scores_cannot_answer_is_asked_afresh(dock, until, monkeypatch):
    outline(dock, until)
    first = dict(dock.outline._kept)
    dock.outline.threshold.setValue(40)
    sent = []
    run = dock._session.run
    monkeypatch.setattr(dock._session, "run", lambda request: (sent.append(request), run(request)))
    dock.outline.refine.setCurrentIndex(1)
    dock.outline.button.click()
    until(lambda: not dock._session.busy)
    dock.outline.refine.setCurrentIndex(0)
    dock.outline.text.setText("building")
    dock.outline.button.click()
    until(lambda: not dock._session.busy)
    os.remove(dock.outline._kept["cosines"])
    dock.outline.button.click()
    until(lambda: not dock._session.busy)
    dock.outline.smallest.setValue(20)
    dock.outline.button.click()
    until(lambda: not dock._session.busy)
    assert [request.op for request in sent] == ["segment", "segment", "segment", "polygons"]
    assert sent[-1].params["min_area_m2"] == 20
    assert not os.path.exists(first["scores"]) and not os.path.exists(first["cosines"])  # the disk is not filled


def cancelled(dock, until, text, done):
    """Begin outlines and cancel them when so many steps are done; seconds until the panel is free."""
    dock.outline.text.setText(text)
    dock.outline.button.click()
    until(lambda: dock.progress.bar.value() >= done or not dock._session.busy)
    begun = time.monotonic()
    dock.progress.cancel.click()
    until(lambda: not dock._session.busy)
    return time.monotonic() - begun


def offered(window):
    """The button in the message that shows now."""
    return next(button for button in window.bar.currentItem().findChildren(QPushButton) if "part" in button.text())


def test_cancel_keeps_the_outlines_before_and_offers_those_that_are_finished(dock, until, window, monkeypatch):
    before = outline(dock, until)
    sent = []
    run = dock._session.run
    monkeypatch.setattr(dock._session, "run", lambda request: (sent.append(request), run(request)))
    assert cancelled(dock, until, "slow; road", 40) < 1.2
    assert results() == [before] and shown(before) and dock.outline._layer is before
    assert "of the area is finished. What was looked at is kept; the same again goes on from there." in window.words()
    button = offered(window)
    dock.search.text.lineEdit().setText("slow")
    dock.search.button.click()
    button.click()
    assert "A search is under way." in window.words() and len(window.bar.items()) == 2, "the offer stays"
    dock.progress.cancel.click()
    until(lambda: not dock._session.busy)
    button.click()
    until(lambda: not dock._session.busy)
    part = next(layer for layer in results() if layer is not before)
    assert sent[-1].params == {**sent[0].params, "finished": True}
    assert part.name() == "Outlines: slow; road (only 40 % finished)" and part.featureCount() == 12
    assert "Finished part: 40 %" in part.metadata().abstract() and not shown(before)
    assert "Only 40 % of the area was finished: the rest is missing" in window.words()
    dock.outline.threshold.setValue(40)
    dock.outline.button.click()  # the whole is asked for, not a part cut anew
    assert sent[-1].op == "segment" and "finished" not in sent[-1].params


def test_a_finished_part_is_not_offered_in_another_project(dock, until, window, raster_file):
    dock.outline.text.setText("slow")
    dock.outline.button.click()
    until(lambda: dock.progress.bar.value() > 20)
    QgsProject.instance().clear()
    until(lambda: not dock._session.busy)
    assert not any("part" in button.text() for item in window.bar.items() for button in item.findChildren(QPushButton))


@pytest.mark.real
def test_the_real_engine_outlines_what_is_finished_and_goes_on(engine, dock, until, window, monkeypatch, real_python,
                                                             barnarp, tmp_path):
    from qgis.core import QgsRasterLayer
    from search_imagery_by_text import backend

    monkeypatch.setattr(backend, "folder", lambda: str(Path(__file__).resolve().parents[2]))
    monkeypatch.setenv("RSVLM_PYTHON", real_python)
    layer = QgsRasterLayer(str(barnarp), "barnarp")
    QgsProject.instance().addMapLayer(layer)
    dock.layer.setLayer(layer)
    took = cancelled(dock, until, "building; road", 40)
    assert took < 1.2
    until(lambda: "of the area is finished" in window.words(), 20)  # it may have to end a look at a busy processor
    assert [one for one in results() if one.name() != "barnarp"] == []
    total, done = dock.progress.bar.maximum(), dock.progress.bar.value()
    offered(window).click()
    until(lambda: not dock._session.busy, 300)
    part = next(one for one in results() if "finished)" in one.name())
    share = dock.outline._kept and QgsRasterLayer(dock.outline._kept["scores"]).height() / layer.height()
    assert 0 < share < 1 and part.featureCount() > 0
    assert part.extent().yMinimum() >= layer.extent().yMaximum() - (share + 0.01) * layer.extent().height()
    assert f"Finished part: {int(100 * share)} %" in part.metadata().abstract()
    first = []
    dock._session.progressed.connect(lambda at, of, unit, left: first.append(at))
    dock.outline.button.click()
    until(lambda: not dock._session.busy, 600)
    assert first[0] >= min(done, total) - 1, "it goes on, and does not begin again"
    whole = [one for one in results() if one.name() == "Outlines: building; road"]
    assert len(whole) == 1 and whole[0].extent().yMinimum() < part.extent().yMinimum()


def test_outlines_are_discarded_undone_and_saved(dock, until):
    layer = outline(dock, until)
    view = dock.outline.view
    view.setCurrentIndex(view.model().index(1, 0))
    gone = view.selected()[0].fid
    dock.outline.discard_button.click()
    assert view.model().rowCount() == 11 and layer.featureCount() == 11 and layer.isEditable()
    assert "5 outlines" in dock.outline.summary.text() and "6 outlines" in dock.outline.summary.text()
    dock.outline.undo.click()
    assert view.model().rowCount() == 12 and gone in {feature.id() for feature in layer.getFeatures()}
    view.setCurrentIndex(view.model().index(1, 0))
    dock.outline.discard()
    dock.outline.save.click()
    assert not layer.isEditable() and layer.featureCount() == 11 and view.model().rowCount() == 11


def test_a_review_goes_from_outline_to_outline(dock, until, window):
    """Accepted ones have a tick and stay where they are; a discarded one makes way for the next."""
    layer = outline(dock, until)
    view, tab = dock.outline.view, dock.outline

    def marks():
        return [view.model().index(row, 0).data(258) for row in range(view.model().rowCount())]

    ids = [view.model().index(row, 0).data(257).fid for row in range(12)]
    view.setCurrentIndex(view.model().index(0, 0))
    tab.accept_button.click()
    assert view.selected()[0].fid == ids[1]
    tab.accept()
    tab.discard_button.click()
    assert view.selected()[0].fid == ids[3]
    assert window.canvas.extent().contains(view.selected()[0].geometry.boundingBox())
    assert marks() == ["accepted"] * 2 + [None] * 9 and layer.featureCount() == 11
    view.setCurrentIndex(view.model().index(1, 0))
    tab.accept()  # once more: the tick is taken back
    assert marks() == ["accepted"] + [None] * 10
    view.setCurrentIndex(view.model().index(10, 0))
    tab.discard()
    assert view.selected()[0].fid == ids[10]
    tab.undo.click()
    assert len(marks()) == 11 and marks()[0] == "accepted"


def test_automatic_takes_back_what_the_slider_was_moved_to(dock, until):
    outline(dock, until)
    assert not dock.outline.preview_words.isVisibleTo(dock.outline)
    dock.outline.threshold.setValue(60)
    assert dock.outline.preview_words.isVisibleTo(dock.outline) and "60" in dock.outline.threshold_words.text()
    dock.outline.automatic.setChecked(True)
    assert not dock.outline.preview_words.isVisibleTo(dock.outline) and dock.outline.threshold.value() == 21
    dock.outline.clear()
    assert dock.outline.threshold_words.text() == "–"


def test_outlines_are_appended_with_mapped_fields_in_the_layers_crs(dock, until):
    from qgis.core import QgsVectorLayer
    from search_imagery_by_text.gui.append_dialog import AppendDialog, append

    layer = outline(dock, until)
    mine = QgsVectorLayer(
        "MultiPolygon?crs=EPSG:4326&field=kind:string&field=confidence:double&field=note:string", "mine", "memory")
    QgsProject.instance().addMapLayer(mine)
    dialog = AppendDialog(layer, [2, 5], [3])
    assert [dialog.which.itemText(row) for row in range(3)] == ["Accepted (2)", "All (12)", "Selected (1)"]
    assert dialog.target.currentLayer() is mine and dialog.target.count() == 1  # no result of ours is offered
    assert dialog._expressions() == {"confidence": '"confidence"'}
    dialog._append()
    assert mine.featureCount() == 2 and mine.isEditable()
    mine.undoStack().undo()
    QgsProject.instance().takeMapLayer(mine)
    dialog = AppendDialog(layer, [], [])
    assert "no polygon layer" in dialog.words.text() and not dialog.buttons.buttons()[0].isEnabled()
    QgsProject.instance().addMapLayer(mine)
    assert append(layer, [], mine, {**dialog._expressions(), "kind": "upper(\"text\")"}) == ""
    features = list(mine.getFeatures())
    assert len(features) == 12 and {feature["kind"] for feature in features} == {"BUILDING", "ROAD"}
    assert all(0 < feature["confidence"] <= 1 for feature in features)
    assert QgsRectangle(8.99, 51.4, 9.02, 51.5).contains(features[0].geometry().boundingBox())
    mine.undoStack().undo()
    assert mine.featureCount() == 0
    mine.rollBack()


def test_selected_polygons_keep_only_the_outlines_that_meet_them(dock, until, monkeypatch):
    from qgis.core import QgsFeature, QgsGeometry, QgsVectorLayer
    from search_imagery_by_text.gui import where

    districts = QgsVectorLayer("Polygon?crs=EPSG:25832", "districts", "memory")
    QgsProject.instance().addMapLayer(districts)
    shapes = [QgsGeometry.fromWkt(words) for words in (
        "POLYGON((500000 5700000, 500400 5700000, 500000 5699700, 500000 5700000))",
        "POLYGON((500380 5699720, 500400 5699720, 500400 5699700, 500380 5699720))")]
    for shape in shapes:
        feature = QgsFeature()
        feature.setGeometry(shape)
        districts.dataProvider().addFeature(feature)
    districts.selectAll()
    dock.where.choice.setCurrentIndex(where.POLYGONS)
    dock.outline.text.setText("building")
    dock.outline.button.click()
    until(lambda: not dock._session.busy)
    layer = next(one for one in results() if one.name().startswith("Outlines"))
    assert 0 < layer.featureCount() < 12 and layer.featureCount() == dock.outline.view.model().rowCount()
    both = QgsGeometry.unaryUnion(shapes)
    assert all(feature.geometry().intersects(both) for feature in layer.getFeatures())
    sent = []
    run = dock._session.run
    monkeypatch.setattr(dock._session, "run", lambda request: (sent.append(request), run(request)))
    dock.outline.threshold.setValue(40)
    districts.selectByIds([2])
    dock.outline.button.click()  # another place has other scores
    until(lambda: not dock._session.busy)
    dock.outline.threshold.setValue(60)
    dock.outline.button.click()
    until(lambda: not dock._session.busy)
    assert [request.op for request in sent] == ["segment", "polygons"]
    assert all(os.path.exists(request.params["within"]) for request in sent)


def test_of_many_outlines_the_surest_are_listed_and_all_are_counted(dock, until, monkeypatch):
    from search_imagery_by_text.gui import hits_view

    monkeypatch.setattr(hits_view, "LISTED", 5)
    layer = outline(dock, until)
    view = dock.outline.view
    assert [view.model().index(row, 0).data(257).rank for row in range(view.model().rowCount())] == [1, 2, 3, 4, 5]
    assert layer.featureCount() == 12 and "building: 6 outlines" in dock.outline.summary.text()
    assert "The 5 surest of 12 are listed here" in dock.outline.summary.text()
    view.setCurrentIndex(view.model().index(0, 0))
    dock.outline.discard()
    assert view.model().rowCount() == 5 and "5 surest of 11" in dock.outline.summary.text()


def test_twenty_thousand_outlines_do_not_hold_up_the_window(dock, until, tmp_path):
    from osgeo import ogr, osr
    from search_imagery_by_text import jobs

    path, system = tmp_path / "many.gpkg", osr.SpatialReference()
    system.ImportFromEPSG(25832)
    source = ogr.GetDriverByName("GPKG").CreateDataSource(str(path), ["VERSION=1.2"])
    made = source.CreateLayer("masks", system, ogr.wkbMultiPolygon)
    for name, kind in (("rank", ogr.OFTInteger), ("confidence", ogr.OFTReal), ("text", ogr.OFTString),
                       ("area_m2", ogr.OFTReal)):
        made.CreateField(ogr.FieldDefn(name, kind))
    made.StartTransaction()
    for number in range(20_000):
        x, y = 500000 + 3 * (number % 100), 5699700 + 3 * (number // 100)
        feature = ogr.Feature(made.GetLayerDefn())
        for name, value in (("rank", number + 1), ("confidence", 0.5), ("text", ("road", "building")[number % 4 > 0]),
                            ("area_m2", 4.0)):
            feature.SetField(name, value)
        feature.SetGeometry(ogr.CreateGeometryFromWkt(
            f"MULTIPOLYGON((({x} {y},{x + 2} {y},{x + 2} {y + 2},{x} {y + 2},{x} {y})))"))
        made.CreateFeature(feature)
    made.CommitTransaction()
    made = source = None
    dock.show()
    dock.tabs.setCurrentWidget(dock.outline)
    request = jobs.segment(["x.tif"], ["building", "road"], str(path))
    assert_it_does_not_stand_still(until, lambda: dock.results.show_masks(
        dock.layer.currentLayer(), request, {"threshold": {"building": 0.3}}))
    until(lambda: "building: 15000 outlines" in dock.outline.summary.text())
    assert "road: 5000 outlines" in dock.outline.summary.text()
    one = jobs.segment(["x.tif"], ["building"], str(path))
    dock.results.show_masks(dock.layer.currentLayer(), one, {"threshold": {"building": 0.3}})
    assert "building: 20000 outlines" in dock.outline.summary.text()
