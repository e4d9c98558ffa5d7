"""Output paths, looked at before the work starts: an hour of computing must not end in a wrong folder name."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rsvlm_core import __version__
from rsvlm_core.errors import OutputError, UsageError
from rsvlm_core.jobs.params import Params

if TYPE_CHECKING:
    from rsvlm_core.model.encoder import Encoder

RASTER = (".tif", ".tiff")
PICTURE = (".png",)


def vector_output(params: Params, name: str = "out") -> Path | None:
    """The vector file that a parameter names, or None where it is not given.

    Raises:
        UsageError: The suffix names no format that can be written.
        OutputError: It cannot be written there, or another program has it open.
    """
    given = params.text(name)
    if given is None:
        return None
    from rsvlm_core.vectors import check_writable

    check_writable(Path(given))
    return Path(given)


def file_output(params: Params, name: str, suffixes: Sequence[str]) -> Path | None:
    """The raster or picture that a parameter names, or None where it is not given.

    Args:
        params: The job's.
        name: Of the parameter.
        suffixes: Endings that can be written.

    Raises:
        UsageError: The file ends otherwise.
        OutputError: It cannot be written there.
    """
    given = params.text(name)
    if given is None:
        return None
    path = Path(given)
    if path.suffix.lower() not in suffixes:
        raise UsageError(f"{name} {given} has no known format.", f"End its name in {' or '.join(suffixes)}.")
    if path.is_dir():
        raise OutputError(f"{name} {given} is a folder.", "Give the name of a file.")
    _probe(path.absolute().parent, given)
    return path


def folder_output(params: Params, name: str = "out") -> Path:
    """The folder that a required parameter names, which a job makes or continues; missing parents are made later.

    Raises:
        OutputError: It is a file, or cannot be written.
    """
    given = params.required_text(name)
    path = Path(given)
    if path.exists() and not path.is_dir():
        raise OutputError(f"{name} {given} is a file.", "Give the name of a folder.")
    folder = path.absolute()
    while not folder.exists():
        folder = folder.parent
    _probe(folder, given)
    return path


def required(path: Path | None, name: str = "out") -> Path:
    """The path, which has to be there."""
    if path is None:
        raise UsageError(f"{name} is missing.", "Say where to write the result.")
    return path


def provenance(encoder: Encoder, **facts: object) -> dict[str, object]:
    """What a result came from, to be stored in its file: model and version, and what the job adds."""
    return {"rsvlm": __version__, "model": encoder.info.id, "model_sha256": encoder.info.sha256, **facts}


def report(done: int, failed: Sequence[str], **more: object) -> dict[str, object]:
    """What a run did, to be stored in its file: how many tiles took part, how many failed and why (the first 100)."""
    return {"done": done, "failed": len(failed), "reasons": list(failed[:100]), **more}


def _probe(folder: Path, given: str) -> None:
    """See by doing that a file can be made in a folder: permission bits do not tell on every disk."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{given} cannot be written: {folder}: {reason}.", "Choose another folder.") from error
