"""Training runs and data set builders killed at any moment: going on ends like a run that was never killed."""

from __future__ import annotations

import json
import random
import shutil

import numpy as np
import pytest
import torch
import yaml

from tests.training.scenes import encode, write_tar
from tests.trust import scale
from tests.trust.content import content
from tests.trust.scene import write
from training.state import load_state

COLOURS = {"red": (200, 40, 40), "green": (40, 160, 60), "blue": (40, 60, 200), "grey": (120, 120, 120)}


@pytest.fixture
def recipe(tmp_path):
    """A tiny model, sixteen pairs, three steps."""
    files, rng = {}, np.random.default_rng(0)
    for i in range(16):
        name = list(COLOURS)[i % 4]
        image = np.clip(np.array(COLOURS[name]) + rng.normal(0, 20, (64, 64, 3)), 0, 255).astype(np.uint8)
        files[f"{i}.png"] = encode(image)
        files[f"{i}.json"] = json.dumps({"captions": [f"a {name} field", f"{name} ground seen from above"]}).encode()
    data = write_tar(tmp_path / "train.tar", files)
    raw = {
        "name": "t", "model": "tiny", "seed": 3, "precision": "fp32", "log_every": 1, "save_every": 1,
        "sets": {"fields": {"shards": [str(data)], "size": 64}},
        "stage_defaults": {"batch": 4, "mixture": {"fields": 1}, "soft_weight": 0.0, "anchor_weight": 0.0},
        "stages": [{"name": "one", "steps": 2, "caption_weight": 0.0}, {"name": "two", "steps": 1}],
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


def moments(whole, tries):
    """Operations and times to kill at."""
    chance = random.Random(11)
    named = chance.sample(range(whole["operations"]), min(whole["operations"], tries))
    clock = [chance.uniform(0, whole["seconds"]) for _ in range(2)]
    return [*({"kill_at": n} for n in named), *({"kill_after_s": s} for s in clock)]


def test_pretrain(torch_forge, recipe, tmp_path):
    env = {"RSVLM_CACHE": str(tmp_path / "cache")}
    out = tmp_path / "run"
    argv = ["--config", str(recipe), "--out", str(out)]
    whole = torch_forge("pretrain", argv, env=env, watch=str(tmp_path))
    assert whole["status"] == 0, whole
    right = load_state(out / "state.pt")["average"]
    kills = 0
    for moment in scale.within(0.04, moments(whole, scale.pick(5, 150))):
        shutil.rmtree(out)
        shutil.rmtree(tmp_path / "cache")
        watch = {"watch": str(tmp_path)} if "kill_at" in moment else {}
        kills += torch_forge("pretrain", argv, env=env, **moment, **watch)["status"] == -9
        state = out / "state.pt"
        if state.exists():
            load_state(state)  # whole, whenever it is there
        go_on = ["--config", str(recipe), "--resume", str(out)] if state.exists() else argv
        again = torch_forge("pretrain", go_on, env=env)
        assert again["status"] == 0, (moment, again)
        for key, value in load_state(state)["average"].items():
            torch.testing.assert_close(value, right[key], rtol=0, atol=0, msg=f"{key} after {moment}")
    scale.count("kills survived (training)", kills)
    assert kills


def test_pretrain_on_a_full_disk(torch_forge, recipe, tmp_path):
    """Wherever a write fails: one line, no half state, and going on ends like a run that had room."""
    env, out = {"RSVLM_CACHE": str(tmp_path / "cache")}, tmp_path / "run"
    argv = ["--config", str(recipe), "--out", str(out)]
    assert torch_forge("pretrain", argv, env=env)["status"] == 0
    right = load_state(out / "state.pt")["average"]
    largest = max(p.stat().st_size for folder in (out, tmp_path / "cache") for p in folder.rglob("*") if p.is_file())
    refused = 0
    for size in [300, 5_000, 100_000, 250_000, largest // 2, largest - 1]:
        shutil.rmtree(out)
        shutil.rmtree(tmp_path / "cache")
        full = torch_forge("pretrain", argv, env=env, file_limit=size)
        assert full["status"] == 2 and "Traceback" not in full["err"], (size, full)
        said = [line for line in full["err"].splitlines() if line.startswith("training.pretrain")]
        assert len(said) == 1 and "space" in said[0], full["err"]
        refused += 1
        state = out / "state.pt"
        assert not list(out.glob(".state*")), "half a state is left"
        go_on = ["--config", str(recipe), "--resume", str(out)] if state.exists() else argv
        assert torch_forge("pretrain", go_on, env=env)["status"] == 0
        for key, value in load_state(state)["average"].items():
            torch.testing.assert_close(value, right[key], rtol=0, atol=0, msg=f"{key} after {size}")
    scale.count("full disks survived", refused)


@pytest.fixture
def builder(tmp_path):
    """The arguments of a small `rs_landmarks`, and its output."""
    import geopandas as gpd
    from shapely.geometry import box

    raster, places, out = write(tmp_path / "r.tif"), tmp_path / "p.gpkg", tmp_path / "set"
    shapes = [box(500004, 5399970, 500020, 5399990), box(500034, 5399966, 500054, 5399986)]
    gpd.GeoDataFrame({"class": ["pond", "barn"]}, geometry=shapes, crs="EPSG:32633").to_file(places)
    argv = ["rs_landmarks", "--imagery", str(raster), "--landmarks", str(places), "--out", str(out), "--gsd", "0.5",
            "--size", "32", "--per-shard", "3"]
    return argv, out


def test_build_on_a_full_disk(torch_forge, builder, tmp_path):
    """Wherever a write fails: one line, no half shard, and the same command with room ends as it should."""
    (argv, out), env = builder, {"RSVLM_CACHE": str(tmp_path / "cache")}
    assert torch_forge("build", argv, env=env)["status"] == 0
    right = {k: v for k, v in content(out).items() if k.endswith(".tar")}
    largest = max(p.stat().st_size for p in out.rglob("*") if p.is_file())
    refused = 0
    for size in [1_000, 3_000, 8_000, largest // 2, largest - 1]:
        shutil.rmtree(out)
        full = torch_forge("build", argv, env=env, file_limit=size)
        assert full["status"] == 2 and "Traceback" not in full["err"], (size, full)
        said = [line for line in full["err"].splitlines() if line.startswith("error:")]
        assert len(said) == 1 and "cannot be w" in said[0], full["err"]
        refused += 1
        assert not [p for p in out.rglob(".*") if p.is_file()], "half a shard is left"
        for name, data in content(out).items() if out.exists() else ():
            assert name not in right or data == right[name], (name, size)
        assert torch_forge("build", argv, env=env)["status"] == 0
        assert {k: v for k, v in content(out).items() if k.endswith(".tar")} == right, size
    scale.count("full disks survived", refused)


def test_build(torch_forge, builder, tmp_path):
    """`rs_landmarks`: shards appear whole, and the same command again gives the same bytes."""
    (argv, out), env = builder, {"RSVLM_CACHE": str(tmp_path / "cache")}
    whole = torch_forge("build", argv, env=env, watch=str(out))
    assert whole["status"] == 0, whole
    right = {k: v for k, v in content(out).items() if k.endswith(".tar")}
    assert right
    kills = 0
    for i, moment in enumerate(scale.within(0.04, moments(whole, scale.pick(6, 200)))):
        if i % 2:
            shutil.rmtree(out)
        watch = {"watch": str(out)} if "kill_at" in moment else {}
        kills += torch_forge("build", argv, env=env, **moment, **watch)["status"] == -9
        for name, data in content(out).items() if out.exists() else ():
            assert name not in right or data == right[name], (name, moment)
        assert torch_forge("build", argv, env=env)["status"] == 0
        assert {k: v for k, v in content(out).items() if k.endswith(".tar")} == right, moment
    scale.count("kills survived (training)", kills)
    assert kills
