"""The interface that every search engine implements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from rsvlm_core.engines.where import Where
from rsvlm_core.model.encoder import Float32


@dataclass(frozen=True)
class Found:
    """Tiles that one query found, best first.

    Attributes:
        outlines: [n] polygons in longitude and latitude.
        sources: [n] their rasters.
        gsds: [n] float64, metres per pixel.
        scores: [n] float32 cosines.
        vectors: [n, D] float32, unit length.
        exhausted: Whether no further tile takes part.
    """

    outlines: NDArray[np.object_]
    sources: NDArray[np.object_]
    gsds: NDArray[np.float64]
    scores: Float32
    vectors: Float32
    exhausted: bool

    def __len__(self) -> int:
        return len(self.scores)

    def taken(self, positions: NDArray[np.int64], exhausted: bool) -> Found:
        """Some of them, in the order given."""
        return Found(
            self.outlines[positions], self.sources[positions], self.gsds[positions], self.scores[positions],
            self.vectors[positions], exhausted,
        )


class Engine(Protocol):
    """Tiles with vectors, searched by cosine.

    Attributes:
        name: For messages.
        crs: Of the first raster, in which results are given and extents are understood.
    """

    name: str
    crs: CRS

    def __len__(self) -> int:
        """Tiles that are stored."""
        ...

    def count(self, where: Where) -> int:
        """Tiles that take part in a search; engines that filter by bounds alone count those."""
        ...

    def search(self, query: Float32, k: int, where: Where) -> list[Found]:
        """The k tiles with the highest cosine among those that the filter leaves.

        Args:
            query: [Q, D] float32, unit length.
            k: How many at most.
            where: Applied before tiles are ranked.

        Returns:
            One for each query.

        Raises:
            SearchIndexError: What the engine reads is damaged, or cannot be reached.
        """
        ...


def merged(found: Sequence[Found], k: int) -> Found:
    """The k best of several engines' tiles for one query; equal scores in the order of engines."""
    whole = Found(
        np.concatenate([f.outlines for f in found]), np.concatenate([f.sources for f in found]),
        np.concatenate([f.gsds for f in found]), np.concatenate([f.scores for f in found]),
        np.concatenate([f.vectors for f in found]), False,
    )
    order = np.argsort(-whole.scores, kind="stable")
    return whole.taken(order[:k], all(f.exhausted for f in found) and len(order) <= k)


def refined(look: Callable[[int], Found], k: int, where: Where) -> Found:
    """The k best tiles of an engine that can filter by bounds only: asks for more until enough lie in the region.

    Args:
        look: Gives so many of the best tiles within the region's bounds.
        k: How many at most.
        where: The filter.
    """
    wanted = k
    while True:
        found = look(wanted)
        inside = np.flatnonzero(where.keeps(found.outlines)) if where.region is not None else np.arange(len(found))
        if len(inside) >= k or found.exhausted:
            return found.taken(inside[:k], found.exhausted and len(inside) <= k)
        wanted *= 4
