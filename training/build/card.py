"""Data cards: what a set was made of, what every step kept and dropped, and how fast it went."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from training.build.shardout import write_text

T = TypeVar("T")


@dataclass
class Tally:
    """Counts and times of a build; adding two gives the tally of both.

    Attributes:
        steps: Step -> records that entered it, in order of first entry.
        dropped: (step, reason) -> records that ended there.
        seconds: Step -> time spent, over all processes.
        core_seconds: Step -> processor time of it: what it would take on a core of its own.
        examples: Reason -> a few records that it dropped.
    """

    steps: Counter[str] = field(default_factory=Counter)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    core_seconds: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str, records: int = 1) -> Iterator[None]:
        """Count records into a step, one unless told otherwise, and time it."""
        self.steps[name] += records
        started, worked = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - started  # type: ignore[assignment]
            self.core_seconds[name] += time.process_time() - worked  # type: ignore[assignment]

    def each(self, name: str, records: Iterable[T]) -> Iterator[T]:
        """Count and time what another iterator takes to make its records."""
        waiting = iter(records)
        while True:
            with self.step(name, 0):
                try:
                    record = next(waiting)
                except StopIteration:
                    return
            self.steps[name] += 1
            yield record

    def drop(self, step: str, reason: str, example: str = "", records: int = 1) -> None:
        """Count records, one unless told otherwise, that end in a step."""
        self.dropped[step, reason] += records
        kept = self.examples.setdefault(reason, [])
        if example and len(kept) < 3:
            kept.append(example[:160])

    def add(self, other: Tally) -> None:
        """Add another tally to this one."""
        self.steps.update(other.steps)
        self.dropped.update(other.dropped)
        self.seconds.update(other.seconds)
        self.core_seconds.update(other.core_seconds)
        for reason, examples in other.examples.items():
            self.examples[reason] = (self.examples.get(reason, []) + examples)[:3]

    def to_json(self) -> dict[str, Any]:
        """A plain document; `from_json` reads it."""
        return {
            "steps": dict(self.steps),
            "dropped": [[step, reason, n] for (step, reason), n in self.dropped.items()],
            "seconds": dict(self.seconds),
            "core_seconds": dict(self.core_seconds),
            "examples": self.examples,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Tally:
        """Inverse of `to_json`."""
        return cls(
            Counter(document["steps"]), Counter({(s, r): n for s, r, n in document["dropped"]}),
            Counter(document["seconds"]), Counter(document["core_seconds"]),
            {k: list(v) for k, v in document["examples"].items()},
        )

    def flow(self) -> list[dict[str, Any]]:
        """One row a step: records in, out, dropped by reason, and records a second and core."""
        rows = []
        for step, entered in self.steps.items():
            reasons = {r: n for (s, r), n in sorted(self.dropped.items()) if s == step}
            seconds, worked = float(self.seconds[step]), float(self.core_seconds[step])
            rows.append({
                "step": step, "in": entered, "out": entered - sum(reasons.values()), "dropped": reasons,
                "seconds": round(seconds, 3),
                "core_seconds": round(worked, 3),
                "records_per_second_and_core": round(entered / worked, 1) if worked else None,
            })
        return rows

    def slowest(self) -> str:
        """The step that took most of the time."""
        return max(self.seconds, key=lambda s: self.seconds[s], default="")


def write_card(
    folder: Path, title: str, tally: Tally, *, record: tuple[str, str], sources: Sequence[str],
    settings: Mapping[str, Any], result: Mapping[str, Any], notes: Sequence[str],
) -> dict[str, Any]:
    """Write `card.json` and `card.md` and return the document.

    Args:
        folder: Of the set.
        title: Its name.
        tally: What happened to the records.
        record: What the set's rate counts, in the plural, and the step that all of them enter.
        sources: Inputs, named without their folders.
        settings: How it was built.
        result: Samples, shards, and whatever else describes the set.
        notes: Terms and limits, one sentence each.
    """
    worked = float(sum(tally.core_seconds.values()))
    records, entered = record[0], tally.steps[record[1]]
    document = {
        "title": title, "sources": list(sources), "settings": dict(settings), "result": dict(result),
        "flow": tally.flow(), "slowest_step": tally.slowest(), "records": records,
        "records_per_second_and_core": round(entered / worked, 2) if worked else None,
        "dropped_examples": tally.examples, "notes": list(notes),
    }
    write_text(folder / "card.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    write_text(folder / "card.md", _markdown(document))
    return document


def _markdown(card: Mapping[str, Any]) -> str:
    lines = [f"# {card['title']}", ""]
    lines += [f"- {k.replace('_', ' ')}: {v}" for k, v in card["result"].items() if not isinstance(v, (dict, list))]
    lines += ["", "## From", "", *(f"- {s}" for s in card["sources"])]
    lines += ["", "## What every step kept", ""]
    lines += ["| step | in | out | dropped | records/s and core |", "|---|---|---|---|---|"]
    for row in card["flow"]:
        dropped = ", ".join(f"{r} {n}" for r, n in row["dropped"].items()) or "none"
        rate = row["records_per_second_and_core"]
        lines.append(f"| {row['step']} | {row['in']} | {row['out']} | {dropped} | {rate} |")
    lines += ["", f"Slowest step: {card['slowest_step']}. All steps together: "
              f"{card['records_per_second_and_core']} {card['records']} a second and core."]
    lines += ["", "## Settings", "", *(f"- {k}: {v}" for k, v in card["settings"].items())]
    lines += ["", "## Terms and limits", "", *(f"- {n}" for n in card["notes"]), ""]
    return "\n".join(lines)
