"""Losses, each written from its formula in METHODS sections 2.2, 3.4 and 4; all take unit-norm float32 vectors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def row_normalise(positives: Tensor) -> Tensor:
    """[B, B'] non-negative -> rows that sum to one; an empty row stays zero."""
    p = positives.float()
    out: Tensor = p / p.sum(1, keepdim=True).clamp(min=1e-12)
    return out


def multi_positive_info_nce(
    logits: Tensor, targets_i2t: Tensor, targets_t2i: Tensor, neutral: Tensor | None = None
) -> Tensor:
    """`1/2 [-1/B sum T log softmax_j(S) - 1/B sum T' log softmax_i(S)]`; InfoNCE for T = T' = I.

    Args:
        logits: [B, B'] S = s * cosine of image i and text j.
        targets_i2t: [B, B'] rows over texts that sum to one.
        targets_t2i: [B', B] rows over images that sum to one.
        neutral: [B, B'] bool, texts that are neither wanted nor unwanted for an image: out of its softmax over texts.
    """
    over_texts = logits
    if neutral is not None:
        targets_i2t = row_normalise(targets_i2t.masked_fill(neutral, 0.0))
        over_texts = logits.masked_fill(neutral, torch.finfo(logits.dtype).min)
    i2t = -(targets_i2t * over_texts.log_softmax(1)).sum(1).mean()
    t2i = -(targets_t2i * logits.t().log_softmax(1)).sum(1).mean()
    return 0.5 * (i2t + t2i)


def soft_targets(positives: Tensor, teacher: Tensor, weight: float, temperature: float) -> tuple[Tensor, Tensor]:
    """Targets `(1 - weight) T + weight Q` in both directions, Q a softmax of the teacher's similarities.

    Args:
        positives: [B, B] P, P_ij = 1 where text j is right for image i.
        teacher: [B, d] unit-norm frozen sentence vectors of the texts.
        weight: lambda in 0..1.
        temperature: tau_m.
    """
    q = (teacher @ teacher.t() / temperature).softmax(1)
    t_i2t, t_t2i = row_normalise(positives), row_normalise(positives.t())
    return (1 - weight) * t_i2t + weight * q, (1 - weight) * t_t2i + weight * q


def focal_contrastive(logits: Tensor, positives: Tensor, alpha: float = 0.5, gamma: float = 1.0) -> Tensor:
    """RO-ViT's sigmoid focal loss over all pairs, divided by the number of positives.

    Args:
        logits: [B, B'] S, a logit bias already added where one is used.
        positives: [B, B'] multi-hot y.
        alpha: Weight of positives; negatives have 1 - alpha; both times 2.
        gamma: Focusing exponent; 0 with alpha 0.5 is plain binary cross-entropy.
    """
    x, y = logits, positives.float()
    bce = F.binary_cross_entropy_with_logits(x, y, reduction="none")
    modulator = torch.exp(-gamma * y * x - gamma * F.softplus(-x))
    weight = 2 * (alpha * y + (1 - alpha) * (1 - y))
    return (weight * modulator * bce).sum() / y.sum().clamp(min=1.0)


def siglip(logits: Tensor, positives: Tensor) -> Tensor:
    """Sigmoid loss (arXiv 2303.15343): `-1/B sum_ij log sigmoid(z_ij x_ij)`, z = +1 for positives, else -1."""
    z = 2 * positives.float() - 1
    return -F.logsigmoid(z * logits).sum() / logits.shape[0]


def caption_cross_entropy(logits: Tensor, ids: Tensor, valid: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean over non-padding targets of -log softmax(o_l)[y_{l+1}].

    Args:
        logits: [B, L, V]; position l predicts token l + 1.
        ids: [B, L] int64.
        valid: [B, L] bool.
        smoothing: Label smoothing.
    """
    target = ids[:, 1:].masked_fill(~valid[:, 1:], -100)
    return F.cross_entropy(
        logits[:, :-1].reshape(-1, logits.shape[-1]).float(),
        target.reshape(-1),
        ignore_index=-100,
        label_smoothing=smoothing,
    )


def feature_anchor(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean of 1 - cosine: keeps a space near a frozen teacher's. Both [B, d], not necessarily unit-norm."""
    return (1 - F.cosine_similarity(student.float(), teacher.float(), dim=-1)).mean()


def relational_distillation(student: Tensor, teacher: Tensor, scale: float) -> Tensor:
    """KL from the teacher's to the student's softmax over the batch's similarities; widths may differ.

    Args:
        student: [B, d] unit-norm.
        teacher: [B, d'] unit-norm.
        scale: Multiplies both similarities.
    """
    wanted = (scale * teacher @ teacher.t()).softmax(1)
    return F.kl_div((scale * student @ student.t()).log_softmax(1), wanted, reduction="batchmean")


def ground_alignment(
    remote: Tensor, ground: Tensor, owner: Tensor, temperature: float, mask_siblings: bool = False
) -> Tensor:
    """GRAFT (METHODS section 4): each ground vector against its own remote image or pixel.

    `1/B sum_i 1/N_i sum_j -log [exp(<f_i, g_ij>/tau) / sum_ab exp(<f_i, g_ab>/tau)]`. For the pixel-level
    loss give one remote vector per photo, `owner` still naming the image each photo belongs to.

    Args:
        remote: [G, d] unit-norm remote vector of each photo's image (image level) or pixel (pixel level).
        ground: [G, d] unit-norm frozen vectors of the photos, or of tags that stand in for them.
        owner: [G] int64, image index of each photo.
        temperature: tau.
        mask_siblings: Take the other photos of the same image out of the denominator.
    """
    logits = remote @ ground.t() / temperature
    if mask_siblings:
        same = owner[:, None] == owner[None]
        logits = logits.masked_fill(same & ~torch.eye(len(owner), dtype=torch.bool, device=owner.device), float("-inf"))
    loss = -logits.log_softmax(1).diagonal()
    counts = torch.bincount(owner)
    return (loss / counts[owner]).sum() / (counts > 0).sum()
