"""The rules of plugins.qgis.org on the unpacked zip: Bandit, detect-secrets, flake8, as the site runs them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# rules of the site that an uploader can never skip
MANDATORY = {
    "B102", "B103", "B105", "B106", "B107", "B202", "B301", "B302", "B306", "B307", "B323", "B501", "B506", "B602",
    "B604", "B605", "B615", "B701",
}
SWITCHED_OFF = {"B404"}


@pytest.fixture(scope="module")
def folder(builder, tmp_path_factory):
    return builder.write_folder(tmp_path_factory.mktemp("site"))


def tool(name):
    """The command of a tool: beside this Python, else on the path; the test is skipped where there is none."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed")
    return found


def bandit(folder):
    done = subprocess.run([tool("bandit"), "-r", ".", "-f", "json", "-q"], cwd=folder, capture_output=True, text=True)
    return [finding for finding in json.loads(done.stdout)["results"] if finding["test_id"] not in SWITCHED_OFF]


def told(findings):
    return "\n".join(f"{f['filename']}:{f['line_number']} {f['test_id']} {f['issue_text']}" for f in findings)


def test_bandit_finds_nothing_in_the_plugin_and_nothing_mandatory_in_the_backend(folder):
    findings = bandit(folder)
    ours = [finding for finding in findings if not finding["filename"].startswith("./backend/")]
    blocking = [finding for finding in findings if finding["test_id"] in MANDATORY]
    assert not ours, told(ours)
    assert not blocking, told(blocking)


def test_no_secrets_in_the_plugin(folder):
    done = subprocess.run([tool("detect-secrets"), "scan", "--all-files", "."], cwd=folder, capture_output=True,
                          text=True)
    results = json.loads(done.stdout)["results"]
    # hashes of weights are pins, not secrets: the one rule of these that an uploader may tick off
    left = {path: [f for f in found if f["type"] != "Hex High Entropy String"] for path, found in results.items()}
    assert not {path: found for path, found in left.items() if found}
    assert all("/weights/" in path or "/configs/" in path for path in results)


def test_flake8_is_content(folder):
    done = subprocess.run([tool("flake8"), "."], cwd=folder, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if not line.startswith("./backend/")]
    assert not lines, "\n".join(lines)
