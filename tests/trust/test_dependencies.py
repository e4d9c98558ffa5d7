"""What we depend on is not older than the first release without a fault that is known and that could reach us.

This is no scanner: it knows only the list below, which a person keeps by hand from the projects' own advisories. It
works without a connection. Where `pip-audit` is installed and its database can be reached, `make soak` asks it as well.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.trust import scale
from tests.trust.conftest import ROOT

# package: first release without it, and what it was
FLOORS = {
    "torch": ("2.6.0", "torch.load(weights_only=True) could run code (CVE-2025-32434)"),
    "pillow": ("10.3.0", "buffer overflow in _imagingcms (CVE-2024-28219)"),
    "pyarrow": ("14.0.1", "reading Parquet or IPC could run code (CVE-2023-47248)"),
    "tqdm": ("4.66.3", "eval on command line options (CVE-2024-34062)"),
    "pyyaml": ("5.4", "full_load could run code (CVE-2020-14343)"),
    "numpy": ("1.22.0", "buffer overflow in f2py's string conversion (CVE-2021-41496)"),
}


def required() -> dict[str, Requirement]:
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    found = [Requirement(bare) for line in lines if (bare := line.split("#")[0].strip()) and not bare.startswith("-")]
    return {r.name.lower(): r for r in found}


@pytest.mark.parametrize("name", FLOORS)
def test_installed_is_new_enough(name):
    floor, why = FLOORS[name]
    assert Version(metadata.version(name)) >= Version(floor), why


def test_every_requirement_has_a_floor():
    assert not [name for name, r in required().items() if not len(r.specifier)]


def test_nothing_comes_from_an_address_or_another_index():
    for file in ROOT.glob("requirements*.txt"):
        assert not re.search(r"(?m)^\s*(-i|--index-url|--extra-index-url|git\+|https?:)", file.read_text("utf-8")), file


@pytest.mark.skipif(not scale.LONG, reason="asks a server; in make soak only")
@pytest.mark.skipif(importlib.util.find_spec("pip_audit") is None, reason="pip-audit is not installed")
def test_pip_audit_knows_nothing_worse():
    done = subprocess.run(
        [sys.executable, "-m", "pip_audit", "-r", "requirements.txt", "--progress-spinner", "off"], cwd=ROOT,
        capture_output=True, text=True, timeout=600, check=False,
    )
    if done.returncode != 0 and "vulnerabilit" not in done.stdout + done.stderr:
        pytest.skip(f"its database cannot be reached: {done.stderr.strip().splitlines()[-1:]}")
    assert done.returncode == 0, done.stdout
