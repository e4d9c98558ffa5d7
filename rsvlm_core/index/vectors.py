"""The memory map of all vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rsvlm_core.index.maps import load_map
from rsvlm_core.index.parts import read_vectors
from rsvlm_core.model.encoder import Float32

NAME = "vectors"


def load_vectors(folder: Path, parts: Sequence[Path], dimensions: int) -> tuple[Float32, list[int]]:
    """Vectors of the parts, in their order, and how many of them each part has.

    Returns:
        [N, D] float32, a memory map, or memory where none can be written; and the parts' numbers of rows.

    Raises:
        SearchIndexError: A part is missing or damaged.
    """
    return load_map(folder, NAME, parts, np.dtype(np.float32), (dimensions,), read_vectors)
