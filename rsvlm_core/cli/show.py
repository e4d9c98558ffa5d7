"""Lines that the results of several commands have."""

from __future__ import annotations

from typing import Any

_SHOWN = 3


def written(summary: dict[str, Any]) -> list[str]:
    """A line for every file that was written."""
    return [f"wrote {path}" for path in summary["outputs"].values()]


def unread(summary: dict[str, Any]) -> list[str]:
    """What could not be read: how much, and the first few with the reason."""
    failed = summary["failed"]
    if not failed:
        return []
    return [f"{len(failed)} tiles could not be read:", *(f"  {reason}" for reason in failed[:_SHOWN])]
