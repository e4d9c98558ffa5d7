"""Sentences compared: normal form and words of direction."""

from __future__ import annotations

import re
import string
from collections.abc import Collection

from training.data.vocabulary import DIRECTION_WORDS

_PUNCTUATION = str.maketrans({c: " " for c in string.punctuation.replace("-", "") + "“”‘’…–—"})


def normalise(sentence: str) -> str:
    """Lower case, punctuation out (hyphens within words stay), blanks collapsed."""
    words = sentence.lower().translate(_PUNCTUATION).split()
    return " ".join(w for w in (w.strip("-") for w in words) if w)


def is_directional(sentence: str) -> bool:
    """Whether the sentence stops being true when the image is rotated or flipped."""
    words = normalise(sentence).replace("-", " ").split()
    if not DIRECTION_WORDS.intersection(words):
        return False
    # "seen from above", "right angle", "right next to" say nothing about the picture's axes
    rest = re.sub(r"\b(from above|right angles?|right (next|beside|in|behind|near)|top view)\b", " ", " ".join(words))
    return bool(DIRECTION_WORDS.intersection(rest.split()))


def contains(sentence: str, phrases: Collection[str]) -> bool:
    """Whether the sentence has one of the phrases as whole words; case, punctuation and hyphens do not matter."""
    if not phrases:
        return False
    padded = f" {normalise(sentence).replace('-', ' ')} "
    return any(f" {normalise(p).replace('-', ' ')} " in padded for p in phrases)
