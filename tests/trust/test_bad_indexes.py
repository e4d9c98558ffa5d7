"""Index folders that were cut, mixed, moved or made elsewhere: named, or mended by running `rsvlm index` again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest

from rsvlm_core.model import registry
from tests.fakes import FakeEncoder
from tests.trust import scale
from tests.trust.conftest import ROOT, snapshot
from tests.trust.content import content
from tests.trust.scene import rgb, write


@pytest.fixture
def index(rsvlm, tmp_path):
    """A finished index, with its caches."""
    raster, folder = write(tmp_path / "r.tif"), tmp_path / "x.rsindex"
    assert rsvlm("index", raster, "--out", folder).status == 0
    assert rsvlm("search", folder, "--text", "red", "--out", tmp_path / "first.gpkg").status == 0
    return folder


def test_cut_at_every_file(index, rsvlm, tmp_path):
    """Every file of the folder, cut at several lengths or flipped: a right answer or a named fault, then mended."""
    right, right_hits = content(index), content(tmp_path / "first.gpkg")
    kept = tmp_path / "kept"
    shutil.copytree(index, kept)
    rng = np.random.default_rng(3)
    names = [p.relative_to(kept) for p in sorted(kept.rglob("*")) if p.is_file() and p.name != ".lock"]
    assert len(names) >= 3
    todo: list[tuple[Path, int, bytes | None]] = []
    for name in names:
        data = (kept / name).read_bytes()
        cuts = [b"", data[:1], data[: len(data) // 2], data[:-1], data + b"x"]
        for _ in range(scale.pick(2, 60)):
            flipped = bytearray(data)
            flipped[int(rng.integers(0, len(data)))] ^= 1 << int(rng.integers(0, 8))
            cuts.append(bytes(flipped))
        todo += [(name, at, damaged) for at, damaged in enumerate([None, *cuts])]
    tried = 0
    for name, at, damaged in scale.within(0.03, todo):
        shutil.rmtree(index)
        shutil.copytree(kept, index)
        (index / name).unlink() if damaged is None else (index / name).write_bytes(damaged)
        said = rsvlm("search", index, "--text", "red", "--out", tmp_path / "h.gpkg")
        assert said.status in (0, 2), (name, at, said)
        if "is not complete" in said.out:
            assert damaged is None and "run rsvlm index again" in said.out
        elif said.status == 2:
            assert len(said.told) == 1 and "x.rsindex" in said.told[0], said
        elif at <= 5 and name.name != "collection.json" and name.suffix != ".npy":
            # what is cut may not change the answer unseen; single flipped bits in numbers can
            assert content(tmp_path / "h.gpkg") == right_hits, (name, at)
        again = rsvlm("index", tmp_path / "r.tif", "--out", index)
        if again.status != 0:
            assert again.status == 2 and "--fresh" in again.told[0], (name, at, again)
            assert rsvlm("index", tmp_path / "r.tif", "--out", index, "--fresh").status == 0
        if at <= 5:
            assert content(index) == right, (name, at)
        tried += 1
    scale.count("damaged index files", tried)


def test_of_another_model(index, must_refuse, monkeypatch, tmp_path):
    other = FakeEncoder(name="other")
    monkeypatch.setattr(type(other.info), "__hash__", None, raising=False)
    object.__setattr__(other.info, "sha256", "1" * 64)
    before = snapshot(index)
    monkeypatch.setattr(registry, "load_encoder", lambda name=None, device="auto": other)

    def refused(*argv: object) -> None:
        from rsvlm_core.cli import main

        assert main([str(a) for a in argv]) == 2

    refused("search", index, "--text", "red", "--out", tmp_path / "h.gpkg")
    refused("index", tmp_path / "r.tif", "--out", index)
    assert snapshot(index) == before and not (tmp_path / "h.gpkg").exists()


def test_that_may_only_be_read(index, rsvlm, tmp_path):
    """Searching works; writing says so. Even for root, whom permissions do not bind, nothing in it changes."""
    right = content(tmp_path / "first.gpkg")
    for name in ("vectors.npy", "vectors.json"):
        (index / name).unlink(missing_ok=True)
    for path in (index, *index.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert rsvlm("search", index, "--text", "red", "--out", tmp_path / "h.gpkg").status == 0
        assert content(tmp_path / "h.gpkg") == right
        if os.getuid() != 0:
            said = rsvlm("index", write(tmp_path / "s.tif"), "--out", index)
            assert said.status == 2 and "x.rsindex" in said.told[0]
    finally:
        for path in (index, *index.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_raster_that_changed_under_an_index_is_noticed(index, rsvlm, tmp_path):
    scene = rgb()[:, ::-1].copy()
    write(tmp_path / "r.tif", scene)
    os.utime(tmp_path / "r.tif", ns=(1, 10**18))
    said = rsvlm("search", index, "--text", "red", "--top", 1, "--out", tmp_path / "h.gpkg", "--json")
    assert said.status == 0
    changed = json.loads(said.out)["changed"]
    assert len(changed) == 1 and "r.tif" in changed[0] and "rsvlm index" in changed[0]
    assert "r.tif" in rsvlm("search", index, "--text", "red", "--top", 1).out
    (tmp_path / "r.tif").unlink()
    said = rsvlm("search", index, "--text", "red", "--top", 1, "--json")
    assert said.status == 0 and "r.tif" in json.loads(said.out)["changed"][0]


def test_an_unchanged_raster_is_not_called_changed(index, rsvlm):
    assert json.loads(rsvlm("search", index, "--text", "red", "--json").out)["changed"] == []


WRITER = """
import os, sys, time
from rsvlm_core.model import registry
from tests.fakes import FakeEncoder
go = sys.argv.pop()
class Slow(FakeEncoder):
    def encode_images(self, images):
        print("at work", flush=True, file=sys.stderr)
        while not os.path.exists(go):
            time.sleep(0.02)
        return super().encode_images(images)
registry.load_encoder = lambda name=None, device="auto": Slow()
from rsvlm_core.cli import main
sys.exit(main(sys.argv[1:3] + ["--out", sys.argv[3], "--batch", "64"]))
"""


def test_two_writers_at_once(index, rsvlm, must_refuse, tmp_path):
    """The second one says that the first is at work, and who it is; a reader meanwhile sees the old index, whole."""
    shutil.copytree(index, tmp_path / "kept")
    other = write(tmp_path / "other.tif", rgb()[:, :, ::-1].copy())
    first = subprocess.Popen(
        [sys.executable, "-c", WRITER, "index", str(other), str(index), str(tmp_path / "go")], cwd=ROOT,
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
    )
    try:
        while b"at work" not in (line := first.stderr.readline()):
            assert line, "the first writer ended early"
        line = must_refuse("index", tmp_path / "r.tif", "--out", index, "--fresh", names="x.rsindex")
        assert str(first.pid) in line
        said = rsvlm("search", index, "--text", "red", "--out", tmp_path / "h.gpkg")
        assert said.status == 0
        # the hits are those of the old index; only the note that a writer is at work is new
        found, right = (gpd.read_file(tmp_path / name) for name in ("h.gpkg", "first.gpkg"))
        assert found.equals(right)
    finally:
        (tmp_path / "go").touch()
        first.communicate(timeout=300)
    assert first.returncode == 0
    assert len(content(index)["sources"]) == 2
