"""Reports for people: a short table on stderr, a JSON document in a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rsvlm_core.errors import OutputError
from rsvlm_core.scratch import write_text


def write_json(document: Mapping[str, Any], path: Path) -> None:
    """Write a document, whole; `-` is stdout.

    Raises:
        OutputError: It cannot be written; what was there is unchanged.
    """
    text = json.dumps(document, indent=2, ensure_ascii=False)
    if str(path) == "-":
        print(text)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text + "\n")
    except OSError as e:
        raise OutputError(f"{path} cannot be written ({e.strerror}).", "Choose another --json.") from e


def show(document: Mapping[str, Any]) -> None:
    """Print the document's numbers, one a line, nested ones indented; long lists and texts are left to the JSON."""
    lines = list(_lines(document, ""))
    width = max((len(name) for name, _ in lines), default=0)
    for name, value in lines:
        print(f"{name:<{width}}  {value}".rstrip(), file=sys.stderr)


def _lines(document: Mapping[str, Any], indent: str) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    for name, value in document.items():
        if isinstance(value, bool | int | str):
            if len(str(value)) <= 90:
                lines.append((indent + name, str(value)))
        elif isinstance(value, float):
            lines.append((indent + name, f"{value:.4f}" if abs(value) < 1 else f"{value:.2f}"))
        elif isinstance(value, list) and len(value) == 2 and all(isinstance(v, float) for v in value):
            lines.append((indent + name, f"{value[0]:.2f} .. {value[1]:.2f}"))
        elif isinstance(value, Mapping) and value and len(value) <= 60:
            lines.append((indent + name, ""))
            lines += _lines(value, indent + "  ")
    return lines
