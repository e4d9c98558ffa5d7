"""The scripts behind `make`."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

ROOT = Path(__file__).resolve().parents[2]


def load(name):
    spec = importlib.util.spec_from_file_location(f"tools_{name}", ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def runner(monkeypatch, tmp_path):
    runner = load("test")
    monkeypatch.setattr(runner, "REPORTS", tmp_path)
    return runner


def test_a_report_is_counted_with_reasons(runner, tmp_path):
    report = tmp_path / "r.xml"
    report.write_text(
        '<testsuites><testsuite><testcase name="a"/><testcase name="b"><failure message="x"/></testcase>'
        '<testcase name="c"><error message="x"/></testcase><testcase name="d"><skipped message="no data"/></testcase>'
        '<testcase name="e"><skipped message="no data"/></testcase></testsuite></testsuites>'
    )
    outcome = runner.read_report(report)
    assert (outcome.passed, outcome.failed, outcome.skipped) == (1, 2, {"no data": 2})


def test_a_pytest_that_dies_is_a_failure_even_without_a_report(runner):
    outcome = runner.pytest(Path(sys.executable), "dead", ["no/such/folder"], [], {})
    assert (outcome.passed, outcome.failed) == (0, 1)


@pytest.mark.parametrize(("ci", "failed"), [("", 0), ("true", 1)])
def test_without_qgis_its_tests_are_skipped_for_a_person_and_a_failure_in_ci(runner, monkeypatch, tmp_path, ci, failed):
    monkeypatch.setattr(runner, "QGIS_PYTHON", tmp_path / "nowhere")
    monkeypatch.setenv("CI", ci)
    outcome = runner.qgis()
    assert (outcome.failed, sum(outcome.skipped.values())) == (failed, 1 - failed)


def test_all_steps_run_and_the_last_line_counts_them(runner, monkeypatch, capsys):
    monkeypatch.setattr(runner, "check", lambda command: runner.Outcome(failed=1))
    monkeypatch.setattr(runner, "pytest", lambda *a: runner.Outcome(passed=7, skipped={"no data": 2}))
    monkeypatch.setattr(runner, "qgis", lambda: runner.Outcome(passed=3))
    monkeypatch.setattr(sys, "argv", ["test.py"])
    assert runner.main() == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "10 passed, 2 failed, 2 skipped"
    assert "skipped 2: no data" in lines


def test_sharpening_keeps_place_colour_and_nodata(tmp_path):
    samples = load("samples")
    place = {"driver": "GTiff", "crs": "EPSG:32631"}
    colour = np.zeros((4, 10, 10), np.float64)
    colour[:, :, 2:] = np.array([10, 20, 60, 90])[:, None, None]  # blue, green, red, infrared
    with rasterio.open(tmp_path / "ms.tif", "w", width=10, height=10, count=4, dtype="float64",
                       transform=Affine(1, 0, 500, 0, -1, 900), **place) as dst:  # fmt: skip
        dst.write(colour)
    light = np.full((20, 20), 30, np.uint16)
    light[:, 4:10], light[:, :4] = 60, 0
    fine = Affine(0.5, 0, 500, 0, -0.5, 900)
    with rasterio.open(tmp_path / "pan.tif", "w", width=20, height=20, count=1, dtype="uint16", transform=fine,
                       **place) as dst:  # fmt: skip
        dst.write(light, 1)
    samples._sharpen(tmp_path / "ms.tif", tmp_path / "pan.tif", tmp_path / "out.tif")
    with rasterio.open(tmp_path / "out.tif") as out:
        pixels = out.read()
        assert (out.transform, out.nodata, out.dtypes[0]) == (fine, 0, "uint16")
    assert pixels[:, 10, 15].tolist() == [60, 20, 10]
    assert pixels[:, 10, 7].tolist() == [120, 40, 20]
    assert pixels[:, 10, 1].tolist() == [0, 0, 0]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ms.tif", "out.tif", "pan.tif"]


def test_help_of_make_names_its_commands():
    done = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True,
        env={**os.environ, "MAKEFLAGS": ""},
    )
    for command in ("demo", "test", "plugin", "bench", "lint", "clean"):
        assert f"make {command}" in done.stdout
