"""Qt 6: every class and every member of an enumeration that the plugin takes from Qt exists there.

This QGIS is of Qt 5, so PyQt 6's type stubs say what there is; it knows enumerations only by their full names.
With RSVLM_PYQT5TO6 (the command of `qgis-pyqt5to6`, which is QGIS's script pyqt5_to_pyqt6.py) that is run as well.
"""

import ast
import os
import re
import shutil
import site
import subprocess
from pathlib import Path

import pytest

PLUGIN = Path(__file__).resolve().parents[2] / "qgis_plugin"
FILES = sorted(PLUGIN.rglob("*.py"))
# qgis.PyQt gives the first at its old place on Qt 6 too; the others are constants, the same in both
NOT_IN_STUBS = {"QAction", "PYQT_VERSION_STR", "QT_VERSION_STR", "pyqtSignal"}


class Names:
    """What stubs declare: members of each class, its own and inherited; nested classes as `Outer.Inner`."""

    def __init__(self):
        self.members, self.bases = {}, {}

    def read(self, path):
        # "type X = …" is newer than this Python
        text = re.sub(r"(?m)^(\s*)type (\w+) = ", r"\1\2 = ", path.read_text(encoding="utf-8"))
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef):
                self._take(node, node.name)
        return self

    def _take(self, node, name):
        own = self.members.setdefault(name, set())
        self.bases[name] = [ast.unparse(base).strip("'\"") for base in node.bases]
        for inner in node.body:
            if isinstance(inner, ast.ClassDef):
                self._take(inner, f"{name}.{inner.name}")
                own.add(inner.name)
            elif isinstance(inner, ast.FunctionDef):
                own.add(inner.name)
            elif isinstance(inner, ast.Assign):
                own.update(target.id for target in inner.targets if isinstance(target, ast.Name))
            elif isinstance(inner, ast.AnnAssign) and isinstance(inner.target, ast.Name):
                own.add(inner.target.id)

    def has(self, name):
        """Whether a dotted name is declared."""
        first, *rest = name.split(".")
        if first not in self.members:
            return False
        at = first
        for last in rest:
            owner = next((one for one in self._line(at) if last in self.members.get(one, ())), None)
            if owner is None:
                return False
            at = f"{owner}.{last}"
        return True

    def _line(self, name, seen=None):
        """A class and what it inherits from; bases of another module by their last name."""
        seen = set() if seen is None else seen
        if name not in seen:
            seen.add(name)
            yield name
            for base in self.bases.get(name, ()):
                yield from self._line(base if base in self.members else base.split(".")[-1], seen)


@pytest.fixture(scope="module")
def modules():
    """Module to its names."""
    folder = next((path for one in site.getsitepackages() if (path := Path(one) / "PyQt6-stubs").is_dir()), None)
    if folder is None:
        pytest.skip("no PyQt6-stubs (tests/qgis/requirements.txt)")
    found = {f"qgis.PyQt.{path.stem}": Names().read(path) for path in folder.glob("Qt*.pyi")}
    for part in ("QtCore", "QtGui", "QtWidgets"):  # members of bases that lie in other modules
        for names in found.values():
            names.members = {**found[f"qgis.PyQt.{part}"].members, **names.members}
            names.bases = {**found[f"qgis.PyQt.{part}"].bases, **names.bases}
    return found


def named(tree):
    """Module and dotted name of all that a file takes from Qt and QGIS; what stands in a `try` is left out."""
    tried = {inner for node in ast.walk(tree) if isinstance(node, ast.Try) for inner in ast.walk(node)}
    imported = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level and node.module.startswith("qgis.") and (
                node not in tried):
            imported.update({alias.asname or alias.name: (node.module, alias.name) for alias in node.names})
    yield from imported.values()
    inner = {node.value for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node not in inner and node not in tried:
            words = ast.unparse(node)
            root, _, rest = words.partition(".")
            if root in imported and words.replace(".", "").replace("_", "").isalnum():
                yield imported[root][0], f"{imported[root][1]}.{rest}"


def missing(source, modules):
    """What a file names and Qt 6 does not know."""
    return sorted({f"{module}: {name}" for module, name in named(ast.parse(source))
                   if module in modules and name not in NOT_IN_STUBS and not modules[module].has(name)})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PLUGIN).as_posix())
def test_what_a_file_takes_from_qt_is_there_in_qt_6(modules, path):
    assert missing(path.read_text(encoding="utf-8"), modules) == []


def test_old_names_are_found(modules):
    source = (
        "from qgis.PyQt.QtCore import QRegExp, Qt\nfrom qgis.PyQt.QtWidgets import QDesktopWidget, QListView, QSlider\n"
        "a = Qt.AlignLeft, Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.Nonsense, QSlider.TicksAbove\n"
        "b = QSlider.TickPosition.TicksAbove, QListView.SelectionMode.ExtendedSelection, QListView.ExtendedSelection\n")
    assert missing(source, modules) == [
        "qgis.PyQt.QtCore: QRegExp", "qgis.PyQt.QtCore: Qt.AlignLeft", "qgis.PyQt.QtCore: Qt.AlignmentFlag.Nonsense",
        "qgis.PyQt.QtWidgets: QDesktopWidget", "qgis.PyQt.QtWidgets: QListView.ExtendedSelection",
        "qgis.PyQt.QtWidgets: QSlider.TicksAbove"]


def test_qgiss_own_converter_changes_nothing(tmp_path):
    command = os.environ.get("RSVLM_PYQT5TO6")
    if not command:
        pytest.skip("no converter (set RSVLM_PYQT5TO6; see docs/plugin.md)")
    folder = tmp_path / "plugin"
    shutil.copytree(PLUGIN, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "old.py").write_text("from qgis.PyQt.QtCore import Qt\nside = Qt.AlignLeft\n")
    done = subprocess.run([command, str(folder)], capture_output=True, text=True,
                          env={**os.environ, "QT_QPA_PLATFORM": "offscreen"})
    assert done.returncode in (0, 1), done.stderr
    assert "Qt.AlignmentFlag.AlignLeft" in (folder / "old.py").read_text()  # it works
    changed = [path for path in FILES
               if (folder / path.relative_to(PLUGIN)).read_bytes() != path.read_bytes()]
    assert not changed and "WARNING" not in done.stderr, done.stderr
