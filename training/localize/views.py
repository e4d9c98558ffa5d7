"""The eight rotations and flips, and scenes seen in all of them with the frozen part of the trunk already computed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsvlm_core.model.mammut import Mammut
from rsvlm_core.model.vision import TimmTrunk
from training.augment import colour, random_view, take_views
from training.bank import ImageBank
from training.features import kept, lower_runner, trunk_hash

VIEWS = 8
_BATCH = 32


def turned(x: Tensor, view: int) -> Tensor:
    """[..., S, S] in one of the eight orientations; view 0 leaves it as it is."""
    x = x.flip(-1) if view >= 4 else x
    return torch.rot90(x, view % 4, (-2, -1))


def unturned(x: Tensor, view: int) -> Tensor:
    """Inverse of `turned`."""
    x = torch.rot90(x, -(view % 4), (-2, -1))
    return x.flip(-1) if view >= 4 else x


def tokens_of(model: Mammut, x: Tensor) -> Tensor:
    """Views [B, 3, S, S] in 0..1, or cached maps [B, C, h, w] of the lower trunk -> tokens [B, h', w', width]."""
    x = x.float()
    if x.shape[1] == 3:
        return model.visual.grid(model.visual.normalise(x).contiguous(memory_format=torch.channels_last))[0]
    return model.visual.grid_of_lower(x.contiguous(memory_format=torch.channels_last))


class Scenes:
    """Crops of unlabelled images in eight orientations.

    A convolutional trunk's lower part does not learn here, so its maps are computed once and kept; for a vision
    transformer the views themselves are kept.

    Args:
        model: Its trunk's lower part is used as it is now.
        banks: Images by set.
        counts: How many of each set, evenly spread.
        size: Side of the views in pixels.
        zoom: Least and greatest side of a crop as a share of the image's.
        strength: Of the colour augmentation; each view has its own.
        folder: Cache; complete files of the same weights and views are used again.
        seed: Of crops and colours.

    Attributes:
        names: Set and number of every scene.
        maps: [8, N, C, h, w] float16 memory map.
    """

    def __init__(
        self, model: Mammut, banks: Mapping[str, ImageBank], counts: Mapping[str, int], size: int,
        zoom: tuple[float, float], strength: float, folder: Path, seed: int,
    ) -> None:
        self.names = [
            (name, int(i))
            for name, count in counts.items()
            for i in np.unique(np.linspace(0, len(banks[name]) - 1, min(count, len(banks[name]))).round().astype(int))
        ]
        trunk = model.visual.trunk
        convolutional = isinstance(trunk, TimmTrunk)
        key = [
            trunk_hash(model, upper=False) if convolutional else "images", {n: banks[n].name for n in counts},
            dict(counts), size, list(zoom), strength, seed, "scenes",
        ]  # fmt: skip
        model.eval()
        with torch.no_grad():
            probe = torch.zeros(1, 3, size, size)
            probe = trunk.lower(probe) if isinstance(trunk, TimmTrunk) else probe

        def fill(out: NDArray[np.float16]) -> None:
            lower = lower_runner(trunk, size) if isinstance(trunk, TimmTrunk) else None
            self._fill(out, model, lower, banks, size, zoom, strength, seed)

        self.maps = kept(folder, key, (VIEWS, len(self.names), *probe.shape[1:]), fill)

    def __len__(self) -> int:
        return len(self.names)

    def read(self, scenes: NDArray[np.integer], views: NDArray[np.integer]) -> Tensor:
        """[B, C, h, w] float32: each scene in one view."""
        rows = [self.maps[v, i] for i, v in zip(scenes, views, strict=True)]
        return torch.from_numpy(np.stack(rows)).float()

    @torch.no_grad()
    def _fill(
        self, out: NDArray[np.float16], model: Mammut, lower: Callable[[Tensor], Tensor] | None,
        banks: Mapping[str, ImageBank], size: int, zoom: tuple[float, float], strength: float, seed: int,
    ) -> None:
        started, total = time.monotonic(), len(self.names)
        for first in range(0, total, _BATCH):
            crops = []
            for k in range(first, min(first + _BATCH, total)):
                name, i = self.names[k]
                view = random_view(np.random.default_rng([seed, k]), 1.0, False, *zoom)
                crops.append(take_views(banks[name].images[i][None], [view], size))
            batch = torch.cat(crops)
            for v in range(VIEWS):
                rng = np.random.default_rng([seed, v, first])
                seen = turned(colour(batch.clone(), rng, strength), v)
                if lower is not None:
                    seen = lower(model.visual.normalise(seen).contiguous())
                out[v, first : first + len(batch)] = seen.half().numpy()
            if (first // _BATCH) % 10 == 9 or first + _BATCH >= total:
                done = min(first + _BATCH, total)
                rate = done * VIEWS / (time.monotonic() - started)
                print(f"views of scenes: {done}/{total}, {rate:.0f} images/s", file=sys.stderr, flush=True)
