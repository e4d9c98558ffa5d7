"""Set up from nothing, with a folder of wheels, without network; options, report, locator."""

import os
import shutil
import sys

import pytest
from conftest import write_wheel


@pytest.fixture
def nothing_there(engine, monkeypatch, tmp_path):
    """No interpreter has the packages; the user folder has a space and an accent in its name."""
    from search_imagery_by_text import backend, settings

    home = tmp_path / "a b é"
    home.mkdir()
    wheels = home / "wheels"
    wheels.mkdir()
    write_wheel(wheels, "made-up-engine", ["made-up-part"])
    write_wheel(wheels, "made-up-part")
    write_wheel(wheels, "made-up-torch")
    light, full = home / "requirements-light.txt", home / "requirements.txt"
    light.write_text("made-up-engine>=1  # because\nmade-up-part\n")
    full.write_text("-r requirements-light.txt\nmade-up-torch\n")
    monkeypatch.setattr(
        backend, "requirements", lambda: [backend._distributions(str(light)), backend._distributions(str(full))])
    monkeypatch.setattr(backend, "requirement_files", lambda: {"light": str(light), "full": str(full)})
    monkeypatch.setattr(settings, "data_folder", lambda: str(home / "data"))
    monkeypatch.delenv("RSVLM_PYTHON")
    return wheels


def run_builder(plan, until, cancel_after=None):
    from search_imagery_by_text import environment

    lines, ended = [], []
    builder = environment.Builder(plan)
    builder.said.connect(lines.append)
    builder.ended.connect(ended.append)
    builder.start()
    if cancel_after is not None:
        until(lambda: cancel_after(lines))
        builder.cancel()
    until(lambda: bool(ended), 900)  # other work may share the machine
    return ended[0], lines


def test_set_up_from_a_wheelhouse_is_then_used_and_a_later_failure_changes_nothing(nothing_there, until, tmp_path):
    from search_imagery_by_text import backend, environment, settings
    from search_imagery_by_text.protocol import BackendError

    with pytest.raises(BackendError, match="No Python was found"):
        backend.find()
    first = environment.new_folder()
    fault, lines = run_builder(environment.Plan("/usr/bin/python3", first, str(nothing_there)), until)
    assert fault is None, (fault, fault.details)
    assert settings.environment_folder() == first
    assert backend.find().candidate.path == backend.python_in(first)
    assert any("Successfully installed" in line for line in lines)

    empty = tmp_path / "empty"
    empty.mkdir()
    second = environment.new_folder()
    assert second != first
    fault, _ = run_builder(environment.Plan("/usr/bin/python3", second, str(empty)), until)
    assert "package was not found" in fault.message and "No matching distribution" in fault.details
    assert settings.environment_folder() == first and backend.find(fresh=True).candidate.path.startswith(first)
    until(lambda: not os.path.exists(second))


def test_the_full_list_takes_the_light_one_in_and_each_of_them_will_do(nothing_there, until):
    from search_imagery_by_text import backend, environment

    assert backend.requirements() == [
        ["made-up-engine", "made-up-part"], ["made-up-engine", "made-up-part", "made-up-torch"]]
    for kind, has in (("light", False), ("full", True)):
        folder = environment.new_folder()
        fault, lines = run_builder(environment.Plan("/usr/bin/python3", folder, str(nothing_there), kind), until)
        assert fault is None and ("made-up-torch" in " ".join(lines)) == has
        assert backend.find(fresh=True).candidate.path == backend.python_in(folder)


def test_cancel_stops_and_leaves_nothing(nothing_there, until):
    from search_imagery_by_text import environment

    folder = environment.new_folder()
    fault, _ = run_builder(environment.Plan("/usr/bin/python3", folder, str(nothing_there)), until,
                           cancel_after=lambda lines: os.path.exists(folder))
    assert fault.code == "stopped"
    until(lambda: not os.path.exists(os.path.join(folder, "pyvenv.cfg")))


def test_a_full_disk_and_an_old_python_are_told_before_anything_is_made(nothing_there, monkeypatch, tmp_path, until):
    from search_imagery_by_text import backend, environment
    from search_imagery_by_text.protocol import BackendError

    folder = environment.new_folder()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1e9})())
    for kind, needed in (("full", 4), ("cuda", 12)):
        with pytest.raises(BackendError, match=f"needs {needed} GB; 1.0 GB are free"):
            environment.Builder(environment.Plan("/usr/bin/python3", folder, kind=kind)).start()
    monkeypatch.undo()
    monkeypatch.setattr(backend, "version_of", lambda path: (3, 8))
    fault, lines = run_builder(environment.Plan("/usr/bin/python3", str(tmp_path / "env")), until)
    assert "Python 3.8" in fault.message and not lines
    assert not os.path.exists(folder) and not os.path.exists(tmp_path / "env")


def test_an_interpreter_that_hangs_does_not_hold_up_the_window_or_cancel(nothing_there, until, window, monkeypatch):
    import time

    from search_imagery_by_text import backend, settings
    from search_imagery_by_text.gui.setup_dialog import SetupDialog

    monkeypatch.setattr(backend, "version_of", lambda path: time.sleep(3))
    monkeypatch.setattr(backend, "probe", lambda candidate: time.sleep(3))
    dialog = SetupDialog(window.main)
    dialog.show()
    begun = time.monotonic()
    dialog.start.click()
    assert "Looking at" in dialog.step.text() and dialog.bar.isVisible()
    dialog.stop.click()
    assert "Stopped" in dialog.step.text() and not dialog.bar.isVisible()
    dialog.use.setChecked(True)
    dialog.existing.setFilePath("/usr/bin/python3")
    dialog.start.click()
    dialog.stop.click()
    assert time.monotonic() - begun < 2 and not dialog.isVisible()
    end = time.monotonic() + 4
    until(lambda: time.monotonic() > end)
    assert settings.interpreter() == "" and not dialog.changed


def test_pips_own_index_is_honoured(nothing_there, until, monkeypatch):
    """A package index of an organisation, named as pip wants it; nothing else is asked."""
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    from search_imagery_by_text import environment

    for name in ("made-up-engine", "made-up-part"):
        folder = nothing_there.parent / "index" / "simple" / name
        folder.mkdir(parents=True)
        wheel = next(nothing_there.glob(name.replace("-", "_") + "*"))
        (folder / wheel.name).write_bytes(wheel.read_bytes())
    served = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(nothing_there.parent / "index")))
    Thread(target=served.serve_forever, daemon=True).start()
    for name in list(os.environ):
        if name.lower().startswith("pip_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{served.server_port}/simple/")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    try:
        plan = environment.Plan("/usr/bin/python3", environment.new_folder(), kind="light")
        fault, lines = run_builder(plan, until)
    finally:
        served.shutdown()
    assert fault is None, (fault, fault.details)
    assert any(f"127.0.0.1:{served.server_port}" in line for line in lines)


def test_the_proxy_of_qgis_reaches_pip_and_stays_out_of_the_log(engine):
    from qgis.core import QgsSettings
    from search_imagery_by_text import environment, redaction

    stored = QgsSettings()
    values = {"proxyEnabled": True, "proxyType": "HttpProxy", "proxyHost": "proxy.example", "proxyPort": "3128",
              "proxyUser": "joe@x", "proxyPassword": "s:e/c"}
    for name, value in values.items():
        stored.setValue("proxy/" + name, value)
    try:
        found = environment.network()
    finally:
        stored.remove("proxy")
    assert found["HTTPS_PROXY"] == "http://joe%40x:s%3Ae%2Fc@proxy.example:3128"
    assert "joe" not in redaction.redact("Using " + found["HTTPS_PROXY"])
    assert environment.network() == {}


@pytest.mark.parametrize("log, said", [
    ("ERROR: 407 Proxy Authentication Required", "proxy"), ("[SSL: CERTIFICATE_VERIFY_FAILED]", "certificates"),
    ("OSError: [Errno 28] No space left on device", "full"), ("The virtual environment was not created successfully "
     "because ensurepip is not available.", "environments"), ("something else", "could not be made"),
])
def test_pips_faults_are_explained(engine, log, said):
    from search_imagery_by_text import environment

    assert said in environment.explain(log).message


def test_the_panel_says_how_to_get_an_engine_and_the_dialog_gives_it(nothing_there, window, until):
    from qgis.PyQt.QtCore import Qt
    from search_imagery_by_text import settings
    from search_imagery_by_text.gui.dock import SearchDock
    from search_imagery_by_text.gui.setup_dialog import SetupDialog
    from search_imagery_by_text.session import Session

    old = os.path.join(settings.data_folder(), "env")
    os.makedirs(old)
    with open(os.path.join(old, "pyvenv.cfg"), "w"):
        pass
    session = Session()
    dock = SearchDock(window, session)
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    dock.show()
    until(lambda: dock.welcome.isVisible())
    assert not dock.tabs.isEnabled()
    dialog = SetupDialog(window.main)
    dialog.base.setCurrentText("/usr/bin/python3")
    dialog.wheelhouse.setFilePath(str(nothing_there))
    assert [dialog.packages.itemData(row) for row in range(dialog.packages.count())] == ["light", "full", "cuda"]
    assert dialog.packages.currentData() == "light" and "needs 2 GB" in dialog.room.text()
    dialog.packages.setCurrentIndex(2)
    assert "needs 12 GB" in dialog.room.text() and settings.data_folder() in dialog.room.text()
    dialog.packages.setCurrentIndex(0)
    dialog.show()
    dialog.start.click()
    until(lambda: dialog.changed, 120)
    assert "Successfully installed" in dialog.log.toPlainText() and "Ready" in dialog.step.text()
    dialog.stop.click()
    dock.settings_changed()
    until(lambda: not dock.welcome.isVisible())
    assert dock.tabs.isEnabled()
    until(lambda: not os.path.exists(old))  # what it replaces is removed
    dock.leave()
    session.close()


def test_an_existing_interpreter_can_be_chosen(nothing_there, window, monkeypatch, until):
    from search_imagery_by_text import backend, settings
    from search_imagery_by_text.gui.setup_dialog import SetupDialog

    dialog = SetupDialog(window.main)
    dialog.use.setChecked(True)
    dialog.existing.setFilePath(sys.executable)
    assert dialog.start.text() == "Use it"
    dialog.start.click()
    until(lambda: "lacks made-up-engine" in dialog.step.text())
    assert settings.interpreter() == "" and dialog.sign.isVisibleTo(dialog)
    monkeypatch.setattr(backend, "requirements", list)
    dialog.start.click()
    until(lambda: dialog.changed)
    assert settings.interpreter() == sys.executable


def test_the_options_page_stores_what_it_shows(engine, window):
    from search_imagery_by_text import settings
    from search_imagery_by_text.gui.options_page import OptionsPage

    told = []
    page = OptionsPage(lambda: told.append(1))
    page.device.setCurrentText("cuda:1")
    page.model.box.setCurrentText("open_clip:ViT-B-32/openai")
    page.apply()
    assert settings.device() == "cuda:1" and settings.model() == "open_clip:ViT-B-32/openai" and told == [1]
    assert OptionsPage(lambda: None).device.currentText() == "cuda:1"


def test_a_folder_with_a_model_gets_a_name_and_is_chosen(engine, window, until):
    from search_imagery_by_text.gui.model_box import ModelBox

    box = ModelBox()
    box.fill()
    until(lambda: box._task is None)
    assert [box.box.itemText(row) for row in range(box.box.count())] == ["", "town"] and box.name() == ""
    box.remember("/no/such/folder", "broken")
    until(lambda: box._task is None)
    assert "no model" in box.words.text() and box.name() == ""
    box.remember("/some/export", "mine")
    until(lambda: box._task is None)
    assert box.name() == "mine" and box.words.text() == ""


def test_the_report_dialog_shows_the_report(engine, window, until):
    from search_imagery_by_text.gui.report_dialog import ReportDialog

    dialog = ReportDialog(window.main)
    dialog.show()
    until(lambda: "well" in dialog.status.text(), 30)
    assert "QGIS" in dialog.text.toPlainText()
    dialog.done(0)


def test_the_locator_offers_and_starts(engine, window):
    from qgis.core import QgsFeedback, QgsLocatorContext
    from search_imagery_by_text import settings
    from search_imagery_by_text.gui.locator import Bell, SearchLocator

    settings.remember("houses with red roofs")
    bell, rung, found = Bell(), [], []
    bell.rung.connect(lambda *words: rung.append(words))
    locator = SearchLocator(bell).clone()
    locator.resultFetched.connect(found.append)
    context = QgsLocatorContext()
    locator.prepare("houses", context)
    locator.fetchResults("houses", context, QgsFeedback())
    assert found == []  # without its prefix it stays out of the way
    context.usingPrefix = True
    locator.fetchResults("houses", context, QgsFeedback())
    assert [result.displayString for result in found] == [
        "Find places: houses", "Outline: houses", "Find places: houses with red roofs"]
    locator.triggerResult(found[1])
    assert rung == [("outline", "houses")]
    assert len(locator.prefix()) >= 3
