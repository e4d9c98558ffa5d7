from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from rsvlm_core.errors import DataError, UsageError
from tests.fakes import FakeEncoder
from tests.training.scenes import picture, write_tar
from training.data.captions import Style, draw, general_phrases
from training.data.sentences import contains
from training.data.shards import read_samples
from training.evaluate.classification import LabelledSet
from training.evaluate.commands import main
from training.evaluate.holdout import GROUPS, Holdout, count_removed, plan, score, summarise, words_of

CLASSES = ["airport", "baseball field", "beach", "church", "farmland", "forest", "park", "parking", "playground",
           "pond", "port", "stadium"]


def test_word_lists_have_names_plurals_and_synonyms() -> None:
    words = words_of(["port"])
    assert {"port", "ports", "harbor", "harbors", "harbour", "marina", "wharf"} <= set(words)
    assert "boats" not in words and "boats" in words_of(["port"], strict=True)
    assert {"parking lot", "car parks"} <= set(words_of(["parking"])) and "cars" not in words_of(["parking"])
    assert {"solar farm", "solar farms"} == set(words_of(["SolarFarm"]))


@pytest.mark.parametrize("meta, why", [
    ({"class": "Port", "captions": ["water"]}, "label"),
    ({"class": "pond", "captions": ["Many trees", "A large Harbour, with boats"]}, "caption"),
    ({"class": "airport", "captions": ["An airport near a report on transport"]}, None),
    ({"class": "viaduct", "captions": ["two car-parks"]}, None),
    ({"fractions": {"port": 0.0, "road": 0.5}}, None),
    ({"boxes": {"marina": [[0, 0, 1, 1]], "port": []}}, "caption"),
    ({}, None),
])
def test_what_is_removed(meta: dict[str, object], why: str | None) -> None:
    assert Holdout("d", ("port",), words_of(["port"])).removes(meta) == why


def test_draws_are_seeded_disjoint_while_they_can_be_and_of_the_right_size() -> None:
    found = plan(CLASSES, draws=3, share=0.25, seed=5, groups=("sport",))
    assert found == plan(CLASSES, draws=3, share=0.25, seed=5, groups=("sport",))
    assert found[:3] != plan(CLASSES, draws=3, share=0.25, seed=6, groups=("sport",))[:3]
    assert [len(h.classes) for h in found[:3]] == [3, 3, 3] and len({c for h in found[:3] for c in h.classes}) == 9
    assert found[3].classes == ("baseball field", "playground", "stadium")
    assert set(found[3].classes) <= set(GROUPS["sport"])
    assert len(plan(CLASSES, draws=6, share=0.25, seed=5, groups=())) == 6
    with pytest.raises(UsageError):
        plan(CLASSES, share=0.9)
    with pytest.raises(UsageError, match="no group"):
        plan(CLASSES, groups=("cheese",))


def test_score_by_hand() -> None:
    # classes a, b, c, d; c and d held out; one image embedding a class axis each
    data = LabelledSet([], np.array([0, 1, 2, 2, 3]), ["a", "b", "c", "d"])
    z_text = np.eye(4, dtype=np.float32)
    z_image = np.array([[1, 0, 0, 0], [1, 0.5, 0, 0], [0, 0, 1, 0], [1, 0, 0.5, 0], [0, 0, 1, 0.5]], dtype=np.float32)
    found = score(z_image, z_text, data, ["c", "d"])
    assert found["seen"] == 50 and found["unseen"] == pytest.approx(100 / 3)
    assert found["unseen_among_unseen"] == pytest.approx(200 / 3)  # the last image is nearer to c than to d
    assert found["harmonic_mean"] == pytest.approx(2 * 50 * (100 / 3) / (50 + 100 / 3))
    assert found["chance"] == 25 and found["chance_among_unseen"] == 50
    with pytest.raises(DataError, match="no class x"):
        score(z_image, z_text, data, ["x"])
    with pytest.raises(DataError, match="All or none"):
        score(z_image, z_text, data, ["a", "b", "c", "d"])


def test_summary_has_spread_over_draws() -> None:
    one = {"unseen": 40.0, "seen": 60.0, "harmonic_mean": 48.0, "unseen_among_unseen": 70.0}
    two = {**one, "unseen": 50.0}
    found = summarise([two, two], [one, two])["unseen"]
    assert found["full_mean"] == 50 and found["without_mean"] == 45 and found["difference_mean"] == -5
    assert found["difference_sd"] == pytest.approx(np.std([-10, 0], ddof=1)) and found["full_sd"] == 0


def test_banned_words_reach_no_caption_and_no_phrase() -> None:
    banned = words_of(["port", "pond"])
    rng = np.random.default_rng(0)
    style = Style(banned=banned, class_share=0.5)
    for meta in ({"class": "river"}, {"class": "resort", "captions": ["A beach", "A harbor", "A marina and pools"]},
                 {"fractions": {"water": 0.5, "road": 0.1}}):
        assert not any(contains(draw(meta, rng, style).text, banned) for _ in range(150))
    assert not any(contains(p, banned) for p in general_phrases(800, banned=banned))
    with pytest.raises(DataError, match="banned"):
        draw({"class": "port"}, rng, Style(banned=("port", *(w for w in words_of(["port"], strict=True)),
                                                   "ships", "boats", "water", "piers", "docks")))


def test_commands_plan_and_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    colours = {"port": "red", "pond": "blue", "park": "green", "church": "grey"}
    metas = {c: json.dumps({"class": c, "captions": ["a harbor"][:k]}).encode() for k, c in enumerate(colours)}
    files = {f"{c}.png": picture(colour) for c, colour in colours.items()} | {f"{c}.json": m for c, m in metas.items()}
    shard = write_tar(tmp_path / "t.tar", files)
    base = tmp_path / "base.yaml"
    base.write_text("name: small\nsets:\n  rsicd: {shards: [x]}\n  maps: {shards: [y], exclude: [zoo]}\n")
    out = tmp_path / "plan"
    assert main(["holdout", "plan", "--images", str(shard), "--config", str(base), "--out", str(out), "--draws", "2",
                 "--share", "0.25", "--group", "water"], lambda *a: pytest.fail("loaded")) == 0
    document = json.loads((out / "plan.json").read_text())
    assert [d["name"] for d in document["draws"]] == ["draw-0", "draw-1", "water"]
    water = document["draws"][2]
    assert water["classes"] == ["pond", "port"] and water["removed_by_label"] == 2
    assert water["removed_by_caption"] == 2 and water["kept"] == 0
    recipe = yaml.safe_load((out / "water.yaml").read_text())
    assert "harbor" in recipe["sets"]["rsicd"]["exclude"] and "zoo" in recipe["sets"]["maps"]["exclude"]
    assert recipe["name"] == "small-without-water"

    result = tmp_path / "r.json"
    base_args = ["holdout", "score", "--plan", str(out), "--images", str(shard), "--json", str(result)]
    assert main([*base_args, "--without", "a", "b", "c", "--template", "{}"], lambda *a: FakeEncoder()) == 0
    found = json.loads(result.read_text())
    assert set(found["draws"]) == {"draw-0", "draw-1", "water"} and found["summary"]["unseen"]["difference_mean"] == 0
    assert "harbors" in found["words"]["water"]
    assert main([*base_args, "--without", "a"], lambda *a: FakeEncoder()) == 2
    assert "1 models for 3 draws" in capsys.readouterr().err


def test_real_shards_lose_only_what_names_the_class(shared_data: Path) -> None:
    samples = list(read_samples([shared_data / "data" / "rsicd" / "val-000.tar"]))
    held = Holdout("d", ("stadium",), words_of(["stadium"]))
    counts = count_removed(samples, [held])["d"]
    labelled = sum(s.meta["class"] == "stadium" for s in samples)
    assert counts["removed_by_label"] == labelled and 0 < counts["removed_by_caption"] < 0.1 * len(samples)


def test_run_trains_and_exports_each_model_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plan.json").write_text(json.dumps({
        "config": "full.yaml", "draws": [{"name": "draw-0", "classes": ["port"], "words": ["port"]}]}))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "state.pt").write_bytes(b"")
    called: list[list[str]] = []

    def run(command: list[str], check: bool) -> object:
        called.append(command[2:])
        return type("Done", (), {"returncode": int("draw-0.yaml" in " ".join(command) and len(called) < 4)})()

    monkeypatch.setattr("training.evaluate.holdout_command.subprocess.run", run)
    arguments = ["holdout", "run", "--plan", str(tmp_path), "stages.0.steps=3"]
    assert main(arguments) == 2
    assert main(arguments) == 0
    full, draw = tmp_path / "full", tmp_path / "draw-0"
    assert called[0] == ["training.pretrain", "--config", "full.yaml", "--resume", str(full), "stages.0.steps=3"]
    assert called[1] == ["training.export", str(full), "--out", str(full / "model")]
    assert called[-2][:5] == ["training.pretrain", "--config", str(tmp_path / "draw-0.yaml"), "--out", str(draw)]
    assert called[-1] == ["training.export", str(draw), "--out", str(draw / "model")]
