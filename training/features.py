"""Cached features of a frozen lower trunk: views of every image, computed once, trained on many times.

On a CPU the lower stages of a trunk cost most of a step and change least. A stage with `cached_views: V` freezes them,
computes their stride-16 maps of V augmented views an image (view 0 keeps the orientation, for captions that say left
or north), and trains everything above on random cached views.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from rsvlm_core.errors import UsageError
from rsvlm_core.model.mammut import Mammut
from rsvlm_core.model.vision import TimmTrunk
from training.augment import colour, random_view, take_views
from training.bank import ImageBank

_BATCH = 32


def lower_hash(model: Mammut) -> str:
    """Identity of the frozen part's weights."""
    digest = hashlib.sha256()
    for name, value in sorted(model.visual.trunk.state_dict().items()):
        if not name.startswith(TimmTrunk.UPPER):
            digest.update(name.encode())
            digest.update(value.detach().cpu().numpy().tobytes())
    return digest.hexdigest()


class FeatureBank:
    """Maps of one set's views.

    Args:
        model: Its trunk's lower part is used as it is now.
        bank: The images.
        views: V.
        size: Side of the views in pixels.
        scale: Image side of the model, for choosing crops of larger banks.
        folder: Cache; a complete bank of the same weights, images and views is used again.
        name: Shown while building.
        seed: Of the views.

    Attributes:
        maps: [V, N, h, w, C] float16 memory map.
    """

    def __init__(
        self, model: Mammut, bank: ImageBank, views: int, size: int, scale: int, folder: Path, name: str, seed: int
    ) -> None:
        trunk = model.visual.trunk
        if not isinstance(trunk, TimmTrunk):
            raise UsageError("cached_views needs a convolutional trunk.", "Set it to 0 for this model.")
        key = [lower_hash(model), bank.name, views, size, scale, seed]
        place = folder / hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
        model.eval()  # in training mode even this probe would move batch norm's statistics
        with torch.no_grad():
            probe = trunk.lower(torch.zeros(1, 3, size, size))
        _, c, h, w = probe.shape
        shape = (views, len(bank), h, w, c)
        if not (place / "complete").is_file():
            place.mkdir(parents=True, exist_ok=True)
            temp = place / f"maps.{os.getpid()}"
            out: NDArray[np.float16] = np.memmap(temp, np.float16, "w+", shape=shape)
            _fill(out, model, trunk, bank, size, scale, name, seed)
            del out
            os.replace(temp, place / "maps.f16")
            (place / "complete").touch()
        self.maps: NDArray[np.float16] = np.memmap(place / "maps.f16", np.float16, "r", shape=shape)


@torch.no_grad()
def _fill(
    out: NDArray[np.float16],
    model: Mammut,
    trunk: TimmTrunk,
    bank: ImageBank,
    size: int,
    scale: int,
    name: str,
    seed: int,
) -> None:
    model.eval()
    count, started = len(bank), time.monotonic()
    for view in range(len(out)):
        for first in range(0, count, _BATCH):
            rng = np.random.default_rng([seed, view, first])
            source = np.asarray(bank.images[first : first + _BATCH])
            ratio = min(1.0, scale / source.shape[1])
            chosen = [
                random_view(rng, 1.0, view > 0, 0.62 * ratio, 1.2 if ratio == 1.0 else 1.0) for _ in range(len(source))
            ]
            images = colour(take_views(source, chosen, size), rng, 1.0)
            x = model.visual.normalise(images).contiguous(memory_format=torch.channels_last)
            out[view, first : first + len(source)] = trunk.lower(x).permute(0, 2, 3, 1).half().numpy()
        rate = (view + 1) * count / (time.monotonic() - started)
        print(f"features of {name}: view {view + 1}/{len(out)}, {rate:.0f} images/s", file=sys.stderr, flush=True)
