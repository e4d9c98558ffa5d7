"""Batches as a pure function of (recipe, stage, step): images seen, captions drawn, and which belong together."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rsvlm_core.errors import DataError
from rsvlm_core.model.mammut import Mammut
from training.augment import CLOSEST, colour, random_view, take_views
from training.bank import ImageBank, left_out
from training.data.captions import Caption, Style, draw, normalise, positive_matrix, positives, sentences
from training.features import FeatureBank
from training.recipe import Recipe, SetSpec, Stage


def caption_style(spec: SetSpec) -> Style:
    """How a set's captions are drawn."""
    usual = Style()
    return Style(
        class_share={"captions": spec.names, "sentences": 0.0, "classes": 1.0}[spec.text],
        join=spec.noise * usual.join,
        clause_drop=spec.noise * usual.clause_drop,
        synonym=spec.noise * usual.synonym,
        prefix_sentence=spec.noise * usual.prefix_sentence,
        banned=tuple(spec.exclude),
    )


@dataclass(frozen=True)
class Batch:
    """One process's share of a step.

    Attributes:
        images: [b, 3, S, S] float32 in 0..1, or cached maps [b, C, h, w] float32; this process's rows.
        texts: All B captions of the step, in global order.
        positives: [B, B] float32, P_ij = 1 where text j holds for image i.
        rows: This process's slice of the B.
        neutral: [B, B] bool, P_ij that must not draw image i: its own sentence says more than the name of its class,
            which other images' captions hold. The fine differences between images of a class are lost otherwise
            (measured: docs/results.md).
    """

    images: Tensor
    texts: list[str]
    positives: Tensor
    rows: slice
    neutral: Tensor


class Batches:
    """Draws a stage's batches from the banks.

    Args:
        recipe: The recipe.
        cache: Folder for decoded banks.
        image_size: The model's image side.
        rank: This process.
        world: Number of processes.

    Attributes:
        banks: Whole sets by name.
        rows: What each set's words and places leave of it, as row numbers.
    """

    def __init__(self, recipe: Recipe, cache: Path, image_size: int, rank: int = 0, world: int = 1) -> None:
        self.recipe, self.image_size, self.rank, self.world = recipe, image_size, rank, world
        used = {name for stage in recipe.stages for name, share in stage.mixture.items() if share > 0}
        # Whole sets, so that recipes which leave out other words or places share decoded images and cached features.
        specs = {name: recipe.sets[name] for name in sorted(used)}
        whole = {name: replace(spec, exclude=(), test_fold=None) for name, spec in specs.items()}
        self.banks = {name: ImageBank(spec, cache) for name, spec in whole.items()}
        self.rows = {
            name: np.flatnonzero([not left_out(m, spec) for m in self.banks[name].meta]) for name, spec in specs.items()
        }
        for name, rows in self.rows.items():
            if not len(rows):
                raise DataError(f"Nothing of the set '{name}' is left to train on.", "Leave out less, or drop the set.")
        self.features: dict[str, FeatureBank] = {}
        self.facts = {name: [positives(m) for m in bank.meta] for name, bank in self.banks.items()}
        self.said = {
            name: [frozenset(normalise(s) for s in sentences(m)) for m in bank.meta]
            for name, bank in self.banks.items()
        }

    def metas(self) -> Iterator[dict[str, Any]]:
        """Every sample that may be trained on."""
        for name, bank in self.banks.items():
            yield from (bank.meta[i] for i in self.rows[name])

    def counts(self, stage: Stage) -> dict[str, int]:
        """Images per step from each set; they sum to the batch."""
        total = sum(stage.mixture.values())
        names = sorted(stage.mixture)
        edges = np.round(np.cumsum([stage.mixture[n] for n in names]) / total * stage.batch).astype(int)
        return dict(zip(names, np.diff(edges, prepend=0).tolist(), strict=True))

    @lru_cache(maxsize=64)  # noqa: B019  (lives as long as the run)
    def _order(self, name: str, stage_number: int, epoch: int) -> np.ndarray:
        seed = [self.recipe.seed, stage_number, epoch, *name.encode()]
        return np.random.default_rng(seed).permutation(self.rows[name])

    def indices(self, name: str, stage_number: int, step: int, count: int) -> np.ndarray:
        """Which images of a set a step sees: every image once an epoch, in an order that the seed fixes."""
        n = len(self.rows[name])
        places = np.arange(step * count, (step + 1) * count)
        return np.array([self._order(name, stage_number, int(p // n))[p % n] for p in places], dtype=np.int64)

    def batch(self, stage_number: int, step: int) -> Batch:
        """The batch of a step."""
        stage = self.recipe.stages[stage_number]
        rng = np.random.default_rng([self.recipe.seed, stage_number, step])
        captions: list[Caption] = []
        where: list[tuple[str, int]] = []
        for name, count in self.counts(stage).items():
            style = caption_style(self.recipe.sets[name])
            for i in self.indices(name, stage_number, step, count):
                source = rng
                if stage.cached_texts:
                    number = int(rng.integers(stage.cached_texts))
                    source = np.random.default_rng([self.recipe.feature_seed, *name.encode(), int(i), number])
                captions.append(draw(self.banks[name].meta[i], source, style))
                where.append((name, int(i)))
        # Interleaved, so that every process and every chunk gets of each set.
        order = rng.permutation(len(where))
        captions, where = [captions[i] for i in order], [where[i] for i in order]
        share = len(where) // self.world
        rows = slice(self.rank * share, (self.rank + 1) * share)
        local = np.random.default_rng([self.recipe.seed, stage_number, step, self.rank + 1])
        make = self._cached if stage.cached_views else self._images
        images = make(stage, where[rows], captions[rows], local)
        true = positive_matrix(captions, [self.facts[name][i] for name, i in where])
        said = positive_matrix(captions, [self.said[name][i] for name, i in where])
        sentence = [all(f in self.said[n][i] for f in c.facts) for c, (n, i) in zip(captions, where, strict=True)]
        neutral = torch.from_numpy(true & ~said & np.array(sentence)[:, None] & stage.neutral_names)
        return Batch(images, [c.text for c in captions], torch.from_numpy(true.astype(np.float32)), rows, neutral)

    def prepare(self, stage_number: int, model: Mammut, cache: Path) -> None:
        """Compute a stage's cached features from the model as it is now; nothing to do for stages without."""
        stage = self.recipe.stages[stage_number]
        self.features = {}
        for name in sorted(stage.mixture) if stage.cached_views else ():
            size = stage.image_size or self.image_size
            self.features[name] = FeatureBank(
                model,
                self.banks[name],
                min(self.recipe.sets[name].views or stage.cached_views, stage.cached_views),
                size,
                self.image_size,
                cache,
                name,
                self.recipe.feature_seed,
                stage.cached_level == "pooled",
            )

    def _cached(
        self, _: Stage, where: list[tuple[str, int]], captions: list[Caption], rng: np.random.Generator
    ) -> Tensor:
        draws = rng.random(len(where))
        rows = []
        for (name, i), drawn, caption in zip(where, draws, captions, strict=True):
            maps = self.features[name].maps
            rows.append(maps[0 if caption.directional else int(drawn * len(maps))][i])
        return torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).float()

    def _images(
        self, stage: Stage, where: list[tuple[str, int]], captions: list[Caption], local: np.random.Generator
    ) -> Tensor:
        size = stage.image_size or self.image_size
        images = torch.empty(len(where), 3, size, size)
        for name in sorted({n for n, _ in where}):
            mine = [k for k, (n, _) in enumerate(where) if n == name]
            picked = sorted((where[k][1], k) for k in mine)
            source = np.stack([self.banks[name].images[i] for i, _ in picked])
            # A bank of larger images is cropped closer, so that the scale stays near the others'.
            ratio = min(1.0, self.image_size / source.shape[1])
            views = [
                random_view(
                    local, stage.augment, not captions[k].directional, CLOSEST * ratio, 1.2 if ratio == 1.0 else 1.0
                )
                for _, k in picked
            ]
            images[torch.tensor([k for _, k in picked])] = colour(take_views(source, views, size), local, stage.augment)
        return images

    def stream(self, stage_number: int, first: int, last: int, ahead: int = 3) -> Iterator[Batch]:
        """Batches of steps first..last-1, prepared by a thread a few steps ahead."""
        ready: queue.Queue[Batch | BaseException] = queue.Queue(maxsize=ahead)
        gone = threading.Event()

        def offer(item: Batch | BaseException) -> None:
            while not gone.is_set():
                try:
                    ready.put(item, timeout=0.5)
                    return
                except queue.Full:
                    continue

        def work() -> None:
            try:
                for step in range(first, last):
                    if gone.is_set():
                        return
                    offer(self.batch(stage_number, step))
            except BaseException as error:  # handed to the training thread, which raises it
                offer(error)

        threading.Thread(target=work, daemon=True).start()
        try:
            for _ in range(first, last):
                item = ready.get()
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            gone.set()
