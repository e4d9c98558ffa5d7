"""Text segmentation against masks, METHODS 7.3: counts over all pixels of the set, at the product's own threshold.

The prediction is whatever `rsvlm segment` would do with the image: nothing is tuned on the masks. Average precision
needs no threshold. `baselines` has what a model must beat: everything foreground, one score for the whole image, the
raw cosine of patches, and its blur; their `oracle_iou` takes the best threshold on these very masks, as does the
model's own, and is to be read as an upper bound only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from rsvlm_core.errors import DataError, UsageError
from rsvlm_core.model.encoder import Encoder, Float32, UInt8
from rsvlm_core.progress import Progress, ShouldStop, check, never, silent
from training.data.shards import decode_label
from training.evaluate.images import File, Item, list_files, list_images, square
from training.evaluate.pixels import Counts, ScorePool, resize_labels, upsample

LOOKS = (0.85, 1.2, 1.7, 2.4)  # of imagery of unknown resolution, times the resolution that it is taken for


@dataclass(frozen=True)
class Prediction:
    """What is said of one image.

    Attributes:
        labels: [H, W] uint8, 0 none of the texts, t the t-th text.
        scores: [H, W, T] float32 in -1..1, higher is more of the text; comparable between images.
    """

    labels: UInt8
    scores: Float32


Predictor = Callable[[UInt8, float | None], Prediction]


@dataclass(frozen=True)
class MaskedImage:
    """An image and its mask file."""

    item: Item
    mask: File

    def truth(self) -> UInt8:
        """[H, W] uint8 class numbers."""
        return decode_label(self.mask.read(), self.mask.name)


def read_masked(images: Sequence[str | Path]) -> list[MaskedImage]:
    """Pairs of `images/KEY.*` and `masks/KEY.png`, wherever in the source these two folders are.

    Raises:
        DataError: No pairs, or an image without a mask.
    """
    masks = {}
    for file in list_files(images):
        parts = file.name.split("/")
        if "masks" in parts[:-1] and parts[-1].lower().endswith(".png"):
            masks[_place(parts, "masks")] = file
    found: list[Item] = []
    lost: list[Item] = []
    for item in list_images(images):
        parts = item.image.name.split("/")
        if "images" in parts[:-1]:
            place = _place(parts, "images")
            (found if place in masks else lost).append(item)
    if lost:
        raise DataError(
            f"{len(lost)} images have no mask (first: {lost[0].image.name}).", "A mask is masks/KEY.png."
        )
    if not found:
        raise DataError(
            f"No images with masks in {', '.join(map(str, images))}.", "Expected images/KEY.* and masks/KEY.png."
        )
    return [MaskedImage(item, masks[_place(item.image.name.split("/"), "images")]) for item in found]


def _place(parts: Sequence[str], folder: str) -> tuple[str, ...]:
    """The path without the name of its images or masks folder and without suffix."""
    at = len(parts) - 2 - list(reversed(parts[:-1])).index(folder)
    return (*parts[:at], "", *parts[at + 1 : -1], parts[-1].rpartition(".")[0])


class _Baselines:
    """Threshold-free scores of what needs no product."""

    def __init__(self, encoder: Encoder, texts: Sequence[str]) -> None:
        self._encoder, self._texts = encoder, encoder.encode_texts(list(texts))
        self.names = ("image_level", "raw_patches", "blurred_patches")
        self._pools = {name: [ScorePool() for _ in texts] for name in self.names}

    def add(self, item: Item, truth: UInt8, valid: NDArray[np.bool_]) -> None:
        image = item.pil()
        info = self._encoder.info
        h, w = truth.shape
        whole = self._encoder.encode_images(square(image, info.image_size)[None])[0] @ self._texts.T
        stride = info.patch_stride
        width, height = (max(stride, round(s / stride) * stride) for s in image.size)
        pixels = np.array(image.resize((width, height)), dtype=np.uint8)
        grid = self._encoder.encode_patches(pixels[None], "attention")[0] @ self._texts.T
        blurred = np.asarray(uniform_filter(grid, size=(3, 3, 1), mode="nearest"), dtype=np.float32)
        maps = (np.broadcast_to(whole, (h, w, len(whole))), upsample(grid, h, w), upsample(blurred, h, w))
        for name, scores in zip(self.names, maps, strict=True):
            for t, pool in enumerate(self._pools[name]):
                pool.add(scores[..., t][valid], truth[valid] == t + 1)

    def report(self, text: int) -> dict[str, dict[str, float]]:
        """What each baseline reaches for the text of this number, by name."""
        return {
            name: {"average_precision": pools[text].average_precision(), "oracle_iou": pools[text].oracle_iou()}
            for name, pools in self._pools.items()
        }


def segment(
    encoder: Encoder, images: Sequence[MaskedImage], texts: Sequence[str], predict: Predictor, *,
    gsd_m: float | None = None, ignore: int | None = None, progress: Progress = silent, should_stop: ShouldStop = never,
) -> dict[str, Any]:
    """Segment every image and count.

    Args:
        encoder: For the baselines.
        images: With masks.
        texts: One: non-zero mask values are the text. Several: value t is the t-th text, 0 none of them.
        predict: The product.
        gsd_m: Metres per pixel of the images; `gsd_m` of a KEY.json wins.
        ignore: Mask value of pixels that take no part.
        progress: Called after every image.
        should_stop: Asked before every image.

    Returns:
        The JSON document. One text: iou, precision, recall, f1, mean_image_iou, average_precision, oracle_iou,
        images, baselines. Several: miou (mean over texts in truth or prediction), iou_per_text, per_text, images.

    Raises:
        DataError: A mask value without a text.
    """
    n = len(texts)
    counts, everywhere = [Counts() for _ in texts], [Counts() for _ in texts]
    pools, baselines = [ScorePool() for _ in texts], _Baselines(encoder, texts)
    for done, image in enumerate(images):
        check(should_stop)
        raw = image.truth()
        valid = raw != ignore if ignore is not None else np.ones(raw.shape, bool)
        truth = (raw > 0).astype(np.uint8) if n == 1 else raw
        highest = int(truth[valid].max(initial=0))
        if highest > n:
            raise DataError(
                f"The mask {image.mask.name} has value {highest}, but there are {n} texts.",
                "Give one --text a value, in order, or --ignore VALUE.",
            )
        rgb = np.array(image.item.pil(), dtype=np.uint8)
        known = image.item.meta().get("gsd_m", gsd_m)
        found = predict(rgb, None if known is None else float(known))
        h, w = truth.shape
        same = found.labels.shape == (h, w)
        labels = found.labels if same else resize_labels(found.labels, h, w)
        scores = found.scores if same else upsample(found.scores, h, w)
        truth, labels = np.where(valid, truth, 0).astype(np.uint8), np.where(valid, labels, 0).astype(np.uint8)
        for t in range(n):
            counts[t].add(labels == t + 1, truth == t + 1)
            everywhere[t].add(valid, truth == t + 1)
            pools[t].add(scores[..., t][valid], truth[valid] == t + 1)
        baselines.add(image.item, truth, valid)
        progress(done + 1, len(images), "images")
    per_text = {
        text: {
            **counts[t].report(),
            "average_precision": pools[t].average_precision(),
            "oracle_iou": pools[t].oracle_iou(),
            "baselines": {
                "all_foreground": {
                    **everywhere[t].report(),
                    "average_precision": everywhere[t].report()["precision"],
                },
                **baselines.report(t),
            },
        }
        for t, text in enumerate(texts)
    }
    if n == 1:
        return {**per_text[texts[0]], "images": len(images)}
    present = [t for t in range(n) if counts[t].present]
    return {
        "miou": float(np.mean([counts[t].iou for t in present])) if present else 0.0,
        "iou_per_text": {text: counts[t].iou for t, text in enumerate(texts)},
        "images": len(images),
        "per_text": per_text,
    }


def product(
    encoder: Encoder, texts: Sequence[str], *, threshold: str | float = "auto", refine: str = "none",
    method: str = "auto", at_gsd_m: float | None = None,
) -> Predictor:
    """What `rsvlm segment` does, for arrays.

    Args:
        encoder: The model.
        texts: Distinct texts, in the order of the mask values.
        threshold: "auto", or a confidence in 0..1.
        refine: "none" or "edges".
        method: "auto", "smooth", "attention", "dense" or "tiles".
        at_gsd_m: Metres per pixel at which the model looks; None for what suits it. Images of unknown ground
            resolution are looked at as if they had a resolution that the model was trained for, at several scales
            (`LOOKS`): a wrong guess then costs less.

    Raises:
        UsageError: A text was given twice, or a setting cannot be used.
    """
    from rsvlm_core.localize.prompts import Prompts
    from rsvlm_core.pipelines.segment import segment_array

    if len({t.strip() for t in texts}) != len(texts):
        raise UsageError("A text was given twice.", "Give every --text once.")
    prompts = Prompts.of(texts, encoder)
    low, high = encoder.info.gsd_m
    usual = min(max(1.0, low), high)

    def predict(rgb: UInt8, gsd_m: float | None) -> Prediction:
        looks = tuple(f * usual for f in LOOKS) if at_gsd_m is None and gsd_m is None else at_gsd_m
        found = segment_array(
            rgb, usual if gsd_m is None else gsd_m, prompts, encoder, threshold, refine, method=method, gsd=looks)
        labels = np.where(found.labels > len(texts), 0, found.labels).astype(np.uint8)
        return Prediction(labels, np.moveaxis(found.scores, 0, -1))

    return predict
