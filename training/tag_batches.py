"""Batches of tagged views for pixel-level alignment, with a frozen trunk's maps computed once where that is allowed."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from rsvlm_core.model.mammut import Mammut
from rsvlm_core.settings import cache_dir
from training.augment import View, colour, random_view, take_views
from training.bank import ImageBank
from training.features import graph_runner
from training.recipe import SetSpec
from training.tags import Concepts, TagRule, box_plane, cell_tags


@dataclass(frozen=True)
class TagBatch:
    """Views and what is known of their cells.

    Attributes:
        images: [B, 3, S, S] float32 in 0..1; empty where `maps` are given.
        allowed: [B, h, w, C] bool, as `tag_loss` takes it.
        rivals: [B, h, w, C] bool.
        main: [B, C] bool.
        most: [B, C] float32.
        weights: [B] float32.
        maps: The trunk's maps of strides 8, 16 and 32, [B, C_l, h_l, w_l] float16, or None.
    """

    images: Tensor
    allowed: Tensor
    rivals: Tensor
    main: Tensor
    most: Tensor
    weights: Tensor
    maps: list[Tensor] | None = None


class _Maps(nn.Module):
    def __init__(self, model: Mammut) -> None:
        super().__init__()
        self.visual = model.visual

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.visual.trunk(self.visual.normalise(images))[1])


class TagBatches:
    """Views of tagged images; a batch is a function of the step.

    Args:
        sets: Sets by name.
        rules: What their labels mean.
        mixture: Views of each set in a batch.
        concepts: The vocabulary of the rules.
        seed: Of all draws.
        size: Side of the views in pixels.
        zoom: Least and greatest side of a crop as a share of the image's.
    """

    def __init__(
        self,
        sets: Mapping[str, SetSpec],
        rules: Mapping[str, TagRule],
        mixture: Mapping[str, int],
        concepts: Concepts,
        seed: int,
        size: int,
        zoom: tuple[float, float],
    ) -> None:
        self.rules, self.mixture, self.concepts = rules, mixture, concepts
        self.seed, self.size, self.zoom = seed, size, zoom
        self.banks = {name: ImageBank(sets[name], cache_dir() / "banks") for name in mixture}
        self._side = size
        self._kept: list[TagBatch] = []

    def prepare(self, model: Mammut, cached: int) -> None:
        """Fit the tags to the model's cells, and compute the trunk's maps of the first batches.

        Args:
            model: Its trunk is used as it is now.
            cached: So many batches are kept in memory as maps (about 0.2 MB a view of 256 px) and come again in turn;
                0 keeps none and draws new views for ever.
        """
        self._side = self.size // model.visual.dense_stride
        started = time.monotonic()
        run = graph_runner(_Maps(model), self.size) if cached else None
        for number in range(cached):
            batch = self._draw(number)
            assert run is not None
            maps = [m.half() for m in run(batch.images)]
            self._kept.append(replace(batch, images=batch.images[:0], maps=maps))
            if (number + 1) % 50 == 0:
                rate = (number + 1) * len(batch.weights) / (time.monotonic() - started)
                print(f"maps of {number + 1}/{cached} batches, {rate:.0f} views/s", file=sys.stderr, flush=True)

    def __call__(self, step: int) -> TagBatch:
        """The batch of a step."""
        return self._kept[step % len(self._kept)] if self._kept else self._draw(step)

    def _draw(self, step: int) -> TagBatch:
        rng = np.random.default_rng([self.seed, step])
        images, weights = [], []
        tags: tuple[list[Tensor], ...] = ([], [], [], [])
        for name, count in self.mixture.items():
            bank, rule = self.banks[name], self.rules[name]
            picks = rng.integers(len(bank), size=count)
            views = [random_view(rng, 1.0, True, *self.zoom) for _ in range(count)]
            source = np.stack([bank.images[i] for i in picks])
            images.append(colour(take_views(source, views, self.size), rng, 1.0))
            for i, view in zip(picks, views, strict=True):
                label = self._plane(bank.labels[i], view) if bank.labels is not None and rule.labels else None
                boxes = self._plane(box_plane(rule, bank.meta[i], source.shape[1]), view) if rule.boxes else None
                cells = cell_tags(rule, self.concepts, label, boxes, bank.meta[i], self._side)
                for kept, of_view in zip(tags, cells, strict=True):
                    kept.append(of_view)
                weights.append(rule.weight)
        allowed, rivals, main, most = (torch.stack(t) for t in tags)
        return TagBatch(torch.cat(images), allowed, rivals, main, most, torch.tensor(weights))

    def _plane(self, plane: np.ndarray, view: View) -> Tensor:
        return take_views(plane[None, ..., None], [view], self.size, nearest=True)[0, 0].round()
