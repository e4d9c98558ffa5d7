"""What is looked for, as vectors: texts, examples to be like, examples to be unlike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from rsvlm_core.errors import UsageError
from rsvlm_core.imagery.projecting import LONLAT, project
from rsvlm_core.index.store import VectorIndex
from rsvlm_core.model.confidence import NEUTRAL_PROMPTS, confidence, rivals
from rsvlm_core.model.encoder import Encoder, Float32
from rsvlm_core.pipelines.regions import read_features
from rsvlm_core.pipelines.warm import Warm

# Relevance feedback after Rocchio: a text counts 1, the mean of the examples to be like this much, the mean of those
# to be unlike this much, both measured from the mean of all tiles. That takes away what all images have in common,
# which would drown the text: two images are always more alike than an image and a text.
LIKE_WEIGHT = 0.75
UNLIKE_WEIGHT = 0.5


@dataclass(frozen=True)
class Query:
    """Vectors to compare with tiles.

    Attributes:
        labels: [Q] what each is called in results.
        vectors: [Q, D] float32, unit length.
        neutral: [K, D] what says nothing in particular, for the confidence.
        scale: The model's logit scale.
    """

    labels: tuple[str, ...]
    vectors: Float32
    neutral: Float32
    scale: float

    def confidence(self, q: int, scores: Float32, tiles: Float32) -> Float32:
        """[N] cosines of query q with [N, D] tiles -> [N] confidence, 0..1."""
        if not len(scores):
            return np.zeros(0, np.float32)
        weights = rivals(self.vectors[q : q + 1], self.neutral)
        return confidence(scores[:, None], tiles @ self.neutral.T, self.scale, weights)[:, 0]


def clean_texts(texts: Sequence[str]) -> list[str]:
    """Distinct texts, trimmed, in their order.

    Raises:
        UsageError: One is empty.
    """
    if any(not t.strip() for t in texts):
        raise UsageError("The text is empty.", "Type what to look for.")
    return list(dict.fromkeys(" ".join(t.split()) for t in texts))


def build_query(
    texts: Sequence[str],
    encoder: Encoder,
    indexes: Sequence[VectorIndex],
    like: str | Path | None = None,
    unlike: str | Path | None = None,
    warm: Warm | None = None,
) -> Query:
    """Turn texts and examples into vectors.

    Each feature of an example file stands for the tile that it overlaps best. Without a text, the examples to be like
    are the query themselves.

    Args:
        texts: What to look for.
        encoder: The model.
        indexes: What examples are taken from.
        like: Vector file with examples to be like.
        unlike: Vector file with examples to be unlike.
        warm: Texts of earlier searches.

    Raises:
        UsageError: Nothing to look for, an empty text, or no example lies on a tile.
    """
    labels = clean_texts(texts)
    if not labels and like is None:
        raise UsageError("There is nothing to search for.", "Give a text, or examples to be like.")
    warm = warm if warm is not None else Warm()
    scale = encoder.info.logit_scale
    neutral = warm.encode(encoder, NEUTRAL_PROMPTS)
    if like is None and unlike is None:
        return Query(tuple(labels), warm.encode(encoder, labels), neutral, scale)
    mean = _mean(indexes, encoder.info.embed_dim)
    shift = np.zeros(encoder.info.embed_dim, dtype=np.float64)
    if unlike is not None:
        shift -= UNLIKE_WEIGHT * (example_vectors(unlike, indexes).mean(axis=0) - mean)
    if labels:
        if like is not None:
            shift += LIKE_WEIGHT * (example_vectors(like, indexes).mean(axis=0) - mean)
        return Query(tuple(labels), _unit(warm.encode(encoder, labels).astype(np.float64) + shift), neutral, scale)
    assert like is not None
    wanted = example_vectors(like, indexes).mean(axis=0)[None] + shift
    # what an example says beyond any other image, since texts are far from all images
    return Query((f"like {Path(like).name}",), _unit(wanted), _unit(mean[None]), scale)


def example_vectors(path: str | Path, indexes: Sequence[VectorIndex]) -> NDArray[np.float64]:
    """[E, D] vectors of the tiles that a file's features overlap best: one for each feature that lies on a tile.

    For a polygon the best tile has the highest intersection over union, which also finds the right scale; for a
    point or a line it is the one whose middle is nearest, measured in tile sides.

    Raises:
        UsageError: The file cannot be used, or none of its features lies on a tile.
    """
    frame = read_features(path)
    features = shapely.force_2d(
        project(frame.geometry.to_numpy(), CRS.from_user_input(frame.crs), LONLAT, densify=True)
    )
    found: list[NDArray[np.float64]] = []
    for feature in features:
        best: tuple[float, int, int] | None = None
        for number, index in enumerate(indexes):
            rows = index.places.near(feature.bounds)
            tiles = index.places.outlines(rows)
            touching = shapely.intersects(tiles, feature)
            rows, tiles = rows[touching], tiles[touching]
            if not len(rows):
                continue
            fit = _fit(feature, tiles)
            top = int(np.argmax(fit))
            if best is None or fit[top] > best[0]:
                best = (float(fit[top]), number, int(rows[top]))
        if best is not None:
            found.append(np.asarray(indexes[best[1]].vectors[best[2]], dtype=np.float64))
    if not found:
        raise UsageError(
            f"None of the features of {path} lies on a searched tile.", "Draw examples on the raster that is searched."
        )
    return np.stack(found)


def _fit(feature: shapely.Geometry, tiles: NDArray[np.object_]) -> NDArray[np.float64]:
    """How well each tile stands for a feature; higher is better."""
    areas = shapely.area(tiles)
    if feature.area > 0:
        shared = shapely.area(shapely.intersection(tiles, feature))
        return np.asarray(shared / (areas + feature.area - shared), dtype=np.float64)
    away = shapely.distance(shapely.centroid(tiles), shapely.centroid(feature))
    return np.asarray(-away / np.sqrt(areas), dtype=np.float64)


def _mean(indexes: Sequence[VectorIndex], dimensions: int) -> NDArray[np.float64]:
    total, count = np.zeros(dimensions), 0
    for index in indexes:
        for start in range(0, len(index), 65536):
            total += index.vectors[start : start + 65536].sum(axis=0, dtype=np.float64)
        count += len(index)
    return np.asarray(total / max(count, 1), dtype=np.float64)


def _unit(vectors: NDArray[np.float64]) -> Float32:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)
