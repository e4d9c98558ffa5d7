"""An index folder as an engine: exact search, or FAISS where the folder has inverted lists."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from rsvlm_core.engines.engine import Found
from rsvlm_core.engines.where import Where
from rsvlm_core.index.store import VectorIndex
from rsvlm_core.model.encoder import Float32


class FolderEngine:
    """Searches an opened index; see `engine.Engine`.

    Args:
        index: The index.
    """

    def __init__(self, index: VectorIndex) -> None:
        self.index = index
        self.name = str(index.folder)
        self.crs: CRS = index.manifest.crs
        self._mask: tuple[tuple[object, ...], NDArray[np.bool_]] | None = None

    def __len__(self) -> int:
        return len(self.index)

    def count(self, where: Where) -> int:
        """Tiles that take part in a search."""
        mask = self.mask(where)
        return len(self) if mask is None else int(mask.sum())

    def search(self, query: Float32, k: int, where: Where) -> list[Found]:
        """The k best tiles for each query, all queries in one pass."""
        mask = self.mask(where)
        rows, scores = self.index.search(query, k, mask)
        places = self.index.places
        return [
            Found(
                places.outlines(r), self.index.sources(r), places.gsds(r), s, np.array(self.index.vectors[r]),
                len(r) < k,
            )
            for r, s in zip(rows, scores, strict=True)
        ]

    def mask(self, where: Where) -> NDArray[np.bool_] | None:
        """[N] rows that a filter leaves, None where it leaves all; the last one is remembered."""
        if where.everything:
            return None
        if self._mask is None or self._mask[0] != where.key:
            mask = np.ones(len(self), dtype=bool) if where.sources is None else self.index.on(where.sources)
            if where.box is not None:
                near = self.index.places.near(where.box)
                near = near[mask[near]]
                mask = np.zeros(len(self), dtype=bool)
                mask[near[where.keeps(self.index.places.outlines(near))]] = True
            self._mask = where.key, mask
        return self._mask[1]
