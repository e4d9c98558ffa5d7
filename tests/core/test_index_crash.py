"""Index folders whose writer was stopped or killed open, and continue."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from rsvlm_core.errors import Stopped
from rsvlm_core.index import files
from rsvlm_core.index.store import open_index
from rsvlm_core.model.encoder import Float32, UInt8
from tests.core.indexes import TILES, build, same
from tests.fakes import FakeEncoder

pytestmark = pytest.mark.usefixtures("small_parts")


class _Dying(FakeEncoder):
    """Stops the whole run after so many images."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def encode_images(self, images: UInt8) -> Float32:
        if self.images_seen >= self.after:
            raise KeyboardInterrupt
        return super().encode_images(images)


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)  # fmt: skip
@given(stops=st.lists(st.integers(0, 60), min_size=1, max_size=3))
def test_interrupted_and_continued_is_like_uninterrupted(
    scene: str, tmp_path_factory: pytest.TempPathFactory, stops: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    build(scene, folder / "whole.rsindex")
    for stop in stops:
        try:
            build(scene, folder / "broken.rsindex", _Dying(stop))
        except KeyboardInterrupt:
            index = open_index(folder / "broken.rsindex", FakeEncoder().info)
            assert len(index.table) == len(index.vectors)
    report = build(scene, folder / "broken.rsindex")
    assert report.tiles == TILES
    same(folder / "whole.rsindex", folder / "broken.rsindex")


@pytest.mark.parametrize("after", [False, True])
def test_killed_around_any_file_operation(
    scene: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    build(scene, tmp_path / "whole.rsindex")
    rename, operation = os.replace, 0
    while True:
        out = tmp_path / f"{operation}.rsindex"
        left = operation

        def dying(source: str, target: str) -> None:
            nonlocal left
            if left == 0 and not after:
                raise KeyboardInterrupt
            rename(source, target)
            if left == 0:
                raise KeyboardInterrupt
            left -= 1

        monkeypatch.setattr(files.os, "replace", dying)
        try:
            build(scene, out)
            break
        except KeyboardInterrupt:
            pass
        finally:
            monkeypatch.setattr(files.os, "replace", rename)
        if (out / "collection.json").exists():
            open_index(out, FakeEncoder().info)
        build(scene, out)
        same(tmp_path / "whole.rsindex", out)
        operation += 1
    assert operation >= 8, "manifest, six parts, vectors, their note"


_CHILD = """
import os, signal, sys
from pathlib import Path
from rsvlm_core.index import plan
from rsvlm_core.index.builder import build_index
from tests.fakes import FakeEncoder

class Dying(FakeEncoder):
    def encode_images(self, images):
        if self.images_seen >= int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode_images(images)

plan.PART_TILES = 16
build_index([sys.argv[1]], Path(sys.argv[2]), Dying(), plan.Wanted(batch=8))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
def test_a_killed_process_leaves_a_folder_that_continues(scene: str, tmp_path: Path) -> None:
    build(scene, tmp_path / "whole.rsindex")
    out = tmp_path / "killed.rsindex"
    child = subprocess.run(
        [sys.executable, "-c", _CHILD, scene, str(out), "40"], cwd=Path(__file__).parents[2], check=False,
        capture_output=True, timeout=120,
    )  # fmt: skip
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    assert json.loads((out / ".lock").read_text())["pid"], "the dead writer still has its name in the lock"
    index = open_index(out, FakeEncoder().info)
    assert not index.complete and 0 < len(index) < 48
    encoder = FakeEncoder()
    build(scene, out, encoder)
    assert encoder.images_seen + len(index) == len(open_index(out, None)), "finished parts were kept"
    same(tmp_path / "whole.rsindex", out)


def test_stopping_keeps_finished_parts(scene: str, tmp_path: Path) -> None:
    calls = 0

    def stop() -> bool:
        nonlocal calls
        calls += 1
        return calls > 50

    with pytest.raises(Stopped, match="continue"):
        build(scene, tmp_path / "x.rsindex", should_stop=stop)
    index = open_index(tmp_path / "x.rsindex", None)
    assert len(index) > 0 and not index.complete
