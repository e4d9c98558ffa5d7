import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rsvlm_core.localize.prompts import Prompts, confidence_of, logit_of
from rsvlm_core.localize.threshold import ALIGNED, BAND, PRESENT, auto_threshold, fixed_threshold, otsu
from rsvlm_core.model.confidence import confidence, rivals
from tests.fakes import FakeEncoder


def two_groups(low: float, high: float, share: float, spread: float = 0.3, n: int = 20000) -> np.ndarray:
    rng = np.random.default_rng(0)
    k = int(n * share)
    return np.concatenate([rng.normal(low, spread, n - k), rng.normal(high, spread, k)]).astype(np.float32)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.7])
@pytest.mark.parametrize("shift", [-0.5, 0.5, 2.0])
def test_two_groups_are_parted_in_the_valley_between_them(share: float, shift: float) -> None:
    z = two_groups(-2 + shift, 1 + shift, share)
    found = auto_threshold(z)
    assert found.present and max(-BAND, -2 + shift) <= found.logit < 1 + shift
    assert (z > found.logit).mean() == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("tail", [-6.0, -12.0])
def test_how_far_the_background_is_does_not_matter(tail: float) -> None:
    far = np.random.default_rng(2).normal(tail, 1.5, 10000).astype(np.float32)
    z = np.concatenate([two_groups(-2.5, 1.0, 0.2, n=10000), far])
    assert (z > auto_threshold(z).logit).mean() == pytest.approx(0.1, abs=0.01)


def test_the_threshold_stays_within_its_band() -> None:
    assert auto_threshold(two_groups(5.0, 9.0, 0.5)).logit == BAND
    low = np.concatenate([two_groups(-9.0, -3.6, 0.5, 0.1), np.full(400, 0.0, np.float32)])
    assert auto_threshold(low).logit == -BAND


@pytest.mark.parametrize(("low", "high"), [(-4.0, -1.0), (-2.0, 2.5), (0.0, 9.0)])
def test_a_pixel_aligned_head_leaves_the_threshold_little_room(low: float, high: float) -> None:
    free, aligned = (auto_threshold(two_groups(low, high, 0.3), a) for a in (False, True))
    assert aligned.present == free.present
    if free.present:
        assert aligned.logit == pytest.approx(np.clip(free.logit, *ALIGNED))


def test_an_absent_class_gives_nothing() -> None:
    z = two_groups(-5, PRESENT - 1.2, 0.3)  # two groups, both far from the text
    found = auto_threshold(z)
    assert not found.present and not (z > found.logit).any()


def test_odd_cells_do_not_make_a_class_present_but_a_small_clear_group_does() -> None:
    z = two_groups(-4, -4, 0.5)
    z[:3] = 5.0
    assert not auto_threshold(z).present
    z[:60] = 3.0
    found = auto_threshold(z)
    assert found.present and (z > found.logit).sum() == 60


def test_everything_present_stays_present() -> None:
    z = np.random.default_rng(1).normal(5, 0.2, 5000).astype(np.float32)
    found = auto_threshold(z)
    assert found.present and (z > found.logit).mean() > 0.99


@given(arrays(np.float32, st.integers(0, 300), elements=st.floats(-60, 60, width=32)))
def test_any_scores_give_a_decision_within_the_band_or_nothing(z: np.ndarray) -> None:
    found = auto_threshold(z)
    if found.present:
        assert -BAND <= found.logit <= BAND and 0.04 < found.confidence < 0.96
    elif z.size:
        assert not (np.clip(z, -20, 20) > found.logit + 1e-6).any()


def test_unknown_places_are_left_out_and_sampling_does_not_change_much() -> None:
    z = two_groups(-2, 2, 0.3)
    holes = np.concatenate([z, np.full(5000, np.nan, np.float32)])
    assert auto_threshold(holes) == auto_threshold(z)
    assert auto_threshold(np.full(10, np.nan, np.float32)).present is False
    many = two_groups(-2, 2, 0.3, n=5_000_000)
    assert auto_threshold(many).logit == pytest.approx(auto_threshold(z).logit, abs=0.3)


def test_otsu_is_the_best_split() -> None:
    z = two_groups(-1, 3, 0.2, 0.6).astype(np.float64)
    t = otsu(z)

    def between(at: float) -> float:
        a, b = z[z <= at], z[z > at]
        return len(a) * len(b) * (a.mean() - b.mean()) ** 2

    assert between(t) >= max(between(v) for v in np.linspace(z.min() + 0.1, z.max() - 0.1, 200)) * 0.995
    assert otsu(np.array([2.0, 2.0])) == 2.0


def test_fixed_thresholds_are_confidences() -> None:
    assert fixed_threshold(0.5).logit == 0
    assert fixed_threshold(0.8).confidence == 0.8 and logit_of(0.8) == pytest.approx(fixed_threshold(0.8).logit)
    assert np.isfinite(fixed_threshold(0.0).logit) and np.isfinite(fixed_threshold(1.0).logit)


def test_logits_are_the_text_against_all_its_rivals_together() -> None:
    encoder = FakeEncoder()
    prompts = Prompts.of(["red", "blue", "red"], encoder)
    assert prompts.texts == ("red", "blue")
    features = encoder.encode_images(np.random.default_rng(0).integers(0, 256, (7, 32, 32, 3), dtype=np.uint8))
    channels = prompts.channels(features)
    assert channels.shape == (7, 4) and channels.dtype == np.float32
    text = np.exp(prompts.scale * (features @ prompts.embeddings.T).astype(np.float64))
    others = np.exp(prompts.scale * (features @ prompts.neutral.T).astype(np.float64)).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(confidence_of(prompts.logits(channels)), text / (text + others), atol=1e-5)
    np.testing.assert_allclose(prompts.cosines(channels), features @ prompts.embeddings.T)


def test_neutral_prompts_of_the_same_meaning_are_no_rivals() -> None:
    rng = np.random.default_rng(0)
    common = 3 * rng.normal(size=64)

    def unit(x: np.ndarray) -> np.ndarray:
        return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)

    neutral = unit(common + rng.normal(size=(10, 64)))  # all alike, as in a narrow cone
    texts = unit(np.stack([neutral[3], neutral[4] + 0.02 * rng.normal(size=64), common + rng.normal(size=64)]))
    assert (texts @ neutral.T).min() > 0.7
    weights = rivals(texts, neutral)
    assert weights[0, 3] == 0 and weights[1, 4] < 0.2
    assert np.delete(weights[0], 3).min() == 1 and weights[2].min() == 1
    one = unit(rng.normal(size=(1, 64)))
    assert rivals(one, one).tolist() == [[1.0]]  # never without any rival


def test_hits_leave_out_the_same_neutral_prompts_as_masks() -> None:
    neutral = np.eye(4, dtype=np.float32)[:3]
    text = neutral[:1].copy()  # the same as the first neutral prompt
    weights = rivals(text, neutral)
    assert weights.tolist() == [[0.0, 1.0, 1.0]]
    tiles = np.array([[1, 0, 0, 0], [0.6, 0.8, 0, 0]], np.float32)
    scores, others = tiles @ text.T, tiles @ neutral.T
    sure = confidence(scores, others, 20.0, weights)[:, 0]
    z = np.exp(20.0 * others[:, 1:].astype(np.float64)).mean(axis=1)
    fit = np.exp(20.0 * scores[:, 0].astype(np.float64))
    np.testing.assert_allclose(sure, fit / (fit + z), rtol=1e-5)
    assert sure[0] > 0.999 > 0.76 > confidence(scores, others, 20.0)[0, 0]  # capped while it competes with itself
