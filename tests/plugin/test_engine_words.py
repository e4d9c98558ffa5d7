"""The engine's faults are known to the plugin: what it says here is what it says for real."""

import importlib
import re
import sys

import numpy as np
import pytest
import rasterio

from rsvlm_core.errors import RsvlmError
from rsvlm_core.imagery.raster import Raster
from rsvlm_core.model.registry import load_encoder
from rsvlm_core.pipelines.questions import understand


@pytest.fixture(scope="session")
def words(protocol):
    return importlib.import_module(sys.modules[protocol.__name__].__package__ + ".engine_words")


def without_crs(tmp_path):
    path = tmp_path / "nowhere.tif"
    with rasterio.open(path, "w", driver="GTiff", width=8, height=8, count=3, dtype="uint8",
                       transform=rasterio.transform.from_origin(0, 8, 1, 1)) as made:
        made.write(np.ones((3, 8, 8), np.uint8))
    return Raster.open(str(path))


def empty(tmp_path):
    (tmp_path / "empty.tif").write_bytes(b"")
    return Raster.open(str(tmp_path / "empty.tif"))


@pytest.mark.parametrize("fault, said", [
    (without_crs, "{} has no coordinate system."), (empty, "{} is empty."),
    (lambda tmp_path: Raster.open(str(tmp_path / "gone.tif")), "The file {} is not there."),
    (lambda tmp_path: load_encoder("no-such-model"), "There is no model “{}”."),
    (lambda tmp_path: understand("  "), "The question is empty."),
])
def test_what_the_engine_says_is_known(words, tmp_path, fault, said):
    with pytest.raises(RsvlmError) as raised:
        fault(tmp_path)
    message, remedy = words.spoken(raised.value.message, raised.value.remedy)
    assert re.fullmatch(re.escape(said).replace(r"\{\}", "(.+)"), message), message
    assert remedy


def test_every_entry_takes_as_many_words_as_it_names(words):
    for pattern, said, _ in words.KNOWN:
        alternatives = max(1, pattern.count("|(.+)") + pattern.count("(.+)|") and 2)
        assert re.compile(pattern).groups // alternatives == said.count("{}") or said.count("{}") == 0, pattern


def test_what_is_not_known_stays_as_it_is(words):
    assert words.spoken("Something new.", "Do this.") == ("Something new.", "Do this.")
    assert words.spoken("Refinement by sam needs the package segment-geospatial (x).", "pip install it")[1] == (
        "pip install it")


def test_an_error_line_is_translated_on_its_way(protocol):
    body = {"code": "raster", "message": "/a/b.tif has no coordinate reference system.", "remedy": "Set one."}
    fault = protocol.Message("error", 1, body).error()
    assert fault.message == "/a/b.tif has no coordinate system." and "Layer CRS" in fault.remedy
