"""Texts of every kind: searched for as far as they say anything, stored as they were, and never a broken file."""

from __future__ import annotations

import json
import sqlite3
import xml.etree.ElementTree as ET
from contextlib import closing

import geopandas as gpd
import numpy as np
import pytest

from rsvlm_core.model import registry
from rsvlm_core.model.checkpoint import Card, save_mammut
from tests.trust import scale
from tests.trust.scene import write

TEXTS = {
    "ten_thousand_words": "red " * 10_000,
    "one_very_long_word": "red" + "x" * 50_000,
    "control_characters": "red\x01\x02\x1b[31m\x7f roof",
    "line_breaks": "red\nroof\r\ttile",
    "right_to_left": "red \u202e\u0645\u0633\u062c\u062f \u05d1\u05d9\u05ea \u202c",
    "emoji": "red 🏠👨‍👩‍👧‍👦🇺🇳",
    "combining_marks": "red z" + "\u0301" * 500,
    "quotes_and_markup": "red'; DROP TABLE hits; -- <b>\"&amp;</b> ]]> %s {0} $(id) `id`",
    "not_normalised": "red \ufb01 \u2126 \ufeff\u200b",
    "beyond_the_basic_plane": "red \U00020000\U0010ffff",
    "what_xml_cannot_hold": "red \ufffe\uffff\x0b",
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".parquet"])
def test_searched_and_stored(name, suffix, rsvlm, tmp_path):
    raster, hits = write(tmp_path / "r.tif"), tmp_path / f"h{suffix}"
    said = rsvlm("search", raster, "--text", TEXTS[name], "--top", 1, "--out", hits, "--json")
    assert said.status == 0, said
    scale.count("odd texts", 1)
    told = json.loads(said.out)["hits"][0]
    frame = gpd.read_parquet(hits) if suffix == ".parquet" else gpd.read_file(hits)
    assert len(frame) == 1 and frame["score"][0] > 0.8
    assert "red" in frame["text"][0] and told["text"].split() == frame["text"][0].split()
    if suffix == ".gpkg":
        masks = tmp_path / "m.gpkg"
        assert rsvlm("segment", raster, "--text", TEXTS[name], "--text", "green", "--out", masks).status == 0
        for file in (hits, masks):
            with closing(sqlite3.connect(file)) as db:
                (style,) = db.execute("SELECT styleQML FROM layer_styles").fetchone()
            assert ET.fromstring(style.split("\n", 1)[1]).tag == "qgis", "QGIS could not read the style"


@pytest.mark.parametrize("text", ["", " ", "\t\n", "\u00a0\u2003"])
def test_nothing_to_look_for(text, must_refuse, tmp_path):
    raster = write(tmp_path / "r.tif")
    for command in ("search", "segment", "heatmap"):
        out = tmp_path / ("h.tif" if command == "heatmap" else "h.gpkg")
        must_refuse(command, raster, "--text", text, "--out", out, names="text")
        assert not out.exists()


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\ud800", "\udcff.tif"])
def test_what_no_file_can_hold(text, must_refuse, tmp_path):
    raster = write(tmp_path / "r.tif")
    must_refuse("search", raster, "--text", text, "--out", tmp_path / "h.gpkg", names="text")
    must_refuse("search", text, "--text", "red", "--out", tmp_path / "h.gpkg", names="sources")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A model of ours with random weights, saved and loaded."""
    import torch

    from rsvlm_core.model.config import load_config
    from rsvlm_core.model.mammut import Mammut

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model")
    save_mammut(Mammut(load_config("tiny")).eval(), folder, Card("tiny"))
    return registry.load_encoder(str(folder), "cpu")


@pytest.mark.parametrize("name", TEXTS)
def test_a_real_tokenizer_takes_them(name, tiny):
    (vector,) = tiny.encode_texts([TEXTS[name]])
    assert np.isfinite(vector).all() and abs(np.linalg.norm(vector) - 1) < 1e-4
