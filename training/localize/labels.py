"""From maps to pseudo-labels: gate, map, filter (METHODS 3.4, steps 1 to 3; a reconstruction)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.ndimage import label as connected
from torch import Tensor

from rsvlm_core.model.confidence import NEUTRAL_PROMPTS, rivals
from rsvlm_core.model.mammut import Mammut
from rsvlm_core.model.tokenizer import Tokenizer
from training.localize.recipe import LocalizeRecipe
from training.localize.views import VIEWS, Scenes, tokens_of, unturned

IGNORE = -1
Int8 = NDArray[np.int8]
_BATCH = 64


@dataclass(frozen=True)
class Prompts:
    """The classes and what they compete against.

    Attributes:
        vectors: [P, D] unit norm: C classes first, then neutral prompts.
        log_rivals: [C, P] float32, log of how much each prompt competes against each class: 0 in full (and for the
            class itself), -inf not at all, because it means the same.
        scale: s of the softmax.
    """

    vectors: Tensor
    log_rivals: Tensor
    scale: float

    @property
    def classes(self) -> int:
        """C."""
        return len(self.log_rivals)

    @classmethod
    @torch.no_grad()
    def of(cls, recipe: LocalizeRecipe, model: Mammut, tokenizer: Tokenizer) -> Prompts:
        """Embed a recipe's classes with a model's text tower, which stays frozen."""

        def embed(texts: list[str]) -> Tensor:
            rows = []
            for text in texts:
                tokens = tokenizer([text], model.cfg.text.context_length)
                rows.append(model.encode_text(tokens.ids, tokens.valid))
            return torch.cat(rows)

        classes = torch.stack([F.normalize(embed(list(p)).mean(0), dim=-1) for p in recipe.classes.values()])
        neutral = embed(list(NEUTRAL_PROMPTS))
        if recipe.held_out:  # what the held-out classes are called must not be pushed away either
            free = rivals(embed(list(recipe.held_out)).numpy(), neutral.numpy()).min(axis=0) > 0
            neutral = neutral[torch.from_numpy(free)]
        vectors = torch.cat([classes, neutral])
        weights = torch.from_numpy(rivals(classes.numpy(), vectors.numpy()))
        weights[torch.arange(len(classes)), torch.arange(len(classes))] = 1.0
        scale = recipe.scale or min(float(model.logit_scale.exp()), recipe.max_scale)
        return cls(vectors, weights.log(), scale)

    def competition(self, scores: Tensor) -> Tensor:
        """Cosines [..., P] -> log probabilities [..., C], each class against its own rivals and itself."""
        x = (self.scale * scores)[..., None, :] + self.log_rivals
        out: Tensor = self.scale * scores[..., : self.classes] - x.logsumexp(-1)
        return out


@dataclass(frozen=True)
class Maps:
    """What a teacher says of scenes.

    Attributes:
        probability: [N, C, h, w] float32, P_c averaged over the eight un-rotated views.
        agreement: [N, C, h, w] float32, share of views in which P_c is at least one half.
        whole: [N, P] float32, image-level cosines averaged over the views.
    """

    probability: NDArray[np.float32]
    agreement: NDArray[np.float32]
    whole: NDArray[np.float32]


@torch.no_grad()
def teacher_maps(model: Mammut, scenes: Scenes, prompts: Prompts, window: int, bias: float) -> Maps:
    """Smooth-Attention maps of every scene: `P_c = softmax(s (score_c - bias * global_c))`, the mean of eight views.

    Args:
        model: The teacher.
        scenes: N of them.
        prompts: Classes and rivals.
        window: Of Smooth-Attention, tokens.
        bias: lambda, the share of the image-level score that is taken out.
    """
    model.eval()
    parts: list[list[NDArray[np.float32]]] = [[], [], []]
    for first in range(0, len(scenes), _BATCH):
        index = np.arange(first, min(first + _BATCH, len(scenes)))
        sums: list[Tensor] = []
        for view in range(VIEWS):
            tokens = tokens_of(model, scenes.read(index, np.full(len(index), view)))
            image = F.normalize(model.visual.pool(tokens.flatten(1, 2)).float(), dim=-1) @ prompts.vectors.t()
            scores = F.normalize(model.visual.pool.smooth(tokens, window), dim=-1) @ prompts.vectors.t()
            p = prompts.competition(scores - bias * image[:, None, None]).exp().permute(0, 3, 1, 2)
            p = unturned(p, view)
            vote = (p >= 0.5).float()
            seen = [p, vote, image]
            sums = [old + new for old, new in zip(sums, seen, strict=True)] if sums else seen
        for part, value in zip(parts, sums, strict=True):
            part.append((value / VIEWS).numpy())
    return Maps(*(np.concatenate(p) for p in parts))


def gate(whole: NDArray[np.float32], classes: int, margin: float, top: float) -> NDArray[np.bool_]:
    """Which images are candidates for which classes.

    Args:
        whole: [N, P] image-level cosines, the classes first.
        classes: C.
        margin: A class that beats every other prompt by this cosine is one.
        top: So is an image among this top share for a class.

    Returns:
        [N, C] bool.
    """
    own = whole[:, :classes]
    others = np.where(np.eye(classes, whole.shape[1], dtype=bool)[None], -np.inf, whole[:, None, :]).max(axis=-1)
    count = min(len(own), int(np.ceil(top * len(own))))
    cut = np.sort(own, axis=0)[len(own) - count] if count else np.full(classes, np.inf)
    taken: NDArray[np.bool_] = (own - others >= margin) | (own >= cut)
    return taken


def make_labels(maps: Maps, candidates: NDArray[np.bool_], recipe: LocalizeRecipe) -> Int8:
    """Pseudo-labels.

    Args:
        maps: The teacher's.
        candidates: [N, C] from `gate`.
        recipe: For its thresholds.

    Returns:
        [N, C, h, w] int8: 1 positive, 0 negative, -1 ignored. Classes that an image is no candidate for, or whose mask
        is too small or too large, are ignored altogether.
    """
    p, agree = maps.probability, maps.agreement
    positive = (p >= recipe.high) & (agree >= recipe.agreement)
    negative = (p <= recipe.low) & (1 - agree >= recipe.agreement)
    out: Int8 = np.where(positive, 1, np.where(negative, 0, IGNORE)).astype(np.int8)
    out[~candidates] = IGNORE
    least, most = recipe.area
    for n, c in np.argwhere(candidates):
        mask = out[n, c] == 1
        names, count = connected(mask)
        for i in range(1, count + 1):
            if (names == i).sum() < recipe.min_component:
                out[n, c][names == i] = IGNORE
        share = float((out[n, c] == 1).mean())
        if not least <= share <= most:
            out[n, c] = IGNORE
    return out


def changes(before: Int8, after: Int8) -> float:
    """Share of tokens that had a label before or have one now and whose label is another; 0 where there is none."""
    known = (before != IGNORE) | (after != IGNORE)
    return float((before != after)[known].mean()) if known.any() else 0.0


def coverage(labels: Int8) -> dict[str, float]:
    """How much is labelled: masks, positive and negative tokens, mean area of a mask (share of its image)."""
    masks = (labels == 1).any(axis=(2, 3))
    area = (labels == 1).mean(axis=(2, 3))[masks]
    return {
        "masks": float(masks.sum()),
        "classes_labelled": float(masks.any(axis=0).sum()),
        "positives": float((labels == 1).sum()),
        "negatives": float((labels == 0).sum()),
        "mean_area": float(area.mean()) if len(area) else 0.0,
    }
