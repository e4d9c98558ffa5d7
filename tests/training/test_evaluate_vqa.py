from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from rsvlm_core.errors import DataError
from tests.fakes import FakeEncoder
from tests.training.scenes import encode, picture, write_folder, write_tar
from training.evaluate import questions as every_set
from training.evaluate.commands import main
from training.evaluate.images import list_images
from training.evaluate.segmentation import read_masked
from training.evaluate.vqa import Question, evaluate, questions, read_metas, verdict

METAS = [
    {"class": "port", "captions": ["Many boats in a harbor near a beach"]},
    {"class": "beach", "captions": ["waves"]},
    {"class": "forest", "captions": ["Many trees"]},
    {"class": "commercial", "captions": ["Tall buildings"]},
    {"boxes": {"car": [[0, 0, 1, 1]] * 12, "truck": [[0, 0, 1, 1]]}},
    {"boxes": {"truck": [[0, 0, 1, 1]] * 9, "car": []}},
    {"fractions": {"water": 0.5, "park": 0.1, "road": 0.0}},
    {"fractions": {"water": 0.0, "park": 0.4, "road": 0.2}},
]


def test_questions_are_seeded_balanced_and_follow_from_the_labels() -> None:
    asked = questions(METAS, seed=1)
    assert asked == questions(METAS, seed=1)
    counts = Counter((q.kind, q.answer) for q in asked)
    for kind in {q.kind for q in asked}:
        assert len({n for (k, _), n in counts.items() if k == kind}) == 1
    seen = [q for seed in range(40) for q in questions(METAS, seed=seed)]
    assert {q.kind for q in seen} == {"presence", "comparison", "count", "rural_urban"}
    for q in seen:
        if q.kind == "presence" and q.image == 0 and q.answer == "no":
            assert "beach" not in q.text and "shore" not in q.text  # its caption names one
        if q.kind == "rural_urban":
            assert q.answer == {2: "rural", 3: "urban"}[q.image]
        if q.kind == "count" and q.answer == "yes":
            assert int(q.text.split()[4]) <= len(METAS[q.image]["boxes"][q.text.split()[5].rstrip("s?")])
        if q.kind == "comparison" and q.image == 6:
            more, less = q.text.split()[3], q.text.split()[5]
            shares = METAS[6]["fractions"]
            assert (shares[more] > shares[less]) is (q.answer == "yes")
    texts = {q.text for q in seen if q.image == 0 and q.answer == "yes"}
    assert any("a harbor" in t for t in texts) and any(t.startswith("Are there any docks") for t in texts)


def test_verdicts() -> None:
    yes = Question(0, "presence", "Is there?", "yes")
    assert verdict("Yes.", yes) and verdict("I think yes, not no", yes) and not verdict("no", yes)
    no = Question(0, "presence", "Is there?", "no")
    assert verdict("No sign of a harbour.", no) and verdict("Probably not; yes cannot be ruled out", no)
    assert not verdict("", yes) and not verdict("yesterday", yes)
    assert verdict("It is a rural place", Question(0, "rural_urban", "?", "rural"))


def test_report_by_hand(tmp_path) -> None:  # type: ignore[no-untyped-def]
    items = list_images([write_folder(tmp_path, {"1.png": picture("red"), "2.png": picture("blue")})])
    asked = [Question(0, "presence", "red?", "yes"), Question(1, "presence", "red?", "no"),
             Question(1, "presence", "blue?", "yes"), Question(1, "count", "two?", "yes")]

    def answer(rgb: np.ndarray, question: str) -> str:
        return "yes" if rgb[0, 0, 0] > 100 else "no"

    found = evaluate(items, asked, answer)
    assert found["accuracy"] == 50 and found["questions"] == 4 and found["images"] == 2
    assert found["per_kind"] == {"presence": pytest.approx(200 / 3), "count": 0.0}
    assert found["baselines"]["majority"] == {"presence": pytest.approx(200 / 3), "count": 100.0}


def test_nothing_to_ask() -> None:
    with pytest.raises(DataError):
        questions([{"captions": ["x"]}])


def test_command_asks_the_product(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {}
    for k, (colour, name) in enumerate([("red", "red"), ("blue", "blue")] * 3):
        files |= {f"{k}.png": picture(colour, (64, 64)), f"{k}.json": json.dumps({"class": name}).encode()}
    source = write_tar(tmp_path / "s.tar", files)
    out = tmp_path / "o.json"
    assert main(["vqa", "--images", str(source), "--json", str(out), "--keep"], lambda *a: FakeEncoder()) == 0
    found = json.loads(out.read_text())
    for route in ("program_route", "caption_route"):
        assert found[route]["questions"] == 12 and found[route]["per_kind"] == {"presence": 100.0}
        assert found[route]["baselines"]["majority"] == {"presence": 50.0}
    assert {q["answer"] for q in found["questions_asked"]} == {"yes", "no"}
    options = ["--route", "program", "--limit", "6", "--json", str(out)]
    assert main(["vqa", "--images", str(source), *options], lambda *a: FakeEncoder()) == 0
    found = json.loads(out.read_text())
    assert found["program_route"]["questions"] == 6 and "caption_route" not in found


def test_all_sets_by_one_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sets that are there are asked about, by both routes; those that are not are named."""
    monkeypatch.setenv("RSVLM_DATA", str(tmp_path))
    monkeypatch.setattr(every_set, "load_encoder", lambda *a: FakeEncoder())
    assert every_set.main([]) == 2 and "RSVLM_DATA" in capsys.readouterr().err
    files = {}
    for k, (colour, name) in enumerate([("red", "red"), ("blue", "blue")] * 3):
        files |= {f"{k}.png": picture(colour, (64, 64)), f"{k}.json": json.dumps({"class": name}).encode()}
    (tmp_path / "data" / "rsicd").mkdir(parents=True)
    write_tar(tmp_path / "data" / "rsicd" / "val-000.tar", files)
    out = tmp_path / "o.json"
    assert every_set.main(["--limit", "8", "--json", str(out)]) == 0
    assert "| presence | RSICD val | 8 | 100.0 | 100.0 | 50.0 |" in capsys.readouterr().out.splitlines()
    found = json.loads(out.read_text())
    assert list(found["sets"]) == ["RSICD val"] and len(found["missing"]) == len(every_set.SETS) - 1
    assert every_set.main(["--only", "traffic"]) == 2


def test_mask_shares_become_comparisons(tmp_path: Path) -> None:
    mask = np.array([[1, 1, 1, 2], [1, 1, 1, 0]], np.uint8)
    source = write_folder(tmp_path, {"images/a.png": picture("red"), "masks/a.png": encode(mask)})
    metas = read_metas(list_images([source]), read_masked([source]), ["road", "water"])
    assert metas == [{"fractions": {"road": 6 / 8, "water": 1 / 8}, "counts": {}}]


def test_separate_things_in_masks_become_counts(tmp_path: Path) -> None:
    mask = np.zeros((100, 100), np.uint8)
    mask[10:30, 10:30] = mask[50:60, 50:90] = 255
    mask[99, 99] = 255  # a speck
    empty = np.zeros((100, 100), np.uint8)
    source = write_folder(tmp_path, {"images/a.png": picture("red"), "masks/a.png": encode(mask),
                                     "images/b.png": picture("red"), "masks/b.png": encode(empty)})
    metas = read_metas(list_images([source]), read_masked([source]), ["house"], ["house"])
    assert [m["counts"] for m in metas] == [{"house": 2}, {"house": 0}]
    asked = {(q.text, q.answer) for seed in range(9) for q in questions(metas, seed) if q.kind == "count"}
    assert asked == {("Are there at least 1 houses?", "yes"), ("Are there at least 6 houses?", "no"),
                     ("Are there at least 2 houses?", "no")}
