"""Exact search: against sorting everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsvlm_core.index import exact
from rsvlm_core.index.exact import top_rows


@settings(max_examples=80, deadline=None)
@given(
    rows=st.integers(0, 300), k=st.integers(1, 40), distinct=st.integers(1, 300), masked=st.booleans(),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_blocks_find_what_sorting_finds(rows: int, k: int, distinct: int, masked: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    # whole numbers: products are exact, and many are equal
    vectors = rng.integers(-3, 4, (distinct, 5)).astype(np.float32)[rng.integers(0, distinct, rows)]
    query = rng.integers(-3, 4, (2, 5)).astype(np.float32)
    mask = rng.random(rows) < 0.5 if masked else None
    block = exact._BLOCK
    exact._BLOCK = 37
    try:
        found, scores = top_rows(vectors, query, k, mask)
    finally:
        exact._BLOCK = block
    allowed = np.flatnonzero(mask) if mask is not None else np.arange(rows)
    for q in range(2):
        scored = vectors[allowed] @ query[q]
        order = np.lexsort((allowed, -scored))[:k]
        assert found[q].tolist() == allowed[order].tolist()
        assert scores[q].tolist() == scored[order].tolist()


@pytest.mark.parametrize("k", [1, 5])
def test_nothing_to_search(k: int) -> None:
    found, scores = top_rows(np.zeros((0, 4), np.float32), np.ones((1, 4), np.float32), k)
    assert len(found[0]) == len(scores[0]) == 0
    found, _ = top_rows(np.ones((3, 4), np.float32), np.ones((1, 4), np.float32), k, np.zeros(3, bool))
    assert len(found[0]) == 0
