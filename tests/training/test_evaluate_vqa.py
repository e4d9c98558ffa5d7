from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from rsvlm_core.errors import DataError
from rsvlm_core.pipelines.questions import understand
from tests.fakes import COLOURS, FakeEncoder
from tests.training.scenes import encode, picture, write_folder, write_tar
from training.evaluate import questions as every_set
from training.evaluate.commands import main
from training.evaluate.images import list_images
from training.evaluate.segmentation import read_masked
from training.evaluate.vqa import ProductAnswerer, Question, evaluate, questions, read_metas, verdict
from training.evaluate.vqa_positions import CELLS, best_constant, of_boxes, of_mask, positions

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


def test_where_by_hand() -> None:
    """An answer that names a corner is right about both of its sides, and a constant answer can be such a corner."""
    south = Question(0, "where", "Where is the pond?", "south")
    assert verdict("2 outlines of pond, the largest in the south-west.", south) and verdict("In the south.", south)
    assert not verdict("1 outline of pond, the largest in the north-west.", south) and not verdict("No sign.", south)
    assert not verdict("in the south and in the north", south) and not verdict("in the middle", south)
    assert best_constant({"west": 5, "east": 3, "south": 2}) == 7
    sides = [Question(0, "where", "?", s) for s in ("west", "west", "east", "south")]
    items = [Image()]
    assert evaluate(items, sides, lambda *_: "west")["baselines"]["majority"] == {"where": 75.0}  # type: ignore[arg-type]


class Image:
    """An image of which only the pixels are asked for."""

    def pil(self) -> np.ndarray:
        return np.zeros((2, 2, 3), np.uint8)


TRAFFIC = {"boxes": {"car": [[0.1, y, 0.2, y + 0.1] for y in (0.1, 0.3, 0.5)], "bus": [[0.8, 0.1, 0.9, 0.2]]}}


def test_relative_positions_follow_from_boxes() -> None:
    """Cars stand in the west, a bus in the east: every question about them has one true answer, whatever its words."""
    east, west = ("to the right of", "east of"), ("to the left of", "west of")
    seen: set[tuple[str, str]] = set()
    for seed in range(60):
        for turn in (0, 1):
            asked = positions(TRAFFIC, np.random.default_rng(seed), turn)
            assert [q.answer for q in asked if q.kind == "position"] == [["yes", "no"][turn]]
            seen |= {(q.text, q.answer) for q in asked}
    positive = {f"Are the cars {w} the bus?" for w in west} | {f"Is the bus {e} the cars?" for e in east}
    negative = {f"Are the cars {e} the bus?" for e in east} | {f"Is the bus {w} the cars?" for w in west}
    where = {("Where are the cars?", "west"), ("Where is the bus?", "east"), ("Where is the bus?", "north")}
    assert seen == {(t, "yes") for t in positive} | {(t, "no") for t in negative} | where
    for text, _ in seen:
        assert understand(text).kind in ("relation", "where"), text


def test_relative_positions_in_doubt_are_not_asked() -> None:
    """Among each other, too near, or all over: nothing is asked."""
    all_over = [[x, y, x, y] for x in (0.1, 0.9) for y in (0.1, 0.9)]
    near = {"car": [*all_over, [0.5, 0.5, 0.5, 0.5]], "bus": [*all_over, [0.53, 0.5, 0.53, 0.5]]}
    assert positions({"boxes": near}, np.random.default_rng(0)) == []
    assert positions({"boxes": {"car": []}}, np.random.default_rng(0)) == [] == positions({}, np.random.default_rng(0))
    middle = {"boxes": {"car": [[0.4, 0.5, 0.4, 0.5]], "bus": [[0.9, 0.36, 0.9, 0.36]]}}
    asked = positions(middle, np.random.default_rng(0))
    assert [(q.text, q.answer) for q in asked if q.kind == "where"] == [("Where is the bus?", "east")]
    one, beside = {"boxes": {"car": [[0.45, 0.5, 0.45, 0.5]]}}, [[0.53, 0.5, 0.53, 0.5]]
    asked = positions({"boxes": one["boxes"] | {"bus": beside}}, np.random.default_rng(0))
    assert asked == []


def test_relative_positions_follow_from_masks() -> None:
    """Of masks the pixels count; specks of an image's fiftieth do not."""
    park, water = np.zeros((100, 70), bool), np.zeros((100, 70), bool)
    park[:30], water[60:, :34] = True, True
    grids = {"park": of_mask(park), "water": of_mask(water), "road": of_mask(np.eye(100, 70, dtype=bool))}
    assert grids["park"].shape == (CELLS, CELLS) and grids["park"].mean() == pytest.approx(0.3, abs=0.01)
    asked = [q for turn in (0, 1) for seed in range(40)
             for q in positions({"grids": grids}, np.random.default_rng(seed), turn)]
    assert {(q.text, q.answer) for q in asked if q.kind == "where"} == {
        ("Where is the park?", "north"), ("Where is the water?", "south"), ("Where is the water?", "west")}
    above = {"Is the park above the water?", "Is the park to the north of the water?", "Is the water below the park?",
             "Is the water south of the park?"}
    assert above == {q.text for q in asked if q.kind == "position" and q.answer == "yes" and "left" not in q.text} - {
        q.text for q in asked if "west" in q.text or "east" in q.text or "right" in q.text}
    assert not any("road" in q.text for q in asked)
    corners = of_boxes([[0, 0, 0, 0], [1, 1, 1, 1]])
    assert corners[0, 0] == corners[-1, -1] == 1 and corners.sum() == 2


def test_positions_have_as_many_of_either_answer() -> None:
    metas = [TRAFFIC, {"boxes": {w: [[1 - x1, y0, 1 - x0, y1] for x0, y0, x1, y1 in b]
                                 for w, b in TRAFFIC["boxes"].items()}}] * 6
    counts = Counter((q.kind, q.answer) for q in questions(metas))
    assert counts["position", "yes"] == counts["position", "no"] == 6
    assert counts["where", "west"] == counts["where", "east"] == counts["where", "north"] == 12


def test_images_are_asked_all_that_is_left_to_ask() -> None:
    """Kinds draw the same images, so that few images answer a bounded number of questions."""
    asked = questions([TRAFFIC | {"class": c} for c in ("forest", "commercial")] * 30, seed=3, limit=24)
    assert len({q.kind for q in asked}) == 5 and len(asked) == 19 and len({q.image for q in asked}) <= 6


def test_an_image_is_encoded_once_for_all_its_questions(tmp_path: Path) -> None:
    """Answers are those of an encoder that forgets, to the letter; the images are seen by the model once."""
    texts = ["Is there a red place?", "Is it blue?", "Are there at least 2 blue places?", "Where is the blue place?",
             "Is there more area of red than blue?", "Is the red to the left of the blue?"]
    halves = np.concatenate([np.full((64, 64, 3), COLOURS[c], np.uint8) for c in ("red", "blue")], axis=1)
    for route in ("program", "caption"):
        eager, thrifty = FakeEncoder(), FakeEncoder()
        fresh = [ProductAnswerer(eager, 1.0, tmp_path, route)(halves.copy(), t) for t in texts]
        answer = ProductAnswerer(thrifty, 1.0, tmp_path, route)
        assert [answer(halves, t) for t in texts] == fresh and [answer(halves, t) for t in texts] == fresh
        assert 0 < thrifty.images_seen < eager.images_seen
        assert answer(np.ascontiguousarray(halves[:, ::-1]), texts[-1]) == ProductAnswerer(
            FakeEncoder(), 1.0, tmp_path, route)(np.ascontiguousarray(halves[:, ::-1]), texts[-1])


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
    assert list(metas[0].pop("grids")) == ["road", "water"]
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
