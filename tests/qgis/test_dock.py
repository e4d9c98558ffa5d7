"""The panel, driven offscreen against the fake engine."""

import os
import time

import pytest
from qgis.core import QgsCoordinateReferenceSystem, QgsProject, QgsRectangle
from qgis.PyQt.QtCore import QTimer


def search(dock, until, text, seconds=90):
    dock.search.text.lineEdit().setText(text)
    dock.search.button.click()
    until(lambda: not dock._session.busy, seconds)


def results():
    return [layer for layer in QgsProject.instance().mapLayers().values() if layer.name() != "ortho"]


def test_the_raster_is_chosen_and_nothing_runs(dock):
    assert dock.layer.currentLayer().name() == "ortho"
    assert not dock._session.busy and not dock.progress.isVisible()


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
    assert len(results()) == 1


def test_pictures_are_drawn_for_what_is_seen(dock, until):
    dock.show()
    search(dock, until, "houses")
    first = dock.search.view.model().index(0, 0).data(257)
    until(lambda: dock.search.view.thumbnails.picture(first.fid, first.geometry.boundingBox()) is not None)
    picture = dock.search.view.thumbnails.picture(first.fid, first.geometry.boundingBox())
    assert len({picture.pixel(x, x) for x in range(0, picture.width(), 5)}) > 3


def test_a_click_brings_the_place_into_the_map(dock, until, window):
    search(dock, until, "houses")
    hit = dock.search.view.model().index(3, 0).data(257)
    dock.search.view.visited.emit(hit)
    assert window.canvas.extent().contains(hit.geometry.boundingBox())
    assert window.canvas.extent().width() < 4 * hit.geometry.boundingBox().width()
    dock.search.view.chosen.emit(hit)
    assert results()[0].selectedFeatureIds() == [hit.fid]


def test_outlines_give_a_layer_and_say_the_threshold(dock, until):
    dock.outline.text.setText("building; road")
    dock.outline.button.click()
    until(lambda: not dock._session.busy)
    layer = results()[0]
    assert layer.fields().indexOf("area_m2") >= 0 and layer.featureCount() == 12
    assert "21 %" in dock.outline.summary.text() and "building" in dock.outline.summary.text()


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


def test_the_second_search_uses_the_same_child(dock, until):
    search(dock, until, "houses")
    first = dock._session._worker.process.processId()
    search(dock, until, "forest")
    assert dock._session._worker.process.processId() == first


def test_where_restricts(dock, until):
    dock.where.set_rectangle(QgsRectangle(500000, 5699800, 500100, 5699900), QgsCoordinateReferenceSystem("EPSG:25832"))
    search(dock, until, "houses")
    assert QgsRectangle(499999, 5699799, 500101, 5699901).contains(results()[0].extent())


def test_a_rectangle_outside_the_raster_is_told(dock, until, window):
    dock.where.set_rectangle(QgsRectangle(0, 0, 1, 1), QgsCoordinateReferenceSystem("EPSG:25832"))
    search(dock, until, "houses")
    assert "outside" in window.words() and not results()


@pytest.mark.parametrize("text, said", [("", "no text"), ("error", "no CRS"), ("exit", "exit status 7")])
def test_faults_are_one_message(dock, until, window, text, said):
    search(dock, until, text)
    assert said in window.words() and not results()
    assert dock.search.button.isEnabled() and not dock.progress.isVisible()
    search(dock, until, "houses")
    assert len(results()) == 1  # and the next search works


def test_cancel_comes_back_and_the_child_stays_warm(dock, until):
    dock.search.text.lineEdit().setText("slow")
    dock.search.button.click()
    until(lambda: dock.progress.bar.value() > 5)
    pid, begun = dock._session._worker.process.processId(), time.monotonic()
    dock.progress.cancel.click()
    until(lambda: not dock._session.busy, 5)
    assert time.monotonic() - begun < 1.5
    assert dock._session._worker.process.processId() == pid and not results()


def test_a_stubborn_child_is_ended_and_the_next_search_gets_a_new_one(dock, until, runs):
    dock.search.text.lineEdit().setText("stubborn")
    dock.search.button.click()
    until(lambda: dock.progress.bar.value() > 5)
    pid, begun = dock._session._worker.process.processId(), time.monotonic()
    dock.progress.cancel.click()
    until(lambda: not dock._session.busy, 5)
    assert time.monotonic() - begun < 2.5
    search(dock, until, "houses")
    assert len(results()) == 1 and dock._session._worker.process.processId() != pid
    until(lambda: not runs(pid), 5)


def test_faults_are_in_the_log_file_without_private_data(dock, until, monkeypatch, tmp_path):
    from search_imagery_by_text import log, settings

    monkeypatch.setattr(settings, "data_folder", lambda: str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    search(dock, until, "bug")
    log.write(f"in {tmp_path}/pictures")
    text = (tmp_path / "data" / "logs" / "plugin.log").read_text()
    assert "WARNING search: ValueError: x" in text and "Trace" in text
    assert str(tmp_path) not in text and "in ~/pictures" in text
    monkeypatch.setattr(log, "BYTES", 2000)
    log.close()
    for _ in range(200):
        log.write("one more line", show=False)
    log.close()
    files = sorted(path.name for path in (tmp_path / "data" / "logs").iterdir())
    assert files == ["plugin.log", "plugin.log.1", "plugin.log.2", "plugin.log.3"]


def test_killing_the_child_is_one_message_and_qgis_goes_on(dock, until, window):
    dock.search.text.lineEdit().setText("slow")
    dock.search.button.click()
    until(lambda: dock.progress.bar.value() > 5)
    os.kill(dock._session._worker.process.processId(), 9)
    until(lambda: not dock._session.busy, 5)
    assert "crashed" in window.words()
    search(dock, until, "houses")
    assert len(results()) == 1


def test_removing_the_raster_in_the_middle_of_a_search(dock, until):
    dock.search.text.lineEdit().setText("slow")
    dock.search.button.click()
    until(lambda: dock.progress.bar.value() > 5)
    QgsProject.instance().removeMapLayer(dock.layer.currentLayer())
    until(lambda: not dock._session.busy, 30)
    assert dock.search.view.model().rowCount() == 20  # the places are there, the pictures are not


def test_closing_the_project_with_results_shown(dock, until):
    search(dock, until, "houses")
    QgsProject.instance().clear()
    until(lambda: dock.search.view.model().rowCount() == 0)
    assert not dock.search.filters.isVisibleTo(dock)


def test_a_file_that_is_gone_is_told(dock, until, window, raster_file):
    raster_file.unlink()
    search(dock, until, "houses")
    assert "gone" in window.words()


def waited():
    """Seconds that this thread was ready to run while others had the processors."""
    try:
        with open("/proc/thread-self/schedstat") as file:
            return int(file.read().split()[1]) / 1e9
    except OSError:  # a system that does not tell
        return 0.0


@pytest.mark.parametrize("work", ["cancelled", "search", "outline"])
def test_the_window_does_not_stand_still(dock, until, work):
    """No more than 100 ms between two ticks of a clock: finding the interpreter, starting the child, showing what came.

    Time in which other programs had the processors does not count, and as they slow down disks and memory too, the
    best of some tries does: what the plugin itself does comes every time.
    """
    from search_imagery_by_text import backend

    dock.show()
    worst = []
    for _ in range(6):
        backend.forget()
        dock._session.forget_worker()
        ticks, clock = [], QTimer()
        clock.timeout.connect(lambda ticks=ticks: ticks.append(time.monotonic() - waited()))
        clock.start(10)
        if work == "outline":
            dock.outline.text.setText("building; road")
            dock.outline.button.click()
        else:
            dock.search.text.lineEdit().setText("slow" if work == "cancelled" else "houses; forest")
            dock.search.button.click()
        if work == "cancelled":
            until(lambda: dock.progress.bar.value() > 20)
            dock.progress.cancel.click()
        until(lambda: not dock._session.busy)
        end = time.monotonic() + 0.3  # pictures come now
        until(lambda end=end: time.monotonic() > end)
        clock.stop()
        assert len(ticks) > 20
        worst.append(max(after - before for before, after in zip(ticks, ticks[1:], strict=False)))
        if worst[-1] < 0.1:
            return
    raise AssertionError(f"longest standstills: {worst}")


def test_texts_are_remembered(dock, until):
    search(dock, until, "a red roof")
    assert dock.search.text.itemText(0) == "a red roof"


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


def outline(dock, until, text="building; road"):
    dock.outline.text.setText(text)
    dock.outline.button.click()
    until(lambda: not dock._session.busy)
    return next(layer for layer in results() if layer.name().startswith("Outlines"))


def shown(layer):
    return QgsProject.instance().layerTreeRoot().findLayer(layer.id()).itemVisibilityChecked()


def test_the_threshold_slider_shows_its_mask_at_once_and_makes_outlines_when_asked(dock, until, monkeypatch):
    layer = outline(dock, until)
    dock.outline.threshold.setValue(40)
    previews = [preview for preview in results() if preview.name().startswith("Preview")]
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
    assert not [preview for preview in results() if preview.name().startswith("Preview")]
    dock.outline.threshold.setValue(60)
    dock.outline.automatic.setChecked(True)
    assert not [preview for preview in results() if preview.name().startswith("Preview")]


def test_a_class_may_have_its_own_threshold(dock, until, monkeypatch, window):
    outline(dock, until)
    assert dock.outline.of.isVisibleTo(dock.outline) and dock.outline.threshold.value() == 21
    dock.outline.of.setCurrentIndex(2)
    dock.outline.threshold.setValue(60)
    previews = [preview for preview in results() if preview.name().startswith("Preview")]
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


def test_outlines_are_discarded_undone_and_saved(dock, until):
    layer = outline(dock, until)
    view = dock.outline.view
    view.setCurrentIndex(view.model().index(1, 0))
    gone = view.selected()[0].fid
    dock.outline.discard_button.click()
    assert view.model().rowCount() == 11 and layer.featureCount() == 11 and layer.isEditable()
    dock.outline.undo.click()
    assert view.model().rowCount() == 12 and gone in {feature.id() for feature in layer.getFeatures()}
    view.setCurrentIndex(view.model().index(1, 0))
    dock.outline.discard()
    dock.outline.save.click()
    assert not layer.isEditable() and layer.featureCount() == 11 and view.model().rowCount() == 11


def test_outlines_are_appended_with_mapped_fields_in_the_layers_crs(dock, until):
    from qgis.core import QgsVectorLayer
    from search_imagery_by_text.gui.append_dialog import AppendDialog, append

    layer = outline(dock, until)
    mine = QgsVectorLayer(
        "MultiPolygon?crs=EPSG:4326&field=kind:string&field=confidence:double&field=note:string", "mine", "memory")
    QgsProject.instance().addMapLayer(mine)
    dialog = AppendDialog(layer, [])
    dialog.target.setLayer(mine)
    assert dialog._expressions() == {"confidence": '"confidence"'}
    assert append(layer, [], mine, {**dialog._expressions(), "kind": "upper(\"text\")"})
    features = list(mine.getFeatures())
    assert len(features) == 12 and {feature["kind"] for feature in features} == {"BUILDING", "ROAD"}
    assert all(0 < feature["confidence"] <= 1 for feature in features)
    assert QgsRectangle(8.99, 51.4, 9.02, 51.5).contains(features[0].geometry().boundingBox())
    mine.undoStack().undo()
    assert mine.featureCount() == 0
    mine.rollBack()


def test_a_new_search_hides_the_one_before_and_keeps_it(dock, until):
    search(dock, until, "houses")
    first = results()[0]
    search(dock, until, "forest")
    assert len(results()) == 2 and not shown(first)


def test_a_drawn_rectangle_is_described_and_asked_about(dock, until, window):
    from qgis.PyQt.QtCore import QUrl

    dock.tabs.setCurrentWidget(dock.describe)
    dock.where._draw(True)
    assert window.canvas.mapTool() is dock.where._tool
    dock.where._drawn(QgsRectangle(500050, 5699850, 500150, 5699950))
    until(lambda: not dock._session.busy)
    assert "Many buildings" in dock.describe.answers.toPlainText()
    dock.describe.question.setText("Are there trees?")
    dock.describe.ask.click()
    until(lambda: not dock._session.busy)
    text = dock.describe.answers.toPlainText()
    assert text.index("Yes") < text.index("Many buildings and green trees are around a road.")
    assert "Are there trees?" in text
    evidence = [layer for layer in results() if layer.name() == "Evidence: Are there trees?"]
    assert [layer.featureCount() for layer in evidence] == [4] and "yes" in evidence[0].metadata().abstract()
    renderer = evidence[0].renderer()
    assert [category.value() for category in renderer.categories()] == ["trees", "view"]
    window.canvas.setExtent(QgsRectangle(0, 0, 1, 1))
    dock.describe._clicked(QUrl("place:0"))
    assert window.canvas.extent().contains(QgsRectangle(500050, 5699850, 500150, 5699950))


def test_the_index_of_a_raster_is_built_used_goes_stale_and_is_deleted(dock, until, monkeypatch, raster_file, tmp_path):
    from search_imagery_by_text import settings

    monkeypatch.setattr(settings, "data_folder", lambda: str(tmp_path / "data"))
    sent = []
    run = dock._session.run
    monkeypatch.setattr(dock._session, "run", lambda request: (sent.append(request), run(request)))
    assert "grows" in dock.search.index.words.text()
    dock.search.index.build.trigger()
    until(lambda: not dock._session.busy)
    assert "1234 tiles" in dock.search.index.words.text()
    folder = sent[0].params["out"]
    assert folder.endswith(".rsindex")

    # the fake engine reads rasters only: what matters is what it is asked
    search(dock, until, "houses")
    assert sent[-1].params["sources"] == [folder] and "gsds" not in sent[-1].params
    dock.search.sizes.setText("0.5")
    search(dock, until, "houses")
    assert sent[-1].params["sources"] == [str(raster_file)]
    dock.search.sizes.setText("")

    os.utime(raster_file, (1, 1))
    dock._show_index()
    assert "out of date" in dock.search.index.words.text()
    search(dock, until, "houses")
    assert sent[-1].params["sources"] == [str(raster_file)]
    dock.search.index.delete.trigger()
    assert "grows" in dock.search.index.words.text() and not os.path.exists(folder)


def test_an_index_whose_building_was_stopped_is_continued(dock, until, monkeypatch, tmp_path):
    from search_imagery_by_text import indexes, settings

    monkeypatch.setattr(settings, "data_folder", lambda: str(tmp_path / "data"))
    folder = indexes.folder_of(dock.layer.currentLayer().source())
    os.makedirs(folder)
    with open(os.path.join(folder, "collection.json"), "w") as file:
        file.write("{}")
    dock._show_index()
    assert "unfinished" in dock.search.index.words.text() and dock.search.index.build.text() == "Continue"


def test_after_a_crash_the_message_offers_to_run_again(dock, until, window):
    from qgis.PyQt.QtWidgets import QPushButton

    search(dock, until, "exit")
    buttons = {button.text(): button for button in window.bar.currentItem().findChildren(QPushButton)}
    dock._again = (dock._again[0].__class__("search", {**dock._again[0].params, "texts": ["houses"]}), *dock._again[1:])
    buttons["Run again"].click()
    until(lambda: not dock._session.busy)
    assert len(results()) == 1


def test_a_raster_without_a_crs_asks_for_one_and_takes_it(dock, until, window, tmp_path):
    from conftest import write_raster
    from osgeo import gdal
    from qgis.core import QgsRasterLayer
    from search_imagery_by_text import sources

    path = write_raster(tmp_path / "nowhere.tif", epsg=None, bands=4, kind="uint16", nodata=0)
    layer = QgsRasterLayer(str(path), "nowhere")
    layer.setCrs(QgsCoordinateReferenceSystem())
    QgsProject.instance().addMapLayer(layer)
    dock.layer.setLayer(layer)
    search(dock, until, "houses")
    assert "no coordinate system" in window.words()
    layer.setCrs(QgsCoordinateReferenceSystem("EPSG:3006"))
    copy = gdal.Open(sources.raster_source(layer))
    original = gdal.Open(str(path))
    assert "3006" in copy.GetProjection() or "SWEREF" in copy.GetProjection()
    assert copy.GetGeoTransform() == pytest.approx(original.GetGeoTransform())
    assert (copy.ReadAsArray() == original.ReadAsArray()).all() and copy.GetRasterBand(1).GetNoDataValue() == 0
    search(dock, until, "houses")
    assert [found.crs().authid() for found in results() if found.name().startswith("Places")] == ["EPSG:3006"]


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
