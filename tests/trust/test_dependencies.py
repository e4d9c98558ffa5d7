"""What is installed is not older than the first release without a fault that is known and that could reach us.

Three sources, none of them complete:

- FLOORS, which a person keeps by hand from the projects' own advisories; no connection is needed;
- the database of `safety-db`, where that package is installed: two thousand nine hundred advisories up to July 2021
  (pyup.io, CC BY-NC-SA 4.0), for everything in the environment; what became known later it does not know;
- `pip-audit`, in `make soak`, where it is installed and its database can be reached. What it could not ask about does
  not count as asked.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
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


def advisories() -> dict[str, list[dict]]:
    """safety-db's, by package; its own module cannot be imported outside its source tree."""
    try:
        path = metadata.distribution("safety-db").locate_file("safety_db/insecure_full.json")
    except metadata.PackageNotFoundError:
        pytest.skip("safety-db is not installed")
    found = json.loads(path.read_text("utf-8"))
    return {canonicalize_name(name): listed for name, listed in found.items() if not name.startswith("$")}


def flawed(name: str, version: str, listed: list[dict]) -> list[str]:
    """Advisories that a release falls under."""
    return [
        f"{name} {version}: {a['cve'] or a['id']}" for a in listed
        if any(SpecifierSet(spec).contains(version, prereleases=True) for spec in a["specs"])
    ]


def test_nothing_installed_is_in_the_database():
    known = advisories()
    assert len(known) > 1000
    assert flawed("pyyaml", "5.3", known["pyyaml"]), "a release that is known to be flawed is not recognised"
    installed = {canonicalize_name(d.metadata["Name"]): d.version for d in metadata.distributions()}
    looked_up = {name: version for name, version in installed.items() if name in known}
    assert len(looked_up) >= 5
    scale.count("packages installed", len(installed))
    scale.count("packages that the advisory database of 2021 knows", len(looked_up))
    assert not [fault for name, version in looked_up.items() for fault in flawed(name, version, known[name])]


def test_every_requirement_has_a_floor():
    assert not [name for name, r in required().items() if not len(r.specifier)]


def test_nothing_comes_from_an_address_or_another_index():
    for file in ROOT.glob("requirements*.txt"):
        assert not re.search(r"(?m)^\s*(-i|--index-url|--extra-index-url|git\+|https?:)", file.read_text("utf-8")), file


@pytest.mark.skipif(not scale.LONG, reason="asks a server; in make soak only")
@pytest.mark.skipif(importlib.util.find_spec("pip_audit") is None, reason="pip-audit is not installed")
def test_pip_audit_knows_nothing_worse():
    done = subprocess.run(
        [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"], cwd=ROOT,
        capture_output=True, text=True, timeout=600, check=False,
    )
    try:
        listed = json.loads(done.stdout)["dependencies"]
    except ValueError:
        pytest.skip(f"its database cannot be reached: {done.stderr.strip().splitlines()[-1:]}")
    asked = [d for d in listed if "vulns" in d]  # without a connection it says that none were found, and skips all
    if len(asked) < len(listed) / 2:
        pytest.skip(f"its database cannot be reached: it looked up {len(asked)} of {len(listed)} packages")
    scale.count("packages that pip-audit looked up", len(asked))
    assert not [f"{d['name']} {d['version']}: {v['id']}" for d in asked for v in d["vulns"]]
