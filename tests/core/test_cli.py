import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from rsvlm_core import jobs
from rsvlm_core.cli import main
from rsvlm_core.cli.parser import COMMANDS, parse
from rsvlm_core.errors import RasterError, Stopped

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def install(monkeypatch):
    """Puts a function in the place of every job and gives the parameters that it was called with."""

    def put(function):
        monkeypatch.setattr(jobs, "job", lambda op: function)

    return put


def given(argv):
    command, args = parse(argv)
    return {k: v for k, v in command.params(args).items() if v is not None}


@pytest.mark.parametrize("command", [name.replace("_", "-") for name in COMMANDS])
def test_every_command_has_help_with_an_example(command, capsys):
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"example:\n  rsvlm {command}" in out


def test_help_names_only_what_exists(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for command in COMMANDS:
        assert f"\n    {command.replace('_', '-')}" in out


@pytest.mark.parametrize(("argv", "reason"), [
    ([], "COMMAND"),
    (["dance"], "dance"),
    (["search"], "RASTER"),
    (["segment", "a.tif", "--out", "m.gpkg"], "--text"),
    (["index", "a.tif"], "--out"),
    (["index", "a.tif", "--out", "x.rsindex", "--gsd", "small"], "small"),
    (["index", "a.tif", "--out", "x.rsindex", "--resume", "--fresh"], "--resume"),
    (["search", "a.tif", "--text", "x", "--extent", "1,2,3"], "1,2,3"),
    (["segment", "a.tif", "--text", "x", "--out", "m.gpkg", "--threshold", "high"], "high"),
    (["search", "a.tif", "--text", "x", "--top", "many"], "many"),
    (["search", "a.tif", "--text", "x", "--bands", "r,g,b"], "r,g,b"),
])  # fmt: skip
def test_wrong_usage_is_one_line_and_2(argv, reason, capsys):
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert reason in err and "--help" in err


def test_arguments_reach_the_job_under_their_names():
    assert given(["search", "a.tif", "b.tif", "--text", "x", "--text", "y", "--top", "7", "--min-score", "0.1", "--gsd",
                  "0.3", "0.6", "--bands", "4,3,2", "--like", "l.gpkg", "--out", "h.gpkg"]) == {
        "sources": ["a.tif", "b.tif"], "texts": ["x", "y"], "top": 7, "min_score": 0.1, "gsds": [0.3, 0.6],
        "bands": [4, 3, 2], "like": "l.gpkg", "out": "h.gpkg", "device": "auto",
    }  # fmt: skip
    assert given(["segment", "a.tif", "--text", "x", "--threshold", "0.4", "--min-area", "20", "--mask-raster", "m.tif",
                  "--out", "m.gpkg", "--refine", "edges", "--orthogonal", "--simplify", "0.5", "--method",
                  "smooth+bias"]) == {
        "sources": ["a.tif"], "texts": ["x"], "threshold": 0.4, "min_area_m2": 20, "mask_raster": "m.tif",
        "out": "m.gpkg", "refine": "edges", "device": "auto", "orthogonal": True, "simplify_m": 0.5,
        "method": "smooth+bias",
    }  # fmt: skip
    assert given(["index", "a.tif", "--out", "x.rsindex", "--fresh"])["fresh"] is True
    assert given(["classify", "a.tif", "--classes", "a, b,c", "--out", "c.gpkg"])["classes"] == ["a", "b", "c"]
    assert given(["ask", "a.tif", "is it wet?"])["question"] == "is it wet?"


@pytest.mark.parametrize("words", [["--extent", "-122.5,37,-122,38"], ["--extent=-122.5,37,-122,38"]])
def test_an_extent_may_begin_with_a_minus(words):
    assert given(["caption", "a.tif", *words])["extent"] == [-122.5, 37, -122, 38]


def test_a_negative_score_is_a_value():
    assert given(["search", "a.tif", "--text", "x", "--min-score", "-0.2"])["min_score"] == -0.2


def noisy(params, context):
    for done in range(5):
        context.progress(done + 1, 5, "tiles")
    print("stray print of a library")
    os.write(1, b"")
    return {"text": "grün, 緑"}


def test_json_is_the_only_thing_on_stdout(install, capfd):
    install(noisy)
    assert main(["caption", "a.tif", "--json"]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out) == {"text": "grün, 緑"}
    assert "5/5" in err and "stray print" in err


def test_without_json_the_answer_is_words(install, capsys):
    install(noisy)
    assert main(["caption", "a.tif"]) == 0
    assert capsys.readouterr().out == "grün, 緑\n"


@pytest.mark.parametrize(("error", "status"), [
    (RasterError("a.tif has no CRS.", "Assign one."), 2), (Stopped("Stopped.", "Parts are kept."), 3),
])
def test_what_people_can_mend_is_one_line(install, capsys, error, status):
    def fail(params, context):
        raise error

    install(fail)
    assert main(["caption", "a.tif", "--json"]) == status
    out, err = capsys.readouterr()
    assert err == f"rsvlm caption: {error}\n"
    assert json.loads(out)["error"]["code"] == error.code


def test_a_bug_is_one_line_that_says_how_to_see_more(install, capsys, monkeypatch):
    def fail(params, context):
        return {}["key"]

    install(fail)
    monkeypatch.delenv("RSVLM_DEBUG", raising=False)
    assert main(["caption", "a.tif"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1
    assert "KeyError" in err and "RSVLM_DEBUG=1" in err
    monkeypatch.setenv("RSVLM_DEBUG", "1")
    assert main(["caption", "a.tif"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_is_no_error():
    code = "import sys\nfrom rsvlm_core import jobs\njobs.job = lambda op: lambda p, c: {'text': 'x' * 1000000}\n" \
           "from rsvlm_core.cli import main\nsys.exit(main(['caption', 'a.tif']))"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(10)
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert (process.wait(20), err) == (0, b"")


POLITE = "while not c.should_stop(): time.sleep(0.01)\n    check(c.should_stop, 'Two parts are kept.')"
RUDE = "time.sleep(60)"
SURPRISED = "while not c.should_stop(): time.sleep(0.01)\n    raise ValueError('half a batch')"


@pytest.mark.parametrize("body", [POLITE, RUDE, SURPRISED], ids=["polite", "rude", "surprised"])
def test_interrupting_ends_within_a_second_with_3(body):
    code = f"""
import sys, time
from rsvlm_core import jobs
from rsvlm_core.progress import check
def work(p, c):
    print("begun", file=sys.stderr, flush=True)
    {body}
jobs.job = lambda op: work
from rsvlm_core.cli import main
sys.exit(main(["caption", "a.tif"]))
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stderr.readline() == b"begun\n"
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    status = process.wait(10)
    took = time.monotonic() - start
    out, err = process.communicate()
    assert (status, out) == (3, b"")
    assert b"Stopped." in err and b"Traceback" not in err
    assert took < 1.5  # a second, and what a busy machine adds


def test_a_real_segmentation_through_the_command(make_raster, monkeypatch, tmp_path, capsys):
    from rsvlm_core.model import registry
    from tests.fakes import COLOURS, FakeEncoder

    monkeypatch.setattr(registry, "load_encoder", lambda name=None, device="auto": FakeEncoder())
    pixels = np.full((256, 256, 3), COLOURS["green"], np.uint8)
    pixels[64:160, 96:192] = COLOURS["red"]
    raster = make_raster(pixels)
    out, mask, picture = tmp_path / "m.gpkg", tmp_path / "m.tif", tmp_path / "o.png"
    status = main(["segment", str(raster), "--text", "red", "--out", str(out), "--mask-raster", str(mask),
                   "--overview", str(picture), "--json"])  # fmt: skip
    document = json.loads(capsys.readouterr().out)
    assert status == 0
    assert document["count"] == len(document["masks"]) == 1
    xmin, ymin, xmax, ymax = document["masks"][0]["bbox"]
    assert np.allclose([xmin, ymin, xmax, ymax], [500048, 5399920, 500096, 5399968], atol=4)
    assert set(document["outputs"]) == {"masks", "mask_raster", "overview"}
    assert out.stat().st_size and mask.stat().st_size and picture.stat().st_size


def test_search_finds_and_lists(make_raster, monkeypatch, tmp_path, capsys):
    from rsvlm_core.model import registry
    from tests.fakes import COLOURS, FakeEncoder

    monkeypatch.setattr(registry, "load_encoder", lambda name=None, device="auto": FakeEncoder())
    monkeypatch.setenv("RSVLM_CACHE", str(tmp_path / "cache"))
    pixels = np.full((256, 256, 3), COLOURS["green"], np.uint8)
    pixels[128:, 128:] = COLOURS["blue"]
    raster, index, out = make_raster(pixels), tmp_path / "x.rsindex", tmp_path / "hits.gpkg"
    assert main(["index", str(raster), "--out", str(index), "--gsd", "0.5", "--json"]) == 0
    built = json.loads(capsys.readouterr().out)
    assert built["tiles"] == built["embedded"] > 10 and built["failed"] == []
    assert main(["index", str(raster), "--out", str(index), "--gsd", "0.5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["embedded"] == 0
    assert main(["search", str(index), "--text", "blue", "--top", "3", "--out", str(out), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document) >= {"hits", "tiles_searched", "seconds_index", "seconds_query"}
    assert [hit["rank"] for hit in document["hits"]] == [1, 2, 3]
    for hit in document["hits"]:
        assert set(hit) == {"rank", "score", "confidence", "text", "gsd", "source", "bbox"}
        assert hit["bbox"][0] >= 500064 - 16 and hit["bbox"][3] <= 5399936 + 16
    assert document["outputs"] == {"hits": str(out)}
    assert main(["search", str(index), "--text", "blue", "--text", "green", "--top", "3"]) == 0
    words = capsys.readouterr().out
    assert "blue" in words and "hits among" in words
