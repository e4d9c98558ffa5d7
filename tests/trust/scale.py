"""How much of a suite runs: seconds in `make test`, long in `make soak`; and what was counted.

`RSVLM_SOAK` names the minutes that one worker is asked for in a long run; the other suites have shares of as many, two
thirds together. Without it everything is bounded.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import hypothesis

from rsvlm_core.locking import take

SOAK_MINUTES = float(os.environ.get("RSVLM_SOAK", "0") or 0)
LONG = SOAK_MINUTES > 0
T = TypeVar("T")
RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
FIGURES = Path(__file__).resolve().parents[2] / "build" / "tests" / "trust.json"


def pick(bounded: int, long: int) -> int:
    """A number of tries."""
    return long if LONG else bounded


def seconds(bounded: float, share: float) -> float:
    """A duration: `bounded`, or a share of the minutes that a long run was given."""
    return SOAK_MINUTES * 60 * share if LONG else bounded


def within(share: float, items: Sequence[T]) -> Iterator[T]:
    """All of them; in a long run both ends first, then others by chance while a share of its minutes lasts."""
    if not LONG:
        yield from items
        return
    until = time.monotonic() + seconds(0, share)
    yield from (items[0], items[-1])
    for number, item in enumerate(random.sample(items[1:-1], len(items) - 2)):
        if number >= 3 and time.monotonic() > until:
            return
        yield item


def count(name: str, number: int) -> None:
    """Add to a figure that docs/trust.md states; `build/tests/trust.json` holds those of the latest run.

    The processes that share a run (pytest-xdist) take turns.
    """
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    with open(FIGURES.with_suffix(".run"), "a+", encoding="utf-8") as turn:
        while not take(turn):
            time.sleep(0.01)
        turn.seek(0)
        if turn.read() != RUN:
            turn.truncate(0)
            turn.write(RUN)
            turn.flush()
            FIGURES.unlink(missing_ok=True)
        figures = json.loads(FIGURES.read_text("utf-8")) if FIGURES.is_file() else {}
        figures[name] = figures.get(name, 0) + number
        FIGURES.write_text(json.dumps(dict(sorted(figures.items())), indent=1) + "\n", "utf-8")


# For fuzz tests: the same cases every time where it is bounded, new ones where it is long.
FUZZ = hypothesis.settings(
    max_examples=pick(25, 1000), deadline=None, database=None, derandomize=not LONG,
    suppress_health_check=list(hypothesis.HealthCheck),
)
