"""Exact search: every vector is looked at, block by block, so that the map is read once and never loaded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rsvlm_core.model.encoder import Float32

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

# Rows compared at once. Smaller blocks cost a call of the library and of its threads each; larger ones only memory.
_BLOCK = 65536
# Copying the chosen rows of a block costs more than comparing them all from about this share on.
_DENSE = 0.25
# Products of whole blocks round differently from row to row: candidates are compared in steps of 2^-21, so that equal
# tiles stay in their order, and some more than k are kept until their scores are computed anew.
_STEPS = np.float32(2**21)
_SPARE = 16


def top_rows(vectors: Float32, query: Float32, k: int, mask: Mask | None = None) -> tuple[list[Ints], list[Float32]]:
    """The k rows with the highest cosine for each query, all queries in one pass; equal ones in the order of rows.

    Args:
        vectors: [N, D] float32, unit length, in memory or mapped.
        query: [Q, D] float32, unit length.
        k: How many at most.
        mask: [N] which rows take part; None is all.

    Returns:
        For each query, row numbers and scores, best first; shorter than k where fewer rows take part.
    """
    best = [(np.zeros(0, np.int64), np.zeros(0, np.float32)) for _ in query]
    for start in range(0, len(vectors), _BLOCK):
        stop = min(len(vectors), start + _BLOCK)
        chosen = None if mask is None else np.flatnonzero(mask[start:stop])
        if chosen is not None and not len(chosen):
            continue
        sparse = chosen is not None and len(chosen) < _DENSE * (stop - start)
        block = vectors[start + chosen] if sparse else vectors[start:stop]  # type: ignore[operator]
        found = np.asarray(block) @ query.T
        if chosen is not None and not sparse:
            found = found[chosen]
        found = np.rint(found * _STEPS)
        for q, scores in enumerate(np.ascontiguousarray(found.T)):
            best[q] = _merged(*best[q], scores, chosen, start, k + _SPARE)
    return ranked(vectors, query, [rows for rows, _ in best], k)


def ranked(vectors: Float32, query: Float32, rows: Sequence[Ints], k: int) -> tuple[list[Ints], list[Float32]]:
    """The k best of each query's candidate rows, with scores that depend on the two vectors alone.

    A product of matrices rounds differently from block to block; here equal vectors get equal scores, whichever
    search found them.
    """
    indices, scores = [], []
    for q, candidates in enumerate(rows):
        exact = cosines(vectors[candidates], query[q])
        order = np.lexsort((candidates, -exact))[:k]
        indices.append(np.asarray(candidates[order], dtype=np.int64))
        scores.append(exact[order])
    return indices, scores


def cosines(vectors: Float32, query: Float32) -> Float32:
    """[n, D] and [D], unit length -> [n] float32, summed in double precision."""
    found: Float32 = np.einsum(
        "nd,d->n", np.asarray(vectors, np.float64), np.asarray(query, np.float64)
    ).astype(np.float32)
    return found


def _merged(
    rows: Ints, scores: Float32, new: Float32, chosen: Ints | None, start: int, keep: int
) -> tuple[Ints, Float32]:
    """The best of what was kept and of a block; most blocks have few scores that are high enough to look at."""
    near = np.flatnonzero(new >= scores.min()) if len(scores) == keep else np.arange(len(new))
    if len(near) > 4 * keep:
        values = new[near]
        near = near[values >= np.partition(values, len(values) - keep)[len(values) - keep]]
    together = np.concatenate([scores, new[near]])
    names = np.concatenate([rows, start + (near if chosen is None else chosen[near])])
    if len(together) > keep:
        # equal ones in the order of rows, however many there are
        order = np.lexsort((names, -together))[:keep]
        together, names = together[order], names[order]
    return names, together
