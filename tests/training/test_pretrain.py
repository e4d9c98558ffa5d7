"""Training runs on tiny models: resuming is exact, chunks and processes change nothing, files are whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from rsvlm_core.errors import DataError, UsageError
from rsvlm_core.model.checkpoint import load_mammut
from tests.training.scenes import encode, write_tar
from training.augment import View, colour, random_view, take_views
from training.bank import ImageBank
from training.batches import Batches
from training.export import embedding_drift, export, load_run
from training.pretrain import Run, main
from training.recipe import Recipe, SetSpec, load_recipe
from training.state import load_state

REPO = Path(__file__).resolve().parents[2]
COLOURS = {"red": (200, 40, 40), "green": (40, 160, 60), "blue": (40, 60, 200), "grey": (120, 120, 120)}


def shard(path: Path, count: int = 24, size: int = 64) -> Path:
    rng = np.random.default_rng(len(path.name))
    files = {}
    for i in range(count):
        name = list(COLOURS)[i % 4]
        image = np.clip(np.array(COLOURS[name]) + rng.normal(0, 20, (size, size, 3)), 0, 255).astype(np.uint8)
        files[f"{i}.png"] = encode(image)
        files[f"{i}.json"] = json.dumps({"captions": [f"a {name} field", f"{name} ground seen from above"]}).encode()
    return write_tar(path, files)


@pytest.fixture
def recipe_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RSVLM_CACHE", str(tmp_path / "cache"))
    data = shard(tmp_path / "train.tar")
    raw = {
        "name": "t",
        "model": "tiny",
        "seed": 3,
        "precision": "fp32",
        "log_every": 1,
        "save_every": 2,
        "validation": [str(data)],
        "sets": {"fields": {"shards": [str(data)], "size": 64}},
        "stage_defaults": {"batch": 8, "mixture": {"fields": 1}, "soft_weight": 0.0, "anchor_weight": 0.0},
        "stages": [
            {"name": "one", "steps": 4, "caption_weight": 0.0},
            {"name": "two", "steps": 4, "lr": {"trunk": 0.001}},
        ],
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


def test_resumed_equals_uninterrupted(recipe_file: Path, tmp_path: Path):
    assert main(["--config", str(recipe_file), "--out", str(tmp_path / "whole")]) == 0
    recipe = load_recipe(recipe_file)

    class Interrupted(Exception):
        pass

    run = Run(recipe, tmp_path / "parts", resume=False)
    real, calls = run.objective.step, []

    def failing(*args, **kwargs):
        calls.append(1)
        if len(calls) == 6:  # within stage two, after a state that lies behind
            raise Interrupted
        return real(*args, **kwargs)

    run.objective.step = failing
    with pytest.raises(Interrupted):
        run.train()
    assert main(["--config", str(recipe_file), "--resume", str(tmp_path / "parts")]) == 0
    a, b = (load_state(tmp_path / n / "state.pt") for n in ("whole", "parts"))
    for key, value in a["average"].items():
        torch.testing.assert_close(value, b["average"][key], rtol=0, atol=0, msg=key)
    lines = [
        [json.loads(line) for line in (tmp_path / n / "metrics.jsonl").read_text().splitlines()]
        for n in ("whole", "parts")
    ]
    assert [(r["stage"], r["step"], r.get("contrastive")) for r in lines[0]] == [
        (r["stage"], r["step"], r.get("contrastive")) for r in lines[1]
    ]
    assert (tmp_path / "whole" / "curves.png").stat().st_size > 1000


def test_sigterm_saves_and_says_how_to_go_on(recipe_file: Path, tmp_path: Path):
    command = [
        sys.executable,
        "-m",
        "training.pretrain",
        "--config",
        str(recipe_file),
        "--out",
        str(tmp_path / "r"),
        "stages.0.steps=5000",
    ]
    child = subprocess.Popen(
        command, cwd=REPO, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    until = time.monotonic() + 120
    while not (tmp_path / "r" / "state.pt").exists():
        assert time.monotonic() < until and child.poll() is None
        time.sleep(0.2)
    child.send_signal(signal.SIGTERM)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 3 and "--resume" in said
    assert load_state(tmp_path / "r" / "state.pt")["step"] >= 2


def test_a_run_is_not_overwritten(recipe_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "state.pt").write_bytes(b"x")
    assert main(["--config", str(recipe_file), "--out", str(tmp_path / "r")]) == 2
    assert "already holds a run" in capsys.readouterr().err
    assert main(["--config", str(recipe_file), "--resume", str(tmp_path / "r")]) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert (tmp_path / "r" / "state.pt").read_bytes() == b"x"


def gradients(run: Run, accumulate: int) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    stage = load_recipe_stage(run, accumulate)
    run.model.eval()  # no dropout: chunks draw other masks than the whole batch
    run.model.zero_grad()
    values = run.objective.step(run.batches.batch(1, 0), stage, seed=1)
    return {n: p.grad.clone() for n, p in run.model.named_parameters() if p.grad is not None}, values


def load_recipe_stage(run: Run, accumulate: int):
    from dataclasses import replace

    return replace(run.recipe.stages[1], accumulate=accumulate, caption_fraction=1.0, caption_weight=0.0)


def test_chunks_give_the_gradients_of_the_whole_batch(recipe_file: Path, tmp_path: Path):
    run = Run(load_recipe(recipe_file), tmp_path / "r", resume=False)
    whole, a = gradients(run, 1)
    chunks, b = gradients(run, 4)
    assert a["contrastive"] == pytest.approx(b["contrastive"], rel=1e-5)
    for name, value in whole.items():
        torch.testing.assert_close(chunks[name], value, atol=2e-5, rtol=1e-3, msg=name)


@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_two_processes_learn_what_one_learns(recipe_file: Path, tmp_path: Path, kind: str):
    text = recipe_file.read_text().replace("batch: 8", "batch: 8\n  augment: 0.0\n  caption_fraction: 1.0")
    recipe_file.write_text(text)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    base = [
        "-m",
        "training.pretrain",
        "--config",
        str(recipe_file),
        "validation=[]",
        "stages.0.steps=2",
        "stages.1.steps=2",
    ]
    subprocess.run(
        [sys.executable, *base, "--out", str(tmp_path / "one")],
        cwd=REPO,
        check=True,
        env=environment,
        capture_output=True,
    )
    subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--nproc-per-node",
            "2",
            "--master-port",
            str(20000 + os.getpid() % 20000),
            *base,
            f"distributed={kind}",
            "--out",
            str(tmp_path / "two"),
        ],
        cwd=REPO,
        check=True,
        env=environment,
        capture_output=True,
    )
    a, b = (load_state(tmp_path / n / "state.pt")["model"] for n in ("one", "two"))
    start = load_state(tmp_path / "one" / "stage-0.pt")["model"]
    moved = sum(float((a[k] - start[k]).square().sum()) for k in a if a[k].dtype.is_floating_point)
    apart = sum(float((a[k] - b[k]).square().sum()) for k in a if a[k].dtype.is_floating_point)
    assert moved > 0 and apart < 0.05 * moved


def test_learning_separates_colours(recipe_file: Path, tmp_path: Path):
    assert (
        main(
            [
                "--config",
                str(recipe_file),
                "--out",
                str(tmp_path / "r"),
                "stages.0.steps=60",
                "log_every=20",
                "stages.1.steps=1",
                "save_every=1000",
            ]
        )
        == 0
    )
    records = [json.loads(line) for line in (tmp_path / "r" / "metrics.jsonl").read_text().splitlines()]
    losses = [r["contrastive"] for r in records if r["stage"] == 0 and "contrastive" in r]
    assert losses[-1] < losses[0] - 0.2


def test_a_run_starts_from_a_model_folder(recipe_file: Path, tmp_path: Path):
    assert main(["--config", str(recipe_file), "--out", str(tmp_path / "r"), "validation=[]"]) == 0
    export(tmp_path / "r", tmp_path / "m", "mine")
    more = ["stages.0.steps=1", "stages.1.steps=1", f"init={{weights: {tmp_path / 'm'}}}", "validation=[]"]
    assert main(["--config", str(recipe_file), "--out", str(tmp_path / "again"), *more]) == 0
    start, after = load_mammut(tmp_path / "m")[0].state_dict(), load_state(tmp_path / "again" / "state.pt")["model"]
    moved = max(float((start[k] - after[k]).abs().max()) for k in after if after[k].dtype.is_floating_point)
    assert 0 < moved < 0.01


def test_export_is_exact_within_quantisation(recipe_file: Path, tmp_path: Path):
    assert main(["--config", str(recipe_file), "--out", str(tmp_path / "r"), "validation=[]"]) == 0
    drift = export(tmp_path / "r", tmp_path / "m", "mine")
    assert min(drift.values()) > 0.99
    model, _ = load_run(tmp_path / "r")
    assert embedding_drift(model, load_mammut(tmp_path / "m")[0], tmp_path / "m") == drift
    assert "mine" in (tmp_path / "m" / "config.json").read_text()
    assert "Not for" in (tmp_path / "m" / "README.md").read_text()
    export(tmp_path / "r", tmp_path / "again", "mine")
    for path in (tmp_path / "m").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


# ---- recipes, banks, batches, views -----------------------------------------------------------------------------


def test_recipe_errors_name_the_place(recipe_file: Path):
    for override, said in (
        ("stages.0.stepps=3", "stepps"),
        ("nonsense", "key=value"),
        ("stages.7.steps=1", "does not fit"),
        ("stages.0.mixture={rivers: 1}", "rivers"),
    ):
        with pytest.raises(UsageError, match=said):
            load_recipe(recipe_file, [override])
    assert load_recipe(recipe_file, ["stages.0.steps=7"]).stages[0].steps == 7
    recipe = load_recipe(recipe_file)
    assert Recipe.from_dict(recipe.to_dict()) == recipe


def test_every_shipped_recipe_loads():
    for path in sorted((REPO / "training" / "configs").glob("*.yaml")):
        raw = yaml.safe_load(path.read_text())
        if "stages" in raw:
            load_recipe(path)


def test_bank_keeps_centres_and_leaves_out_held_out_words(tmp_path: Path):
    image = np.zeros((40, 80, 3), np.uint8)
    image[:, 20:60] = 200
    files = {
        "a.png": encode(image),
        "a.json": b'{"captions": ["two Rivers meet"]}',
        "b.png": encode(image),
        "b.json": b'{"captions": ["driverless"], "class": "port"}',
    }
    tar = write_tar(tmp_path / "s.tar", files)
    bank = ImageBank(SetSpec([str(tar)], 20, exclude=["rivers", "river"]), tmp_path / "cache")
    assert len(bank) == 1 and bank.meta[0]["class"] == "port"
    assert bank.images.shape == (1, 20, 20, 3) and bank.images[0].min() > 150
    with pytest.raises(DataError, match="No shards"):
        SetSpec([str(tmp_path / "x*.tar")]).paths()


def test_an_epoch_sees_every_image_once(recipe_file: Path, tmp_path: Path):
    batches = Batches(load_recipe(recipe_file), tmp_path / "cache", 64)
    seen = np.concatenate([batches.indices("fields", 0, step, 8) for step in range(6)])
    assert sorted(seen[:24]) == list(range(24)) and sorted(seen[24:]) == list(range(24))
    assert list(seen[:24]) != list(seen[24:])


def test_batches_repeat_and_split_over_processes(recipe_file: Path, tmp_path: Path):
    recipe = load_recipe(recipe_file)
    a, b = (Batches(recipe, tmp_path / "cache", 64).batch(0, 3) for _ in range(2))
    torch.testing.assert_close(a.images, b.images, rtol=0, atol=0)
    assert a.texts == b.texts and a.positives.diagonal().min() == 1
    halves = [Batches(recipe, tmp_path / "cache", 64, rank, 2).batch(0, 3) for rank in range(2)]
    assert [h.rows for h in halves] == [slice(0, 4), slice(4, 8)] and halves[0].texts == a.texts
    # which texts hold for which images: colour words must agree
    for i, text in enumerate(a.texts):
        for j, other in enumerate(a.texts):
            if a.positives[i, j]:
                assert {c for c in COLOURS if c in text} == {c for c in COLOURS if c in other}


def test_a_class_name_neither_draws_nor_repels_an_image_with_its_own_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    metas = [{"captions": [f"pond number {i}"], "class": "pond"} for i in range(24)]
    files = {
        f"{i}.{k}": v
        for i, m in enumerate(metas)
        for k, v in {"png": encode(np.zeros((32, 32, 3), np.uint8)), "json": json.dumps(m).encode()}.items()
    }
    raw = {
        "name": "n",
        "model": "tiny",
        "sets": {"s": {"shards": [str(write_tar(tmp_path / "n.tar", files))], "size": 32}},
        "stages": [{"name": "one", "steps": 1, "batch": 24, "mixture": {"s": 1}}],
    }
    batch = Batches(Recipe.from_dict(raw), tmp_path / "cache", 64).batch(0, 0)
    own = np.array(["number" in t for t in batch.texts])  # else the name of the class
    assert 0 < own.sum() < 24
    true, neutral = batch.positives.bool().numpy(), batch.neutral.numpy()
    assert true[:, ~own].all(), "a pond's name is true of every pond"
    np.testing.assert_array_equal(neutral, own[:, None] & ~own[None, :])
    raw["stages"][0]["neutral_names"] = False
    assert not Batches(Recipe.from_dict(raw), tmp_path / "cache", 64).batch(0, 0).neutral.any()


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("flip", [False, True])
def test_views_turn_and_flip_as_said(turns: int, flip: bool):
    image = np.random.default_rng(0).integers(0, 255, (1, 16, 16, 3), dtype=np.uint8)
    seen = take_views(image, [View(quarter_turns=turns, flip=flip)], 16)[0].permute(1, 2, 0).numpy() * 255
    candidates = [np.rot90(f, k) for f in (image[0], image[0][:, ::-1]) for k in range(4)]
    matches = [k for k, c in enumerate(candidates) if np.abs(c - seen).max() < 1]
    assert len(matches) == 1
    assert (matches[0] >= 4) == flip  # a pure turn is never a mirror image


def test_view_crops_the_stated_place():
    image = np.zeros((1, 32, 32, 3), np.uint8)
    image[0, 16:, :16] = 255
    seen = take_views(image, [View((-0.5, 0.5), (0.5, 0.5))], 16)
    assert seen.min() > 0.99
    rng = np.random.default_rng(0)
    for _ in range(50):
        view = random_view(rng, 1.0, high=1.0)
        assert all(abs(c) + h <= 1 + 1e-9 for c, h in zip(view.centre, view.half, strict=True) if h <= 1)


def test_colour_changes_little_and_keeps_range():
    x = torch.rand(8, 3, 32, 32)
    y = colour(x.clone(), np.random.default_rng(0), 1.0)
    assert y.min() >= 0 and y.max() <= 1 and 0.01 < (x - y).abs().mean() < 0.4
    assert colour(x, np.random.default_rng(0), 0.0) is x
