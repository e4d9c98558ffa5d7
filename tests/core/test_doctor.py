import ast
import getpass
import json
import re
import sys
from pathlib import Path

import pytest

from rsvlm_core import doctor
from rsvlm_core.cli import main
from rsvlm_core.errors import ModelError
from rsvlm_core.jobs.encoders import Encoders
from rsvlm_core.model import registry
from tests.fakes import FakeEncoder


@pytest.fixture
def small_world(monkeypatch, tmp_path):
    monkeypatch.setenv("RSVLM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(registry, "load_encoder", lambda name=None, device="auto": FakeEncoder())
    monkeypatch.setattr(registry, "list_models", lambda: [FakeEncoder().info])


def by_name(report):
    return {f.name: f for f in report.findings}


def test_all_is_well_here(small_world):
    report = doctor.examine(Encoders())
    found = by_name(report)
    assert report.ok, report.as_text()
    assert found["torch"].status == "ok" and found["torch"].value[0].isdigit()
    assert found["smoke embedding"].status == "ok"
    assert found["model fake"].status == "ok"
    assert "cores" in found["threads"].value
    assert "GB free" in found["temporary folder"].value


@pytest.mark.parametrize(("absent", "status", "ok"), [
    (("torch", "torchvision", "open_clip", "timm"), ("ok", "ok"), True),
    (("onnxruntime",), ("warning", "ok"), True),
    (("torch", "onnxruntime"), ("fault", "fault"), False),
    (("open_clip",), ("ok", "ok"), True),
])
def test_onnx_runtime_or_torch_is_enough(small_world, monkeypatch, absent, status, ok):
    really = doctor._package

    def package(name, module):
        return doctor.Finding(name, "fault", "not installed", "Install it.") if module in absent else really(
            name, module
        )

    monkeypatch.setattr(doctor, "_package", package)
    report = doctor.examine(Encoders())
    found = by_name(report)
    assert report.ok == ok and (found["onnxruntime"].status, found["torch"].status) == status
    if absent == ("open_clip",):  # broken, but not needed
        assert found["open_clip_torch"].status == "warning"


def test_the_light_list_is_part_of_the_full_one_and_names_all_that_the_engine_imports():
    root = Path(__file__).resolve().parents[2]
    light, full = (
        {line.strip() for line in (root / name).read_text().splitlines() if line[:1].isalpha()}
        for name in ("requirements-light.txt", "requirements.txt")
    )
    assert light < full
    names = {re.split(r"[<>=\s]", line)[0] for line in light}
    assert names >= {n for n in doctor.PACKAGES} | {doctor.ONNX} and not names & set(doctor.TORCH)
    # what is imported when a module is, not inside a function, by everything but torch's own modules
    heavy = {"torch", "open_clip", "timm"}
    modules = {"PIL": "pillow", "skimage": "scikit-image", "pandas": "geopandas"}
    for path in (root / "rsvlm_core").rglob("*.py"):
        body = ast.parse(path.read_text("utf-8")).body
        tops = {a.name.split(".")[0] for n in body if isinstance(n, ast.Import) for a in n.names}
        tops |= {(n.module or "").split(".")[0] for n in body if isinstance(n, ast.ImportFrom)}
        others = tops - set(sys.stdlib_module_names) - {"rsvlm_core"}
        if not others & heavy:
            assert {modules.get(o, o) for o in others} <= names, path


def test_a_missing_package_is_a_fault_with_a_command(small_world, monkeypatch):
    monkeypatch.setitem(doctor.PACKAGES, "no-such-package", "no_such_package")
    report = doctor.examine(Encoders())
    finding = by_name(report)["no-such-package"]
    assert not report.ok
    assert (finding.status, finding.value) == ("fault", "not installed")
    assert "pip install" in finding.remedy


def test_a_package_that_does_not_load_is_told_apart_from_a_missing_one(small_world, monkeypatch):
    monkeypatch.setitem(doctor.PACKAGES, "numpy", "numpy_without_its_dll")
    finding = by_name(doctor.examine(Encoders()))["numpy"]
    assert finding.status == "fault" and "does not load" in finding.value


def test_a_model_that_cannot_be_loaded_is_a_fault_in_its_own_words(small_world, monkeypatch):
    def fail(name=None, device="auto"):
        raise ModelError("weights.safetensors is cut short.", "Fetch it again.")

    monkeypatch.setattr(registry, "load_encoder", fail)
    finding = by_name(doctor.examine(Encoders()))["smoke embedding"]
    assert (finding.status, finding.value, finding.remedy) == (
        "fault", "weights.safetensors is cut short.", "Fetch it again."
    )


def test_a_model_with_wrong_numbers_is_a_fault(small_world, monkeypatch):
    class Broken(FakeEncoder):
        def encode_texts(self, texts):
            return super().encode_texts(texts) * float("nan")

    monkeypatch.setattr(registry, "load_encoder", lambda name=None, device="auto": Broken())
    assert by_name(doctor.examine(Encoders()))["smoke embedding"].status == "fault"


def test_a_cache_folder_that_cannot_be_made_is_a_fault(small_world, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RSVLM_CACHE", str(tmp_path / "file" / "cache"))
    finding = by_name(doctor.examine(Encoders()))["cache folder"]
    assert finding.status == "fault" and "RSVLM_CACHE" in finding.remedy


@pytest.mark.parametrize(("home", "user", "text"), [
    ("/home/anna", "anna", "/home/anna/venv/bin/python and /home/anna"),
    ("/Users/anna", "anna", "cannot read /Users/anna/.cache/rsvlm"),
    ("/data/people/a.smith", "a.smith", "/data/people/a.smith/x and cache of a.smith"),
    ("/srv/x1", "anna", "/home/anna/other and /srv/x1/y"),
])  # fmt: skip
def test_home_and_name_are_left_out(monkeypatch, home, user, text):
    monkeypatch.setenv("HOME", home)
    monkeypatch.setenv("USER", user)
    said = doctor.redact(text)
    assert user not in said and home not in said and "~" in said


def test_a_report_can_be_posted(small_world, capsys):
    assert main(["doctor", "--json"]) == 0
    out = capsys.readouterr().out
    document = json.loads(out)
    assert document["ok"] and document["problems"] == []
    assert str(Path.home()) + "/" not in out
    name = getpass.getuser()
    assert name == "root" or name not in out


def test_the_command_ends_with_2_where_something_must_be_mended(small_world, monkeypatch, capsys):
    monkeypatch.setattr(registry, "list_models", lambda: [])
    assert main(["doctor"]) == 2
    out = capsys.readouterr().out
    assert "FAULT" in out and "→" in out
