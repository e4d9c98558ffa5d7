"""Search as a user does it, on tiles of which a map says what they show: average precision of every word of the map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsvlm_core.errors import DataError
from rsvlm_core.model.encoder import Encoder
from rsvlm_core.progress import Progress, silent
from training.data.vocabulary import bare, plural
from training.evaluate.images import Item, encode_images, list_images


def average_precision(scores: NDArray[np.floating[Any]], relevant: NDArray[np.bool_]) -> float:
    """Mean over relevant items of the precision at each one's rank; ties count as a random order would.

    Args:
        scores: [N].
        relevant: [N], at least one True.
    """
    order = np.argsort(-scores, kind="stable")
    # within a tie every order is as likely: the hits spread evenly over it
    hits = relevant[order].astype(np.float64)
    ordered = scores[order]
    start = 0
    for end in [*np.flatnonzero(np.diff(ordered)) + 1, len(ordered)]:
        hits[start:end] = hits[start:end].mean()
        start = end
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float((precision * hits).sum() / hits.sum())


def read_mapped(sources: Sequence[str | Path]) -> tuple[list[Item], list[str], NDArray[np.bool_]]:
    """Tiles with `landmarks` in their KEY.json, the nouns that some but not all show, and [N, nouns] who shows what.

    Raises:
        DataError: No such tiles, or all show the same.
    """
    items = [(item, item.meta()) for item in list_images(sources)]
    mapped = [(item, {str(m["noun"]) for m in meta["landmarks"]}) for item, meta in items if "landmarks" in meta]
    nouns = sorted({n for _, seen in mapped for n in seen if not all(n in other for _, other in mapped)})
    if not nouns:
        raise DataError("There is nothing to search for: no tile shows what another does not.",
                        "Build the set with rs_landmarks --test, from more imagery or a richer map.")
    return [i for i, _ in mapped], nouns, np.array([[n in seen for n in nouns] for _, seen in mapped])


def report(
    encoder: Encoder, sources: Sequence[str | Path], *, batch: int = 32, progress: Progress = silent
) -> dict[str, Any]:
    """Mean average precision over the map's nouns, in percent, that of each, and what a random order gives.

    The words are typed as a user would: the noun in the plural, no prompt around it.
    """
    items, nouns, shown = read_mapped(sources)
    vectors = encode_images(encoder, items, batch=batch, progress=progress)
    scores = vectors @ encoder.encode_texts([bare(n) if n.startswith("*") else plural(n) for n in nouns]).T
    found = {n: 100.0 * average_precision(scores[:, k], shown[:, k]) for k, n in enumerate(nouns)}
    return {
        "mean_average_precision": float(np.mean(list(found.values()))),
        "average_precision": found,
        "random_order": 100.0 * float(shown.mean()),
        "share_of_tiles": {n: 100.0 * float(shown[:, k].mean()) for k, n in enumerate(nouns)},
        "tiles": len(items),
    }
