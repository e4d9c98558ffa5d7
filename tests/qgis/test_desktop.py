"""The whole of QGIS on a virtual screen, with the built zip as an installed plugin."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import write_wheel

HERE = Path(__file__).resolve().parent
PROFILE = """[PythonPlugins]
search_imagery_by_text=true
processing=true

[qgis]
checkVersion=false
"""


@pytest.fixture
def desktop(tmp_path):
    """Runs the scenario; returns what it noted. Pictures go to RSVLM_SCREENSHOTS where that is set."""
    if not shutil.which("xvfb-run") or not os.path.exists("/usr/bin/qgis.bin"):
        pytest.skip("no xvfb-run or no QGIS program")
    home, runtime, out = tmp_path / "home", tmp_path / "run", tmp_path / "out"
    (home / "profiles" / "default" / "QGIS").mkdir(parents=True)
    runtime.mkdir(mode=0o700)
    out.mkdir()

    def run(plugins, python, raster, limit=1800, language="en", theme="default", screen="1600x1000", **variables):
        profile = f"{PROFILE}\n[locale]\noverrideFlag=true\nuserLocale={language}\n\n[UI]\nUITheme={theme}\n"
        (home / "profiles" / "default" / "QGIS" / "QGIS3.ini").write_text(profile)
        environment = {
            "PATH": "/usr/bin:/bin", "HOME": str(home), "XDG_RUNTIME_DIR": str(runtime), "LANG": "C.UTF-8",
            "QGIS_PLUGINPATH": str(plugins), "RSVLM_PYTHON": str(python), "RSVLM_CACHE": str(tmp_path / "cache"),
            "RSVLM_DRIVE_RASTER": str(raster), "RSVLM_DRIVE_OUT": str(out), "RSVLM_DRIVE_LIMIT": str(limit - 60),
            "RSVLM_DRIVE_FOLDER": str(HERE),
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2"), **variables,
        }
        done = subprocess.run(
            ["xvfb-run", "-a", "-s", f"-screen 0 {screen}x24", "/usr/bin/qgis.bin", "--noversioncheck", "--nologo",
             "--profiles-path", str(home), "--code", str(HERE / "desktop_drive.py")],
            env=environment, capture_output=True, text=True, timeout=limit)
        pictures = os.environ.get("RSVLM_SCREENSHOTS")
        if pictures:
            shutil.copytree(out, pictures, dirs_exist_ok=True)
        assert (out / "done.json").exists(), done.stdout + done.stderr
        facts = json.loads((out / "done.json").read_text())
        facts["status"] = done.returncode
        assert "error" not in facts, facts["error"]
        return facts

    return run


@pytest.mark.desktop
def test_every_state_of_the_panel(desktop, fake_plugins, raster_file):
    facts = desktop(fake_plugins, sys.executable, raster_file)
    assert facts["hits"] == 20 and 0 < facts["hits_filtered"] < 20 and facts["hits_like"] == 20
    assert facts["outlines"] == 12 and facts["outlines_again"] == 7
    assert "Many buildings" in facts["described"] and "Yes" in facts["described"]
    assert {Path(path).stem for path in facts["pictures"]} == {
        "searching", "places", "place", "heatmap", "outlines", "threshold", "describe", "options"}
    assert not facts["welcome"]


@pytest.mark.desktop
def test_a_dark_theme_on_a_fine_screen(desktop, fake_plugins, raster_file):
    """Words stand out from what is behind them, and pictures have as many pixels as the screen."""
    facts = desktop(fake_plugins, sys.executable, raster_file, theme="Night Mapping", screen="3000x1900",
                    QT_SCALE_FACTOR="2")
    assert facts["hits"] == 20 and facts["ratio"] == 2 and facts["picture_side"] == 264
    assert facts["darkness"] < 0.3 and min(facts["contrasts"].values()) >= 4.5, facts["contrasts"]


@pytest.mark.desktop
def test_the_panel_in_german(desktop, fake_plugins, raster_file):
    facts = desktop(fake_plugins, sys.executable, raster_file, language="de")
    assert facts["title"] == "Bilder mit Text durchsuchen"
    assert "Orte: houses; dense forest" in facts["layers"]


@pytest.mark.desktop
def test_the_first_start_explains(desktop, fake_plugins, raster_file, tmp_path):
    """Nothing that could run the engine: no such package as the list wants."""
    folder = tmp_path / "bare"
    shutil.copytree(fake_plugins, folder)
    for name in ("requirements.txt", "requirements-light.txt"):
        (folder / "search_imagery_by_text" / name).write_text("no-such-package\n")
    facts = desktop(folder, sys.executable, raster_file, RSVLM_DRIVE_WELCOME="1")
    assert facts["welcome"] and {Path(path).stem for path in facts["pictures"]} == {"welcome", "set_up"}


@pytest.mark.desktop
@pytest.mark.parametrize("how", ["quit", "reload"])
@pytest.mark.parametrize("work", ["search", "index"])
def test_quitting_or_reloading_in_the_middle_of_it(desktop, fake_plugins, raster_file, runs, how, work, tmp_path):
    facts = desktop(fake_plugins, sys.executable, raster_file, RSVLM_FAKE="slow", RSVLM_DRIVE_LEAVE=how,
                    RSVLM_DRIVE_WORK=work)
    assert facts["status"] == 0
    end = time.monotonic() + 10
    while runs(facts["child"]) and time.monotonic() < end:
        time.sleep(0.1)
    assert not runs(facts["child"])
    assert facts.get("panels", 1) == 1
    written = [path for path in (tmp_path / "home").rglob("*") if path.suffix in (".gpkg", ".tif", ".gpkg-journal")]
    assert not [path for path in written if "rsvlm" in path.parts]


@pytest.mark.desktop
def test_from_nothing_to_a_saved_layer_with_real_clicks(desktop, fake_plugins, raster_file, tmp_path):
    """No interpreter has the packages; a folder of wheels gives them; then search, zoom, example, heatmap, outlines."""
    if not shutil.which("xdotool"):
        pytest.skip("no xdotool")
    folder, wheels = tmp_path / "bare", tmp_path / "wheels"
    shutil.copytree(fake_plugins, folder)
    wheels.mkdir()
    # the fake engine needs osgeo, which has no wheel: this one shows the system's packages to the environment
    write_wheel(wheels, "made-up-engine", files={"system.pth": "/usr/lib/python3/dist-packages\n"})
    for name in ("requirements.txt", "requirements-light.txt"):
        (folder / "search_imagery_by_text" / name).write_text("made-up-engine\n")
    facts = desktop(folder, "", raster_file, RSVLM_DRIVE_WHEELS=str(wheels))
    assert "Ready" in facts["set_up"] and "Successfully installed made-up-engine" in facts["log"]
    assert facts["hits"] == 20 and "1 like" in facts["examples"] and facts["heatmap"] and facts["colours"] > 20
    assert facts["outlines"] == 12 and facts["saved"] == 11 and not facts["editing"]
    from osgeo import ogr

    assert (source := ogr.Open(facts["file"])).GetLayer(0).GetFeatureCount() == 11 and source is not None


@pytest.mark.desktop
@pytest.mark.real
def test_from_nothing_to_a_saved_layer_with_the_real_packages(desktop, plugins, barnarp):
    """The same with what people get: RSVLM_WHEELHOUSE is a folder made by `pip download -r requirements-light.txt`."""
    wheels = os.environ.get("RSVLM_WHEELHOUSE")
    if not wheels or not shutil.which("xdotool"):
        pytest.skip("no folder of wheels (set RSVLM_WHEELHOUSE)" if not wheels else "no xdotool")
    facts = desktop(plugins, "", barnarp, limit=3600, RSVLM_DRIVE_WHEELS=wheels)
    assert "Ready" in facts["set_up"] and "onnxruntime" in facts["log"]
    assert facts["hits"] > 0 and "1 like" in facts["examples"] and facts["heatmap"] and facts["colours"] > 20
    assert facts["saved"] == facts["outlines"] - 1 > 0 and not facts["editing"]
    print(f"set up in {facts['set_up_s']:.0f} s, {facts['environment_mb']:.0f} MB")


@pytest.mark.desktop
@pytest.mark.real
def test_the_real_engine_behind_the_panel(desktop, plugins, real_python, barnarp):
    """With RSVLM_SCREENSHOTS, RSVLM_PICTURE_RASTER and RSVLM_DRIVE_TEXTS it makes the pictures of docs/plugin.md."""
    if not (plugins / "search_imagery_by_text" / "backend" / "rsvlm_core" / "weights" / "model.safetensors").exists():
        pytest.skip("no bundled model yet")
    wanted = {name: os.environ[name] for name in ("RSVLM_DRIVE_TEXTS", "RSVLM_DRIVE_OUTLINE") if name in os.environ}
    raster = os.environ.get("RSVLM_PICTURE_RASTER", barnarp)
    facts = desktop(plugins, real_python, raster, limit=1800, **wanted)
    assert facts["hits"] > 0 and facts["hits_like"] > 0 and facts["described"] and facts["outlines"] > 0, facts
    assert not facts["welcome"]
