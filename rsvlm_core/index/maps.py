"""Memory maps beside the parts: caches of columns of all parts, made again whenever they do not match them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsvlm_core.errors import OutputError
from rsvlm_core.index.files import write_text_whole, write_whole
from rsvlm_core.index.parts import count_rows, damaged

Content = list[list[object]]


def content(parts: Sequence[Path]) -> Content:
    """What a map of these parts is made of: name and size of each part that exists."""
    return [[p.name, p.stat().st_size] for p in parts if p.is_file()]


def load_map(
    folder: Path, name: str, parts: Sequence[Path], dtype: np.dtype[Any], width: tuple[int, ...],
    read: Callable[[Path], NDArray[Any]],
) -> tuple[NDArray[Any], list[int]]:
    """One column of all parts, in their order, and how many rows each part has.

    Args:
        folder: The index; the map is `NAME.npy` in it, and `NAME.json` says what it was made of.
        name: Of the map.
        parts: Files to read.
        dtype: Of an element.
        width: Shape of a row.
        read: Gives the rows of one part.

    Returns:
        [N, *width] of dtype, a memory map, or memory where none can be written; and the parts' numbers of rows.

    Raises:
        SearchIndexError: A part is missing or damaged.
    """
    made_of = content(parts)
    found = _mapped(folder, name, made_of, dtype, width)
    if found is not None:
        return found
    rows = [count_rows(p) for p in parts]
    if sum(rows) == 0:
        return np.zeros((0, *width), dtype=dtype), rows

    def whole(part: Path) -> NDArray[Any]:
        values = read(part)
        if values.shape[1:] != width:  # of another model, or of nobody
            raise damaged(part)
        return values

    def fill(path: Path) -> None:
        # not through a memory map: where the disk is full that would kill the process instead of raising
        shape, kind = (sum(rows), *width), np.lib.format.dtype_to_descr(dtype)
        with open(path, "wb") as target:
            np.lib.format.write_array_header_1_0(target, {"descr": kind, "fortran_order": False, "shape": shape})
            for part in parts:
                target.write(np.ascontiguousarray(whole(part), dtype=dtype).data)

    try:
        # first forget what the old map was made of, so that being killed in between cannot pair new with old
        (folder / f"{name}.json").unlink(missing_ok=True)
        write_whole(folder / f"{name}.npy", fill)
        write_text_whole(folder / f"{name}.json", json.dumps({"parts": made_of, "rows": rows}))
    except (OSError, OutputError):  # a folder that may only be read, or a map that another process holds open
        pass
    found = _mapped(folder, name, made_of, dtype, width)
    return found if found is not None else (np.concatenate([whole(p) for p in parts]), rows)


def _mapped(
    folder: Path, name: str, made_of: Content, dtype: np.dtype[Any], width: tuple[int, ...]
) -> tuple[NDArray[Any], list[int]] | None:
    try:
        note = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        if note["parts"] != made_of:
            return None
        rows = [int(n) for n in note["rows"]]
        values: NDArray[Any] = np.load(folder / f"{name}.npy", mmap_mode="r")
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError, EOFError, SyntaxError):
        return None
    fits = values.shape == (sum(rows), *width) and values.dtype == dtype
    return (values, rows) if fits and len(rows) == len(made_of) else None
