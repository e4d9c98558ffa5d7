"""What a user asks for, whichever face it came through: checked parameters in, files and a JSON-able summary out.

The command line and the worker are two thin faces of the functions here, so that the same request means the same
thing typed in a terminal and sent by QGIS. Nothing heavy is imported before a job runs.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from rsvlm_core.jobs.context import Context
from rsvlm_core.jobs.params import Params

Summary = dict[str, object]
Job = Callable[[Params, Context], Summary]

# operation -> module of this package; the function in it has the operation's name
_PLACES = {
    "build_index": "index",
    "search": "search",
    "heatmap": "heatmap",
    "segment": "segment",
    "polygons": "polygons",
    "classify": "classify",
    "caption": "describe",
    "ask": "describe",
    "models": "models",
    "check": "check",
    "serve_index": "serve",
}
OPERATIONS: tuple[str, ...] = tuple(_PLACES)


def job(operation: str) -> Job:
    """The function that does an operation.

    Args:
        operation: One of `OPERATIONS`.

    Raises:
        KeyError: There is no such operation.
    """
    found: Job = getattr(import_module(f"rsvlm_core.jobs.{_PLACES[operation]}"), operation)
    return found


__all__ = ["OPERATIONS", "Context", "Job", "Params", "Summary", "job"]
