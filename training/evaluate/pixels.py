"""Pixel metrics of METHODS 7.3: counts over all pixels of a set together, and a threshold-free average precision."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsvlm_core.model.encoder import Float32, UInt8

_BINS = 1 << 20


def ratio(a: float, b: float) -> float:
    """The quotient, and 0 where b is 0."""
    return float(a) / float(b) if b else 0.0


class ScorePool:
    """Scores of all pixels of a set, pooled: average precision and the best IoU that any threshold could reach.

    Scores in -1..1 fall into 2**20 equal bins, so memory does not grow with the set; scores within 2e-6 of each other
    count as equal.
    """

    def __init__(self) -> None:
        self._positive = np.zeros(_BINS, dtype=np.int64)
        self._all = np.zeros(_BINS, dtype=np.int64)

    def add(self, scores: NDArray[np.floating[Any]], truth: NDArray[np.bool_]) -> None:
        """Pool the scores of one image; both arrays have one shape."""
        clipped = np.clip(scores.astype(np.float64).ravel(), -1.0, 1.0)
        bins = np.minimum(((clipped + 1.0) * (_BINS / 2)).astype(np.int64), _BINS - 1)
        self._all += np.bincount(bins, minlength=_BINS)
        self._positive += np.bincount(bins[truth.ravel()], minlength=_BINS)

    def _curve(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """True positives and predicted positives at every threshold, highest first."""
        used = np.flatnonzero(self._all)[::-1]
        return np.cumsum(self._positive[used]), np.cumsum(self._all[used])

    def average_precision(self) -> float:
        """Sum over thresholds of (recall step) * precision; 0 without positives."""
        tp, predicted = self._curve()
        if len(tp) == 0 or tp[-1] == 0:
            return 0.0
        step = np.diff(tp, prepend=0) / tp[-1]
        return float((step * (tp / predicted)).sum())

    def oracle_iou(self) -> float:
        """The best IoU that one threshold, chosen on these very masks, would give."""
        tp, predicted = self._curve()
        if len(tp) == 0 or tp[-1] == 0:
            return 0.0
        return float((tp / (predicted + tp[-1] - tp)).max())


class Counts:
    """True positives, false positives and false negatives of one class over a set."""

    def __init__(self) -> None:
        self.tp = self.fp = self.fn = 0
        self._per_image: list[float] = []

    def add(self, predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> None:
        """Count one image."""
        tp = int((predicted & truth).sum())
        fp, fn = int(predicted.sum()) - tp, int(truth.sum()) - tp
        self.tp, self.fp, self.fn = self.tp + tp, self.fp + fp, self.fn + fn
        if tp + fp + fn:
            self._per_image.append(tp / (tp + fp + fn))

    @property
    def present(self) -> bool:
        """Whether the class occurs in truth or prediction."""
        return self.tp + self.fp + self.fn > 0

    @property
    def iou(self) -> float:
        """TP / (TP + FP + FN)."""
        return ratio(self.tp, self.tp + self.fp + self.fn)

    def report(self) -> dict[str, float]:
        """iou, precision, recall, f1 in 0..1, and the mean of the images' own IoUs (images with neither left out)."""
        return {
            "iou": self.iou,
            "precision": ratio(self.tp, self.tp + self.fp),
            "recall": ratio(self.tp, self.tp + self.fn),
            "f1": ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn),
            "mean_image_iou": float(np.mean(self._per_image)) if self._per_image else 0.0,
        }


def upsample(grid: Float32, height: int, width: int) -> Float32:
    """[h, w] or [h, w, C] float32 cell values to [height, width(, C)], bilinear between cell centres."""
    import torch
    import torch.nn.functional as F

    x = torch.from_numpy(np.ascontiguousarray(grid if grid.ndim == 3 else grid[..., None])).permute(2, 0, 1)[None]
    big = F.interpolate(x.float(), size=(height, width), mode="bilinear", align_corners=False)[0]
    out = big.permute(1, 2, 0).numpy()
    return np.ascontiguousarray(out if grid.ndim == 3 else out[..., 0])


def resize_labels(labels: UInt8, height: int, width: int) -> UInt8:
    """[h, w] class numbers to [height, width], nearest."""
    rows = (np.arange(height) * labels.shape[0]) // height
    cols = (np.arange(width) * labels.shape[1]) // width
    resized: UInt8 = labels[rows[:, None], cols[None, :]]
    return resized
