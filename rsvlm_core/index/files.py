"""Files of an index folder: whole or absent, never half."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from rsvlm_core.errors import OutputError
from rsvlm_core.scratch import publish

MANIFEST = "collection.json"
PARTS = "parts"
VECTORS_OF = "vectors.json"
# Memory maps and what they were made of, and the approximate index over the first: caches, made again when missing.
CACHES = ("vectors.npy", VECTORS_OF, "places.npy", "places.json", "vectors.faiss", "faiss.json")
LOCK = ".lock"
_TEMPORARY = ".tmp-"


def part_name(number: int) -> str:
    """File name of a part within the folder `parts`."""
    return f"part-{number:05d}.parquet"


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it there in one step.

    Unlike `scratch.whole` it makes no folder of its own for each of thousands of parts: the index's only writer sweeps
    up what killed ones left (`leftovers`).

    Raises:
        OutputError: It cannot be written; what was there is unchanged.
    """
    temporary = path.with_name(f"{_TEMPORARY}{os.getpid()}-{path.name}")
    try:
        temporary.unlink(missing_ok=True)  # a link of that name would be written through
        write(temporary)
        publish(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}.",
            "Check the free space and the folder's permissions.",
        ) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text_whole(path: Path, text: str) -> None:
    """`write_whole` of a text in UTF-8.

    Raises:
        OutputError: It cannot be written; what was there is unchanged.
    """
    write_whole(path, lambda temporary: _fill(temporary, text))


def _fill(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def leftovers(folder: Path) -> list[Path]:
    """Temporary files of writers that were killed."""
    places = [folder, folder / PARTS]
    return [p for place in places if place.is_dir() for p in place.iterdir() if p.name.startswith(_TEMPORARY)]


def is_ours(folder: Path) -> bool:
    """Whether an existing folder without a manifest holds nothing but what an index has: safe to write into."""
    known = {MANIFEST, PARTS, LOCK, *CACHES}
    if any(p.name not in known and not p.name.startswith(_TEMPORARY) for p in folder.iterdir()):
        return False
    parts = folder / PARTS
    names = [p.name for p in parts.iterdir()] if parts.is_dir() else []
    return all(n.startswith((_TEMPORARY, "part-")) for n in names)
