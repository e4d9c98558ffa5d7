"""Finding an interpreter, and the environment that it gets."""

import os
import stat
import sys

import pytest


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_the_option_wins_over_the_variable(engine, tmp_path):
    from search_imagery_by_text import backend, settings

    own = tmp_path / "a b" / "é" / "python"
    script(own, f'exec {sys.executable} "$@"\n')
    settings.set_interpreter(str(own))
    assert backend.find().candidate.path == str(own)
    settings.set_interpreter("")
    assert backend.find().candidate.path == sys.executable


def test_what_fails_is_passed_over_and_named_with_its_fault(engine, tmp_path, monkeypatch):
    from search_imagery_by_text import backend, settings
    from search_imagery_by_text.protocol import BackendError

    broken = script(tmp_path / "broken" / "python", "exit 3\n")
    settings.set_interpreter(broken)
    assert backend.find().candidate.path == sys.executable
    monkeypatch.setattr(backend, "requirements", lambda: [["no-such-distribution"]])
    with pytest.raises(BackendError) as raised:
        backend.find(fresh=True)
    assert broken in raised.value.details and "lacks no-such-distribution" in raised.value.details
    assert "Set up" in raised.value.remedy


def test_an_old_python_is_refused_with_its_version(engine, tmp_path):
    from search_imagery_by_text import backend

    old = script(tmp_path / "python", """echo '{"python": [3, 8, 2], "found": {}, "missing": []}'\n""")
    verdict = backend.probe(backend.Candidate(old, "test"))
    assert not verdict.usable and "3.8.2" in verdict.reason


def test_qgis_own_paths_do_not_reach_the_child(engine):
    from search_imagery_by_text.backend import scrubbed

    given = {
        "PYTHONHOME": "/o", "PYTHONPATH": "/o", "GDAL_DATA": "/o", "PROJ_LIB": "/o", "QT_PLUGIN_PATH": "/o",
        "LD_LIBRARY_PATH": os.pathsep.join(["/opt/QGIS/lib", "/usr/local/cuda/lib64"]),
        "PATH": os.pathsep.join(["/opt/QGIS/bin", "/usr/bin"]), "HTTPS_PROXY": "http://p:1", "HOME": "/home/x",
    }
    assert scrubbed(given, "/opt/QGIS") == {
        "LD_LIBRARY_PATH": "/usr/local/cuda/lib64", "PATH": "/usr/bin", "HTTPS_PROXY": "http://p:1", "HOME": "/home/x"}
    assert scrubbed({"LD_LIBRARY_PATH": "/opt/QGIS/lib"}, "/opt/QGIS") == {}
    assert scrubbed({"PATH": "/usr/bin:/bin"}, "/usr") == {"PATH": "/usr/bin:/bin"}


def test_the_child_sees_none_of_them(engine, monkeypatch):
    from search_imagery_by_text import backend

    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("PROJ_LIB", "/nowhere")
    launch = backend.worker_launch()
    assert "PYTHONPATH" not in launch.environment and "PROJ_LIB" not in launch.environment
    assert launch.arguments[:5] == ("-E", "-s", "-u", "-X", "utf8")


def test_the_plugins_own_environment_lies_outside_the_plugin(engine, plugins):
    from search_imagery_by_text import settings

    assert not settings.environment_folder().startswith(str(plugins))


def test_the_list_of_packages_is_the_engines_own(plugins):
    from search_imagery_by_text import backend

    full = backend.requirements()[-1]
    assert "torch" in full and "open_clip_torch" in full
    assert all(" " not in name and ">" not in name for names in backend.requirements() for name in names)


def test_a_report_hides_home_and_credentials(engine, monkeypatch):
    from search_imagery_by_text import redaction

    monkeypatch.setenv("HOME", "/home/somebody")
    said = redaction.redact("in /home/somebody/.cache via https://joe:secret@proxy:80/ done")
    assert "somebody" not in said and "joe" not in said and "~/.cache" in said
