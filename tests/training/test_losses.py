"""Each loss against a slow reference written from its formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from training import losses


@pytest.fixture
def batch():
    g = torch.Generator().manual_seed(0)
    z = torch.nn.functional.normalize(torch.randn(5, 8, generator=g), dim=-1)
    t = torch.nn.functional.normalize(torch.randn(5, 8, generator=g), dim=-1)
    positives = torch.eye(5)
    positives[0, 3] = positives[2, 1] = 1
    return 10 * z @ t.T, positives


def softmax(row: list[float]) -> list[float]:
    top = max(row)
    e = [math.exp(v - top) for v in row]
    return [v / sum(e) for v in e]


def test_info_nce_for_identity_targets(batch):
    s, _ = batch
    rows = s.tolist()
    columns = s.T.tolist()
    wanted = -sum(math.log(softmax(r)[i]) for i, r in enumerate(rows)) / 5
    wanted = 0.5 * (wanted - sum(math.log(softmax(c)[i]) for i, c in enumerate(columns)) / 5)
    eye = torch.eye(5)
    assert losses.multi_positive_info_nce(s, eye, eye).item() == pytest.approx(wanted, rel=1e-5)
    labels = torch.arange(5)
    torch_way = 0.5 * (torch.nn.functional.cross_entropy(s, labels) + torch.nn.functional.cross_entropy(s.T, labels))
    assert torch_way.item() == pytest.approx(wanted, rel=1e-5)


def test_multi_positive(batch):
    s, p = batch
    total = 0.0
    for matrix, targets in ((s.tolist(), p.tolist()), (s.T.tolist(), p.T.tolist())):
        for row, target in zip(matrix, targets, strict=True):
            total -= sum(t / sum(target) * math.log(q) for t, q in zip(target, softmax(row), strict=True)) / 5
    ours = losses.multi_positive_info_nce(s, losses.row_normalise(p), losses.row_normalise(p.T))
    assert ours.item() == pytest.approx(total / 2, rel=1e-5)


def test_neutral_texts_are_left_out_of_an_images_choice_and_nothing_else(batch):
    s, _ = batch
    eye, neutral = torch.eye(5), torch.zeros(5, 5, dtype=torch.bool)
    neutral[0, 2] = neutral[3, 1] = True
    total = 0.0
    for i, row in enumerate(s.tolist()):
        left = [j for j in range(5) if not neutral[i, j]]
        total -= math.log(softmax([row[j] for j in left])[left.index(i)]) / 5
    total -= sum(math.log(softmax(column)[i]) for i, column in enumerate(s.T.tolist())) / 5
    # targets that wanted the neutral texts too give what is left its whole weight
    wanted = losses.row_normalise(eye + neutral.float())
    ours = losses.multi_positive_info_nce(s, wanted, eye, neutral)
    assert ours.item() == pytest.approx(total / 2, rel=1e-5)


def test_soft_targets_are_distributions_between_both(batch):
    _, p = batch
    m = torch.nn.functional.normalize(torch.randn(5, 6, generator=torch.Generator().manual_seed(1)), dim=-1)
    i2t, t2i = losses.soft_targets(p, m, 0.3, 0.1)
    for t, hard in ((i2t, losses.row_normalise(p)), (t2i, losses.row_normalise(p.T))):
        torch.testing.assert_close(t.sum(1), torch.ones(5))
        q = torch.tensor([softmax([float(m[i] @ m[j]) / 0.1 for j in range(5)]) for i in range(5)])
        torch.testing.assert_close(t, 0.7 * hard + 0.3 * q, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("alpha", "gamma"), [(0.5, 1.0), (0.25, 2.0), (0.5, 0.0)])
def test_focal(batch, alpha: float, gamma: float):
    s, y = batch
    total = 0.0
    for xs, ys in zip(s.tolist(), y.tolist(), strict=True):
        for x, t in zip(xs, ys, strict=True):
            p = 1 / (1 + math.exp(-x))
            pt = p if t else 1 - p
            total += (2 * alpha if t else 2 * (1 - alpha)) * (1 - pt) ** gamma * -math.log(pt)
    assert losses.focal_contrastive(s, y, alpha, gamma).item() == pytest.approx(total / 7, rel=1e-4)


def test_focal_without_focus_is_binary_cross_entropy(batch):
    s, y = batch
    bce = torch.nn.functional.binary_cross_entropy_with_logits(s, y, reduction="sum") / y.sum()
    assert losses.focal_contrastive(s, y, 0.5, 0.0).item() == pytest.approx(bce.item(), rel=1e-5)


def test_siglip(batch):
    s, y = batch
    total = sum(
        math.log(1 / (1 + math.exp(-(1 if t else -1) * x)))
        for xs, ys in zip(s.tolist(), y.tolist(), strict=True)
        for x, t in zip(xs, ys, strict=True)
    )
    assert losses.siglip(s, y).item() == pytest.approx(-total / 5, rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_caption_cross_entropy_counts_each_word_once_and_no_padding(smoothing: float):
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 6, generator=g)
    ids = torch.tensor([[1, 3, 2, 0], [1, 5, 4, 2]])
    valid = torch.tensor([[True, True, True, False], [True] * 4])
    costs = []
    for b, length in ((0, 3), (1, 4)):
        for i in range(length - 1):
            logp = [math.log(q) for q in softmax(logits[b, i].tolist())]
            costs.append(-(1 - smoothing) * logp[ids[b, i + 1]] - smoothing * sum(logp) / 6)
    ours = losses.caption_cross_entropy(logits, ids, valid, smoothing).item()
    assert ours == pytest.approx(sum(costs) / len(costs), rel=1e-5)


def test_ground_alignment_averages_photos_within_an_image_first():
    g = torch.Generator().manual_seed(0)
    f = torch.nn.functional.normalize(torch.randn(2, 4, generator=g), dim=-1)
    photos = torch.nn.functional.normalize(torch.randn(3, 4, generator=g), dim=-1)
    owner = torch.tensor([0, 0, 1])
    for masked in (False, True):
        per_image: dict[int, list[float]] = {0: [], 1: []}
        for j in range(3):
            i = int(owner[j])
            scores = [float(f[i] @ photos[k]) / 0.1 for k in range(3) if k == j or not masked or owner[k] != i]
            own = float(f[i] @ photos[j]) / 0.1
            per_image[i].append(-(own - math.log(sum(math.exp(v) for v in scores))))
        wanted = np.mean([np.mean(v) for v in per_image.values()])
        ours = losses.ground_alignment(f[owner], photos, owner, 0.1, masked).item()
        assert ours == pytest.approx(float(wanted), rel=1e-4)


def test_one_photo_each_is_one_directional_info_nce():
    g = torch.Generator().manual_seed(0)
    f, p = (torch.nn.functional.normalize(torch.randn(4, 6, generator=g), dim=-1) for _ in range(2))
    wanted = torch.nn.functional.cross_entropy(f @ p.T / 0.07, torch.arange(4))
    assert losses.ground_alignment(f, p, torch.arange(4), 0.07).item() == pytest.approx(wanted.item(), rel=1e-5)


def test_anchor_and_relations_vanish_for_equal_spaces():
    z = torch.nn.functional.normalize(torch.randn(6, 5, generator=torch.Generator().manual_seed(0)), dim=-1)
    rotation = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(1)))[0]
    assert losses.feature_anchor(3 * z, z).item() == pytest.approx(0, abs=1e-6)
    assert losses.relational_distillation(z @ rotation, z, 10.0).item() == pytest.approx(0, abs=1e-5)
    assert losses.relational_distillation(z.flip(0), z, 10.0).item() > 0.01
