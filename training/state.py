"""A run's state on disk: whole or not at all, never a pickle that could run code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from rsvlm_core.errors import DataError, OutputError, first_line
from rsvlm_core.scratch import whole


def save_state(state: dict[str, Any], path: Path) -> None:
    """Write a state; a run that is killed meanwhile leaves the older one whole.

    Raises:
        OutputError: There is no room; the older state is whole.
    """
    try:
        with whole(path) as part:
            torch.save(state, part)
    except (OSError, RuntimeError) as error:  # torch's own writer raises the latter
        older = "what it held before is whole" if path.exists() else "nothing was saved before"
        raise OutputError(
            f"{path} cannot be written ({first_line(error)}); {older}.", "Free some space and go on."
        ) from error


def load_state(path: Path) -> dict[str, Any]:
    """Read a state written by `save_state`; tensors and plain values only.

    Raises:
        DataError: Missing or damaged.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise DataError(f"The checkpoint {path} cannot be read: {error}.", "Name the folder of a run.") from None
    return state
