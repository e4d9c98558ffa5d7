"""The memory map of all vectors: a cache beside the parts, made again whenever it does not match them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rsvlm_core.errors import OutputError
from rsvlm_core.index.files import VECTORS, VECTORS_OF, write_whole
from rsvlm_core.index.parts import count_rows, read_vectors
from rsvlm_core.model.encoder import Float32


def load_vectors(folder: Path, parts: Sequence[Path], dimensions: int) -> tuple[Float32, list[int]]:
    """Vectors of the parts, in their order, and how many of them each part has.

    Returns:
        [N, D] float32, a memory map, or memory where none can be written; and the parts' numbers of rows.

    Raises:
        SearchIndexError: A part is missing or damaged.
    """
    made_of = [[p.name, p.stat().st_size] for p in parts if p.is_file()]
    found = _mapped(folder, made_of, dimensions)
    if found is not None:
        return found
    rows = [count_rows(p) for p in parts]
    if sum(rows) == 0:
        return np.zeros((0, dimensions), dtype=np.float32), rows
    try:
        # first forget what the old map was made of, so that being killed in between cannot pair new with old
        (folder / VECTORS_OF).unlink(missing_ok=True)
        write_whole(folder / VECTORS, lambda path: _fill(path, parts, sum(rows), dimensions))
        note = json.dumps({"parts": made_of, "rows": rows})
        write_whole(folder / VECTORS_OF, lambda path: _note(path, note))
    except (OSError, OutputError):  # a folder that may only be read, or a map that another process holds open
        pass
    found = _mapped(folder, made_of, dimensions)
    return found if found is not None else (np.concatenate([read_vectors(p) for p in parts]), rows)


def _mapped(folder: Path, made_of: list[list[object]], dimensions: int) -> tuple[Float32, list[int]] | None:
    try:
        note = json.loads((folder / VECTORS_OF).read_text(encoding="utf-8"))
        if note["parts"] != made_of:
            return None
        rows = [int(n) for n in note["rows"]]
        vectors: Float32 = np.load(folder / VECTORS, mmap_mode="r")
    except (OSError, ValueError, KeyError, TypeError):
        return None
    fits = vectors.shape == (sum(rows), dimensions) and vectors.dtype == np.float32
    return (vectors, rows) if fits and len(rows) == len(made_of) else None


def _fill(path: Path, parts: Sequence[Path], rows: int, dimensions: int) -> None:
    target = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(rows, dimensions))
    start = 0
    for part in parts:
        vectors = read_vectors(part)
        target[start : start + len(vectors)] = vectors
        start += len(vectors)
    target.flush()
    del target


def _note(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
