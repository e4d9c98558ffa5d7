"""Builds small indexes and compares them; the fixtures are in conftest.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rsvlm_core.index.builder import build_index
from rsvlm_core.index.plan import Wanted
from rsvlm_core.index.store import open_index
from rsvlm_core.index.work import IndexReport
from rsvlm_core.progress import Progress, ShouldStop, never, silent
from tests.fakes import FakeEncoder

Make = Callable[..., Path]
TILES = 7 * 8 + 3 * 4 + 2 * 2


def build(
    sources: str | list[str], out: Path, encoder: FakeEncoder | None = None, *, progress: Progress = silent,
    should_stop: ShouldStop = never, **wanted: Any,
) -> IndexReport:
    named = [sources] if isinstance(sources, str) else sources
    asked = Wanted(batch=8, **wanted)
    return build_index(named, out, encoder or FakeEncoder(), asked, progress=progress, should_stop=should_stop)


def content(folder: Path) -> tuple[list[str], np.ndarray]:
    index = open_index(folder, None)
    assert index.complete
    plain = index.table.drop(columns="geometry").astype(str).agg("|".join, axis=1)
    return (plain + index.table.geometry.to_wkb(hex=True)).tolist(), np.array(index.vectors)


def same(one: Path, two: Path) -> None:
    (rows_one, vectors_one), (rows_two, vectors_two) = content(one), content(two)
    assert rows_one == rows_two
    assert (vectors_one == vectors_two).all(), "the same to the last bit"
