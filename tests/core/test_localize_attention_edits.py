import pytest
import torch
from open_clip.transformer import VisionTransformer
from torch.nn.functional import normalize

from rsvlm_core.localize.attention_edits import EDITS, affinity_step, patch_features, subtract_global_bias


def small_vit(**options: object) -> VisionTransformer:
    torch.manual_seed(0)
    settings: dict = dict(image_size=32, patch_size=8, width=32, layers=3, heads=4, mlp_ratio=2.0, output_dim=16)
    vit = VisionTransformer(**{**settings, **options}).eval()
    with torch.no_grad():
        for p in vit.parameters():  # larger weights than at birth, so that attention is not flat
            p.add_(torch.randn_like(p) * 0.2)
    return vit


IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("window", [1, 3])
def test_every_edit_gives_unit_features_of_the_text_space(edit: str, window: int) -> None:
    vit = small_vit()
    with torch.no_grad():
        out = patch_features(vit, IMAGES, edit, window)
    assert out.shape == (2, 4, 4, 16) and out.dtype == torch.float32
    torch.testing.assert_close(out.norm(dim=-1), torch.ones(2, 4, 4))
    assert (out[0, 0, 0] - out[0, 3, 3]).norm() > 1e-3


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ls_init_value": 0.5},
        {"qk_norm": True},
        {"pool_type": "avg"},
        {"pool_type": "avg", "final_ln_after_pool": True},
        {"attentional_pool": True, "attn_pooler_queries": 3, "attn_pooler_heads": 2},
        {"attentional_pool": True, "attn_pooler_queries": 3, "attn_pooler_heads": 2, "output_dim": 32},
    ],
)
def test_a_window_over_everything_gives_the_models_own_embedding_everywhere(options: dict) -> None:
    vit = small_vit(**options)
    with torch.no_grad():
        whole = normalize(vit(IMAGES), dim=-1)
        for window, iterations in [(7, 1), (31, 1)]:
            out = patch_features(vit, IMAGES, "pooling", window, iterations=iterations, class_token=True)
            torch.testing.assert_close(out, whole[:, None, None].expand_as(out), atol=1e-5, rtol=1e-4)
        assert (patch_features(vit, IMAGES, "pooling", 3, class_token=True) - whole[:, None, None]).norm() > 1e-2


def test_plain_tokens_are_the_towers_own_patch_tokens() -> None:
    vit = small_vit()
    vit.output_tokens = True
    with torch.no_grad():
        _, tokens = vit(IMAGES)
        want = normalize(tokens @ vit.proj, dim=-1).reshape(2, 4, 4, 16)
        torch.testing.assert_close(patch_features(vit, IMAGES, "tokens"), want, atol=1e-6, rtol=1e-5)


def test_sclip_and_naclip_against_a_written_out_last_layer() -> None:
    vit = small_vit()
    with torch.no_grad():
        x = vit._embeds(IMAGES)
        for block in vit.transformer.resblocks[:-1]:
            x = block(x)
        last = vit.transformer.resblocks[-1]
        q, k, v = (last.ln_1(x) @ last.attn.in_proj_weight.T + last.attn.in_proj_bias).chunk(3, dim=-1)
        sclip, naclip = torch.empty_like(v), torch.empty_like(v)
        bump = torch.zeros(17, 17)
        for i in range(16):
            for j in range(16):
                d2 = (i // 4 - j // 4) ** 2 + (i % 4 - j % 4) ** 2
                bump[i + 1, j + 1] = torch.exp(torch.tensor(-d2 / (2 * 5.0**2)))
        for head in range(4):
            c = slice(8 * head, 8 * head + 8)
            qh, kh, vh = q[..., c], k[..., c], v[..., c]
            qq, kk = qh @ qh.transpose(1, 2) / 8**0.5, kh @ kh.transpose(1, 2) / 8**0.5
            sclip[..., c] = (qq.softmax(-1) + kk.softmax(-1)) @ vh
            naclip[..., c] = (kk + bump).softmax(-1) @ vh
        y = x + last.attn.out_proj(sclip)
        y = y + last.mlp(last.ln_2(y))
        want = normalize(vit.ln_post(y)[:, 1:] @ vit.proj, dim=-1).reshape(2, 4, 4, 16)
        torch.testing.assert_close(patch_features(vit, IMAGES, "sclip"), want, atol=1e-5, rtol=1e-4)
        want = normalize(vit.ln_post(last.attn.out_proj(naclip))[:, 1:] @ vit.proj, dim=-1).reshape(2, 4, 4, 16)
        torch.testing.assert_close(patch_features(vit, IMAGES, "naclip"), want, atol=1e-5, rtol=1e-4)


def test_other_image_sizes_interpolate_the_positions() -> None:
    with torch.no_grad():
        out = patch_features(small_vit(), torch.randn(1, 3, 48, 64), "clearclip", 3)
    assert out.shape == (1, 6, 8, 16) and torch.isfinite(out).all()
    with pytest.raises(ValueError, match="multiples"):
        patch_features(small_vit(), torch.randn(1, 3, 30, 32))


def test_unknown_edits_and_strange_towers_are_refused() -> None:
    from rsvlm_core.errors import ModelError

    with pytest.raises(ValueError, match="maskclip"):
        patch_features(small_vit(), IMAGES, "magic")
    with pytest.raises(ModelError):
        patch_features(small_vit(scale_heads=True), IMAGES, "clearclip")


def test_global_bias_is_taken_out_per_text() -> None:
    scores, whole = torch.full((1, 2, 2, 2), 0.5), torch.tensor([[0.5, 0.0]])
    out = subtract_global_bias(scores, whole, 0.3)
    torch.testing.assert_close(out[0, 0, 0], torch.tensor([0.35, 0.5]))


def test_affinity_mixes_tokens_that_look_alike() -> None:
    features = torch.zeros(1, 2, 2, 4)
    features[:, 0, :, :2], features[:, 1, :, 2:] = 1.0, 1.0
    values = torch.rand(1, 1, 3, 2, 4)
    out = affinity_step(features, values, temperature=0.01, std=1e6)
    torch.testing.assert_close(out[..., :2], values[..., :2].mean((-2, -1), keepdim=True).expand(1, 1, 3, 2, 2))
    torch.testing.assert_close(out[..., 2:], values[..., 2:].mean((-2, -1), keepdim=True).expand(1, 1, 3, 2, 2))
