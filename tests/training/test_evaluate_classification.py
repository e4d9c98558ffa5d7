from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import FakeEncoder
from tests.training.scenes import picture, write_folder, write_tar
from training.evaluate.classification import plain_words, prompts, read_labelled, tally
from training.evaluate.commands import main

FILES = {
    "Red_roof/1.png": picture("red"), "Red_roof/2.png": picture("blue", (60, 30)), "BlueSea/1.png": picture("blue"),
    "grey/x.y.png": picture("grey"), "grey/z.png": picture("grey"), "grey/w.png": picture("green"),
}


def test_tally_by_hand() -> None:
    found = tally(np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 0, 2]), ["a", "b", "c", "never"])
    assert found["top1"] == pytest.approx(100 * 4 / 6)
    assert found["per_class"] == {"a": pytest.approx(200 / 3), "b": 50.0, "c": 100.0}
    assert found["confusion"] == [[2, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert found["mean_per_class"] == pytest.approx((200 / 3 + 150) / 3)


@pytest.mark.parametrize("tar", [False, True])
def test_command_on_folder_and_tar(tmp_path: Path, tar: bool) -> None:
    files = {f"set/{k}": v for k, v in FILES.items()}
    source = write_tar(tmp_path / "s.tar", files) if tar else write_folder(tmp_path / "s", files)
    out = tmp_path / "o.json"
    assert main(["classify", "--images", str(source), "--json", str(out)], lambda *a: FakeEncoder()) == 0
    found = json.loads(out.read_text())
    assert found["classes"] == ["BlueSea", "Red_roof", "grey"]
    assert found["prompts"] == [f"An aerial image of {c}." for c in ("blue sea", "red roof", "grey")]
    assert found["top1"] == pytest.approx(100 * 5 / 6)
    assert found["confusion"] == [[1, 0, 0], [1, 1, 0], [0, 0, 3]]  # dark green is nearest to grey
    assert found["per_class"]["BlueSea"] == 100 and found["per_class"]["Red_roof"] == 50 and found["images"] == 6
    assert found["baselines"]["commonest_class"] == 50


def test_classes_from_shard_meta(tmp_path: Path) -> None:
    source = write_tar(tmp_path / "s.tar", {
        "1.png": picture("red"), "1.json": b'{"class": "red"}',
        "2.png": picture("blue"), "2.json": b'{"class": "blue"}'})
    data = read_labelled([source])
    assert data.classes == ["blue", "red"] and data.truth.tolist() == [1, 0]


def test_names_and_template_can_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_folder(tmp_path / "s", {"aGrass/1.png": picture("green"), "b/1.png": picture("red")})
    out = tmp_path / "o.json"
    base = ["classify", "--images", str(source), "--json", str(out)]
    assert main([*base, "--name", "aGrass=green field", "--name", "b=red", "--template", "{}"],
                lambda *a: FakeEncoder()) == 0
    assert json.loads(out.read_text())["prompts"] == ["green field", "red"]
    for wrong in (["--name", "c=red"], ["--name", "b"], ["--template", "no place"]):
        assert main([*base, *wrong], lambda *a: pytest.fail("loaded")) == 2
    assert "exactly one {}" in capsys.readouterr().err


def test_plain_words() -> None:
    assert [plain_words(c) for c in ("SparseResidential", "parking_lot", "River or Lake", "Built-up")] == [
        "sparse residential", "parking lot", "river or lake", "built-up"]
    assert prompts(["a"]) == ["An aerial image of a."]


def test_unlabelled_and_single_class_sets_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flat = write_tar(tmp_path / "s.tar", {"1.png": picture("red")})
    one = write_folder(tmp_path / "one", {"red/1.png": picture("red")})
    for source, said in ((flat, "class of 1.png"), (one, "at least two")):
        assert main(["classify", "--images", str(source)], lambda *a: FakeEncoder()) == 2
        assert said in capsys.readouterr().err


def test_one_fold_of_places(tmp_path: Path) -> None:
    from training.data.places import place_fold

    files: dict[str, bytes] = {}
    folds = []
    for k in range(12):
        lat = 0.025 + 0.05 * k
        folds.append(place_fold(lat, 0.025, 2))
        files |= {f"{k}.png": picture("red"), f"{k}.json": json.dumps(
            {"class": "abc"[k % 3] if k else "only here", "lat": lat, "lon": 0.025}).encode()}
    source = write_tar(tmp_path / "s.tar", files)
    out = tmp_path / "o.json"
    base = ["classify", "--images", str(source), "--json", str(out)]
    assert main([*base, "--fold", "1/2"], lambda *a: FakeEncoder()) == 0
    found = json.loads(out.read_text())
    assert 0 < found["images"] <= folds.count(1) and ("only here" in found["classes"]) is (folds[0] == 1)
    with pytest.raises(SystemExit):
        main([*base, "--fold", "2/2"], lambda *a: FakeEncoder())
