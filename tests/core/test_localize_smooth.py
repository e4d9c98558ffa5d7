import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rsvlm_core.localize.smooth import smooth_attention, smooth_attention_windows


def explicit(scores: torch.Tensor, values: torch.Tensor, window: int) -> torch.Tensor:
    """The definition, token by token, in float64."""
    b, heads, dh, h, w = values.shape
    r = window // 2
    out = torch.empty(b, heads, dh, h, w, dtype=torch.float64)
    for i in range(h):
        for j in range(w):
            rows, cols = slice(max(0, i - r), i + r + 1), slice(max(0, j - r), j + r + 1)
            s = scores[:, :, rows, cols].double().flatten(2)
            v = values[:, :, :, rows, cols].double().flatten(3)
            out[:, :, :, i, j] = (torch.softmax(s, dim=-1)[:, :, None] * v).sum(-1)
    return out.reshape(b, heads * dh, h, w)


def random(b: int, heads: int, dh: int, h: int, w: int, seed: int, spread: float = 3.0) -> tuple[torch.Tensor, ...]:
    g = torch.Generator().manual_seed(seed % 2**32)
    return torch.randn(b, heads, h, w, generator=g) * spread, torch.randn(b, heads, dh, h, w, generator=g)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 2), st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.integers(0, 6), st.integers(0))
def test_equals_the_explicit_loop(b: int, heads: int, h: int, w: int, half: int, seed: int) -> None:
    s, v = random(b, heads, 4, h, w, seed)
    torch.testing.assert_close(
        smooth_attention(s, v, 2 * half + 1).double(), explicit(s, v, 2 * half + 1), atol=1e-5, rtol=1e-5
    )


def test_window_one_gives_the_values() -> None:
    s, v = random(2, 3, 5, 6, 7, 0)
    assert torch.equal(smooth_attention(s, v, 1), v.reshape(2, 15, 6, 7))


@pytest.mark.parametrize("iterations", [1, 3])
def test_a_window_over_everything_gives_the_global_pooling_everywhere(iterations: int) -> None:
    s, v = random(2, 3, 5, 6, 9, 1)
    pooled = (torch.softmax(s.flatten(2), -1)[:, :, None] * v.flatten(3)).sum(-1).reshape(2, 15, 1, 1)
    for window in (17, 19, 101):
        out = smooth_attention(s, v, window, iterations)
        torch.testing.assert_close(out, pooled.expand_as(out), atol=2e-6, rtol=1e-5)
    corner = smooth_attention(s, v, 9)[:, :, 0, 0]  # the grid's own size is not enough at a corner
    assert not torch.allclose(corner, pooled[:, :, 0, 0], atol=1e-3)


def test_large_logits_stay_finite_and_shifts_cancel() -> None:
    s, v = random(1, 2, 3, 12, 12, 2)
    out = smooth_attention(s + 1e4, v, 5)
    torch.testing.assert_close(out, smooth_attention(s, v, 5), atol=5e-3, rtol=5e-3)  # float32 holds s + 1e4 to 1e-3
    s[0, :, 0, 0] = 500.0
    assert torch.isfinite(smooth_attention(s, v, 3)).all()


def test_half_precision_is_computed_in_float32_even_under_autocast() -> None:
    s, v = random(1, 2, 3, 8, 8, 3)
    s, v = s.bfloat16(), v.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = smooth_attention(s, v, 3)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out.double(), explicit(s, v, 3), atol=1e-5, rtol=1e-5)


def test_iterating_is_the_tapered_window() -> None:
    s, v = random(1, 1, 2, 11, 11, 4)
    kernel = torch.outer(torch.tensor([1.0, 2, 3, 2, 1]), torch.tensor([1.0, 2, 3, 2, 1]))[None, None]
    e = torch.exp(s)
    inner = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    top = torch.nn.functional.conv2d((e * v[:, 0]).transpose(0, 1), kernel).transpose(0, 1)
    torch.testing.assert_close(
        smooth_attention(s, v, 3, 2)[inner], top / torch.nn.functional.conv2d(e, kernel), atol=1e-5, rtol=1e-5
    )


def test_gradients_reach_scores_and_values() -> None:
    s, v = random(1, 1, 2, 4, 4, 5)
    s, v = s.double().requires_grad_(), v.requires_grad_()
    smooth_attention(s, v, 3).square().sum().backward()
    assert s.grad is not None and v.grad is not None and s.grad.abs().sum() > 0 and v.grad.abs().sum() > 0


def test_several_windows_average_the_cosines() -> None:
    s, v = random(2, 2, 3, 7, 5, 6)
    g = torch.Generator().manual_seed(7)
    weight, text = torch.randn(6, 4, generator=g), torch.nn.functional.normalize(torch.randn(4, generator=g), dim=0)
    got = smooth_attention_windows(s, v, (1, 3, 5), lambda z: z @ weight) @ text
    cosines = []
    for k in (1, 3, 5):
        z = smooth_attention(s, v, k).permute(0, 2, 3, 1) @ weight
        cosines.append(torch.nn.functional.normalize(z, dim=-1) @ text)
    np.testing.assert_allclose(got.numpy(), torch.stack(cosines).mean(0).numpy(), atol=1e-6)


@pytest.mark.parametrize("window", [0, 2, -3])
def test_bad_windows_are_refused(window: int) -> None:
    s, v = random(1, 1, 2, 4, 4, 8)
    with pytest.raises(ValueError, match="odd"):
        smooth_attention(s, v, window)


def test_misfitting_shapes_are_refused() -> None:
    s, v = random(1, 1, 2, 4, 4, 8)
    with pytest.raises(ValueError, match="grids"):
        smooth_attention(s, v[..., :3], 3)
    with pytest.raises(ValueError):
        smooth_attention(s[0], v, 3)
