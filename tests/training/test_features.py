"""Cached features are what the trunk gives; frozen text towers read once; what is left out stays out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rsvlm_core.errors import UsageError
from rsvlm_core.model.config import MammutConfig, load_config
from rsvlm_core.model.encoder import ModelInfo
from rsvlm_core.model.mammut import Mammut
from rsvlm_core.model.tokenizer import load_tokenizer
from tests.training.test_pretrain import recipe_file, shard  # noqa: F401  (a fixture)
from training.bank import ImageBank, names
from training.batches import Batches
from training.data.shards import read_samples
from training.features import FeatureBank
from training.objective import Objective, Passes
from training.pretrain import Run, main
from training.recipe import SetSpec, load_recipe
from training.sentences import SentenceVectors
from training.state import load_state


@pytest.fixture(scope="module")
def small_trunk() -> Mammut:
    tiny = load_config("tiny")
    vision = replace(tiny.vision, timm_model_name="tf_efficientnet_lite0", token_width=32, pool_heads=2)
    torch.manual_seed(0)
    return Mammut(MammutConfig(**{**tiny.__dict__, "vision": vision})).eval()

CONFIGS = Path(__file__).resolve().parents[2] / "training" / "configs"


def test_cached_maps_are_the_trunks(small_trunk: Mammut, tmp_path: Path):
    bank = ImageBank(SetSpec([str(shard(tmp_path / "t.tar", 6))], 64), tmp_path / "banks")
    arguments = (small_trunk, bank, 2, 64, 64, tmp_path / "features", "t", 1)
    before = {k: v.clone() for k, v in small_trunk.state_dict().items()}
    lower, pooled = FeatureBank(*arguments).maps, FeatureBank(*arguments, pooled=True).maps
    assert [m.shape[:3] for m in lower] == [(6, 4, 4)] * 2 and [m.shape for m in pooled] == [(6, 1, 1, 1280)] * 2
    maps = torch.from_numpy(lower[1].astype(np.float32)).permute(0, 3, 1, 2)
    visual = small_trunk.visual
    torch.nn.init.normal_(visual.to_tokens[0].weight)
    with torch.no_grad():
        whole = visual.pool(visual.grid_of_lower(maps).flatten(1, 2))
        mean = visual.grid_of_pooled(torch.from_numpy(pooled[1].astype(np.float32)).permute(0, 3, 1, 2))
        torch.testing.assert_close(visual.pool(mean.flatten(1, 2)), whole, atol=5e-3, rtol=5e-3)
    assert np.abs(lower[0].astype(np.float32) - lower[1].astype(np.float32)).max() > 0.01  # views differ
    trunk = {k: v for k, v in small_trunk.state_dict().items() if "trunk" in k}
    assert all(torch.equal(v, before[k]) for k, v in trunk.items())  # batch norm's statistics too
    again = FeatureBank(*arguments[:2], 3, *arguments[3:])
    assert [m.filename for m in again.maps[:2]] == [m.filename for m in lower]
    with torch.no_grad():  # the first view is the image as it is
        plain = visual.trunk.lower(visual.normalise(torch.from_numpy(bank.images[:]).permute(0, 3, 1, 2)))
    torch.testing.assert_close(
        torch.from_numpy(lower[0].astype(np.float32)).permute(0, 3, 1, 2), plain, atol=0.02, rtol=0.02
    )


def test_the_lower_part_runs_the_same_outside_torch(small_trunk: Mammut):
    from training.features import lower_runner

    x = torch.rand(3, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(
            lower_runner(small_trunk.visual.trunk, 64)(x), small_trunk.visual.trunk.lower(x), atol=1e-4, rtol=1e-4
        )


def test_sentence_vectors_are_kept_for_runs_of_the_same_weights(tmp_path: Path):
    model = Mammut(load_config("tiny")).eval()
    tokenizer = load_tokenizer(model.cfg.text.tokenizer, None)
    texts = ["a", "a long red field beside the river", "a"]
    first = SentenceVectors(model.text, tokenizer, 32, folder=tmp_path)
    vectors = first(texts, torch.device("cpu"))
    alone = SentenceVectors(model.text, tokenizer, 32)
    torch.testing.assert_close(alone(texts[:1], torch.device("cpu"))[0], vectors[0], rtol=0, atol=0)  # no companions
    first.keep()
    again = SentenceVectors(model.text, tokenizer, 32, folder=tmp_path)
    assert sorted(again._known) == sorted(set(texts))
    torch.testing.assert_close(again(texts, torch.device("cpu")), vectors, rtol=0, atol=0)
    assert again.reads_like(model.text)
    with torch.no_grad():
        model.text.blocks[0].up.bias += 1
    changed = SentenceVectors(model.text, tokenizer, 32, folder=tmp_path)
    assert not changed._known and (changed(texts, torch.device("cpu")) - vectors).abs().max() > 1e-3


def test_a_frozen_text_tower_is_read_once(recipe_file: Path, tmp_path: Path):  # noqa: F811
    still = ["stages.0.freeze=[text]", "stages.0.cached_texts=2"]
    run = Run(load_recipe(recipe_file, still), tmp_path / "r", resume=False)
    from training.optim import parameter_groups

    stage = run.recipe.stages[0]
    parameter_groups(run.model, stage)
    run.objective.start_stage(stage)
    assert isinstance(run.objective.frozen_text, SentenceVectors)
    texts = {t for step in range(40) for t in run.batches.batch(0, step).texts}
    assert len(texts) <= 2 * 24
    parameter_groups(run.model, run.recipe.stages[1])
    run.objective.start_stage(run.recipe.stages[1])
    assert run.objective.frozen_text is None


def test_a_stage_that_learns_captions_alone_leaves_every_vector_as_it_is(recipe_file: Path, tmp_path: Path):  # noqa: F811
    words = load_recipe(CONFIGS / "small.yaml").stages[-1]
    still = [f"stages.0.freeze={list(words.freeze)}".replace("'", ""), "stages.0.caption_weight=1.0"]
    still += ["stages.0.caption_fraction=1.0", "stages.0.steps=3"]
    still += ["stages.0.ema=0.0", "stages.1.steps=0", "stages.0.cached_texts=2"]
    run = Run(load_recipe(recipe_file, still), tmp_path / "r", resume=False)
    before = {k: v.clone() for k, v in run.model.state_dict().items()}
    run.train()
    assert isinstance(run.objective.frozen_text, SentenceVectors), "sentences are read once all the same"
    moved = {k for k, v in run.model.state_dict().items() if not torch.equal(v, before[k])}
    assert any("cross" in k for k in moved) and any(k.endswith("gate") for k in moved) and "text.vocab_bias" in moved
    of_captions = ("cross", "gate", "from_image", "to_vocab", "vocab_bias")
    assert all(any(part in k for part in of_captions) for k in moved)


class Teacher:
    """Vectors that know the colour of an image and of a text."""

    info = ModelInfo("t", "", 3, 32, 32, (0.3, 1.0), 20.0)

    def encode_images(self, images):
        z = images.reshape(len(images), -1, 3).mean(1).astype(np.float32)
        return z / np.linalg.norm(z, axis=1, keepdims=True)

    def encode_texts(self, texts):
        z = np.array([[c in t for c in ("red", "green", "blue")] for t in texts], np.float32) + 0.1
        return z / np.linalg.norm(z, axis=1, keepdims=True)


def test_distillation_moves_relations_towards_the_teachers(recipe_file: Path, tmp_path: Path):  # noqa: F811
    run = Run(load_recipe(recipe_file), tmp_path / "r", resume=False)
    objective = Objective(Passes(run.model), run.model, run.tokenizer, None, run.device, None)
    objective.distil = Teacher()
    stage = replace(run.recipe.stages[0], distill_weight=5.0, caption_weight=0.0, lr={"trunk": 1e-3, "new": 1e-3})
    optimizer = torch.optim.Adam(run.model.parameters(), 1e-3)
    seen = []
    for step in range(25):
        optimizer.zero_grad()
        seen.append(objective.step(run.batches.batch(0, step), stage, step)["distill"])
        optimizer.step()
    assert np.mean(seen[-5:]) < 0.6 * np.mean(seen[:5])
    with pytest.raises(UsageError, match="distils"):
        load_recipe(recipe_file, ["stages.0.distill_weight=1"])


def test_places_and_what_is_in_view_can_be_left_out(tmp_path: Path):
    import json

    from tests.training.scenes import encode, write_tar

    image = encode(np.zeros((8, 8, 3), np.uint8))
    files = {}
    for i in range(40):
        files[f"{i}.png"] = image
        files[f"{i}.json"] = json.dumps({"class": "x", "lat": 28.0 + i * 0.03, "lon": 77.0}).encode()
    tar = write_tar(tmp_path / "p.tar", files)
    counts = [len(ImageBank(SetSpec([str(tar)], 8, test_fold=k), tmp_path / "b")) for k in range(5)]
    assert all(0 < c < 40 for c in counts) and 100 < sum(counts) <= 160
    park = write_tar(tmp_path / "q.tar", {"a.png": image, "a.json": b'{"fractions": {"park": 0.2, "water": 0.0}}'})
    (sample,) = read_samples([park])
    assert names(sample.meta, ["park"]) and not names(sample.meta, ["water"])


def test_held_out_words_are_never_drawn(recipe_file: Path, tmp_path: Path):  # noqa: F811
    recipe = load_recipe(recipe_file, ["sets.fields.exclude=[red]"])
    batches = Batches(recipe, tmp_path / "cache", 64)
    assert len(batches.rows["fields"]) == 18 and len(batches.banks["fields"]) == 24
    assert not any("red" in t.split() for step in range(20) for t in batches.batch(0, step).texts)


def test_a_pooled_stage_trains_heads_alone(recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # noqa: F811
    import json

    tiny = json.loads((Path(load_config.__code__.co_filename).parent / "configs" / "tiny.json").read_text("utf-8"))
    tiny["vision_cfg"] |= {"timm_model_name": "tf_efficientnet_lite0", "token_width": 32, "pool_heads": 2}
    (tmp_path / "conv.json").write_text(json.dumps(tiny))
    cached = ["cached_views=2", "cached_level=pooled", "freeze=[visual.trunk]", "caption_weight=0.0"]
    more = [f"model={tmp_path / 'conv.json'}", "validation=[]", "stages.1.steps=1",
            *(f"stages.0.{o}" for o in cached)]  # fmt: skip
    assert main(["--config", str(recipe_file), "--out", str(tmp_path / "r"), *more]) == 0
    run = Run(load_recipe(recipe_file, more), tmp_path / "start", resume=False)
    after = load_state(tmp_path / "r" / "stage-0.pt")["model"]
    start = run.model.state_dict()
    moved = {k for k in after if not torch.equal(after[k], start[k])}
    assert any(k.startswith("visual.pool") for k in moved) and not any("trunk" in k for k in moved)
