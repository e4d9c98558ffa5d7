"""Methods by name: what each does to a model of ours, and that the command line, the worker and the engine agree."""

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from rsvlm_core.errors import ModelError, UsageError
from rsvlm_core.jobs.context import Context
from rsvlm_core.jobs.encoders import Encoders
from rsvlm_core.jobs.params import Params
from rsvlm_core.jobs.segment import segment as job
from rsvlm_core.localize.attention_edits import edited_tokens, subtract_global_bias
from rsvlm_core.localize.cross_attention import cross_attention, cross_scores
from rsvlm_core.localize.methods import BIAS, EDITS, METHODS, parse_method
from rsvlm_core.localize.prompts import Prompts
from rsvlm_core.localize.scoring import GLOBAL_BIAS, Scored, ScorePlan
from rsvlm_core.localize.towers import tower_map
from rsvlm_core.model.config import MammutConfig, load_config
from rsvlm_core.model.encoder import ModelInfo
from rsvlm_core.model.mammut import Mammut
from rsvlm_core.model.tokenizer import load_tokenizer
from rsvlm_core.model.torch_encoder import TorchEncoder
from rsvlm_core.pipelines.segment import segment_array
from tests.fakes import COLOURS, FakeEncoder


def tiny(**vision: object) -> Mammut:
    torch.manual_seed(0)
    raw = load_config("tiny").to_dict()
    raw["vision_cfg"] |= {"patch_size": 8, **vision}
    model = Mammut(MammutConfig.from_dict(raw)).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p) * 0.1)
    return model


def encoder_of(model: Mammut) -> TorchEncoder:
    info = ModelInfo("tiny", "0", 32, 64, model.visual.dense_stride, (0.1, 10.0), 20.0)
    return TorchEncoder(model, load_tokenizer("clip", Path()), info, torch.device("cpu"))


def tokens(encoder: TorchEncoder, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    found = encoder.tokenizer(texts, 24)
    return found.ids, found.valid


def test_names_are_checked_in_one_place() -> None:
    assert parse_method("smooth") == ("smooth", False) and parse_method("clearclip+bias") == ("clearclip", True)
    for wrong in ("magic", "magic+bias", "tiles+bias", "cross+bias", "smooth+smooth", ""):
        with pytest.raises(UsageError):
            parse_method(wrong)


def test_cross_attention_is_what_the_decoder_does() -> None:
    """The map of a text, computed from the decoder's own weights word by word."""
    model = tiny()
    encoder = encoder_of(model)
    ids, valid = tokens(encoder, ["red roofs", "a long road by a lake"])
    with torch.no_grad():
        grid, _ = model.visual.grid(torch.randn(2, 3, 64, 48))
        got = cross_attention(model, grid, ids, valid)
        assert got.shape == (2, 8, 6, 2)
        torch.testing.assert_close(got.sum((1, 2)), torch.ones(2, 2))
        block = model.text.blocks[0]  # of the tiny decoder only the first layer looks at the image
        assert block.cross is not None and model.text.blocks[1].cross is None
        for t in range(2):
            x = model.text._embed(ids[t : t + 1])
            causal = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
            x = x + block.attn(block.ln_1(x), block.ln_1(x), causal[None, None] & valid[t][None, None, None])
            q = block.cross.q(block.ln_cross(x))[0]
            k = block.cross.k(model.text.image_context(grid))[1]
            heads = [
                (q[:, c : c + 16] @ k[:, c : c + 16].T / 4).softmax(-1) for c in (0, 16)
            ]  # fmt: skip
            words = range(1, int(valid[t].sum()) - 1)
            want = torch.stack([h[i] for h in heads for i in words]).mean(0)
            torch.testing.assert_close(got[1, :, :, t].flatten(), want, atol=1e-6, rtol=1e-4)


def test_even_attention_gives_the_images_own_score() -> None:
    model = tiny()
    encoder = encoder_of(model)
    ids, valid = tokens(encoder, ["houses"])
    texts = torch.from_numpy(encoder.encode_texts(["houses"]))
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        grid, _ = model.visual.grid(x)
        whole = model.encode_image(x) @ texts.T
        model.text.blocks[0].cross.k.weight.zero_()  # no key differs from any other
        out = cross_scores(model, grid, ids, valid, texts, 20.0)
        torch.testing.assert_close(out, whole[:, None, None].expand(1, 8, 8, 1), atol=1e-5, rtol=1e-4)
        model.text.blocks[0].gate.zero_()
        with pytest.raises(ModelError, match="does not look"):
            cross_attention(model, grid, ids, valid)


def test_edits_of_our_own_tower_mix_tokens_as_they_say() -> None:
    model = tiny()
    vit, x = model.visual.trunk.net, torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        y = vit._embeds(x)
        for block in vit.transformer.resblocks[:-1]:
            y = block(y)
        last = vit.transformer.resblocks[-1]
        v = (last.ln_1(y) @ last.attn.in_proj_weight.T + last.attn.in_proj_bias).chunk(3, dim=-1)[2]
        want = vit.ln_post(last.attn.out_proj(v))[:, 1:].reshape(2, 8, 8, 48)
        torch.testing.assert_close(edited_tokens(vit, x, "maskclip"), want, atol=1e-5, rtol=1e-4)
        maps = {m: tower_map(model.visual, x, m, 3) for m in ("smooth", "attention", "affinity", *EDITS)}
        for name, z in maps.items():
            assert z.shape == (2, 8, 8, 32), name
            torch.testing.assert_close(z.norm(dim=-1), torch.ones(2, 8, 8))
        torch.testing.assert_close(maps["attention"], maps["tokens"])
        torch.testing.assert_close(maps["smooth"], maps["pooling"])
        distinct = ["smooth", "attention", "affinity", "maskclip", "sclip", "clearclip", "naclip", "segearth"]
        for i, a in enumerate(distinct):
            for b in distinct[:i]:
                assert (maps[a] - maps[b]).abs().max() > 1e-3, (a, b)
    with pytest.raises(ValueError, match="no edit"):
        edited_tokens(vit, x, "tokens")


def test_a_convolutional_trunk_has_no_attention_to_edit() -> None:
    model = tiny(timm_model_name="tf_efficientnet_lite0", token_width=32)
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert tower_map(model.visual, x, "affinity", 3).shape == (1, 2, 2, 32)
        with pytest.raises(UsageError, match="affinity"):
            tower_map(model.visual, x, "clearclip", 3)


@pytest.mark.parametrize("method", [m for m in METHODS if m != "dense"])
def test_every_method_segments(method: str) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (80, 96, 3), dtype=np.uint8)
    out = segment_array(rgb, 1.0, ["houses", "a road"], encoder_of(tiny()), method=method)
    assert out.labels.shape == (80, 96) and out.scores.shape == (2, 80, 96)
    assert np.isfinite(out.scores).all() and out.scores.std() > 0


def test_bias_subtraction_takes_the_windows_own_score_out() -> None:
    """Against the formula, where one window is the whole image."""
    encoder = encoder_of(tiny())
    rgb = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    texts = encoder.encode_texts(["houses"])
    features = torch.from_numpy(encoder.encode_patches(rgb[None], "smooth") @ texts.T)
    whole = torch.from_numpy(encoder.encode_images(rgb[None]) @ texts.T)
    want = subtract_global_bias(features, whole, GLOBAL_BIAS)

    plan = ScorePlan.of(encoder.info, (1.0, 1.0), method="smooth" + BIAS, gsds=[1.0])
    assert plan.bias == GLOBAL_BIAS and plan.method == "smooth"
    scored = Scored.__new__(Scored)
    scored.plan, scored.prompts, scored._encoder = plan, Prompts.of(["houses"], encoder), encoder
    got = scored.prompts.cosines(scored._score(rgb[None]))
    np.testing.assert_allclose(got, want.numpy(), atol=1e-5)


def test_a_model_without_a_decoder_says_so() -> None:
    rgb = np.zeros((40, 40, 3), np.uint8)
    with pytest.raises(ModelError, match="decoder"):
        segment_array(rgb, 0.5, ["red"], FakeEncoder(32, 4), method="cross")


def test_the_job_takes_what_the_command_line_gives(make_raster: Callable[..., Path], tmp_path: Path) -> None:
    rgb = np.empty((120, 140, 3), np.uint8)
    rgb[:] = COLOURS["green"]
    rgb[30:90, 41:101] = COLOURS["red"]
    rgb[58:62, 101:104] = COLOURS["red"]  # a bump on the wall

    class Warm(Encoders):
        def get(self, *_: object) -> FakeEncoder:
            return FakeEncoder(32, 4)

    context = Context(Warm())
    base = {"sources": [str(make_raster(rgb, gsd=0.5))], "texts": ["red"], "out": str(tmp_path / "m.gpkg")}
    corners, exact = {}, {"simplify_m": 0}
    given = {"plain": {}, "every": exact, "square": {**exact, "orthogonal": True}, "loose": {"simplify_m": 8}}
    for name, more in given.items():
        told = job(Params({**base, **more}), context)
        assert told["count"] == 1 and told["failed"] == []
        corners[name] = len(gpd.read_file(base["out"]).geometry.iloc[0].exterior.coords) - 1
    assert corners["every"] > corners["plain"] >= corners["loose"] and corners["square"] == 4
    for wrong in ({"method": "magic"}, {"simplify_m": -1}, {"orthogonal": "yes"}, {"refine": "magic"}):
        with pytest.raises(UsageError):
            job(Params({**base, **wrong}), context)


def test_unit_features_are_untouched_by_the_new_paths() -> None:
    model = tiny()
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        grid, _ = model.visual.grid(x)
        torch.testing.assert_close(
            tower_map(model.visual, x, "smooth", 3), normalize(model.visual.pool.smooth(grid, 3), dim=-1)
        )
