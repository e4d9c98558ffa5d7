"""What this process may use of the machine."""

from __future__ import annotations

import os


def cores() -> int:
    """Processor cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads() -> int:
    """How many cores to compute on: what OMP_NUM_THREADS says, as torch takes it, else all."""
    named = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(named) if named.isdigit() and int(named) > 0 else cores()
