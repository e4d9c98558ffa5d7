"""The panel itself: its child, faults, cancelling, standstills, descriptions; offscreen, against the fake engine."""

import operator
import os
import time

import pytest
from driving import assert_it_does_not_stand_still, results, search
from qgis.core import QgsCoordinateReferenceSystem, QgsProject, QgsRectangle
from qgis.PyQt.QtCore import Qt, QTimer
from qgis.PyQt.QtWidgets import QAbstractButton, QApplication, QPushButton


def test_the_raster_is_chosen_and_nothing_runs(dock):
    assert dock.layer.currentLayer().name() == "ortho"
    assert not dock._session.busy and not dock.progress.isVisible()


def test_the_second_search_uses_the_same_child(dock, until):
    search(dock, until, "houses")
    first = dock._session._worker.process.processId()
    search(dock, until, "forest")
    assert dock._session._worker.process.processId() == first


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
    assert time.monotonic() - begun < 1.2
    assert dock._session._worker.process.processId() == pid and not results()


def test_a_stubborn_child_is_ended_and_the_next_search_gets_a_new_one(dock, until, runs):
    dock.search.text.lineEdit().setText("stubborn")
    dock.search.button.click()
    until(lambda: dock.progress.bar.value() > 5)
    pid, begun = dock._session._worker.process.processId(), time.monotonic()
    dock.progress.cancel.click()
    until(lambda: not dock._session.busy, 5)
    assert time.monotonic() - begun < 1.5
    search(dock, until, "houses")
    assert len(results()) == 1 and dock._session._worker.process.processId() != pid
    until(lambda: not runs(pid), 5)


@pytest.mark.parametrize("work", ["search", "outline", "index", "heatmap"])
def test_tiles_that_could_not_be_read_are_told_with_the_reason_and_lie_in_the_log(dock, until, window, monkeypatch,
                                                                                work):
    from search_imagery_by_text import log

    monkeypatch.setenv("RSVLM_FAKE", "unreadable")
    if work == "search":
        search(dock, until, "houses")
    elif work == "outline":
        dock.outline.text.setText("road")
        dock.outline.button.click()
    elif work == "index":
        dock.search.index.build.trigger()
    else:
        dock.start_heatmap("houses")
    until(lambda: not dock._session.busy)
    said = window.words()
    assert "4 tiles could not be read and are missing" in said and "A part of /data/a.tif cannot be read." in said
    assert len(window.bar.items()) == 1 and window.bar.currentItem().findChildren(QPushButton)
    with open(log.path(), encoding="utf-8") as file:
        assert "3-3-0: /data/a.tif cannot be read at rows 3 to 12." in file.read()
    assert all("4 (3-0-0: " in layer.metadata().abstract() for layer in results())


def test_an_index_that_is_older_than_its_raster_is_told(dock, until, window):
    search(dock, until, "changed")
    assert "The raster /data/a.tif has changed since its index was built. Update it with the button Index." in (
        window.words())


@pytest.mark.parametrize("work, kept", [
    ("search", "is kept; the same again goes on"), ("outline", "% of the area is finished. What was looked at is"),
    ("index", "is kept; the same again goes on"), ("answer", "Nothing was written")])
@pytest.mark.parametrize("child", ["slow", "stubborn"])
def test_cancel_says_what_is_kept(dock, until, window, monkeypatch, work, kept, child):
    from search_imagery_by_text import session

    monkeypatch.setattr(session, "LINGER_S", 1.0)
    monkeypatch.setenv("RSVLM_FAKE", "slow" if child == "slow" else "")
    if work == "search":
        dock.search.text.lineEdit().setText(child)
        dock.search.button.click()
    elif work == "outline":
        dock.outline.text.setText(child)
        dock.outline.button.click()
    elif work == "index":
        if child == "stubborn":
            pytest.skip("an index has no words that could ask for it")
        dock.search.index.build.trigger()
    else:
        dock.describe.question.setText(child)
        dock.describe.ask.click()
    until(lambda: dock.progress.bar.value() > 3)
    dock.progress.cancel.click()
    until(lambda: not dock._session.busy, 10)
    if (work, child) == ("outline", "stubborn"):
        kept = "Nothing was written"  # what it had scored goes with it
        until(lambda: kept in window.words(), 10)
    assert kept in window.words() and not results()


@pytest.mark.parametrize("dies", [False, True])
def test_a_search_goes_on_after_outlines_that_do_not_stop(dock, until, window, runs, monkeypatch, dies):
    """They are waited for a while, since what is finished lies in their child; then it is ended."""
    from search_imagery_by_text import session

    monkeypatch.setattr(session, "LINGER_S", 100.0 if dies else 1.0)
    dock.outline.text.setText("stubborn")
    dock.outline.button.click()
    until(lambda: dock.progress.bar.value() > 3)
    pid = dock._session._worker.process.processId()
    dock.progress.cancel.click()
    until(lambda: not dock._session.busy, 10)
    assert runs(pid)
    monkeypatch.setenv("RSVLM_FAKE", "")
    dock.search.text.lineEdit().setText("houses")
    dock.search.button.click()
    if dies:
        os.kill(pid, 9)
    until(lambda: not dock._session.busy)
    assert ("has ended" in window.words()) == dies and len(results()) == (not dies)
    until(lambda: not runs(pid), 10)


@pytest.mark.parametrize("ask", ["search", "index", "outline"])
def test_a_folder_that_cannot_be_made_is_told(dock, until, window, tmp_path, ask, monkeypatch):
    """Where a folder of ours should be there is a file."""
    from qgis.core import QgsSettings
    from search_imagery_by_text import settings

    (tmp_path / "file").write_text("")
    QgsSettings().setValue(settings.PREFIX + "resultsFolder", str(tmp_path / "file" / "results"))
    QgsSettings().setValue(settings.PREFIX + "indexFolder", str(tmp_path / "file" / "indexes"))
    if ask == "search":
        search(dock, until, "houses")
    elif ask == "outline":
        dock.outline.text.setText("road")
        dock.outline.button.click()
    else:
        dock.search.index.build.trigger()
    until(lambda: not dock._session.busy)
    assert "cannot be written" in window.words() and "Check free space" in window.words() and not results()
    assert not dock.progress.isVisible()


def test_the_selection_of_the_active_layer_counts(dock, until, window):
    """Two polygon layers have a selection; where to look is what the user works with."""
    from qgis.core import QgsFeature, QgsGeometry, QgsVectorLayer

    made = []
    for number in range(2):
        layer = QgsVectorLayer("Polygon?crs=EPSG:25832", f"areas {number}", "memory")
        feature = QgsFeature()
        feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(500000 + 200 * number, 5699800, 500100 + 200 * number,
                                                             5699900)))
        layer.dataProvider().addFeatures([feature])
        layer.selectAll()
        QgsProject.instance().addMapLayer(layer)
        made.append(layer)
    for layer in made:
        window.canvas.setCurrentLayer(layer)
        dock.where.choice.setCurrentIndex(3)
        extent = dock.where.extent(dock.layer.currentLayer())
        assert extent[0] == layer.extent().xMinimum() and extent[2] == layer.extent().xMaximum()


def test_drawing_twice_gives_the_map_its_own_tool_back(dock, window):
    from qgis.gui import QgsMapToolPan

    pan = QgsMapToolPan(window.canvas)
    window.canvas.setMapTool(pan)
    dock.where.start_drawing()
    dock.where.start_drawing()
    dock.where._drawn(QgsRectangle(500050, 5699850, 500150, 5699950))
    assert window.canvas.mapTool() is pan


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
    assert "crashed" in window.words() and len(window.bar.items()) == 1 and not results()
    buttons = {button.text(): button for button in window.bar.currentItem().findChildren(QPushButton)}
    assert "Restart" in buttons
    dock._again[0].params["texts"][0] = "houses"  # the same search, only quicker
    buttons["Restart"].click()
    until(lambda: not dock._session.busy)
    assert len(results()) == 1 and not window.bar.items()


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


@pytest.mark.parametrize("work", ["cancelled", "search", "outline", "index", "heatmap"])
def test_the_window_does_not_stand_still(dock, until, work):
    """Finding the interpreter, starting the child, showing what came."""
    from search_imagery_by_text import backend

    def go():
        backend.forget()
        dock._session.forget_worker()
        if work == "outline":
            dock.outline.text.setText("building; road")
            dock.outline.button.click()
        elif work == "index":
            dock.search.index.build.trigger()
        elif work == "heatmap":
            dock.start_heatmap("houses")
        else:
            dock.search.text.lineEdit().setText("slow" if work == "cancelled" else "houses; forest")
            dock.search.button.click()
        if work == "cancelled":
            until(lambda: dock.progress.bar.value() > 20)
            dock.progress.cancel.click()
        until(lambda: not dock._session.busy)

    dock.show()
    assert_it_does_not_stand_still(until, go)

@pytest.mark.parametrize("way", ["computes", "sleeps", "waits for a process"])
def test_a_window_that_stands_still_is_found_out(engine, until, way):
    """The clock of the tests above does not overlook it, however busy the machine is."""
    from qgis.PyQt.QtCore import QProcess

    def go():
        if way == "computes":
            begun = time.thread_time()
            while time.thread_time() - begun < 0.15:
                pass
        elif way == "sleeps":
            time.sleep(1.2)
        else:
            process = QProcess()
            process.start("sleep", ["1.2"])
            assert process.waitForFinished(60_000)

    with pytest.raises(AssertionError, match="longest standstills"):
        assert_it_does_not_stand_still(until, lambda: QTimer.singleShot(0, go))


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
    choose = next(one for one in window.bar.currentItem().findChildren(QPushButton) if one.text() == "Choose…")

    def answer(accept):
        dialog = QApplication.activeModalWidget()
        assert "nowhere" in dialog.windowTitle()
        dialog.setCrs(QgsCoordinateReferenceSystem("EPSG:3006"))
        dialog.accept() if accept else dialog.reject()

    QTimer.singleShot(500, lambda: answer(False))
    choose.click()
    assert not layer.crs().isValid() and not dock._session.busy and window.bar.items()
    QTimer.singleShot(500, lambda: answer(True))
    choose.click()
    assert layer.crs().authid() == "EPSG:3006" and dock._session.busy and not window.bar.items()
    until(lambda: not dock._session.busy)  # what was asked for goes on
    copy = gdal.Open(sources.raster_source(layer))
    original = gdal.Open(str(path))
    assert "3006" in copy.GetProjection() or "SWEREF" in copy.GetProjection()
    assert copy.GetGeoTransform() == pytest.approx(original.GetGeoTransform())
    assert (copy.ReadAsArray() == original.ReadAsArray()).all() and copy.GetRasterBand(1).GetNoDataValue() == 0
    assert [found.crs().authid() for found in results() if found.name().startswith("Places")] == ["EPSG:3006"]


def test_the_panel_can_be_narrow_whatever_layers_are_called(dock, until):
    QgsProject.instance().mapLayersByName("ortho")[0].setName("an orthophoto of a town, of summer, in 10 cm, mosaicked")
    search(dock, until, "houses; a forest in which a river bends around a hill")
    dock.outline.text.setText("building; road")
    dock.outline.button.click()
    until(lambda: not dock._session.busy)
    for page in (dock.search, dock.outline, dock.describe):
        dock.tabs.setCurrentWidget(page)
        dock.progress.begin("Searching for “a forest in which a river bends around a hill”…")
        assert dock.minimumSizeHint().width() < 40 * dock.fontMetrics().horizontalAdvance("x")


PARTS = {
    "search": ("text", "button", "top", "sizes", "index.button", "confidence", "heatmap", "view", "examples.undo",
               "examples.clear_all"),
    "outline": ("text", "button", "threshold", "automatic", "of", "refine", "smallest", "view", "accept_button",
                "discard_button", "undo", "save", "append"),
    "describe": ("draw", "button", "question", "ask", "answers", "copy", "clear_all"),
}


@pytest.mark.parametrize("tab", PARTS)
def test_everything_is_reached_with_the_tab_key_and_has_a_name(dock, until, tab):
    page = getattr(dock, tab)
    dock.show()
    dock.tabs.setCurrentWidget(page)
    if tab == "search":
        search(dock, until, "houses")
        dock.search.view.setCurrentIndex(dock.search.view.model().index(0, 0))
        dock.search.add_examples("like")
    elif tab == "outline":
        dock.outline.text.setText("building; road")
        dock.outline.button.click()
    until(lambda: not dock._session.busy)
    if tab == "outline":
        dock.outline.view.setCurrentIndex(dock.outline.view.model().index(0, 0))
        dock.outline.discard()
    reached, at = set(), dock.layer.box
    while at not in reached:
        reached.add(at)
        at = at.nextInFocusChain()
    reached = {one for one in reached if one.isVisible() and one.focusPolicy() & Qt.FocusPolicy.TabFocus}
    around = {"raster": dock.layer.box, "more": dock.layer.more, "where": dock.where.choice, "draw": dock.where.draw}
    wanted = {**around, **{name: operator.attrgetter(name)(page) for name in PARTS[tab]}}
    assert not [name for name, part in wanted.items() if part not in reached]
    assert dock.tabs.tabBar() in reached
    nameless = [name for name, part in wanted.items()
                if not part.accessibleName() and not (isinstance(part, QAbstractButton) and part.text())]
    assert not nameless
