"""Region and token losses on pseudo-labels (METHODS 3.4, step 4; a reconstruction)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from rsvlm_core.model.pooling import AttentionPool
from training.localize.labels import Prompts


def pool_regions(pool: AttentionPool, tokens: Tensor, images: Tensor, masks: Tensor) -> Tensor:
    """The trained attention pooling, restricted to a mask.

    Args:
        pool: The model's.
        tokens: [B, h, w, width].
        images: [M] int64, the image of each mask.
        masks: [M, h, w] bool, none empty.

    Returns:
        [M, D] float32 unit norm. A mask over everything gives the image's own embedding.
    """
    scores, values = pool.scores_and_values(tokens.flatten(1, 2))
    inside = masks.flatten(1)[:, None]
    weights = scores.float()[images].masked_fill(~inside, float("-inf")).softmax(-1)
    pooled = torch.einsum("mhn,mhnd->mhd", weights, values.float()[images])
    return F.normalize(pool.out(pooled.flatten(1).to(pool.out.weight.dtype)).float(), dim=-1)


def region_loss(pool: AttentionPool, tokens: Tensor, labels: Tensor, prompts: Prompts) -> Tensor:
    """`L_reg`: each mask's pooled vector against the prompts, cross-entropy with synonyms left out.

    Args:
        pool: The model's.
        tokens: [B, h, w, width].
        labels: [B, C, h, w] int8: 1, 0, -1.
        prompts: C classes and what they compete against.
    """
    masks = labels == 1
    images, classes = masks.flatten(2).any(-1).nonzero(as_tuple=True)
    if not len(images):
        return tokens.new_zeros(())
    z = pool_regions(pool, tokens, images, masks[images, classes])
    log_p = prompts.competition(z @ prompts.vectors.t())
    # Classes with many masks must not drown the others.
    frequency = torch.bincount(classes, minlength=prompts.classes)[classes].float()
    weight = 1.0 / frequency
    return -(weight * log_p[torch.arange(len(classes)), classes]).sum() / weight.sum()


def token_loss(smooth: Tensor, labels: Tensor, prompts: Prompts, bias: Tensor) -> Tensor:
    """`L_pix`: binary cross-entropy of labelled tokens, with scale s, the level of the rivals and a learned bias.

    The logit is the one that the product's confidence has. Positives and negatives weigh the same in all.

    Args:
        smooth: [B, h, w, D] unit-norm Smooth-Attention features.
        labels: [B, C, h, w] int8: 1, 0, -1.
        prompts: C classes and what they compete against.
        bias: Scalar.
    """
    log_p = prompts.competition(smooth @ prompts.vectors.t()).permute(0, 3, 1, 2)
    known = labels >= 0
    if not known.any():
        return smooth.new_zeros(())
    log_p = log_p[known].clamp(max=-1e-6)
    logits = log_p - torch.log(-torch.expm1(log_p)) + bias
    wanted = labels[known].float()
    cost = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    sides = [cost[wanted == v].mean() for v in (0.0, 1.0) if bool((wanted == v).any())]
    return torch.stack(sides).mean()
