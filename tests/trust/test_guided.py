"""Our parsers under a fuzzer that is guided by coverage; seconds here, minutes for each in `make soak`."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys

import pytest

from tests.trust import guided, scale
from tests.trust.conftest import ROOT

pytestmark = pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed")


def fuzz(name: str, folder, *options: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "RSVLM_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "tests.trust.guided", name, str(folder), *options], cwd=ROOT, env=env,
        capture_output=True, text=True, errors="replace", timeout=7200, check=False,
    )


@pytest.mark.parametrize("name", guided.NAMES if scale.LONG else ["all"])
def test_parsers(name, tmp_path):
    """The same tries every time where it is bounded; what ends it lies in the message."""
    length = f"-max_total_time={max(10, int(scale.seconds(0, 0.01)))}" if scale.LONG else "-runs=1500"
    done = fuzz(name, tmp_path, length, *([] if scale.LONG else ["-seed=1"]))
    faults = {p.name: p.read_bytes()[:2000] for p in tmp_path.iterdir() if re.match("crash|timeout|oom|leak", p.name)}
    assert done.returncode == 0 and not faults, (faults, done.stdout[-3000:], done.stderr[-3000:])
    tried = re.search(r"Done (\d+) runs", done.stderr)
    assert tried and int(tried[1]) > 100
    scale.count("inputs that coverage guided", int(tried[1]))


def test_it_finds_a_fault_that_blind_tries_do_not(tmp_path):
    """Three bytes that must all be right: one input in sixteen million, found by way of the branches before."""
    done = fuzz(guided.PLANTED, tmp_path, "-runs=300000", "-seed=1", "-max_len=8")
    (found,) = [p for p in tmp_path.iterdir() if p.name.startswith("crash")]
    assert found.read_bytes().startswith(b"ath") and "ZeroDivisionError" in done.stdout + done.stderr
