"""Image-text retrieval, protocol A of METHODS 7.1.

image -> text: an image is a hit at K when fewer than K foreign captions rank ahead of its best own caption; text ->
image: a caption is a hit at K when fewer than K images rank ahead of its own. Ahead means a higher score, or an equal
one and a smaller index: the same as a stable descending sort.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsvlm_core.errors import DataError
from rsvlm_core.model.encoder import Encoder, Float32
from rsvlm_core.progress import Progress, ShouldStop, never, silent
from training.evaluate.images import Item, encode_distinct, encode_images, list_images

Int = NDArray[np.int64]
KS = (1, 5, 10)


@dataclass(frozen=True)
class CaptionedSet:
    """N images and M captions in file order; `owner[m]` is the image of caption m."""

    items: list[Item]
    captions: list[str]
    owner: Int


def from_csv(images: Sequence[str | Path], captions: Path) -> CaptionedSet:
    """Images and the rows `filename,caption` of a CSV file, one row a caption.

    Images are numbered by first appearance in the CSV; images that it does not name are left out. `filename` is a
    path within the source, or only a file name where that is unique.

    Raises:
        DataError: No such file, other columns, no rows, an empty caption, or a row whose image is missing.
    """
    try:
        with open(captions, newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle)
            if not {"filename", "caption"} <= set(reader.fieldnames or ()):
                raise DataError(f"{captions} has columns {reader.fieldnames}.", "Line 1 must be: filename,caption")
            rows = [(r["filename"] or "", r["caption"] or "") for r in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise DataError(f"{captions} cannot be read ({e}).", "Give a UTF-8 CSV: filename,caption.") from e
    if not rows:
        raise DataError(f"{captions} has no captions.", "One row a caption, below the line filename,caption.")
    items = list_images(images)
    by_path = {i.image.name: i for i in items}
    by_name: dict[str, Item | None] = {}
    for one in items:
        by_name[one.name] = None if one.name in by_name else one
    chosen: dict[str, int] = {}
    kept: list[Item] = []
    owner: list[int] = []
    texts: list[str] = []
    missing: list[str] = []
    for number, (filename, text) in enumerate(rows, start=2):
        if not text.strip():
            raise DataError(f"{captions}, line {number}: {filename} has an empty caption.", "Write it or drop the row.")
        name = filename.strip().removeprefix("./")
        item = by_path.get(name) or by_name.get(name)
        if item is None:
            missing.append(name)
            continue
        if item.image.name not in chosen:
            chosen[item.image.name] = len(kept)
            kept.append(item)
        owner.append(chosen[item.image.name])
        texts.append(text.strip())
    if missing:
        names = ", ".join(dict.fromkeys(missing[:3]))
        raise DataError(
            f"{len(set(missing))} images of {captions} are not in {', '.join(map(str, images))} (first: {names}).",
            "Check --images, or remove the rows.",
        )
    return CaptionedSet(kept, texts, np.array(owner, dtype=np.int64))


def from_shards(images: Sequence[str | Path], per_image: int = 5) -> CaptionedSet:
    """Images and the `captions` of their KEY.json.

    Shards list distinct sentences; where an image has fewer than `per_image` they are repeated in turn, because the
    protocol counts all five sentences of an image, equal ones included. 0 takes them as they are.

    Raises:
        DataError: The images cannot be read, or none has sentences.
    """
    items: list[Item] = []
    owner: list[int] = []
    texts: list[str] = []
    for item in list_images(images):
        found = [" ".join(str(c).split()) for c in item.meta().get("captions") or []]
        found = [c for c in found if c]
        if not found:
            continue
        texts += [found[k % len(found)] for k in range(max(per_image, len(found)))]
        owner += [len(items)] * (len(texts) - len(owner))
        items.append(item)
    if not items:
        raise DataError(
            f"No image in {', '.join(map(str, images))} has captions in its KEY.json.", "Give them with --captions CSV."
        )
    return CaptionedSet(items, texts, np.array(owner, dtype=np.int64))


def ranks(image_scores: Float32, owner: Int) -> tuple[Int, Int]:
    """Ranks of protocol A, 0 = first.

    Args:
        image_scores: [N, M] scores of N images against M captions.
        owner: [M] image of each caption.

    Returns:
        [N] number of foreign captions ahead of each image's best own caption, and [M] number of images ahead of each
        caption's own image.

    Raises:
        DataError: An image has no caption.
    """
    n, m = image_scores.shape
    if len(np.unique(owner)) != n:
        raise DataError(f"{n - len(np.unique(owner))} images have no caption.", "Every image needs at least one.")
    index = np.arange(m)
    image_to_text = np.empty(n, dtype=np.int64)
    for i in range(n):
        row, own = image_scores[i], owner == i
        best = row[own].max()
        first = index[own & (row == best)].min()
        ahead = ~own & ((row > best) | ((row == best) & (index < first)))
        image_to_text[i] = ahead.sum()
    own_score = image_scores[owner, index]
    above = (image_scores > own_score).sum(axis=0)
    tied = (image_scores == own_score) & (np.arange(n)[:, None] < owner)
    return image_to_text, (above + tied.sum(axis=0)).astype(np.int64)


@dataclass(frozen=True)
class Outcome:
    """Ranks of one model on one set; every number reported is a function of them. `scores` [N, M] are for pictures."""

    image_to_text: Int
    text_to_image: Int
    owner: Int
    scores: Float32 = field(default_factory=lambda: np.zeros((0, 0), np.float32), repr=False)

    def recalls(self, drawn: Int | None = None) -> dict[str, float]:
        """R@K in percent and their mean, over all images or over `drawn` ones (with repeats)."""
        n = len(self.image_to_text)
        weight = np.ones(n) if drawn is None else np.bincount(drawn, minlength=n).astype(np.float64)
        of_text = weight[self.owner]
        found = {f"i2t_r{k}": 100.0 * float(weight @ (self.image_to_text < k) / weight.sum()) for k in KS}
        found |= {f"t2i_r{k}": 100.0 * float(of_text @ (self.text_to_image < k) / of_text.sum()) for k in KS}
        return {**found, "mean_recall": sum(found.values()) / len(found)}

    def interval(self, other: Outcome | None = None, resamples: int = 1000, seed: int = 0) -> tuple[float, float]:
        """95 % bootstrap interval over images of mean recall, or of its difference to `other` on the same draws."""
        rng = np.random.default_rng(seed)
        n = len(self.image_to_text)
        values = []
        for _ in range(resamples):
            drawn = rng.integers(n, size=n)
            value = self.recalls(drawn)["mean_recall"]
            values.append(value - other.recalls(drawn)["mean_recall"] if other else value)
        low, high = np.percentile(values, [2.5, 97.5])
        return float(low), float(high)


def outcome(
    encoder: Encoder, data: CaptionedSet, *, batch: int = 32, progress: Progress = silent,
    should_stop: ShouldStop = never,
) -> Outcome:
    """Encode a set and rank it. Scores of equal sentences are bit-equal: each distinct one is scored once.

    Args:
        encoder: The model.
        data: The set.
        batch: Images seen at once.
        progress: Told of images.
        should_stop: Polled for every batch.
    """
    z_image = encode_images(encoder, data.items, batch=batch, progress=progress, should_stop=should_stop)
    z_text, row = encode_distinct(encoder, data.captions)
    scores = (z_image @ z_text.T)[:, row]
    return Outcome(*ranks(scores, data.owner), data.owner, scores)


def report(found: Outcome, data: CaptionedSet, resamples: int = 1000) -> dict[str, Any]:
    """The JSON document: CONTRACT keys, the interval and the protocol."""
    return {
        **found.recalls(),
        "images": len(data.items),
        "captions": len(data.captions),
        "distinct_captions": len(set(data.captions)),
        "mean_recall_95": list(found.interval(resamples=resamples)),
        "protocol": "A: all captions, duplicates kept, no prefix, best own caption, stable descending sort",
    }
