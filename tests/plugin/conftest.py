"""The plugin's Qt-free modules, importable without QGIS."""

import importlib.util
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _load(name):
    """Import `qgis_plugin/NAME.py` as part of a bare package, so that its relative imports work."""
    package = sys.modules.setdefault("bare_plugin", types.ModuleType("bare_plugin"))
    package.__path__ = [str(ROOT / "qgis_plugin")]
    return importlib.import_module("bare_plugin." + name)


@pytest.fixture(scope="session")
def protocol():
    return _load("protocol")


@pytest.fixture(scope="session")
def jobs():
    return _load("jobs")


@pytest.fixture(scope="session")
def builder():
    spec = importlib.util.spec_from_file_location("build_plugin", ROOT / "tools" / "build_plugin.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
