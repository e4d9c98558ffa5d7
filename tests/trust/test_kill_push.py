"""`serve-index push` killed at any moment: whole pieces in the table, and a rerun ends like a push never killed."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from rsvlm_core.engines.opening import open_engine
from rsvlm_core.engines.where import Where
from tests.fakes import FakeEncoder
from tests.trust import scale
from tests.trust.forge import files_below
from tests.trust.scene import rgb, write

pytest.importorskip("lancedb")
RASTERS = 8  # of 34 tiles each: enough for lists, whose codes want 256 rows
# Lists from fewer rows than a user's table, and a transaction for each raster's part.
SMALL = {"rsvlm_core.engines.lance.LISTS_FROM": 256, "rsvlm_core.engines.lance._TOGETHER": 1}


def rows_of(table: Path) -> list[dict]:
    """Every row, in the order of the index."""
    import lancedb

    return sorted(lancedb.connect(str(table)).open_table("tiles").to_arrow().to_pylist(), key=lambda r: r["order"])


def state_of(table: Path) -> dict:
    """What a table holds and how it can be searched."""
    import lancedb

    opened = lancedb.connect(str(table)).open_table("tiles")
    lists = {i.name: opened.index_stats(i.name) for i in opened.list_indices()}
    engine = open_engine(f"lancedb:{table}", FakeEncoder().info)
    (best,) = engine.search(FakeEncoder().encode_texts(["red"]), 1, Where())
    return {
        "rows": rows_of(table), "card": engine.card, "tiles": len(engine),
        "lists": {n: (s.num_indexed_rows, s.num_unindexed_rows) for n, s in sorted(lists.items())},
        "best": float(best.scores[0]),
    }


@pytest.fixture
def place(rsvlm, tmp_path):
    """An index, the same after three of its rasters changed, and a table of the first with its lists."""
    rasters = [write(tmp_path / f"r{n}.tif", np.roll(rgb(), 9 * n, axis=2)) for n in range(RASTERS)]
    assert rsvlm("index", *rasters, "--out", tmp_path / "old.rsindex").status == 0
    shutil.copytree(tmp_path / "old.rsindex", tmp_path / "new.rsindex")
    for n in (1, 4, 6):
        write(rasters[n], np.roll(rgb(), 31 * n, axis=1))
    assert rsvlm("index", *rasters, "--out", tmp_path / "new.rsindex").status == 0
    return tmp_path


@pytest.mark.parametrize("before", ["nothing", "an older index"])
def test_push_killed_at_any_moment(before, forge, place):
    job = {"cwd": str(place), "env": {"RSVLM_CACHE": str(place / "cache")}, "set": SMALL}
    table, kept = place / "table", place / "kept"
    push = ["serve-index", "push", "new.rsindex", "--to", "lancedb:table"]
    old: list[dict] = []
    if before == "an older index":
        first = forge("rsvlm", ["serve-index", "push", "old.rsindex", "--to", "lancedb:table"], **job)
        assert first["status"] == 0, first
        old = rows_of(table)
        table.rename(kept)
    else:
        kept.mkdir()
    shutil.copytree(kept, table)
    start = files_below(table)
    assert forge("rsvlm", push, **job)["status"] == 0
    whole, made = state_of(table), files_below(table) - start
    assert len(whole["lists"]) == 3 and whole["tiles"] == RASTERS * 34 and whole["rows"] != old
    right = Counter(r["piece"] for r in old) | Counter(r["piece"] for r in whole["rows"])
    chance, kills = random.Random(5), 0
    for number in scale.within(0.03, sorted(chance.sample(range(made), min(made, scale.pick(5, 200))))):
        shutil.rmtree(table)
        shutil.copytree(kept, table)
        result = forge("rsvlm", push, watch=str(table), kill_with_files=start + number + 1, **job)
        assert result["status"] in (-9, 0), result
        kills += result["status"] == -9
        # what a reader sees meanwhile: pieces of either index, each whole or absent
        try:
            seen = Counter(r["piece"] for r in rows_of(table))
        except ValueError:  # killed before there was a table
            assert not old
            seen = Counter()
        assert all(n == right[piece] for piece, n in seen.items()), number
        again = forge("rsvlm", push, **job)
        assert again["status"] == 0, (number, again)
        assert state_of(table) == whole, number
    scale.count("kills survived (push)", kills)
    assert kills >= 3


def test_push_onto_a_disk_that_fills_up(forge, place):
    """Any write may be the one that fails: one line that says so, and with room the same push ends as it should."""
    job = {"cwd": str(place), "env": {"RSVLM_CACHE": str(place / "cache")}, "set": SMALL}
    push = ["serve-index", "push", "new.rsindex", "--to", "lancedb:table"]
    assert forge("rsvlm", push, **job)["status"] == 0
    whole = state_of(place / "table")
    refused = 0
    for limit in (2500, 6000, 12_000)[: scale.pick(2, 3)]:  # below, not even the message has room
        shutil.rmtree(place / "table")
        result = forge("rsvlm", push, file_limit=limit, **job)
        if result["status"] != 0:
            assert result["status"] == 2, result
            lines = [line for line in result["err"].splitlines() if line.startswith("rsvlm")]
            assert len(lines) == 1 and "lancedb:table" in lines[0] and "space" in lines[0], result["err"]
            refused += 1
        assert forge("rsvlm", push, **job)["status"] == 0
        assert state_of(place / "table") == whole, limit
    scale.count("full disks survived", refused)
    assert refused
