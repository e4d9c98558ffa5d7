"""Decoded training images: one memory map a set, made once, read at random.

A bank costs N * size^2 * 3 bytes on disk and nothing in memory; the training order is then free of shard order, and a
batch is a pure function of the step, which is what makes resuming exact.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rsvlm_core.model.encoder import UInt8
from rsvlm_core.scratch import beside, publish
from training.data.places import side
from training.data.shards import read_samples
from training.recipe import SetSpec


def centre_square(image: Image.Image, size: int, resample: Image.Resampling) -> Image.Image:
    """The centre square of an image, resized to size x size."""
    w, h = image.size
    side = min(w, h)
    left, top = (w - side) // 2, (h - side) // 2
    return image.resize((size, size), resample, box=(left, top, left + side, top + side))


class ImageBank:
    """Images, labels and meta data of one set.

    Attributes:
        name: Identity of its content.
        images: [N, size, size, 3] uint8 memory map.
        labels: [N, size, size] uint8 memory map of pixel labels, or None.
        meta: N dicts.
    """

    def __init__(self, spec: SetSpec, cache: Path) -> None:
        paths = spec.paths()
        stamp = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in paths]
        places = [] if spec.test_fold is None else [spec.test_fold, spec.folds]
        key = [stamp, spec.size, list(spec.exclude), *places]
        name = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
        self.name = name
        folder = cache / name
        if not (folder / "meta.json").is_file():
            _build(paths, spec, folder)
        self.meta: list[dict[str, Any]] = json.loads((folder / "meta.json").read_text("utf-8"))
        shape = (len(self.meta), spec.size, spec.size)
        self.images: UInt8 = np.memmap(folder / "images.u8", np.uint8, "r", shape=(*shape, 3))
        labels = folder / "labels.u8"
        self.labels: UInt8 | None = np.memmap(labels, np.uint8, "r", shape=shape) if labels.is_file() else None

    def __len__(self) -> int:
        return len(self.meta)


def names(meta: Mapping[str, Any], words: Sequence[str]) -> bool:
    """Whether a sample's class, sentences, or what is in view name any of the words (whole words, case ignored)."""
    amounts = {**(meta.get("fractions") or {}), **{w: len(b) for w, b in (meta.get("boxes") or {}).items()}}
    in_view = [w for w, amount in amounts.items() if amount > 0]
    text = " ".join([str(meta.get("class", "")), *map(str, meta.get("captions", [])), *in_view]).lower()
    padded = " " + "".join(c if c.isalnum() else " " for c in text) + " "
    return any(f" {w.lower()} " in padded for w in words)


def left_out(meta: Mapping[str, Any], spec: SetSpec) -> bool:
    """Whether a set's words or places keep a sample out of training."""
    elsewhere = spec.test_fold is None or side(meta, spec.test_fold, spec.folds) == "train"
    return not elsewhere or names(meta, spec.exclude)


def _build(paths: Sequence[Path], spec: SetSpec, folder: Path) -> None:
    """Decode a set's samples into `images.u8`, `labels.u8` where any has a label, and `meta.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    meta: list[dict[str, Any]] = []
    any_label = False
    with beside(folder / "bank") as parts:
        with (parts / "images.u8").open("wb") as images, (parts / "labels.u8").open("wb") as labels:
            for sample in read_samples(paths):
                if left_out(sample.meta, spec):
                    continue
                original = sample.pil()
                images.write(centre_square(original, spec.size, Image.Resampling.BICUBIC).tobytes())
                label = sample.label_array()
                any_label |= label is not None
                mask = Image.fromarray(label) if label is not None else Image.new("L", original.size, 255)
                labels.write(centre_square(mask, spec.size, Image.Resampling.NEAREST).tobytes())
                meta.append({**sample.meta, "_size": original.size})
        (parts / "meta.json").write_text(json.dumps(meta), "utf-8")
        # A bank is complete when it has meta.json, which therefore comes last.
        for name in ("images.u8", *(["labels.u8"] if any_label else []), "meta.json"):
            publish(parts / name, folder / name)
