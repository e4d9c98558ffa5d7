"""Text augmentation of METHODS 6.5: clauses dropped, synonyms swapped, words dropped from the captioning input."""

from __future__ import annotations

import re

import numpy as np

from training.data.vocabulary import SYNONYM_ROWS

_CLAUSES = re.compile(
    r"\s*[,;]\s*|\s+(?=(?:with|while|surrounded by|and there|next to|near|beside|in which|where|which)\b)", re.I)

# a sentence that ends on one of these has lost its point
_HANGING = frozenset("is are was were has have and or of a an the in on by with near to between one both".split())

_ROWS: dict[str, tuple[str, ...]] = {word: row for row in SYNONYM_ROWS for word in row}
# longest first, so that "parking lot" is found before "lot"
_WORDS = re.compile(r"\b(" + "|".join(sorted(map(re.escape, _ROWS), key=len, reverse=True)) + r")\b", re.I)


def drop_clause(sentence: str, rng: np.random.Generator) -> str:
    """The sentence without one of its later clauses; unchanged where it has only one or too little would be left."""
    starts = [m.start() for m in _CLAUSES.finditer(sentence)]
    ends = [*starts[1:], len(sentence)]
    choices = [
        sentence[:a] + sentence[b:]
        for a, b in zip(starts, ends, strict=False)
        if len(sentence[:a].split()) >= 3 and (sentence[:a] + sentence[b:]).split()[-1].lower() not in _HANGING
    ]
    if not choices:
        return sentence
    return choices[int(rng.integers(len(choices)))].strip(" ,;")


def swap_synonyms(sentence: str, rng: np.random.Generator, p: float) -> str:
    """Replace each word that has synonyms with probability p; keeps a capital at the start."""
    if p <= 0:
        return sentence

    def swap(match: re.Match[str]) -> str:
        word = match.group(0)
        if rng.random() >= p:
            return word
        row = [w for w in _ROWS[word.lower()] if w != word.lower()]
        other = row[int(rng.integers(len(row)))]
        return other[:1].upper() + other[1:] if word[:1].isupper() else other

    return _articles(_WORDS.sub(swap, sentence))


def _articles(sentence: str) -> str:
    """`a overpass` -> `an overpass`, `an parking area` -> `a parking area`, `a a lot` -> `a lot`."""
    sentence = re.sub(r"\b(a|an) (?=(lots of|numerous|some|several|a few|a lot of)\b)", "", sentence, flags=re.I)
    sentence = re.sub(r"\b([Aa]) (?=[aeio]\w)(?!one\b|once\b)", r"\1n ", sentence)
    return re.sub(r"\b([Aa])n (?=[bcdfgjklmnpqrstvwxyz])", r"\1 ", sentence)


def drop_words(sentence: str, rng: np.random.Generator, p: float = 0.05) -> str:
    """Word dropout for the captioning input only; never empty."""
    words = sentence.split()
    kept = [w for w in words if rng.random() >= p]
    return " ".join(kept or words)
