"""An opened index: rows, vectors, places, search."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from rsvlm_core.errors import SearchIndexError
from rsvlm_core.index import approximate
from rsvlm_core.index.exact import Ints, Mask, top_rows
from rsvlm_core.index.files import PARTS, part_name
from rsvlm_core.index.manifest import IndexManifest
from rsvlm_core.index.parts import read_notes, read_rows
from rsvlm_core.index.places import Places
from rsvlm_core.index.vectors import load_vectors
from rsvlm_core.model.encoder import Float32, ModelInfo


class VectorIndex:
    """Everything an index folder holds; rows, places and vectors are in the same order.

    Attributes:
        folder: Where it lies.
        manifest: What it was made of.
        parts: Files that exist, in order.
        complete: False while some planned part is missing, because its writer was stopped or is at work.
    """

    def __init__(self, folder: Path, manifest: IndexManifest) -> None:
        self.folder, self.manifest = folder, manifest
        source = {p.number: n for n, entry in enumerate(manifest.sources) for p in entry.parts}
        planned = [(folder / PARTS / part_name(p.number), source[p.number]) for p in manifest.parts]
        there = [(path, n) for path, n in planned if path.is_file()]
        self.parts = [path for path, _ in there]
        self._source_of_part = np.array([n for _, n in there], dtype=np.int64)
        self.complete = len(there) == len(planned)

    def __len__(self) -> int:
        return len(self.vectors)

    @cached_property
    def _loaded(self) -> tuple[Float32, list[int]]:
        return load_vectors(self.folder, self.parts, self.manifest.dimensions)

    @cached_property
    def _ends(self) -> Ints:
        return np.cumsum(self._loaded[1], dtype=np.int64)

    @property
    def vectors(self) -> Float32:
        """[N, D] float32, unit length, memory-mapped.

        Raises:
            SearchIndexError: A part is damaged.
        """
        return self._loaded[0]

    @cached_property
    def places(self) -> Places:
        """[N] outlines and scales, memory-mapped.

        Raises:
            SearchIndexError: A part is damaged.
        """
        return Places(self.folder, self.parts)

    @cached_property
    def table(self) -> gpd.GeoDataFrame:
        """[N] rows without their embeddings, in longitude and latitude, in memory.

        Raises:
            SearchIndexError: A part is damaged.
        """
        return read_rows(self.parts)

    def rows(self, numbers: Ints) -> gpd.GeoDataFrame:
        """Some rows of `table`, in the order given, reading only the parts that hold them."""
        if "table" in self.__dict__:
            return self.table.iloc[numbers]
        if not len(numbers):
            return read_rows(self.parts[:1]).iloc[:0]
        counts = np.array(self._loaded[1], dtype=np.int64)
        owner = np.searchsorted(self._ends, numbers, side="right")
        parts, which = np.unique(owner, return_inverse=True)
        frame = read_rows([self.parts[p] for p in parts])
        first = np.concatenate([[0], np.cumsum(counts[parts])[:-1]])
        before = self._ends[owner] - counts[owner]
        return frame.iloc[first[which] + numbers - before]

    def sources(self, numbers: Ints) -> NDArray[np.object_]:
        """[n] the rasters that some rows lie on."""
        names = np.array([s.source for s in self.manifest.sources], dtype=object)
        owner = np.searchsorted(self._ends, numbers, side="right")
        return np.asarray(names[self._source_of_part[owner]], dtype=object)

    def on(self, sources: Sequence[str]) -> Mask:
        """[N] which rows lie on one of these rasters."""
        wanted = np.array([s.source in set(sources) for s in self.manifest.sources], dtype=bool)
        return np.repeat(wanted[self._source_of_part], self._loaded[1])

    @cached_property
    def failed(self) -> tuple[str, ...]:
        """`tile id: reason` of tiles that could not be read when the index was built."""
        notes = [read_notes(p) for p in self.parts]
        return tuple(f"{tile}: {reason}" for n in notes if n is not None for tile, reason in n.failed)

    @cached_property
    def approximate(self) -> approximate.Approximate | None:
        """Inverted lists for about a million rows and more; None where every search is exact."""
        return approximate.Approximate.open(self.folder, self.parts)

    def search(
        self, query: Float32, k: int, mask: Mask | None = None, *, exact: bool = False
    ) -> tuple[list[Ints], list[Float32]]:
        """The k rows with the highest cosine; equal ones in the order of rows.

        Exact, unless there are inverted lists and more rows than are quickly looked at one by one.

        Args:
            query: [Q, D] float32, unit length; all are answered in one pass.
            k: How many at most.
            mask: [N] which rows take part, applied before scoring; None is all.
            exact: Look at every row in any case.

        Returns:
            For each query, row numbers and scores, best first; shorter than k where fewer rows take part.
        """
        taking_part = len(self) if mask is None else int(mask.sum())
        if not exact and taking_part >= approximate.FEW_ROWS and self.approximate is not None:
            return self.approximate.search(self.vectors, query, k, mask)
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
