"""Surroundings of the trust suites: the command line in this process, with a model that needs no weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from rsvlm_core.cli import main
from rsvlm_core.model import registry
from tests.fakes import FakeEncoder

ROOT = Path(__file__).resolve().parents[2]


class Said(NamedTuple):
    """What a command came to: exit status, and what it printed on either stream."""

    status: int
    out: str
    err: str

    @property
    def told(self) -> list[str]:
        """The lines that are the command's own words."""
        return [line for line in self.err.splitlines() if line.startswith("rsvlm")]


@pytest.fixture
def rsvlm(monkeypatch, tmp_path, capfd) -> Callable[..., Said]:
    """Runs a command here, with the colour encoder as its model."""
    monkeypatch.setattr(registry, "load_encoder", lambda name=None, device="auto": FakeEncoder())
    monkeypatch.setenv("RSVLM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RSVLM_DEBUG", raising=False)

    def run(*argv: object) -> Said:
        capfd.readouterr()
        status = main([str(a) for a in argv])
        return Said(status, *capfd.readouterr())

    return run


@pytest.fixture
def must_refuse(rsvlm) -> Callable[..., str]:
    """Runs a command that must be refused: status 2, one line that says what and which, and what to do."""

    def run(*argv: object, names: str) -> str:
        said = rsvlm(*argv)
        assert said.status == 2, said
        assert len(said.err.strip().splitlines()) >= 1 and len(said.told) == 1, said.err
        line = said.told[0]
        assert said.err.rstrip().endswith(line), f"the message is more than one line: {said.err}"
        assert names in line, f"{names!r} is not named: {line}"
        assert "Traceback" not in said.err and said.out == ""
        assert line.isprintable(), f"control characters reach the terminal: {line!r}"
        assert len(line.split(". ")) >= 2, f"says what is wrong but not what to do: {line}"
        return line

    return run


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content."""
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            if os.path.isfile(path):
                found[os.path.relpath(path, folder)] = Path(path).read_bytes()
    return found


class Forge:
    """Speaks to `tests.trust.forge`."""

    def __init__(self, *what: str) -> None:
        env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "GDAL_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.trust.forge", *what], cwd=ROOT, env=env, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )
        self._read()

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        assert line, "the forge died"
        return json.loads(line)

    def __call__(self, program: str, argv: Sequence[object], **job: Any) -> dict[str, Any]:
        """Run a command in a child of its own; see `forge` for what a job may hold."""
        self._process.stdin.write(json.dumps({"program": program, "argv": [str(a) for a in argv], **job}) + "\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        """End it."""
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


@pytest.fixture(scope="session")
def forge():
    """Runs `rsvlm` in children that may be killed."""
    made = Forge()
    yield made
    made.close()


@pytest.fixture(scope="session")
def torch_forge():
    """Runs training in children that may be killed."""
    made = Forge("torch")
    yield made
    made.close()
