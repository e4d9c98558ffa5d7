"""Pixel alignment with tags and photos; cached features; recipes that ship."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from rsvlm_core.errors import UsageError
from rsvlm_core.model.checkpoint import save_mammut
from rsvlm_core.model.config import load_config
from rsvlm_core.model.folder import Card
from rsvlm_core.model.mammut import Mammut
from tests.training.scenes import encode, write_tar
from tests.training.test_build_ground_pairs import photograph, place
from training.align_ground import AlignRecipe, PhrasePool, align, tag_step
from training.bank import ImageBank
from training.build.commands import main as build
from training.export import load_run
from training.features import FeatureBank
from training.localize.start import load_start
from training.pretrain import main as pretrain
from training.recipe import SetSpec
from training.state import load_state
from training.tag_batches import TagBatches
from training.tags import Concepts, TagRule, box_plane, cell_tags, tag_loss

CONFIGS = Path(__file__).resolve().parents[2] / "training" / "configs"
CONCEPTS = Concepts.from_dict(
    {
        "road": {"phrases": ["road"]},
        "park": {"phrases": ["park"], "overlaps": ["grass"]},
        "grass": {"phrases": ["grass"]},
    }
)


def test_tags_of_labels_boxes_and_scenes():
    rule = TagRule(labels={0: ["grass", "park"], 1: ["road"]})
    labels = torch.zeros(8, 8)
    labels[:4, :4] = 1
    labels[4:, 4:6] = 1  # half a cell: unclear
    allowed, rivals, main, most = cell_tags(rule, CONCEPTS, labels, None, {}, 2)
    assert not rivals.any() and most.tolist() == [1, 1, 1]
    assert allowed[0, 0].tolist() == [True, False, False] and allowed[0, 1].tolist() == [False, True, True]
    assert not allowed[1, 1].any() and not main.any()
    scene = TagRule(classes={"meadow": {"main": ["grass"], "allowed": ["road"]}})
    allowed, _, main, _ = cell_tags(scene, CONCEPTS, None, None, {"class": "meadow"}, 2)
    assert allowed.all(-1).sum() == 0 and allowed[..., 2].all() and main.tolist() == [False, False, True]
    with pytest.raises(UsageError, match="rivers"):
        CONCEPTS.mask(["rivers"])


def test_boxes_lie_where_the_centre_square_puts_them():
    rule = TagRule(boxes={"car": ["road"], "van": ["road"]})
    meta = {"_size": (80, 40), "boxes": {"van": [[0.25, 0.0, 0.5, 0.5]], "car": [[0.75, 0.5, 1.0, 1.0]]}}
    plane = box_plane(rule, meta, 20)
    wanted = np.zeros((20, 20), np.uint8)
    wanted[:10, :10] = 2  # the second box lies outside the centre square
    np.testing.assert_array_equal(plane, wanted)


def test_tag_loss_is_cross_entropy_where_one_concept_is_allowed():
    logits = torch.tensor([[[[2.0, 1.0, 0.5]]]])
    allowed = torch.tensor([[[[True, False, False]]]])
    loss = tag_loss(logits, allowed, torch.zeros(1, 3, dtype=torch.bool), torch.zeros(3, 3, dtype=torch.bool))
    assert loss.item() == pytest.approx(-math.log(math.exp(2) / sum(map(math.exp, (2, 1, 0.5)))), rel=1e-5)


def test_balance_says_whether_cells_or_concepts_count_the_same():
    logits = torch.randn(1, 1, 8, 3, generator=torch.Generator().manual_seed(0))
    tags = torch.tensor([0] * 6 + [1, 2])  # six cells of one kind, one each of the others
    allowed = torch.nn.functional.one_hot(tags, 3).bool()[None, None]
    nothing, apart = torch.zeros(1, 3, dtype=torch.bool), torch.zeros(3, 3, dtype=torch.bool)
    cost = torch.nn.functional.cross_entropy(logits[0, 0], tags, reduction="none")
    of_concepts = (cost[:6].mean() + cost[6] + cost[7]) / 3
    assert tag_loss(logits, allowed, nothing, apart).item() == pytest.approx(of_concepts.item(), rel=1e-5)
    of_cells = tag_loss(logits, allowed, nothing, apart, balance=0.0)
    assert of_cells.item() == pytest.approx(cost.mean().item(), rel=1e-5)
    share = 6**-0.5
    between = (share * cost[:6].sum() + cost[6] + cost[7]) / (6 * share + 2)
    assert tag_loss(logits, allowed, nothing, apart, balance=0.5).item() == pytest.approx(between.item(), rel=1e-5)


def test_overlapping_concepts_do_not_compete():
    logits = torch.tensor([[[[0.0, 1.0, 9.0]]]])
    park = torch.tensor([[[[False, True, False]]]])
    loss = tag_loss(logits, park, torch.zeros(1, 3, dtype=torch.bool), torch.from_numpy(CONCEPTS.overlaps))
    assert loss.item() == pytest.approx(-math.log(math.exp(1) / (math.exp(0) + math.exp(1))), rel=1e-5)


def test_what_a_map_does_not_show_competes_although_it_overlaps():
    rule = TagRule(labels={0: ["grass"], 1: ["park"]}, rivals={0: ["park"]})
    labels = torch.zeros(8, 8)
    labels[4:] = 1
    allowed, rivals, main, _ = cell_tags(rule, CONCEPTS, labels, None, {}, 2)
    assert rivals[0].tolist() == [[False, True, False]] * 2 and not rivals[1].any()
    both_ways = torch.from_numpy(CONCEPTS.overlaps | CONCEPTS.overlaps.T)
    logits = torch.tensor([0.0, 2.0, 1.0]).expand(1, 2, 2, 3)  # road, park, grass
    known = torch.zeros_like(allowed).index_fill(0, torch.tensor(0), True) & allowed  # the row of grass alone
    without = tag_loss(logits, known[None], main[None], both_ways).item()
    with_rivals = tag_loss(logits, known[None], main[None], both_ways, rivals[None]).item()
    assert without == pytest.approx(-math.log(math.e / (1 + math.e)), rel=1e-5)
    assert with_rivals == pytest.approx(-math.log(math.e / (1 + math.e + math.exp(2))), rel=1e-5)


def test_what_must_be_there_is_wanted_somewhere_not_everywhere():
    everywhere, corner, nowhere = (torch.zeros(1, 4, 4, 3) for _ in range(3))
    everywhere[..., 2] = corner[:, :2, :2, 2] = 8
    nowhere[..., 0] = 8
    allowed = torch.ones(1, 4, 4, 3, dtype=torch.bool)
    main = torch.tensor([[False, False, True]])
    cost = [
        tag_loss(x, allowed, main, torch.zeros(3, 3, dtype=torch.bool)).item() for x in (everywhere, corner, nowhere)
    ]
    assert cost[0] == pytest.approx(cost[1], abs=1e-4) and cost[2] > cost[0] + 5


def test_a_concept_that_covers_too_much_costs():
    scene = TagRule(classes={"lane": {"main": ["road"], "allowed": ["grass"], "most": {"road": 0.25}}})
    allowed, rivals, main, most = cell_tags(scene, CONCEPTS, None, None, {"class": "lane"}, 2)
    assert most.tolist() == [0.25, 1, 1]
    overlaps = torch.from_numpy(CONCEPTS.overlaps)
    narrow = torch.zeros(1, 2, 2, 3)
    narrow[..., 2], narrow[0, 0, 0] = 30, torch.tensor([30.0, 0, 0])  # a road in one cell of four, grass in the rest
    wide = torch.zeros(1, 2, 2, 3)
    wide[..., 0] = 30
    cost = [tag_loss(x, allowed[None], main[None], overlaps, rivals[None], m[None]).item() for x in (narrow, wide)
            for m in (most, torch.ones(3))]
    assert cost[0] == pytest.approx(cost[1], abs=1e-5) and cost[3] == pytest.approx(0, abs=1e-5)
    assert cost[2] - cost[3] == pytest.approx(5 * 0.75, rel=1e-4)


@pytest.fixture
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of an untrained small-like model, without any download: timm trunk, CLIP tokens."""
    monkeypatch.setenv("RSVLM_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    files = {}
    for i in range(8):
        label = np.zeros((64, 64), np.uint8)
        label[:, 32:] = 1
        image = np.where(label[..., None] == 1, 200, 60).astype(np.uint8).repeat(3, 2) + rng.integers(
            0, 20, (64, 64, 3), dtype=np.uint8
        )
        files |= {
            f"{i}.png": encode(image),
            f"{i}.label.png": encode(label),
            f"{i}.json": json.dumps(
                {
                    "captions": ["left of the road", "a road"],
                    "photos": [
                        {"x": 0.75, "y": 0.5, "vector": [1.0] + [0.0] * 31},
                        {"x": 0.25, "y": 0.5, "vector": [0.0, 1.0] + [0.0] * 30},
                    ],
                }
            ).encode(),
        }
    data = write_tar(tmp_path / "d.tar", files)
    config = load_config("tiny").to_dict()
    config["vision_cfg"] |= {
        "timm_model_name": "tf_efficientnet_lite0",
        "token_width": 32,
        "dense_width": 8,
        "image_size": 64,
    }
    (tmp_path / "model.json").write_text(json.dumps(config))
    recipe = {
        "name": "r",
        "model": str(tmp_path / "model.json"),
        "precision": "fp32",
        "sets": {"d": {"shards": [str(data)], "size": 64}},
        "stages": [{"name": "s", "steps": 1, "batch": 4, "mixture": {"d": 1}, "soft_weight": 0, "anchor_weight": 0}],
    }
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe))
    assert pretrain(["--config", str(tmp_path / "r.yaml"), "--out", str(tmp_path / "run")]) == 0
    return tmp_path


def test_pixels_learn_tags_and_nothing_else_moves(run_folder: Path):
    raw = {
        "name": "p",
        "run": str(run_folder / "run"),
        "steps": 40,
        "size": 64,
        "lr": 0.01,
        "zoom": [0.9, 1.0],
        "sets": {"d": {"shards": [str(run_folder / "d.tar")], "size": 64}},
        "mixture": {"d": 4},
        "scale": 10.0,
        "concepts": {"road": {"phrases": ["road", "a street"]}, "grass": {"phrases": ["grass"]}},
        "tags": {"d": {"labels": {0: ["grass"], 1: ["road"]}}},
    }
    (run_folder / "p.yaml").write_text(yaml.safe_dump(raw))
    align(AlignRecipe.load(run_folder / "p.yaml", []), run_folder / "p")
    losses = [json.loads(line)["loss"] for line in (run_folder / "p" / "metrics.jsonl").read_text().splitlines()]
    assert losses[-1] < 0.7 * losses[0]
    before, after = (load_state(run_folder / n / "state.pt")["average"] for n in ("run", "p"))
    moved = {k for k in after if not torch.equal(before[k], after[k])}
    assert moved and all(k.startswith("visual.dense.") for k in moved)


def test_kept_maps_of_a_frozen_trunk_cost_what_the_images_cost(run_folder: Path):
    model, tokenizer, _ = load_start(run_folder / "run", run_folder)
    model.eval()
    rule = TagRule(labels={0: ["grass", "park"], 1: ["road"]}, rivals={0: ["park"]})
    sets = {"d": SetSpec([str(run_folder / "d.tar")], 64)}
    fresh, kept = (TagBatches(sets, {"d": rule}, {"d": 4}, CONCEPTS, 0, 64, (0.5, 1.0)) for _ in range(2))
    fresh.prepare(model, 0)
    kept.prepare(model, 2)
    vectors = PhrasePool(model, tokenizer, CONCEPTS).draw(np.random.default_rng(0))
    overlaps = torch.from_numpy(CONCEPTS.overlaps)
    with torch.no_grad():
        cost = [[tag_step(model, b(step), vectors, overlaps, 10.0).item() for step in range(4)] for b in (fresh, kept)]
    assert cost[1][:2] == pytest.approx(cost[0][:2], rel=5e-3)  # kept in half precision
    assert cost[1][2:] == cost[1][:2] and cost[0][2:] != pytest.approx(cost[0][:2], rel=5e-3)  # they come again
    assert kept(0).images.numel() == 0 and not kept(3).allowed.equal(kept(0).allowed)


@pytest.mark.parametrize("level", ["image", "pixel", "both"])
def test_photos_teach_images_and_pixels(run_folder: Path, level: str):
    raw = {
        "name": "g",
        "run": str(run_folder / "run"),
        "steps": 6,
        "size": 64,
        "level": level,
        "lr": 0.01,
        "mask_siblings": level == "both",
        "sets": {"d": {"shards": [str(run_folder / "d.tar")], "size": 64}},
        "mixture": {"d": 4},
        "learn": ["visual.dense.", "visual.pool."],
    }
    (run_folder / "g.yaml").write_text(yaml.safe_dump(raw))
    align(AlignRecipe.load(run_folder / "g.yaml", []), run_folder / "g")
    before, after = (load_state(run_folder / n / "state.pt")["average"] for n in ("run", "g"))
    moved = {k.split(".")[1] for k in after if not torch.equal(before[k], after[k])}
    assert moved == {"image": {"pool"}, "pixel": {"dense"}, "both": {"pool", "dense"}}[level]


def test_photos_seen_by_an_open_clip_model_teach_a_model_of_its_width(
    run_folder: Path, make_raster: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    """Photographs in EXIF folders, any open_clip model as ground encoder, alignment from a model's folder."""
    import open_clip

    config = {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 64, "layers": 1, "width": 48, "head_width": 16, "patch_size": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
    }
    (run_folder / "rsvlm-ground-vit.json").write_text(json.dumps(config))
    open_clip.add_model_config(run_folder / "rsvlm-ground-vit.json")
    torch.manual_seed(0)
    torch.save(open_clip.create_model("rsvlm-ground-vit").state_dict(), run_folder / "w.pt")
    rng = np.random.default_rng(0)
    raster = make_raster(rng.integers(1, 255, (256, 256, 3), dtype=np.uint8), gsd=1.0)
    for k in range(12):
        photograph(run_folder / "photos" / f"{k}.jpg", k, place(*rng.uniform(2, 250, 2)))
    options = ["--imagery", str(raster), "--photos", str(run_folder / "photos"), "--out", str(run_folder / "pairs")]
    options += ["--size", "64", "--folds", "1", "--test-fold", "1"]
    model = f"open_clip:rsvlm-ground-vit/{run_folder / 'w.pt'}"
    assert build(["ground_pairs", *options, "--ground-model", model]) == 0
    start, _ = load_run(run_folder / "run")
    save_mammut(start, run_folder / "start", Card("start"), int8=False)
    shards = f"{{pairs: {{shards: ['{run_folder}/pairs/train-*.tar'], size: 64}}}}"
    changed = [f"run={run_folder / 'start'}", "steps=20", "size=64", "mixture={pairs: 8}", "lr=0.01", "jitter_m=2"]
    recipe = AlignRecipe.load(CONFIGS / "ground.yaml", [f"sets={shards}", *changed])
    align(recipe, run_folder / "g")
    after, before = (load_state(run_folder / "g" / "state.pt")["average"], start.state_dict())
    moved = {k.split(".")[1] for k in after if not torch.equal(before[k], after[k])}
    assert moved == {"dense", "pool", "to_tokens"}
    with pytest.raises(UsageError, match="384"):
        align(AlignRecipe.load(CONFIGS / "ground.yaml", [f"sets={shards}", *changed[1:]]), run_folder / "other")


def test_cached_features_give_the_tokens_of_the_image(run_folder: Path):
    model, _ = load_run(run_folder / "run")
    bank = ImageBank(SetSpec([str(run_folder / "d.tar")], 64), run_folder / "cache")
    features = FeatureBank(model, bank, 2, 64, 64, run_folder / "f", "d", 0)
    assert [m.shape for m in features.maps] == [(8, 4, 4, 112)] * 2
    x = model.visual.normalise(torch.rand(2, 3, 64, 64))
    with torch.no_grad():
        torch.testing.assert_close(model.visual.grid_of_lower(model.visual.trunk.lower(x)), model.visual.grid(x)[0])
    trained = model.train().state_dict()
    before = {k: v.clone() for k, v in trained.items()}
    again = FeatureBank(model, bank, 2, 64, 64, run_folder / "f", "d", 0)
    np.testing.assert_array_equal(features.maps, again.maps)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items()), "reading features moves no statistics"


def test_training_on_cached_views_leaves_the_lower_trunk_alone(run_folder: Path):
    out = run_folder / "u"
    assert (
        pretrain(
            [
                "--config",
                str(run_folder / "r.yaml"),
                "--out",
                str(out),
                "stages.0.cached_views=2",
                "stages.0.steps=2",
                "stages.0.freeze=[visual.trunk.net.conv_stem, visual.trunk.net.bn1]",
            ]
        )
        == 0
    )
    model, _ = load_run(run_folder / "run")
    start = Mammut(model.cfg)
    torch.manual_seed(0)
    start = Mammut(model.cfg).state_dict()
    after = load_state(out / "state.pt")["model"]
    lower = [k for k in after if k.startswith("visual.trunk.net.blocks.0.") and k.endswith("weight")]
    upper = [k for k in after if k.startswith("visual.trunk.net.blocks.6.") and k.endswith("conv_pwl.weight")]
    assert all(torch.equal(after[k], start[k]) for k in lower) and lower
    assert any(not torch.equal(after[k], start[k]) for k in upper) and upper


def test_shipped_pixel_recipe_is_consistent():
    recipe = AlignRecipe.load(CONFIGS / "pixels.yaml", ["steps=3"])
    concepts = Concepts.from_dict(recipe.concepts)
    for rule in recipe.tags.values():
        for names in [*(rule.labels or {}).values(), *(rule.boxes or {}).values()]:
            concepts.mask(names)
        for scene in (rule.classes or {}).values():
            concepts.mask([*scene["main"], *scene["allowed"]])
    with pytest.raises(UsageError, match="colour"):
        AlignRecipe.load(CONFIGS / "pixels.yaml", ["colour=3"])
