"""Files of other versions: those made when this test was written open, newer ones are refused politely.

`tests/trust/golden` holds an index, a model's folder and results as rsvlm wrote them then. They are never made again:
a change of format must keep reading them, or migrate them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pytest
import shapely

from rsvlm_core.engines.pieces import FORMAT as TABLE_FORMAT
from rsvlm_core.engines.pieces import Card
from rsvlm_core.errors import ModelError, SearchIndexError
from rsvlm_core.index.manifest import FORMAT_VERSION
from rsvlm_core.index.store import open_index
from rsvlm_core.model.checkpoint import load_mammut
from rsvlm_core.model.folder import FORMAT
from tests.trust.conftest import snapshot

GOLDEN = Path(__file__).parent / "golden"


def test_an_index_of_format_1_opens_and_is_searched(rsvlm, tmp_path):
    folder = tmp_path / "old.rsindex"
    shutil.copytree(GOLDEN / "old.rsindex", folder)
    index = open_index(folder, None)
    assert len(index) == len(index.table) == 34 and index.complete
    np.testing.assert_allclose(np.linalg.norm(index.vectors, axis=1), 1, atol=1e-5)
    assert rsvlm("search", folder, "--text", "red", "--top", "1", "--out", tmp_path / "h.gpkg").status == 0
    hits, then = gpd.read_file(tmp_path / "h.gpkg"), json.loads((GOLDEN / "hits.json").read_text())
    assert hits.geometry[0].equals_exact(shapely.from_wkt(then["wkt"]), 1e-6)
    assert abs(hits["score"][0] - then["score"]) < 1e-6


def test_weights_of_format_1_give_the_vectors_of_then():
    model, tokenizer = load_mammut(GOLDEN / "model")
    tokens = tokenizer(["a red roof"], model.cfg.text.context_length)
    vector = model.encode_text(tokens.ids, tokens.valid).detach().numpy()
    np.testing.assert_allclose(vector, np.load(GOLDEN / "vector.npy"), atol=1e-4)


@pytest.mark.parametrize("command", ["search", "index", "heatmap"])
def test_an_index_of_a_newer_version_is_left_alone(command, must_refuse, tmp_path):
    folder = tmp_path / "new.rsindex"
    shutil.copytree(GOLDEN / "old.rsindex", folder)
    manifest = folder / "collection.json"
    data = json.loads(manifest.read_text())
    data["rsvlm:format_version"] = FORMAT_VERSION + 1
    manifest.write_text(json.dumps(data))
    before = snapshot(folder)
    from tests.trust.scene import write

    raster = write(tmp_path / "r.tif")
    argv = {
        "search": ("search", folder, "--text", "red"), "index": ("index", raster, "--out", folder),
        "heatmap": ("heatmap", folder, "--text", "red", "--out", tmp_path / "h.tif"),
    }[command]
    line = must_refuse(*argv, names="new.rsindex")
    assert "newer" in line and "Update rsvlm" in line
    assert {k: v for k, v in snapshot(folder).items() if k != ".lock"} == before


def test_weights_of_a_newer_version_are_refused(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(GOLDEN / "model", folder)
    config = json.loads((folder / "config.json").read_text())
    config["format"] = FORMAT + 1
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="newer") as caught:
        load_mammut(folder)
    assert "Update" in caught.value.remedy


def test_served_tables_carry_their_format_and_newer_ones_are_refused():
    card = Card("m", "0" * 64, 4, "EPSG:4326")
    assert json.loads(card.to_json())["format"] == TABLE_FORMAT and Card.from_json(card.to_json(), "t") == card
    older = {k: v for k, v in json.loads(card.to_json()).items() if k != "format"}
    assert Card.from_json(json.dumps(older), "t").format == 1, "tables from before there was a number are of the first"
    newer = json.dumps({**older, "format": TABLE_FORMAT + 1, "something": "new"})
    with pytest.raises(SearchIndexError, match="newer") as caught:
        Card.from_json(newer, "lancedb:t")
    assert "Update" in caught.value.remedy and "lancedb:t" in caught.value.message
    for text in ("", "[]", "7", '{"format": "x"}', '{"format": null}', '{"model": "m"}'):
        with pytest.raises(SearchIndexError, match="was not made by"):
            Card.from_json(text, "t")


@pytest.mark.parametrize("command", ["push", "search"])
def test_a_served_table_of_a_newer_version_is_left_alone(command, must_refuse, tmp_path):
    lancedb = pytest.importorskip("lancedb")
    shutil.copytree(GOLDEN / "old.rsindex", tmp_path / "x.rsindex")
    place, database = f"lancedb:{tmp_path / 'db'}", lancedb.connect(str(tmp_path / "db"))
    facts = {"model": "m", "model_sha256": "0" * 64, "dimensions": 4, "wkt": "EPSG:4326", "format": TABLE_FORMAT + 1}
    schema = pa.schema([("piece", pa.int64())], metadata={b"rsvlm": json.dumps(facts).encode()})
    database.create_table("tiles", schema=schema)
    before = snapshot(tmp_path / "db")
    argv = {"push": ("push", tmp_path / "x.rsindex", "--to", place), "search": ("search", place, "--text", "red")}
    line = must_refuse("serve-index", *argv[command], names=place)
    assert "newer" in line and "Update rsvlm" in line and snapshot(tmp_path / "db") == before


def test_the_bundled_model_carries_its_format():
    config = json.loads((Path(__file__).parents[2] / "rsvlm_core" / "weights" / "config.json").read_text())
    assert config["format"] == FORMAT
