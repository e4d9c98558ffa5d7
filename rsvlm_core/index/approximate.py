"""Approximate search with FAISS where an index has a million vectors or more: inverted lists of 8-bit vectors.

FAISS finds candidates, the memory map gives them their exact scores. How many lists a search looks into is chosen
when the lists are made, by the recall that is measured against exact search then.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsvlm_core.index.exact import ranked, top_rows
from rsvlm_core.index.files import write_text_whole, write_whole
from rsvlm_core.index.maps import Content, content
from rsvlm_core.model.encoder import Float32
from rsvlm_core.progress import Progress, ShouldStop, check, never, silent

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

FILE, NOTE = "vectors.faiss", "faiss.json"
# Below, exact search takes well under a second and needs nothing besides the vectors.
FROM_ROWS = 1_000_000
# Filters that leave fewer rows than this are searched exactly.
FEW_ROWS = 100_000
# Recall among the 50 best at which lists are enough, and what it is measured with.
WANTED_RECALL, RECALL_AT, SAMPLE = 0.97, 50, 64
# Candidates for each hit, and at least so many: 8-bit scores err by less than these are apart.
_MORE, _LEAST = 4, 100
_TRAIN_PER_LIST = 40
_BLOCK = 65536


@dataclass(frozen=True)
class Lists:
    """How the inverted lists were made.

    Attributes:
        parts: The parts that they hold, as `maps.content` gives them.
        rows: Vectors in them.
        lists: How many lists.
        probes: Lists that a search looks into.
        recall: Measured share of the 50 best that are then found, 0..1: the lowest of the kinds of queries.
    """

    parts: Content
    rows: int
    lists: int
    probes: int
    recall: float


def available() -> bool:
    """Whether FAISS is installed."""
    return find_spec("faiss") is not None


class Approximate:
    """Opened inverted lists; read from disk as they are needed.

    Args:
        folder: The index.
        lists: What its note says.
    """

    def __init__(self, folder: Path, lists: Lists) -> None:
        self.lists = lists
        self._path = folder / FILE

    @classmethod
    def open(cls, folder: Path, parts: Sequence[Path]) -> Approximate | None:
        """The lists of an index; None where there are none, they are of other parts, or FAISS is not installed."""
        lists = read_note(folder)
        if lists is None or lists.parts != content(parts) or not (folder / FILE).is_file() or not available():
            return None
        return cls(folder, lists)

    @cached_property
    def _index(self) -> Any:
        import faiss

        return faiss.read_index(str(self._path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)

    def search(
        self, vectors: Float32, query: Float32, k: int, mask: Mask | None = None
    ) -> tuple[list[Ints], list[Float32]]:
        """As `exact.top_rows`, but some rows may be missed.

        A filter is applied before candidates are chosen; the fewer rows it leaves, the more lists are looked into.
        Where the lists give fewer than k rows, though more take part, exact search answers.
        """
        taking_part = len(vectors) if mask is None else int(mask.sum())
        share = taking_part / max(1, len(vectors))
        probes = min(self.lists.lists, max(1, round(self.lists.probes / max(share, 1e-6))))
        found = _candidates(self._index, query, k, probes, mask)
        if any(len(rows) < min(k, taking_part) for rows in found):
            return top_rows(vectors, query, k, mask)
        return ranked(vectors, query, found, k)


def read_note(folder: Path) -> Lists | None:
    """What the lists of a folder are; None where there are none."""
    try:
        return Lists(**json.loads((folder / NOTE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def make_lists(
    folder: Path, parts: Sequence[Path], vectors: Float32, texts: Float32, *,
    progress: Progress = silent, should_stop: ShouldStop = never,
) -> Lists:
    """Sort all vectors into lists and store them beside the vectors; nothing is done where that was done.

    Args:
        folder: The index.
        parts: Its files.
        vectors: [N, D] of these, in order.
        texts: [T, D] some texts of the model, since texts lie far from all images; recall holds for them, and for
            the index's own vectors.
        progress: Told of vectors.
        should_stop: Polled for every block.

    Raises:
        OutputError: The folder cannot be written.
        Stopped: should_stop said so; searches stay exact.
    """
    import faiss

    made = read_note(folder)
    if made is not None and made.parts == content(parts) and (folder / FILE).is_file():
        return made
    rows, width = vectors.shape
    count = max(1, round(2 * rows**0.5))
    rng = np.random.default_rng(0)
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(width), width, count, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT, False
    )
    index.cp.niter, index.cp.spherical, index.cp.seed = 8, True, 0
    drawn = np.sort(rng.choice(rows, min(rows, _TRAIN_PER_LIST * count), replace=False))
    progress(0, rows, "vectors")
    index.train(np.ascontiguousarray(vectors[drawn]))
    for start in range(0, rows, _BLOCK):
        check(should_stop, "The index is searched exactly until rsvlm index is run again.")
        block = np.ascontiguousarray(vectors[start : start + _BLOCK])
        index.add(block)
        progress(min(rows, start + _BLOCK), rows, "vectors")
    own = np.asarray(vectors[np.sort(rng.choice(rows, min(rows, SAMPLE), replace=False))])
    probes, recall = _enough(index, vectors, [own, texts])
    (folder / NOTE).unlink(missing_ok=True)
    write_whole(folder / FILE, lambda path: faiss.write_index(index, str(path)))
    lists = Lists(content(parts), rows, count, probes, recall)
    write_text_whole(folder / NOTE, json.dumps(asdict(lists)))
    return lists


def _enough(index: Any, vectors: Float32, kinds: Sequence[Float32]) -> tuple[int, float]:
    """Fewest lists, in steps of about 1.4, with which each kind of query has the wanted recall; and the lowest one."""
    queries = np.concatenate(kinds)
    owner = np.repeat(np.arange(len(kinds)), [len(kind) for kind in kinds])
    exact = top_rows(vectors, queries, RECALL_AT)[0]
    steps = np.unique(np.geomspace(1, index.nlist, 2 * index.nlist.bit_length()).round().astype(int))
    for probes in steps:
        found = ranked(vectors, queries, _candidates(index, queries, RECALL_AT, int(probes), None), RECALL_AT)[0]
        hit = np.array([len(np.intersect1d(a, b)) / max(1, len(a)) for a, b in zip(exact, found, strict=True)])
        lowest = min(float(hit[owner == o].mean()) for o in np.unique(owner))
        if lowest >= WANTED_RECALL:
            break
    return int(probes), lowest


def _candidates(index: Any, query: Float32, k: int, probes: int, mask: Mask | None) -> list[Ints]:
    import faiss

    parameters = faiss.SearchParametersIVF()
    parameters.nprobe = probes
    if mask is not None:
        bits = np.packbits(mask, bitorder="little")
        parameters.sel = faiss.IDSelectorBitmap(len(mask), faiss.swig_ptr(bits))
    index.parallel_mode = 1 if len(query) == 1 else 0  # threads share the lists of one query, or the queries
    _, found = index.search(np.ascontiguousarray(query), min(index.ntotal, max(_LEAST, _MORE * k)), params=parameters)
    return [np.sort(rows[rows >= 0]).astype(np.int64) for rows in found]
