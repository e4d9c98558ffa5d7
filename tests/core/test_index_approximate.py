"""Inverted lists: what they find is what exact search finds, nearly always; they never outlive their parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rsvlm_core.errors import Stopped
from rsvlm_core.index import approximate
from rsvlm_core.index.approximate import Approximate, make_lists
from rsvlm_core.index.exact import top_rows

pytest.importorskip("faiss", reason="FAISS is not installed (requirements-scale.txt)")
ROWS, WIDTH = 8_000, 32


def _unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def space() -> tuple[np.ndarray, np.ndarray]:
    """Vectors around 200 centres, and queries that are no vectors of them."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(200, WIDTH))
    vectors = _unit(centres[rng.integers(0, 200, ROWS)] + 0.4 * rng.normal(size=(ROWS, WIDTH)))
    return vectors, _unit(rng.normal(size=(12, WIDTH)) + 0.5)


@pytest.fixture(scope="module")
def made(space: tuple[np.ndarray, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    folder = tmp_path_factory.mktemp("lists")
    part = folder / "part"
    part.write_bytes(b"x")
    make_lists(folder, [part], *space)
    return folder, [part]


def _recall(found: list[np.ndarray], exact: list[np.ndarray]) -> float:
    return float(np.mean([len(np.intersect1d(a, b)) / len(b) for a, b in zip(found, exact, strict=True)]))


def test_nearly_all_are_found_with_their_exact_scores(space, made) -> None:
    vectors, queries = space
    opened = Approximate.open(*made)
    assert opened is not None and opened.lists.rows == ROWS
    assert opened.lists.recall >= approximate.WANTED_RECALL and opened.lists.probes < opened.lists.lists
    rows, scores = opened.search(vectors, queries, 50)
    exact_rows, exact_scores = top_rows(vectors, queries, 50)
    assert _recall(rows, exact_rows) >= 0.95
    for found, cosines, all_found, all_cosines in zip(rows, scores, exact_rows, exact_scores, strict=True):
        known = dict(zip(all_found.tolist(), all_cosines.tolist(), strict=True))
        assert all(known[r] == s for r, s in zip(found.tolist(), cosines.tolist(), strict=True) if r in known)
        assert (np.diff(cosines) <= 0).all()


@pytest.mark.parametrize("share", [0.5, 0.02, 0.0])
def test_filters_come_first(space, made, share: float) -> None:
    vectors, queries = space
    mask = np.random.default_rng(3).random(ROWS) < share
    opened = Approximate.open(*made)
    assert opened is not None
    rows, _ = opened.search(vectors, queries, 50, mask)
    assert all(mask[r].all() for r in rows)
    if share:
        assert _recall(rows, top_rows(vectors, queries, 50, mask)[0]) >= 0.95
    else:
        assert not any(len(r) for r in rows)


def test_more_than_the_lists_hold_is_searched_exactly(space, made) -> None:
    vectors, queries = space
    opened = Approximate.open(*made)
    assert opened is not None
    rows, scores = opened.search(vectors, queries[:2], ROWS - 1)
    exact_rows, exact_scores = top_rows(vectors, queries[:2], ROWS - 1)
    assert all((a == b).all() for a, b in zip(rows + scores, exact_rows + exact_scores, strict=True))


def test_other_parts_are_not_searched_with_old_lists(space, made) -> None:
    folder, (part,) = made  # last of the tests that use it
    stamp = (folder / approximate.FILE).stat().st_mtime_ns
    make_lists(folder, [part], *space)
    assert (folder / approximate.FILE).stat().st_mtime_ns == stamp, "nothing to do"
    part.write_bytes(b"xx")
    assert Approximate.open(folder, [part]) is None
    make_lists(folder, [part], *space)
    assert Approximate.open(folder, [part]) is not None
    (folder / approximate.NOTE).write_text("{")
    assert Approximate.open(folder, [part]) is None


def test_stopped_leaves_no_lists(space, tmp_path: Path) -> None:
    with pytest.raises(Stopped, match="exactly"):
        make_lists(tmp_path, [], *space, should_stop=lambda: True)
    assert list(tmp_path.iterdir()) == []
