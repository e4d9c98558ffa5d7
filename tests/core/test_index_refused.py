"""What is no index, belongs to another model, or is being written, is refused in words."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from rsvlm_core.errors import OutputError, RasterError, SearchIndexError, UsageError
from rsvlm_core.index import lock
from rsvlm_core.index.builder import build_index
from rsvlm_core.index.store import open_index
from tests.core.indexes import build
from tests.fakes import FakeEncoder

pytestmark = pytest.mark.usefixtures("small_parts")


def test_another_model_is_refused(scene: str, tmp_path: Path) -> None:
    from dataclasses import replace

    out, other = tmp_path / "x.rsindex", FakeEncoder(name="newer")
    other.info = replace(other.info, sha256="1" * 64)
    build(scene, out)
    for attempt in (lambda: build(scene, out, other), lambda: open_index(out, other.info)):
        with pytest.raises(SearchIndexError, match="made with the model fake") as caught:
            attempt()
        assert "--fresh" in caught.value.remedy and "--model fake" in caught.value.remedy
    build(scene, out, other, fresh=True)
    assert open_index(out, other.info).manifest.model == "newer"
    renamed = FakeEncoder(name="/elsewhere/model")
    build(scene, tmp_path / "y.rsindex")
    assert build(scene, tmp_path / "y.rsindex", renamed).embedded == 0, "the same weights under another name"


def test_another_overlap_is_refused(scene: str, tmp_path: Path) -> None:
    build(scene, tmp_path / "x.rsindex")
    with pytest.raises(SearchIndexError, match="overlap by 0.25, not 0"):
        build(scene, tmp_path / "x.rsindex", overlap=0.0)


def test_a_newer_version_is_refused(scene: str, tmp_path: Path) -> None:
    out = tmp_path / "x.rsindex"
    build(scene, out)
    path = out / "collection.json"
    path.write_text(path.read_text().replace('"rsvlm:format_version": 1', '"rsvlm:format_version": 2'))
    for attempt in (lambda: build(scene, out), lambda: open_index(out, None)):
        with pytest.raises(SearchIndexError, match="newer rsvlm"):
            attempt()


def test_what_is_no_index(scene: str, tmp_path: Path) -> None:
    with pytest.raises(SearchIndexError, match="no such folder"):
        open_index(tmp_path / "gone.rsindex", None)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "cat.jpg").write_text("x")
    with pytest.raises(SearchIndexError, match="not an index folder"):
        open_index(tmp_path / "pictures", None)
    with pytest.raises(OutputError, match="other things"):
        build(scene, tmp_path / "pictures", fresh=True)
    assert (tmp_path / "pictures" / "cat.jpg").exists()
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="is a file"):
        build(scene, tmp_path / "file")
    for damage in ("{", "{}", '{"rsvlm:format_version": 1}', "[]"):
        (tmp_path / "pictures" / "collection.json").write_text(damage)
        with pytest.raises(SearchIndexError, match="damaged"):
            open_index(tmp_path / "pictures", None)


def test_an_unusable_raster_leaves_no_folder(scene: str, tmp_path: Path) -> None:
    with pytest.raises(RasterError):
        build([scene, str(tmp_path / "gone.tif")], tmp_path / "x.rsindex")
    assert not (tmp_path / "x.rsindex").exists()
    with pytest.raises(UsageError, match="No raster"):
        build_index([], tmp_path / "x.rsindex", FakeEncoder())


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="the administrator may write anywhere")
def test_a_folder_that_may_not_be_written(scene: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="cannot be made"):
            build(scene, tmp_path / "x.rsindex")
    finally:
        tmp_path.chmod(0o700)


def test_two_writers_do_not_mix(scene: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "x.rsindex"
    build(scene, out)
    with lock.WriterLock(out), pytest.raises(SearchIndexError, match=f"being written by process {os.getpid()}"):
        build(scene, out)
    build(scene, out)
    elsewhere = json.dumps({"pid": 1, "host": "another-machine"})
    (out / ".lock").write_text(elsewhere)
    with pytest.raises(SearchIndexError, match="process 1 on another-machine"):
        build(scene, out)
    old = time.time() - lock.STALE_S - 1
    os.utime(out / ".lock", (old, old))
    build(scene, out)
    assert (out / ".lock").read_text() == "", "free again"
