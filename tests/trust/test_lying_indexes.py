"""Index folders whose files are whole but not ours: other columns, impossible numbers, links to other places."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.trust import scale
from tests.trust.conftest import snapshot
from tests.trust.content import content
from tests.trust.scene import write

POINT = bytes.fromhex("0101000000000000000000F03F000000000000F03F")
CACHES = ("vectors.npy", "vectors.json", "places.npy", "places.json")


@pytest.fixture
def index(rsvlm, tmp_path, monkeypatch):
    """A finished index of a raster."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "r.tif")
    assert rsvlm("index", "r.tif", "--out", "x.rsindex").status == 0
    return tmp_path / "x.rsindex"


def vectors(numbers: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(numbers.ravel()), numbers.shape[1])


COLUMNS = {
    "vectors_of_nan": ("embedding", lambda n: vectors(np.full((n, 4), np.nan, np.float32))),
    "vectors_without_end": ("embedding", lambda n: vectors(np.full((n, 4), np.inf, np.float32))),
    "vectors_too_wide": ("embedding", lambda n: vectors(np.ones((n, 5), np.float32))),
    "vectors_of_whole_numbers": ("embedding", lambda n: vectors(np.ones((n, 4), np.int64))),
    "vectors_of_any_width": ("embedding", lambda n: pa.array([[1.0] * 4] * n)),
    "vectors_of_words": ("embedding", lambda n: pa.array(["x"] * n)),
    "no_vectors": ("embedding", lambda n: pa.array([None] * n, pa.list_(pa.float32(), 4))),
    "outlines_of_rubbish": ("geometry", lambda n: pa.array([b"junk"] * n)),
    "outlines_of_points": ("geometry", lambda n: pa.array([POINT] * n)),
    "outlines_of_numbers": ("geometry", lambda n: pa.array([1] * n)),
    "no_outlines": ("geometry", lambda n: pa.array([None] * n, pa.binary())),
    "sizes_of_words": ("gsd_m", lambda n: pa.array(["x"] * n)),
    "sizes_of_nan": ("gsd_m", lambda n: pa.array([float("nan")] * n)),
    "no_sizes": ("gsd_m", lambda n: pa.array([None] * n, pa.float64())),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_that_are_not_ours(name, index, must_refuse, rsvlm):
    column, make = COLUMNS[name]
    right, part = content(index), index / "parts" / "part-00000.parquet"
    table, notes = pq.read_table(part), pq.read_schema(part).metadata
    table = table.set_column(table.schema.get_field_index(column), column, make(len(table)))
    pq.write_table(table.replace_schema_metadata(notes), part)
    for cache in CACHES:
        (index / cache).unlink()
    must_refuse("search", index, "--text", "red", "--out", "h.gpkg", names="part-00000.parquet")
    must_refuse("heatmap", index, "--text", "red", "--out", "h.tif", names="part-00000.parquet")
    must_refuse("classify", index, "--classes", "red,green", "--out", "c.gpkg", names="part-00000.parquet")
    assert not Path("h.gpkg").exists() and not Path("h.tif").exists() and not Path("c.gpkg").exists()
    scale.count("damaged index files", 1)
    # without the lying part the folder is an index that was not finished
    part.unlink()
    assert rsvlm("index", "r.tif", "--out", index).status == 0 and content(index) == right


NO_NUMBER = (None, True, "x", "", -1, 0, 1e400, float("nan"), 10**40, [], {}, [[]], "\ud800", 2.5)


def places(node, so_far=()):
    """Every place in a document."""
    yield so_far
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from places(value, (*so_far, key))


def test_manifests_with_any_value_anywhere(index, tmp_path):
    """Each value replaced by each of some, and left out: the manifest opens with values of their kind, or is refused.

    What opens can be written again, its outlines and coordinate systems are some, and the parts it names can be asked.
    """
    from rsvlm_core.errors import SearchIndexError
    from rsvlm_core.index.manifest import IndexManifest

    document = json.loads((index / "collection.json").read_text())
    folder = tmp_path / "lie.rsindex"
    folder.mkdir()
    opened = refused = 0
    for place in [p for p in places(document) if p]:
        for value in (*NO_NUMBER, NotImplemented):  # NotImplemented: left out
            lie = json.loads(json.dumps(document))
            node = lie
            for key in place[:-1]:
                node = node[key]
            if value is NotImplemented:
                del node[place[-1]]
            else:
                node[place[-1]] = value
            (folder / "collection.json").write_text(json.dumps(lie))
            try:
                found = IndexManifest.load(folder)
            except SearchIndexError as error:
                assert "lie.rsindex" in error.message and error.remedy and len(error.message) < 600
                refused += 1
                continue
            json.dumps(found.to_json(folder), allow_nan=False)
            assert all(s.crs and s.footprint.is_valid in (True, False) for s in found.sources), place
            assert all(a.extent is None or a.geometry is not None for s in found.sources for a in s.areas), place
            assert all(p.stop >= p.start for p in found.parts)
            opened += 1
    scale.count("damaged index files", opened + refused)
    assert refused > 300 and opened > 300


def test_a_lock_that_is_a_link_costs_the_user_no_file(index, must_refuse, tmp_path):
    """A writer empties its lock: through a link in a stranger's folder that would be any file of the user's."""
    (tmp_path / "thesis.txt").write_text("three years of work")
    (index / ".lock").unlink()
    (index / ".lock").symlink_to(tmp_path / "thesis.txt")
    must_refuse("index", "r.tif", "--out", index, names="x.rsindex")
    assert (tmp_path / "thesis.txt").read_text() == "three years of work"


def test_parts_that_lie_behind_a_link_are_not_tidied(index, must_refuse, tmp_path):
    """Writers remove parts that no manifest names: behind a link those would be another folder's."""
    other = tmp_path / "other"
    (index / "parts").rename(other)
    (other / "part-00077.parquet").write_text("somebody's")
    (other / ".tmp-note").write_text("somebody's")
    (index / "parts").symlink_to(other)
    before = snapshot(other)
    for fresh in ([], ["--fresh"]):
        must_refuse("index", "r.tif", "--out", index, *fresh, names="parts")
    assert snapshot(other) == before


def test_temporary_names_that_are_links_are_not_written_through(tmp_path):
    import os

    from rsvlm_core.index.files import write_whole

    (tmp_path / "thesis.txt").write_text("three years of work")
    (tmp_path / f".tmp-{os.getpid()}-vectors.npy").symlink_to(tmp_path / "thesis.txt")
    write_whole(tmp_path / "vectors.npy", lambda path: path.write_bytes(b"new"))
    assert (tmp_path / "thesis.txt").read_text() == "three years of work"
    assert (tmp_path / "vectors.npy").read_bytes() == b"new" and not (tmp_path / "vectors.npy").is_symlink()


@pytest.mark.parametrize("name", [".lock", "vectors.json", "places.json", "faiss.json"])
@pytest.mark.parametrize("data", [b"[" * 100_000, b"[1e999]", b"\xff", b"7"], ids=["deep", "endless", "no-text", "7"])
def test_notes_that_say_nothing_cost_nothing(name, data, index, rsvlm):
    right = content(index)
    (index / name).write_bytes(data)
    said = rsvlm("search", index, "--text", "red", "--top", "1", "--out", "h.gpkg")
    assert said.status == 0, said
    assert rsvlm("index", "r.tif", "--out", index).status == 0 and content(index) == right


def test_an_index_that_names_what_is_no_file(index, rsvlm):
    """Pipes, this process's own input, addresses: a search does not wait for them."""
    import os

    os.mkfifo("pipe")
    document = json.loads((index / "collection.json").read_text())
    for source in ("pipe", str(Path("pipe").absolute()), "/vsistdin/", "/dev/zero", "/vsicurl/http://127.0.0.1:9/x"):
        document["rsvlm:sources"][0]["source"] = source
        shutil.copytree(index, "y.rsindex", dirs_exist_ok=True)
        Path("y.rsindex/collection.json").write_text(json.dumps(document))
        assert rsvlm("search", "y.rsindex", "--text", "red", "--out", "h.gpkg").status == 0
        assert rsvlm("heatmap", "y.rsindex", "--text", "red", "--out", "h.tif").status == 0
