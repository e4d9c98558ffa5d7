"""An opened index: rows, vectors, exact search."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from rsvlm_core.errors import SearchIndexError
from rsvlm_core.index.files import PARTS, part_name
from rsvlm_core.index.manifest import IndexManifest
from rsvlm_core.index.parts import read_notes, read_rows
from rsvlm_core.index.vectors import load_vectors
from rsvlm_core.model.encoder import Float32, ModelInfo

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

# Rows compared at once: the scores of a block stay in the processor's cache and the map is read in one sweep.
_BLOCK = 65536


class VectorIndex:
    """Everything an index folder holds; rows and vectors are in the same order.

    Attributes:
        folder: Where it lies.
        manifest: What it was made of.
        complete: False while some planned part is missing, because its writer was stopped or is at work.
    """

    def __init__(self, folder: Path, manifest: IndexManifest) -> None:
        self.folder, self.manifest = folder, manifest
        planned = [folder / PARTS / part_name(p.number) for p in manifest.parts]
        self._parts = [p for p in planned if p.is_file()]
        self.complete = len(self._parts) == len(planned)

    def __len__(self) -> int:
        return len(self.vectors)

    @cached_property
    def _loaded(self) -> tuple[Float32, list[int]]:
        return load_vectors(self.folder, self._parts, self.manifest.dimensions)

    @property
    def vectors(self) -> Float32:
        """[N, D] float32, unit length, memory-mapped.

        Raises:
            SearchIndexError: A part is damaged.
        """
        return self._loaded[0]

    @cached_property
    def table(self) -> gpd.GeoDataFrame:
        """[N] rows without their embeddings, in longitude and latitude.

        Raises:
            SearchIndexError: A part is damaged.
        """
        return read_rows(self._parts)

    def rows(self, numbers: Ints) -> gpd.GeoDataFrame:
        """Some rows of `table`, in the order given, reading only the parts that hold them."""
        if "table" in self.__dict__:
            return self.table.iloc[numbers]
        if not len(numbers):
            return read_rows(self._parts[:1]).iloc[:0]
        ends = np.cumsum(self._loaded[1])
        owner = np.searchsorted(ends, numbers, side="right")
        parts, which = np.unique(owner, return_inverse=True)
        frame = read_rows([self._parts[p] for p in parts])
        first = np.concatenate([[0], np.cumsum([self._loaded[1][p] for p in parts])[:-1]])
        before = ends[owner] - np.array(self._loaded[1])[owner]
        return frame.iloc[first[which] + numbers - before]

    @cached_property
    def failed(self) -> tuple[str, ...]:
        """`tile id: reason` of tiles that could not be read when the index was built."""
        notes = [read_notes(p) for p in self._parts]
        return tuple(f"{tile}: {reason}" for n in notes if n is not None for tile, reason in n.failed)

    def search(self, query: Float32, k: int, mask: Mask | None = None) -> tuple[list[Ints], list[Float32]]:
        """The k rows with the highest cosine, exactly; equal ones in the order of rows.

        Args:
            query: [Q, D] float32, unit length.
            k: How many at most.
            mask: [N] which rows take part; None is all.

        Returns:
            For each query, row numbers and scores, best first; shorter than k where fewer rows take part.
        """
        return top_rows(self.vectors, query, k, mask)


def open_index(path: str | Path, encoder_info: ModelInfo | None) -> VectorIndex:
    """Open an index folder.

    Args:
        path: The folder.
        encoder_info: The model that queries will come from; None looks without querying.

    Raises:
        SearchIndexError: Not an index, damaged, of a newer version, of another model, or without rasters.
    """
    folder = Path(path)
    manifest = IndexManifest.load(folder)
    if encoder_info is not None:
        manifest.check_model(encoder_info, folder)
    if not manifest.sources:
        raise SearchIndexError(f"{folder} has no rasters.", "Run rsvlm index with the rasters to search.")
    return VectorIndex(folder, manifest)


def top_rows(
    vectors: Float32, query: Float32, k: int, mask: Mask | None = None
) -> tuple[list[Ints], list[Float32]]:
    """`VectorIndex.search` over any [N, D] array."""
    indices: list[Ints] = [np.zeros(0, np.int64) for _ in query]
    scores: list[Float32] = [np.zeros(0, np.float32) for _ in query]
    for start in range(0, len(vectors), _BLOCK):
        stop = min(len(vectors), start + _BLOCK)
        rows = np.arange(start, stop) if mask is None else start + np.flatnonzero(mask[start:stop])
        if not len(rows):
            continue
        block = vectors[start:stop] if len(rows) == stop - start else vectors[rows]
        found = (np.asarray(block) @ query.T).T
        for q, row in enumerate(found):
            together = np.concatenate([scores[q], row])
            names = np.concatenate([indices[q], rows])
            kept = _best(together, k)
            scores[q], indices[q] = together[kept], names[kept]
    return indices, scores


def _best(scores: Float32, k: int) -> Ints:
    """Positions of the k highest scores, best first; equal ones by position (rows come in increasing order)."""
    if len(scores) > k:
        kth = np.partition(scores, len(scores) - k)[len(scores) - k]
        candidates = np.flatnonzero(scores >= kth)
    else:
        candidates = np.arange(len(scores))
    order: Ints = candidates[np.argsort(-scores[candidates], kind="stable")][:k]
    return order
