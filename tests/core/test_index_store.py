"""An opened index: its maps are caches of its parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rsvlm_core.errors import SearchIndexError
from rsvlm_core.index.store import open_index
from tests.core.indexes import build, content

pytestmark = pytest.mark.usefixtures("small_parts")


def test_a_damaged_part_is_named_and_made_again(scene: str, tmp_path: Path) -> None:
    out = tmp_path / "x.rsindex"
    build(scene, out)
    whole = content(out)
    part = out / "parts" / "part-00002.parquet"
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(SearchIndexError, match="part-00002.parquet is missing or damaged"):
        _ = open_index(out, None).table
    build(scene, out)
    assert content(out)[0] == whole[0]


def test_vectors_are_a_cache(scene: str, tmp_path: Path) -> None:
    out = tmp_path / "x.rsindex"
    build(scene, out)
    vectors = np.array(open_index(out, None).vectors)
    for damage in ("gone", "short", "other"):
        if damage == "gone":
            (out / "vectors.npy").unlink()
        elif damage == "short":
            np.save(out / "vectors.npy", vectors[:3])
        else:
            (out / "vectors.json").unlink()
            np.save(out / "vectors.npy", np.zeros_like(vectors))
        assert (open_index(out, None).vectors == vectors).all(), damage
    assert isinstance(open_index(out, None).vectors, np.memmap)


def test_some_rows_without_reading_all(scene: str, tmp_path: Path) -> None:
    build(scene, tmp_path / "x.rsindex")
    whole, index = open_index(tmp_path / "x.rsindex", None).table, open_index(tmp_path / "x.rsindex", None)
    numbers = np.array([60, 3, 17, 3, 0, len(whole) - 1, 16])
    assert index.rows(numbers)["tile_id"].tolist() == whole["tile_id"].iloc[numbers].tolist()
    assert "table" not in index.__dict__
    assert len(index.rows(numbers[:0])) == 0
