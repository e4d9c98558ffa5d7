"""Zero-shot scene classification, METHODS 7.2: one prompt a class, the highest cosine over all classes wins."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsvlm_core.errors import DataError, UsageError
from rsvlm_core.model.encoder import Encoder
from rsvlm_core.progress import Progress, ShouldStop, never, silent
from training.data import places
from training.evaluate.images import Item, encode_images, list_images

TEMPLATE = "An aerial image of {}."


@dataclass(frozen=True)
class LabelledSet:
    """N images with class numbers; `classes` are the folder or meta names, in sorted order."""

    items: list[Item]
    truth: NDArray[np.int64]
    classes: list[str]


def read_labelled(images: Sequence[str | Path]) -> LabelledSet:
    """Images under `class name/file`, or with `class` in their KEY.json.

    Raises:
        DataError: An image without a class, or fewer than two classes.
    """
    items = list_images(images)
    metas = [item.meta().get("class") for item in items]
    from_meta = all(m is not None for m in metas)
    names = [str(m) if from_meta else item.folder for m, item in zip(metas, items, strict=True)]
    if "" in names:
        lost = items[names.index("")]
        raise DataError(
            f"The class of {lost.image.name} in {lost.image.path} is unknown.",
            "Put images into folders named after their class, or a `class` into each KEY.json.",
        )
    classes = sorted(set(names))
    if len(classes) < 2:
        raise DataError(f"All images are of one class, {classes[0]}.", "Classification needs at least two classes.")
    number = {c: k for k, c in enumerate(classes)}
    return LabelledSet(items, np.array([number[n] for n in names], dtype=np.int64), classes)


def only_fold(data: LabelledSet, fold: int, folds: int) -> LabelledSet:
    """The images of a fold of places (see `training.data.places`), with the classes that are present among them.

    Raises:
        DataError: No images there, or of one class only.
    """
    kept = [k for k, item in enumerate(data.items) if places.side(item.meta(), fold, folds) == "test"]
    present = sorted({int(data.truth[k]) for k in kept})
    if len(present) < 2:
        raise DataError(f"Fold {fold} of {folds} has images of {len(present)} classes.", "Choose another fold.")
    truth = np.array([present.index(int(data.truth[k])) for k in kept], dtype=np.int64)
    return LabelledSet([data.items[k] for k in kept], truth, [data.classes[p] for p in present])


def plain_words(class_name: str) -> str:
    """`SparseResidential`, `sparse_residential` -> `sparse residential`: lower-case words with spaces."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", class_name).replace("_", " ")
    return " ".join(spaced.lower().split())


def prompts(classes: Sequence[str], template: str = TEMPLATE, names: Mapping[str, str] | None = None) -> list[str]:
    """One prompt a class.

    Args:
        classes: Class names as found.
        template: With one `{}` for the name.
        names: Words to use instead, by class name.

    Raises:
        UsageError: A template without `{}`, or `names` for a class that is not there.
    """
    if template.count("{}") != 1:
        raise UsageError(f"The template {template!r} needs exactly one {{}}.", f"For instance: {TEMPLATE!r}")
    unknown = set(names or ()) - set(classes)
    if unknown:
        raise UsageError(f"There is no class {', '.join(sorted(unknown))}.", f"The classes are: {', '.join(classes)}.")
    return [template.format((names or {}).get(c, plain_words(c))) for c in classes]


def tally(truth: NDArray[np.int64], predicted: NDArray[np.int64], classes: Sequence[str]) -> dict[str, Any]:
    """Top-1 and per-class recall in percent, confusion counts (rows: truth, columns: prediction)."""
    n = len(classes)
    confusion = np.bincount(truth * n + predicted, minlength=n * n).reshape(n, n)
    totals = confusion.sum(axis=1)
    right = np.diagonal(confusion)
    per_class = {c: 100.0 * int(r) / int(t) for c, r, t in zip(classes, right, totals, strict=True) if t}
    return {
        "top1": 100.0 * float(right.sum()) / len(truth),
        "mean_per_class": float(np.mean(list(per_class.values()))),
        "per_class": per_class,
        "confusion": confusion.tolist(),
        "classes": list(classes),
        "images": len(truth),
    }


def classify(
    encoder: Encoder, data: LabelledSet, template: str = TEMPLATE, names: Mapping[str, str] | None = None, *,
    batch: int = 32, progress: Progress = silent, should_stop: ShouldStop = never,
) -> dict[str, Any]:
    """The JSON document of `tally`, with the exact prompts and the accuracy of always naming the commonest class.

    Args:
        encoder: The model.
        data: Images and their classes.
        template: Prompt with `{}` for a class.
        names: Class -> what it is called in the prompt, where that differs.
        batch: Images seen at once.
        progress: Told of images.
        should_stop: Polled for every batch.
    """
    texts = prompts(data.classes, template, names)
    z_text = encoder.encode_texts(texts)
    z_image = encode_images(encoder, data.items, batch=batch, progress=progress, should_stop=should_stop)
    predicted = (z_image @ z_text.T).argmax(axis=1).astype(np.int64)
    found = tally(data.truth, predicted, data.classes)
    commonest = 100.0 * float(np.bincount(data.truth).max()) / len(data.truth)
    return {**found, "prompts": texts, "baselines": {"commonest_class": commonest, "chance": 100.0 / len(data.classes)}}
