"""The zip that users install, and the rules that keep the two Pythons apart."""

import ast
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "qgis_plugin"
ALLOWED = {"qgis", "numpy", "processing"}


@pytest.fixture(scope="module")
def built(builder, tmp_path_factory):
    out = tmp_path_factory.mktemp("dist") / "plugin.zip"
    builder.write_zip(out)
    return out


def imported(path):
    """Names of the top packages that a file imports; relative imports left out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("path", sorted(PLUGIN.rglob("*.py")), ids=lambda path: path.relative_to(PLUGIN).as_posix())
def test_the_plugin_imports_only_qgis_numpy_and_the_standard_library(path):
    assert set(imported(path)) <= ALLOWED | set(sys.stdlib_module_names)


def test_headless_modules_do_not_touch_the_window():
    """What qgis_process loads: no `qgis.gui`, no widgets, no part of `gui/`."""
    for path in [*PLUGIN.glob("algorithms/*.py"), *(PLUGIN / (name + ".py") for name in (
            "provider", "worker_client", "backend", "settings", "sources", "layers", "report", "jobs", "protocol"))]:
        text = path.read_text(encoding="utf-8")
        assert "qgis.gui" not in text and "QtWidgets" not in text and "iface" not in text, path


def test_no_pyqt_and_no_unscoped_old_style():
    for path in PLUGIN.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "PyQt5" not in text and "exec_(" not in text and "QRegExp" not in text, path


# classes, not members of an enumeration; or in the one file that may look at old names
NOT_MEMBERS = {"ProcessError", "ExitStatus", "ColorRampItem", "QGIS_VERSION", "SaveVectorOptions"}


@pytest.mark.parametrize("path", sorted(PLUGIN.rglob("*.py")), ids=lambda path: path.relative_to(PLUGIN).as_posix())
def test_members_of_enumerations_are_fully_scoped(path):
    """`Qt.AlignmentFlag.AlignLeft`, never `Qt.AlignLeft`, which Qt 6 does not know."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    longer = {node.value for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    short = [
        f"{node.lineno}: {node.value.id}.{node.attr}" for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node not in longer and isinstance(node.value, ast.Name)
        and node.value.id.startswith("Q") and node.attr[0].isupper() and node.attr not in NOT_MEMBERS
    ]
    assert not short or path.name == "compat.py"


def test_zip_has_one_folder_and_passes_its_own_checks(builder, built):
    assert builder.problems(built) == []
    names = zipfile.ZipFile(built).namelist()
    assert {name.split("/")[0] for name in names} == {"search_imagery_by_text"}
    assert "search_imagery_by_text/backend/rsvlm_core/worker/__main__.py" in names
    assert not [name for name in names if "tests" in name or name.endswith((".pyc", ".ts"))]
    training = {name.split("/training/")[1] for name in names if "/backend/training/" in name}
    assert {"build/__main__.py", "build/rs_landmarks.py", "build/landmarks.py"} <= training
    assert not [name for name in training if "pretrain" in name or "webli" in name or not name.endswith(".py")]


def test_the_builder_of_training_sets_runs_from_the_zip_alone(built, tmp_path):
    """Without the checkout in sight."""
    with zipfile.ZipFile(built) as archive:
        archive.extractall(tmp_path)
    script = "import training.build.rs_landmarks as b, training.build.language_models, rsvlm_core; print(b.__file__)"
    backend = tmp_path / "search_imagery_by_text" / "backend"
    for words in (["-c", f"import sys; sys.path.insert(0, {str(backend)!r}); {script}"],
                  ["-m", "training.build", "rs_landmarks", "--help"]):
        done = subprocess.run([sys.executable, "-E", "-s", *words], cwd=backend, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert str(tmp_path) in done.stdout or "--landmarks" in done.stdout


def test_zip_is_reproducible(builder, built, tmp_path):
    again = tmp_path / "again.zip"
    for path in PLUGIN.glob("*.py"):
        os.utime(path)
    builder.write_zip(again)
    assert again.read_bytes() == built.read_bytes()


def test_a_zip_that_is_too_large_names_its_largest_files(builder, built, monkeypatch):
    monkeypatch.setattr(builder, "LIMIT", 1000)
    found = builder.problems(built)
    assert "above the limit" in found[0] and len(found) > 3


@pytest.mark.parametrize("name, said", [
    ("other_folder/x.py", "top folders"), ("search_imagery_by_text/../x.py", "unsafe"),
    ("search_imagery_by_text/a/__pycache__/x.pyc", "must not travel"), ("search_imagery_by_text/x.so", "binary"),
])
def test_bad_entries_are_found(builder, built, tmp_path, name, said):
    bad = tmp_path / "bad.zip"
    bad.write_bytes(built.read_bytes())
    with zipfile.ZipFile(bad, "a") as archive:
        archive.writestr(name, "")
    assert any(said in problem for problem in builder.problems(bad))


def test_missing_parts_are_found(builder, tmp_path):
    bad = tmp_path / "bad.zip"
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("search_imagery_by_text/metadata.txt", "[general]\nname=x\nauthor=a/b\n")
    found = "\n".join(builder.problems(bad))
    for part in ("LICENSE is missing", "__init__.py is missing", "lacks version", "slash"):
        assert part in found


def test_folder_and_links_have_the_same_files_as_the_zip(builder, built, tmp_path):
    names = {name.split("/", 1)[1] for name in zipfile.ZipFile(built).namelist()}
    for link in (False, True):
        folder = builder.write_folder(tmp_path / str(link), link=link)
        assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == names
