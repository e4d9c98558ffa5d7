"""How much of a suite runs: seconds in `make test`, as long as it takes in `make soak`; and what was counted.

`RSVLM_SOAK` names the minutes that the long suites may take together; without it everything is bounded.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import hypothesis

SOAK_MINUTES = float(os.environ.get("RSVLM_SOAK", "0") or 0)
LONG = SOAK_MINUTES > 0
FIGURES = Path(__file__).resolve().parents[2] / "build" / "tests" / "trust.json"


def pick(bounded: int, long: int) -> int:
    """A number of tries."""
    return long if LONG else bounded


def seconds(bounded: float, share: float) -> float:
    """A duration: `bounded`, or a share of the minutes that a long run was given."""
    return SOAK_MINUTES * 60 * share if LONG else bounded


def count(name: str, number: int) -> None:
    """Add to a figure that docs/trust.md states; `build/tests/trust.json` holds those of the latest run."""
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    try:
        figures = json.loads(FIGURES.read_text("utf-8"))
    except (OSError, ValueError):
        figures = {}
    figures[name] = figures.get(name, 0) + number
    FIGURES.write_text(json.dumps(dict(sorted(figures.items())), indent=1) + "\n", "utf-8")


# For fuzz tests: the same cases every time where it is bounded, new ones where it is long.
FUZZ = hypothesis.settings(
    max_examples=pick(25, 5000), deadline=None, database=None, derandomize=not LONG,
    suppress_health_check=list(hypothesis.HealthCheck),
)
