"""Files that appear whole: an error or a kill leaves what was there, and no litter for ever."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rsvlm_core.scratch import whole, write_text

DYING = """
import os, signal, sys
from pathlib import Path
from rsvlm_core.scratch import whole
with whole(Path(sys.argv[1])) as part:
    part.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_error_leaves_what_was_there(tmp_path: Path):
    out = tmp_path / "note.json"
    write_text(out, "änderung")
    assert out.read_bytes() == "änderung".encode()
    with pytest.raises(ValueError, match="no"), whole(out) as part:
        assert part.parent.parent == tmp_path and part.suffix == ".json"
        part.write_text("half")
        raise ValueError("no")
    with pytest.raises(FileNotFoundError), whole(out):  # nothing was written
        pass
    assert out.read_text("utf-8") == "änderung" and names(tmp_path) == ["note.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="modes are of POSIX")
def test_a_file_is_as_readable_as_any_other(tmp_path: Path):
    (tmp_path / "plain").write_text("x")
    write_text(tmp_path / "whole", "x")
    assert (tmp_path / "whole").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.skipif(sys.platform == "win32", reason="kills by a signal")
def test_the_next_write_sweeps_up_after_a_kill(tmp_path: Path):
    out = tmp_path / "note.json"
    write_text(out, "old")
    assert subprocess.run([sys.executable, "-c", DYING, str(out)], check=False).returncode == -9
    assert out.read_text() == "old" and len(names(tmp_path)) == 2
    write_text(out, "new")
    assert out.read_text() == "new" and names(tmp_path) == ["note.json"]
