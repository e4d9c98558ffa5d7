"""Caption scores of METHODS 7.5: BLEU-4 and CIDEr-D, and the best constant caption as the score to beat.

Both sides are lower-cased, freed of punctuation and split on blanks. BLEU-4 is in 0..1, CIDEr-D is 10 times the mean
similarity (a perfect copy of all references scores 10; some tables multiply by a further 10).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rsvlm_core.errors import DataError

NGram = tuple[str, ...]
_SIGMA = 6.0


def words(sentence: str) -> list[str]:
    """Lower case, punctuation removed, split on blanks."""
    return "".join(c for c in sentence.lower() if c.isalnum() or c.isspace()).split()


def ngrams(tokens: Sequence[str], n: int) -> Counter[NGram]:
    """Counts of the runs of n words."""
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def _closest(length: int, references: Sequence[int]) -> int:
    """The reference length closest to `length`; of two equally close ones the shorter."""
    return min(references, key=lambda r: (abs(r - length), r))


def bleu4(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Dataset-level BLEU-4 without smoothing, 0..1.

    Args:
        candidates: One caption an image.
        references: One or more an image.
    """
    matched, total = [0] * 4, [0] * 4
    c_len = r_len = 0
    for candidate, refs in zip(candidates, references, strict=True):
        tokens, ref_tokens = words(candidate), [words(r) for r in refs]
        c_len += len(tokens)
        r_len += _closest(len(tokens), [len(r) for r in ref_tokens])
        for n in range(1, 5):
            most: Counter[NGram] = Counter()
            for r in ref_tokens:
                most |= ngrams(r, n)
            found = ngrams(tokens, n)
            matched[n - 1] += (found & most).total()
            total[n - 1] += found.total()
    return _bleu(matched, total, c_len, r_len)


def _bleu(matched: Sequence[int], total: Sequence[int], c_len: int, r_len: int) -> float:
    if min(matched) == 0 or min(total) == 0:
        return 0.0
    penalty = 1.0 if c_len > r_len else math.exp(1 - r_len / c_len)
    return penalty * math.exp(sum(math.log(m / t) for m, t in zip(matched, total, strict=True)) / 4)


@dataclass(frozen=True)
class _Reference:
    vector: dict[NGram, float]
    norm: float
    length: int


class CiderD:
    """CIDEr-D against one set of references; document frequencies are those of the references' images."""

    def __init__(self, references: Sequence[Sequence[str]]) -> None:
        if not references or not all(references):
            raise DataError("An image has no reference caption.", "Every image needs at least one.")
        tokens = [[words(r) for r in refs] for refs in references]
        self._df: Counter[NGram] = Counter()
        for refs in tokens:
            self._df.update({g for r in refs for n in range(1, 5) for g in ngrams(r, n)})
        self._log_n = math.log(len(references))
        self._refs = [[[self._vector(r, n) for r in refs] for n in range(1, 5)] for refs in tokens]

    def _vector(self, tokens: Sequence[str], n: int) -> _Reference:
        vector = {g: c * (self._log_n - math.log(max(1, self._df[g]))) for g, c in ngrams(tokens, n).items()}
        return _Reference(vector, math.sqrt(sum(v * v for v in vector.values())), len(tokens))

    def score(self, image: int, candidate: str) -> float:
        """Score of one caption for one image."""
        tokens = words(candidate)
        total = 0.0
        for n in range(1, 5):
            mine = self._vector(tokens, n)
            refs = self._refs[image][n - 1]
            total += sum(_similarity(mine, r) for r in refs) / len(refs)
        return 10.0 * total / 4

    def mean(self, candidates: Sequence[str]) -> float:
        """Mean over the set."""
        return sum(self.score(i, c) for i, c in enumerate(candidates)) / len(candidates)


def _similarity(mine: _Reference, other: _Reference) -> float:
    if mine.norm == 0 or other.norm == 0:
        return 0.0
    dot = sum(min(v, other.vector[g]) * other.vector[g] for g, v in mine.vector.items() if g in other.vector)
    return math.exp(-((mine.length - other.length) ** 2) / (2 * _SIGMA**2)) * dot / (mine.norm * other.norm)


def best_constant(
    references: Sequence[Sequence[str]], pool: Sequence[str] | None = None, shortlist: int = 40,
) -> dict[str, object]:
    """The single sentence that, given for every image, scores best; for BLEU-4 and CIDEr-D each.

    Args:
        references: One or more sentences an image.
        pool: Sentences to choose from; default all distinct references.
        shortlist: How many of the pool, chosen by their mean overlap with all references, are scored in full
            (ten times as many find the same sentences on RSICD).
    """
    pool = list(dict.fromkeys(pool if pool is not None else [s for refs in references for s in refs]))
    # how many images' references contain each uni- and bigram: what a constant caption can hope to match
    images_with: Counter[NGram] = Counter()
    for refs in references:
        images_with.update({g for r in refs for n in (1, 2, 3, 4) for g in ngrams(words(r), n)})

    def promise(sentence: str, n: int) -> float:
        grams = ngrams(words(sentence), n)
        return sum(images_with[g] for g in grams) / max(1, grams.total())

    chosen: dict[str, None] = {}
    for n in (1, 2, 3, 4):
        ranked = sorted(pool, key=lambda s: -promise(s, n))  # noqa: B023
        chosen.update(dict.fromkeys(ranked[: max(1, shortlist // 4)]))
    common = Counter(s for refs in references for s in refs)
    chosen.update(dict.fromkeys(s for s, _ in common.most_common(max(1, shortlist // 4)) if s in set(pool)))
    cider = CiderD(references)
    n = len(references)
    bleus = {s: bleu4([s] * n, references) for s in chosen}
    ciders = {s: cider.mean([s] * n) for s in chosen}
    by_bleu, by_cider = max(bleus, key=bleus.__getitem__), max(ciders, key=ciders.__getitem__)
    return {"bleu4": bleus[by_bleu], "bleu4_caption": by_bleu, "cider_d": ciders[by_cider], "cider_d_caption": by_cider}


def report(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, object]:
    """The JSON document: both scores, distinct ratio, mean length, and the best constant caption.

    Args:
        candidates: One an image.
        references: Of each image, at least one.

    Raises:
        DataError: There are none.
    """
    if not candidates:
        raise DataError("There are no images to caption.", "Check --images.")
    return {
        "bleu4": bleu4(candidates, references),
        "cider_d": CiderD(references).mean(candidates),
        "distinct_ratio": len({" ".join(words(c)) for c in candidates}) / len(candidates),
        "mean_length": float(np.mean([len(words(c)) for c in candidates])),
        "images": len(candidates),
        "references": sum(map(len, references)),
        "baselines": {"best_constant": best_constant(references)},
    }
