"""Where a command finds itself: streams that are closed, full or narrow, no home, no cache, no current folder."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from rsvlm_core import settings
from tests.trust.conftest import ROOT
from tests.trust.scene import write

CODE = """
import sys
from rsvlm_core.model import registry
from tests.fakes import FakeEncoder
registry.load_encoder = lambda name=None, device="auto", runtime=None: FakeEncoder()
from rsvlm_core.cli import main
sys.exit(main())
"""
TEXT = "röd 🛰 red"


def shell(tmp_path: Path, words: str, redirect: str = "", **env: str) -> subprocess.CompletedProcess:
    """The command as a shell starts it."""
    command = f'exec "{sys.executable}" -c "$CODE" {words} {redirect}'
    full = {**os.environ, "CODE": CODE, "RSVLM_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1", **env}  # fmt: skip
    return subprocess.run(["sh", "-c", command], cwd=tmp_path, env=full, capture_output=True, timeout=300, check=False)


@pytest.fixture
def place(tmp_path):
    write(tmp_path / "r.tif")
    return tmp_path


@pytest.mark.parametrize("redirect", [">&-", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/full"])
def test_streams_that_take_nothing(redirect, place):
    """As services and schedulers start programs: the result is written, whole, and a full disk is told as one."""
    done = shell(place, "search r.tif --text red --top 1 --out h.gpkg", redirect)
    assert done.returncode == (2 if "full" in redirect else 0), done
    assert (place / "h.gpkg").read_bytes()[:15] == b"SQLite format 3"
    if "full" in redirect:
        told = [line for line in done.stderr.decode().splitlines() if line.startswith("rsvlm")]
        assert len(told) == 1 and "cannot be printed" in told[0] and "Traceback" not in done.stderr.decode()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp1254", "utf-16"])
def test_streams_whose_letters_are_few(encoding, place):
    """A Windows console, a mail, a log: what it cannot show is written out, and JSON stays JSON."""
    words = f"search r.tif --text '{TEXT}' --top 1"
    done = shell(place, f"{words} --json", PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.decode(encoding))["hits"][0]["text"] == TEXT
    done = shell(place, words, PYTHONIOENCODING=encoding)
    assert done.returncode == 0 and "red" in done.stdout.decode(encoding), done


@pytest.mark.parametrize("locale", ["C", "tr_TR.UTF-8", "nowhere"])
def test_locales(locale, place):
    done = shell(place, f"search r.tif --text '{TEXT}' --top 1 --json", LC_ALL=locale)
    assert done.returncode == 0 and json.loads(done.stdout)["hits"][0]["text"] == TEXT, done


def test_no_home(rsvlm, must_refuse, monkeypatch, tmp_path):
    """A container that runs under a number without a name: what needs no cache works, the rest says what it lacks."""
    raster = write(tmp_path / "r.tif")

    def unknown(number):
        raise KeyError(number)

    for name in ("HOME", "RSVLM_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert settings.home_dir() is None
    line = must_refuse("search", raster, "--text", "red", "--out", tmp_path / "h.gpkg", names="home folder")
    assert "RSVLM_CACHE" in line
    assert rsvlm("index", raster, "--out", tmp_path / "x.rsindex").status == 0
    assert rsvlm("search", tmp_path / "x.rsindex", "--text", "red", "--out", tmp_path / "h.gpkg").status == 0
    assert rsvlm("segment", raster, "--text", "red", "--out", tmp_path / "m.gpkg").status == 0
    assert rsvlm("models", "list").status == 0


@pytest.mark.parametrize("cache", ["/proc/nothing", "r.tif", "/dev/null/x", "\udcff"])
def test_a_cache_that_cannot_be(cache, rsvlm, must_refuse, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "r.tif")
    monkeypatch.setenv("RSVLM_CACHE", cache)
    line = must_refuse("search", "r.tif", "--text", "red", "--out", "h.gpkg", names="")
    assert "RSVLM_CACHE" in line
    assert "RSVLM_CACHE" in must_refuse("models", "add", "mine", settings.weights_dir(), names="")
    assert rsvlm("models", "list").status == 0 and rsvlm("index", "r.tif", "--out", "x.rsindex").status == 0


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00", b"[" * 100_000, b'{"a": 5}', b"7", b'{"a": "a"}'])
def test_a_list_of_models_that_is_none(data, rsvlm, monkeypatch, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "models.json").write_bytes(data)
    assert rsvlm("models", "list").status == 0


def test_a_current_folder_that_is_gone(rsvlm, tmp_path):
    raster, here = write(tmp_path / "r.tif"), os.getcwd()
    (tmp_path / "here").mkdir()
    os.chdir(tmp_path / "here")
    try:
        (tmp_path / "here").rmdir()
        bad = [
            rsvlm("search", raster, "--text", "red", "--out", tmp_path / "h.gpkg"),
            rsvlm("search", "r.tif", "--text", "red", "--out", "h.gpkg"),
            rsvlm("search", raster, "--text", "red", "--out", "h.gpkg"),
            rsvlm("search", raster, "--text", "red", "--overview", "h.png"),
            rsvlm("index", raster, "--out", "x.rsindex"),
            rsvlm("doctor"),
        ]
    finally:
        os.chdir(here)  # before anything is asserted: pytest reports nothing from a folder that is gone
    assert [(said.status, len(said.told)) for said in bad] == [(2, 1)] * len(bad), bad
    assert all("current folder is gone" in said.err for said in bad)
    assert list(tmp_path.glob("here*")) == []


@pytest.mark.parametrize("folder", ["/nowhere", "/proc", "r.tif", ""])
def test_no_temporary_folder(folder, place):
    """Python looks for another one."""
    done = shell(place, "segment r.tif --text red --out m.gpkg", TMPDIR=folder, TMP=folder, TEMP=folder)
    assert done.returncode == 0, done


def test_a_clock_that_goes_backwards(rsvlm, monkeypatch, tmp_path):
    import time

    now = [2e9]

    def back() -> float:
        now[0] -= 1000
        return now[0]

    raster = write(tmp_path / "r.tif")
    monkeypatch.setattr(time, "time", back)
    assert rsvlm("index", raster, "--out", tmp_path / "x.rsindex").status == 0
    assert rsvlm("index", raster, "--out", tmp_path / "x.rsindex").status == 0
    assert rsvlm("search", raster, "--text", "red", "--out", tmp_path / "h.gpkg").status == 0


def test_temporary_folders_are_private(tmp_path, monkeypatch):
    """Also where every new file would be open to all."""
    from rsvlm_core.scratch import beside, scratch

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = os.umask(0)
    try:
        with scratch(tmp_path) as one, beside(tmp_path / "x.gpkg") as two:
            assert one.stat().st_mode & 0o777 == two.stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(before)
    assert list(tmp_path.iterdir()) == []
