"""Which room may import which: the boundary between QGIS and the engine, the one way from training to the engine."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STDLIB = set(sys.stdlib_module_names)
OURS = {"rsvlm_core", "training", "qgis_plugin", "search_imagery_by_text", "tests", "tools"}


def imported(source):
    """Top-level names of every import statement, those inside functions included; relative ones are left out."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").split(".")[0]


def files(room):
    found = sorted((ROOT / room).rglob("*.py"))
    assert found, f"{room} has no files: is its name right here?"
    return found


def offences(room, wrong):
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files(room) for name in imported(path.read_text("utf-8")) if wrong(name)
    ]  # fmt: skip


def test_the_engine_imports_no_qgis_and_nothing_of_the_other_rooms():
    assert offences("rsvlm_core", lambda n: n in {"qgis", "PyQt5", "PyQt6"} | (OURS - {"rsvlm_core"})) == []


def test_the_plugin_imports_only_qgis_its_numpy_and_the_standard_library():
    # processing is part of QGIS; osgeo is no exception: its numpy bridge is what breaks first
    assert offences("qgis_plugin", lambda n: n not in STDLIB | {"qgis", "processing", "numpy"}) == []


def test_the_plugins_relative_imports_stay_inside_it():
    folder = ROOT / "qgis_plugin"
    for path in files("qgis_plugin"):
        depth = len(path.relative_to(folder).parts)
        levels = [n.level for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.ImportFrom)]
        assert max(levels, default=0) <= depth, path


def test_training_imports_the_engine_and_no_window():
    assert offences("training", lambda n: n in {"qgis", "PyQt5", "PyQt6"} | (OURS - {"rsvlm_core", "training"})) == []


@pytest.mark.parametrize("code", [
    "import rsvlm_core.cli, rsvlm_core.cli.run, rsvlm_core.cli.parser as p\n"
    "try:\n    p.parse(['search', '--help'])\nexcept SystemExit:\n    pass",
    "import rsvlm_core.worker.server, rsvlm_core.worker.process",
    "from rsvlm_core import jobs\n[jobs.job(name) for name in jobs.OPERATIONS]",
])  # fmt: skip
def test_help_greeting_and_looking_up_jobs_import_nothing_heavy(code):
    heavy = {"torch", "rasterio", "geopandas", "shapely", "pandas", "matplotlib", "open_clip", "scipy"}
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint('HEAVY', *sorted({heavy} & set(sys.modules)))"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )
    assert done.stdout.splitlines()[-1] == "HEAVY"


def test_this_test_sees_imports_inside_functions():
    source = "def f():\n    import qgis.core\n    from .x import y\n    from torch import nn\n"
    assert list(imported(source)) == ["qgis", "torch"]
