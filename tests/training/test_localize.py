"""Pseudo-label rounds: gate, filters and losses against what they say; rounds on scenes of which the truth is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from rsvlm_core.errors import Stopped, UsageError
from rsvlm_core.model.checkpoint import load_mammut
from rsvlm_core.model.config import load_config
from rsvlm_core.model.mammut import Mammut
from tests.training.scenes import encode, write_tar
from training.export import export, load_run
from training.localize.labels import (
    IGNORE,
    Maps,
    Prompts,
    changes,
    coverage,
    gate,
    make_labels,
)
from training.localize.losses import pool_regions, region_loss, token_loss
from training.localize.recipe import LocalizeRecipe
from training.localize.rounds import Rounds, _drifts, main
from training.localize.views import VIEWS, turned, unturned
from training.pretrain import main as pretrain
from training.state import load_state

CONFIGS = Path(__file__).resolve().parents[2] / "training" / "configs"
GROUND, HOUSE, POND = (80, 130, 65), (112, 118, 74), (70, 118, 96)  # little contrast: the start must not be perfect


def recipe(**changed: object) -> LocalizeRecipe:
    raw = {
        "name": "t", "run": "r", "sets": {"s": {"shards": ["x.tar"], "size": 64}}, "pairs": {"s": 1},
        "scenes": {"s": 8}, "classes": {"house": ["a house"], "pond": ["a pond"]},
    }  # fmt: skip
    return LocalizeRecipe.from_dict({**raw, **changed})


# ---- labels -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", range(VIEWS))
def test_every_orientation_is_undone(view: int) -> None:
    x = torch.arange(25.0).reshape(1, 5, 5)
    torch.testing.assert_close(unturned(turned(x, view), view), x)
    others = [turned(x, v) for v in range(VIEWS) if v != view]
    assert not any(torch.equal(turned(x, view), o) for o in others)


def test_the_gate_takes_clear_winners_and_the_best_of_each_class() -> None:
    whole = np.array([[0.5, 0.3, 0.2], [0.31, 0.3, 0.2], [0.2, 0.3, 0.4], [0.1, 0.35, 0.4]], np.float32)
    assert np.argwhere(gate(whole, 2, 0.1, 0.0)).tolist() == [[0, 0]]
    best = gate(whole, 2, 0.1, 0.25)
    assert best[:, 1].tolist() == [False, False, False, True] and best[:, 0].tolist() == [True, False, False, False]


def maps(p: np.ndarray, agree: np.ndarray | None = None) -> Maps:
    p = p.astype(np.float32)
    return Maps(p, (p >= 0.5).astype(np.float32) if agree is None else agree.astype(np.float32), np.zeros((len(p), 3)))


def test_labels_need_certainty_agreement_and_a_sensible_size() -> None:
    r, everyone = recipe(min_component=4, area=(0.05, 0.6)), np.ones((1, 2), bool)
    p = np.full((1, 2, 8, 8), 0.5)
    p[0, 0, :4, :4], p[0, 0, 6, 6], p[0, 0, 4:, :4] = 0.9, 0.9, 0.1  # a block, a speck, sure background
    labels = make_labels(maps(p), everyone, r)
    assert (labels[0, 0, :4, :4] == 1).all() and labels[0, 0, 6, 6] == IGNORE and (labels[0, 0, 4:, :4] == 0).all()
    assert (labels[0, 0, :4, 4:] == IGNORE).all() and (labels[0, 1] == IGNORE).all()
    agree = np.where(p >= 0.5, 0.6, 0.0)  # five of eight views: too few
    assert not (make_labels(maps(p, agree), everyone, r) == 1).any()
    assert (make_labels(maps(p), ~everyone, r) == IGNORE).all()
    p[0, 0] = 0.9  # everything: nothing is learned from it
    assert (make_labels(maps(p), everyone, r) == IGNORE).all()


def test_changes_count_labels_that_came_went_or_turned() -> None:
    before = np.array([[[[1, 0, -1, -1]]]], np.int8)
    assert changes(before, before) == 0
    assert changes(before, np.array([[[[1, 1, 0, -1]]]], np.int8)) == pytest.approx(2 / 3)
    assert changes(np.full_like(before, -1), np.full_like(before, -1)) == 0
    told = coverage(before)
    assert told["masks"] == 1 and told["positives"] == 1 and told["mean_area"] == 0.25


def test_steady_growth_of_the_masks_is_a_drift() -> None:
    assert _drifts([0.1, 0.12, 0.14, 0.17]) and _drifts([0.3, 0.2, 0.15, 0.1])
    assert not _drifts([0.1, 0.12, 0.11, 0.17]) and not _drifts([0.1, 0.2, 0.3])
    assert not _drifts([0.1, 0.101, 0.102, 0.103])


# ---- losses -----------------------------------------------------------------------------------------------------


def prompts(log_rivals: list[list[float]]) -> Prompts:
    return Prompts(torch.eye(3), torch.tensor(log_rivals), 5.0)


def test_competition_is_a_softmax_without_synonyms() -> None:
    inf = float("inf")
    scores = torch.tensor([0.3, 0.1, 0.2])
    log_p = prompts([[0.0, 0.0, 0.0], [0.0, 0.0, -inf]]).competition(scores)
    z = (5 * scores).exp()
    torch.testing.assert_close(log_p.exp(), torch.stack([z[0] / z.sum(), z[1] / (z[0] + z[1])]))


def tiny() -> Mammut:
    torch.manual_seed(0)
    model = Mammut(load_config("tiny"))
    with torch.no_grad():
        model.visual.pool.query.normal_()
    return model.eval()


def test_a_region_over_everything_is_the_image_and_a_small_one_is_not() -> None:
    model, x = tiny(), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        tokens = model.visual.grid(x)[0]
        whole = torch.ones(2, 4, 4, dtype=torch.bool)
        everything = pool_regions(model.visual.pool, tokens, torch.tensor([0, 1]), whole)
        torch.testing.assert_close(everything, model.encode_image(x), atol=1e-5, rtol=1e-4)
        one = torch.zeros(1, 4, 4, dtype=torch.bool)
        one[0, 1, 2] = True
        value = model.visual.smooth(x, 1)[1, 1, 2]
        torch.testing.assert_close(pool_regions(model.visual.pool, tokens, torch.tensor([1]), one)[0], value)


def test_losses_fall_as_maps_come_to_agree_with_the_labels() -> None:
    rivals = prompts([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    labels = torch.full((1, 2, 2, 2), IGNORE, dtype=torch.int8)
    labels[0, 0, 0], labels[0, 0, 1] = 1, 0
    good, bad = torch.zeros(1, 2, 2, 3), torch.zeros(1, 2, 2, 3)
    good[0, 0, :, 0], good[0, 1, :, 2] = 1, 1
    bad[0, 1, :, 0], bad[0, 0, :, 2] = 1, 1
    bias = torch.zeros(())
    costs = [token_loss(z, labels, rivals, bias).item() for z in (good, bad)]
    sure = 1 / (1 + 2 * np.exp(-5))
    unsure = 1 / (1 + np.exp(5) + 1)
    assert costs[0] == pytest.approx(-(np.log(sure) + np.log(1 - unsure)) / 2, rel=1e-4) and costs[1] > 3
    model = tiny()
    tokens = model.visual.grid(torch.randn(1, 3, 64, 64))[0].detach().requires_grad_()
    wide = Prompts(torch.nn.functional.normalize(torch.randn(3, 32), dim=-1), torch.zeros(2, 3), 5.0)
    nothing = torch.full((1, 2, 4, 4), IGNORE, dtype=torch.int8)
    assert region_loss(model.visual.pool, tokens, nothing, wide).item() == 0
    assert token_loss(model.visual.pool.smooth(tokens, 3), nothing, wide, bias).item() == 0
    nothing[0, 1, 1:3, 1:3] = 1
    region_loss(model.visual.pool, tokens, nothing, wide).backward()
    assert tokens.grad is not None
    touched = tokens.grad[0].abs().sum(-1) > 0
    assert touched[1:3, 1:3].all() and touched.sum() == 4  # what lies outside of the mask has no say


# ---- recipes ----------------------------------------------------------------------------------------------------


def test_recipes_say_what_is_wrong() -> None:
    for changed, said in (
        ({"colourr": 1}, "colourr"),
        ({"scenes": {"nowhere": 3}}, "nowhere"),
        ({"held_out": ["pond"]}, "holds out"),
        ({"pair_batch": 8, "scene_batch": 16}, "half"),
        ({"classes": {"house": []}}, "phrase"),
    ):
        with pytest.raises(UsageError, match=said):
            recipe(**changed)
    assert LocalizeRecipe.from_dict(recipe().to_dict()) == recipe()
    shipped = LocalizeRecipe.load(CONFIGS / "localize.yaml", ["dev.roads.sample=3", "rounds=1"])
    assert shipped.dev["roads"].sample == 3 and shipped.rounds == 1 and shipped.held_out
    with pytest.raises(UsageError, match="key=value"):
        LocalizeRecipe.load(CONFIGS / "localize.yaml", ["dev.nothing.sample=3"])


# ---- rounds -----------------------------------------------------------------------------------------------------


def scene(rng: np.random.Generator, kind: str, side: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """A picture and its truth: 1 where a house or a pond lies on grass."""
    truth = np.zeros((side, side), np.uint8)
    h, w = rng.integers(20, 36, size=2)
    y, x = rng.integers(0, side - h), rng.integers(0, side - w)
    if kind != "meadow":
        truth[y : y + h, x : x + w] = 1
    image = np.where(truth[..., None] == 1, HOUSE if kind == "house" else POND, GROUND)
    return np.clip(image + rng.normal(0, 30, (side, side, 3)), 0, 255).astype(np.uint8), truth


SAID = {
    "house": ["a house", "a red house on grass", "grass around a house"],
    "pond": ["a pond", "a blue pond in grass", "grass around a pond"],
    "meadow": ["grass", "nothing but green grass", "a meadow"],
}


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that knows houses and ponds by their images' captions alone, and scenes to measure it on."""
    folder = tmp_path_factory.mktemp("localize")
    rng = np.random.default_rng(0)
    kinds = list(SAID)
    train, masks = {}, {}
    for i in range(96):
        image, _ = scene(rng, kinds[i % 3])
        train |= {f"{i:03}.png": encode(image), f"{i:03}.json": json.dumps({"captions": SAID[kinds[i % 3]]}).encode()}
    for kind in ("house", "pond"):
        for i in range(10):
            image, truth = scene(rng, kind)
            masks |= {f"{kind}/images/{i}.png": encode(image), f"{kind}/masks/{i}.png": encode(truth)}
    write_tar(folder / "train.tar", train)
    for kind in ("house", "pond"):
        write_tar(folder / f"{kind}.tar", {n.partition("/")[2]: b for n, b in masks.items() if n.startswith(kind)})
    config = load_config("tiny").to_dict()
    config["vision_cfg"] |= {"patch_size": 8, "image_size": 64}
    (folder / "model.json").write_text(json.dumps(config))
    raw = {
        "name": "start", "model": str(folder / "model.json"), "precision": "fp32", "seed": 1,
        "sets": {"s": {"shards": [str(folder / "train.tar")], "size": 64, "text": "sentences"}},
        "stages": [{"name": "one", "steps": 40, "batch": 24, "mixture": {"s": 1}, "soft_weight": 0, "anchor_weight": 0,
                    "caption_weight": 0, "lr": {"new": 0.002, "trunk": 0.001, "text": 0.0005}, "augment": 0.3}],
    }  # fmt: skip
    (folder / "start.yaml").write_text(yaml.safe_dump(raw))
    patch = pytest.MonkeyPatch()
    patch.setenv("RSVLM_CACHE", str(folder / "cache"))
    assert pretrain(["--config", str(folder / "start.yaml"), "--out", str(folder / "start")]) == 0
    patch.undo()
    return folder


def written(folder: Path, **changed: object) -> Path:
    raw = {
        "name": "rounds", "run": str(folder / "start"), "seed": 0,
        "sets": {"s": {"shards": [str(folder / "train.tar")], "size": 64, "text": "sentences"}},
        "pairs": {"s": 1}, "scenes": {"s": 96}, "held_out": ["pond"],
        "classes": {"house": ["a house", "a red house"], "grass": ["grass", "green grass"]},
        "dev": {
            "houses": {"images": [str(folder / "house.tar")], "texts": ["house"], "gsd": 1.0},
            "ponds": {"images": [str(folder / "pond.tar")], "texts": ["pond"], "gsd": 1.0},
        },
        "validation": [str(folder / "train.tar")], "rounds": 2, "steps": 25, "pair_batch": 16, "scene_batch": 16,
        "size": 64, "zoom": [0.9, 1.0], "high": 0.6, "low": 0.4, "lr": {"new": 0.0005, "trunk": 0.0003},
        "save_every": 10, "max_recall_loss": 5.0,
    }  # fmt: skip
    path = folder / f"rounds-{len(list(folder.glob('rounds-*.yaml')))}.yaml"
    path.write_text(yaml.safe_dump({**raw, **changed}))
    return path


def records(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]


def test_rounds_help_where_the_truth_is_known(
    start: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RSVLM_CACHE", str(start / "cache"))
    out = start / "helped"
    assert main(["--config", str(written(start)), "--out", str(out)]) == 0
    told = json.loads(capsys.readouterr().out)
    measured = [r for r in records(out) if "houses.house.ap" in r]
    assert told["kept_round"] >= 1
    assert told["houses.house.ap"] > measured[0]["houses.house.ap"] + 0.02
    assert told["houses.house.iou"] > measured[0]["houses.house.iou"] + 0.02
    assert measured[0]["iou"] == measured[0]["houses.house.iou"]  # ponds are held out: measured, but not chosen by
    assert "ponds.pond.ap" in measured[-1] and "mean_recall" in measured[-1]
    assert any(r.get("masks", 0) > 10 for r in records(out))
    # The text tower stays, and what the product loads is what was measured.
    before, after = (load_state(start / n / "state.pt")["average"] for n in ("start", "helped"))
    moved = {k for k in after if not torch.equal(before[k], after[k])}
    assert moved and all(k.startswith("visual.") for k in moved)
    drift = export(out, start / "exported", "mine")
    assert min(drift.values()) > 0.98
    model, _ = load_mammut(start / "exported")
    kept, state = load_run(out)
    assert model.cfg == kept.cfg and [s["name"] for s in state["recipe"]["stages"]] == ["one", "localize"]


def test_a_stopped_run_goes_on_to_the_same_end(start: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RSVLM_CACHE", str(start / "cache"))
    config = written(start, dev={}, validation=[], rounds=2, steps=4, save_every=3)
    assert main(["--config", str(config), "--out", str(start / "whole")]) == 0
    run = Rounds(LocalizeRecipe.load(config), start / "parts", resume=False)
    real, calls = run._image_loss, []

    def stopping(*args: object) -> torch.Tensor:
        calls.append(1)
        if len(calls) == 6:  # the second step of the second round
            run.request_stop()
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(run, "_image_loss", stopping)
    with pytest.raises(Stopped, match="--resume"):
        run.train()
    assert main(["--config", str(config), "--resume", str(start / "parts")]) == 0
    a, b = (load_state(start / n / "state.pt") for n in ("whole", "parts"))
    for key, value in a["average"].items():
        torch.testing.assert_close(value, b["average"][key], rtol=0, atol=0, msg=key)
    assert a["done"] and b["done"] and a["best"] == b["best"] == 2
    assert main(["--config", str(config), "--out", str(start / "whole")]) == 2  # a run is not overwritten


def test_a_round_that_does_not_help_is_told_and_undone(
    start: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RSVLM_CACHE", str(start / "cache"))
    out = start / "harmed"
    # A learning rate that wrecks the model.
    config = written(start, lr={"new": 0.3, "trunk": 0.3}, rounds=2, steps=6, ema=0.1)
    assert main(["--config", str(config), "--out", str(out)]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["kept_round"] == 0 and "no round helped" in captured.err
    last = records(out)
    assert any(r.get("helped") is False for r in last) and last[-1]["kept"] == 0
    before, after = (load_state(start / n / "state.pt")["average"] for n in ("start", "harmed"))
    assert all(torch.equal(before[k], after[k]) for k in before)


def test_rounds_start_from_a_models_folder_and_stop_where_the_teacher_is_sure_of_nothing(
    start: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RSVLM_CACHE", str(start / "cache"))
    export(start / "start", start / "folder", "mine")
    config = written(start, run=str(start / "folder"), dev={}, validation=[], high=1.1)
    assert main(["--config", str(config), "--out", str(start / "unsure")]) == 0
    assert "sure of nothing" in capsys.readouterr().err
    assert export(start / "unsure", start / "again", "again")["image_cosine"] > 0.98
    assert main(["--config", str(config), "--out", str(start / "nowhere"), "run=/nowhere"]) == 2
