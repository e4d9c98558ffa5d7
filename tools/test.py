"""Run lint, types and every test, each in the environment it needs, and say at the end what came of it.

    make test                                   (or: .venv/bin/python tools/test.py [--only STEP …])

All steps run even where an earlier one fails. Standard library only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".venv" / "bin" / "python"
QGIS_PYTHON = ROOT / ".venv-qgis" / "bin" / "python"
REPORTS = ROOT / "build" / "tests"
STEPS = ("lint", "types", "tests", "qgis")


@dataclass
class Outcome:
    """What a step came to.

    Attributes:
        passed: Tests, or 1 for a check that is well.
        failed: Tests, or 1 for a check that is not.
        skipped: Reason and number of the tests that did not run for it.
    """

    passed: int = 0
    failed: int = 0
    skipped: dict[str, int] = field(default_factory=dict)

    def add(self, other: Outcome) -> None:
        """Count another step in."""
        self.passed += other.passed
        self.failed += other.failed
        for reason, count in other.skipped.items():
            self.skipped[reason] = self.skipped.get(reason, 0) + count


def check(command: list[str]) -> Outcome:
    """A step that is one command: well when it exits with 0."""
    return Outcome(passed=1) if run(command) == 0 else Outcome(failed=1)


def pytest(python: Path, name: str, arguments: list[str], before: list[str], env: dict[str, str]) -> Outcome:
    """A step of pytest in an environment."""
    report = REPORTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    status = run([*before, str(python), "-m", "pytest", f"--junitxml={report}", *arguments], env)
    outcome = read_report(report)
    if status != 0 and outcome.failed == 0:  # it died, or collected nothing, or crashed on its way out
        print(f"{name}: pytest ended with status {status}", file=sys.stderr)
        outcome.failed = 1
    return outcome


def read_report(report: Path) -> Outcome:
    """Count a JUnit file; none is an empty outcome."""
    outcome = Outcome()
    if not report.exists():
        return outcome
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest has just written it
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            outcome.failed += 1
        elif skipped is not None:
            reason = skipped.get("message") or "no reason given"
            outcome.skipped[reason] = outcome.skipped.get(reason, 0) + 1
        else:
            outcome.passed += 1
    return outcome


def tests() -> Outcome:
    """Everything outside QGIS, a file of tests at a time on every processor."""
    processes = min(8, os.cpu_count() or 1)
    # Threads on top would only get in each other's way.
    return pytest(PYTHON, "tests", ["-n", str(processes), "--dist", "loadfile"], [], {"OMP_NUM_THREADS": "1"})


def qgis() -> Outcome:
    """The tests inside a real QGIS."""
    if not QGIS_PYTHON.exists():
        reason = "no QGIS can be installed here (tools/system.sh qgis says why)"
        if os.environ.get("CI"):
            print(f"{reason}; in CI that is a failure", file=sys.stderr)
            return Outcome(failed=1)
        return Outcome(skipped={reason: 1})
    before = ["xvfb-run", "-a"] if shutil.which("xvfb-run") else []
    env = {"RSVLM_PYTHON": str(PYTHON)}
    if not before:
        env["QT_QPA_PLATFORM"] = "offscreen"
    return pytest(QGIS_PYTHON, "qgis", ["tests/qgis"], before, env)


def run(command: list[str], env: dict[str, str] | None = None) -> int:
    """Show a command and run it in the repository; the exit status."""
    shown = " ".join(command).replace(f"{ROOT}/", "")
    print(f"\n$ {shown}", flush=True)
    surroundings = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    return subprocess.run(command, cwd=ROOT, env={**surroundings, **(env or {})}, check=False).returncode


def main() -> int:
    """Run the steps; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=STEPS, default=STEPS, help="steps to run")
    steps = parser.parse_args().only
    REPORTS.mkdir(parents=True, exist_ok=True)
    start, total = time.monotonic(), Outcome()
    work = {
        "lint": lambda: check([str(PYTHON), "-m", "ruff", "check", "."]),
        "types": lambda: check([str(PYTHON), "-m", "mypy"]),
        "tests": tests,
        "qgis": qgis,
    }
    print_lines = []
    for step in steps:
        began = time.monotonic()
        outcome = work[step]()
        total.add(outcome)
        skipped = sum(outcome.skipped.values())
        print_lines.append(
            f"{step:6} {outcome.passed:4} passed, {outcome.failed} failed, {skipped} skipped"
            f" in {time.monotonic() - began:.0f} s"
        )
    print("\n" + "\n".join(print_lines))
    for reason, count in sorted(total.skipped.items()):
        print(f"skipped {count}: {reason}")
    print(f"all steps in {time.monotonic() - start:.0f} s\n")
    print(f"{total.passed} passed, {total.failed} failed, {sum(total.skipped.values())} skipped", flush=True)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    raise SystemExit(main())
