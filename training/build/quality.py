"""How good a web picture is, and a hook for keeping unsafe ones out."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from rsvlm_core.errors import UsageError

Safety = Callable[[Image.Image, str], bool]
_UNSAFE = re.compile(
    r"\b(?:porn\w*|xxx|nude|nudes|naked|nsfw|erotic\w*|sex(?:y|ual|ually)?|hentai|escort|bikini|lingerie|gore|corpse|"
    r"selfie|portrait|headshot|mugshot)\b", re.I)


@dataclass(frozen=True)
class Quality:
    """Measures of a picture, and one number of them.

    Attributes:
        score: 0..1, the product of the parts, each 1 where nothing is wrong.
        sharpness: Mean absolute difference of neighbouring grey values, at 128 pixels, 0..255.
        entropy: Of the grey values, bits, 0..8.
        side: Shorter side in pixels.
        aspect: Longer side by shorter side.
    """

    score: float
    sharpness: float
    entropy: float
    side: int
    aspect: float


def measure(image: Image.Image) -> Quality:
    """Look at a picture."""
    w, h = image.size
    small = image.resize((128, 128), Image.Resampling.BILINEAR, reducing_gap=2.0).convert("L")
    grey = np.asarray(small, dtype=np.float64)
    sharpness = float((np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean()) / 2)
    share = np.bincount(grey.astype(np.int64).ravel() >> 2, minlength=64) / grey.size
    entropy = float(-(share[share > 0] * np.log2(share[share > 0])).sum()) * 8 / 6
    side, aspect = min(w, h), max(w, h) / min(w, h)
    parts = (
        min(1.0, side / 224), min(1.0, sharpness / 3.0), min(1.0, max(0.0, entropy - 1) / 3), min(1.0, 2.5 / aspect),
    )  # fmt: skip
    return Quality(float(np.prod(parts)), sharpness, entropy, side, aspect)


def words_only(image: Image.Image, text: str) -> bool:
    """The default safety filter: looks at the words alone; True is safe. It sees no pictures: give a better one."""
    return not _UNSAFE.search(text)


def load_safety(name: str | None) -> Safety:
    """A safety filter by `MODULE:FUNCTION`; the function takes a PIL image and its text and returns True for safe.

    Raises:
        UsageError: It cannot be imported.
    """
    if not name:
        return words_only
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as e:
        raise UsageError(f"The safety filter {name} cannot be loaded ({e}).", "Give MODULE:FUNCTION.") from e
    if not callable(found):
        raise UsageError(f"The safety filter {name} is not a function.", "Give MODULE:FUNCTION.")
    return found  # type: ignore[no-any-return]
