"""Cached features of a frozen trunk, or of its lower part: views of every image, computed once, trained on many times.

On a CPU the lower stages of a trunk cost most of a step and change least. A stage with `cached_views: V` freezes them,
computes their stride-16 maps of V augmented views an image (view 0 keeps the orientation, for captions that say left
or north), and trains everything above on random cached views. With `cached_level: pooled` the whole trunk is frozen
and a view is the mean of its normalised tokens. Everything up to the pooled vector being linear while the pooling
query is zero, that is the same model as on all tokens, at a thousand pairs a second: for the first stage, and for
experiments.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rsvlm_core.errors import UsageError
from rsvlm_core.model.mammut import Mammut
from rsvlm_core.model.vision import TimmTrunk
from training.augment import colour, random_view, take_views
from training.bank import ImageBank

_BATCH = 32


def trunk_hash(model: Mammut, upper: bool) -> str:
    """Identity of the trunk's weights, with or without its upper part."""
    digest = hashlib.sha256()
    for name, value in sorted(model.visual.trunk.state_dict().items()):
        if upper or not name.startswith(TimmTrunk.UPPER):
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

        pooled: Keep only the mean over the last map's cells, each layer-normalised without scale and shift.

    Attributes:
        maps: [V, N, h, w, C] float16 memory map: of stride 16, or h = w = 1 with that mean.
    """

    def __init__(
        self,
        model: Mammut,
        bank: ImageBank,
        views: int,
        size: int,
        scale: int,
        folder: Path,
        name: str,
        seed: int,
        pooled: bool = False,
    ) -> None:
        trunk = model.visual.trunk
        if not isinstance(trunk, TimmTrunk):
            raise UsageError("cached_views needs a convolutional trunk.", "Set it to 0 for this model.")
        model.eval()  # in training mode even this probe would move batch norm's statistics
        with torch.no_grad():
            probe = trunk.lower(torch.zeros(1, 3, size, size))
        _, c, h, w = probe.shape
        key = [trunk_hash(model, upper=False), bank.name, views, size, scale, seed]

        def fill(out: NDArray[np.float16]) -> None:
            _fill(out, trunk, model, bank, size, scale, name, seed)

        lower = _kept(folder, key, (views, len(bank), h, w, c), fill)
        self.maps = lower
        if pooled:
            key = [trunk_hash(model, upper=True), *key[1:], "pooled tokens"]
            shape = (views, len(bank), 1, 1, trunk.channels)
            self.maps = _kept(folder, key, shape, lambda out: _pool(out, lower, trunk))


def _kept(
    folder: Path, key: list[object], shape: tuple[int, ...], fill: Callable[[NDArray[np.float16]], None]
) -> NDArray[np.float16]:
    """A memory map under its key: complete, or made now and renamed into place."""
    place = folder / hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
    if not (place / "complete").is_file():
        place.mkdir(parents=True, exist_ok=True)
        temp = place / f"maps.{os.getpid()}"
        out: NDArray[np.float16] = np.memmap(temp, np.float16, "w+", shape=shape)
        fill(out)
        del out
        os.replace(temp, place / "maps.f16")
        (place / "complete").touch()
    return np.memmap(place / "maps.f16", np.float16, "r", shape=shape)


class _Lower(nn.Module):
    def __init__(self, trunk: TimmTrunk) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, images: Tensor) -> Tensor:
        return self.trunk.lower(images)


def _runner(trunk: TimmTrunk, size: int) -> Callable[[Tensor], Tensor]:
    """`trunk.lower` through ONNX Runtime: twice as fast as torch on a CPU (10 against 21 ms an image, measured)."""
    import onnxruntime

    graph = io.BytesIO()
    example = (torch.zeros(2, 3, size, size),)
    torch.onnx.export(
        _Lower(trunk).eval(),
        example,
        graph,  # type: ignore[arg-type]  # the stubs forget buffers
        input_names=["x"],
        dynamic_axes={"x": {0: "n"}},
        dynamo=False,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(graph.getvalue(), options, providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(session.run(None, {"x": images.numpy()})[0])


@torch.no_grad()
def _pool(out: NDArray[np.float16], lower: NDArray[np.float16], trunk: TimmTrunk) -> None:
    for view in range(len(out)):
        for first in range(0, out.shape[1], _BATCH):
            x = torch.from_numpy(lower[view, first : first + _BATCH].astype(np.float32)).permute(0, 3, 1, 2)
            last = trunk.upper(x.contiguous(memory_format=torch.channels_last)).permute(0, 2, 3, 1)
            pooled = nn.functional.layer_norm(last, last.shape[-1:]).mean((1, 2))
            out[view, first : first + _BATCH, 0, 0] = pooled.half().numpy()


@torch.no_grad()
def _fill(
    out: NDArray[np.float16],
    trunk: TimmTrunk,
    model: Mammut,
    bank: ImageBank,
    size: int,
    scale: int,
    name: str,
    seed: int,
) -> None:
    count, started, lower = len(bank), time.monotonic(), _runner(trunk, size)
    for view in range(len(out)):
        for first in range(0, count, _BATCH):
            rng = np.random.default_rng([seed, view, first])
            source = np.asarray(bank.images[first : first + _BATCH])
            ratio = min(1.0, scale / source.shape[1])
            chosen = [
                random_view(rng, 1.0, view > 0, 0.62 * ratio, 1.2 if ratio == 1.0 else 1.0) for _ in range(len(source))
            ]
            images = colour(take_views(source, chosen, size), rng, 1.0)
            maps = lower(model.visual.normalise(images))
            out[view, first : first + len(source)] = maps.permute(0, 2, 3, 1).half().numpy()
        rate = (view + 1) * count / (time.monotonic() - started)
        print(f"features of {name}: view {view + 1}/{len(out)}, {rate:.0f} images/s", file=sys.stderr, flush=True)
