"""Output paths, looked at before the work starts: an hour of computing must not end in a wrong folder name."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from rsvlm_core import __version__
from rsvlm_core.errors import OutputError, RsvlmError, UsageError
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


def check_apart(outputs: Mapping[str, Path | None], inputs: Sequence[str | None]) -> None:
    """Refuse results that would replace what they are made from, or one another.

    Args:
        outputs: By parameter.
        inputs: Rasters, index folders, vector files; None is not given.

    Raises:
        UsageError: An output is an input, a file of an input, or another output.
    """
    wanted = {name: path for name, path in outputs.items() if path is not None}
    for (name, path), (other, same) in combinations(wanted.items(), 2):
        if _same(path, same):
            raise UsageError(f"{name} and {other} are both {path}.", "Give each a file of its own.")
    there = {name: path for name, path in wanted.items() if path.exists()}
    if not there:
        return
    for source in inputs:
        for file in _files_of(source) if source is not None else ():
            for name, path in there.items():
                if _same(path, file) or (file.is_dir() and file.resolve() in path.resolve().parents):
                    raise UsageError(
                        f"{name} {path} is what {source} is read from; it would be lost.", "Write to another file."
                    )


def _same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):  # one of them is not there
        return os.path.normcase(os.path.realpath(one)) == os.path.normcase(os.path.realpath(other))


def _files_of(source: str) -> Iterator[Path]:
    """What a source is read from, as far as it lies here: itself, the rasters of an index, the files of a mosaic."""
    from rsvlm_core.imagery.opening import is_local, open_dataset
    from rsvlm_core.index.files import MANIFEST
    from rsvlm_core.index.manifest import IndexManifest

    yield Path(source)
    if (Path(source) / MANIFEST).is_file():
        with suppress(RsvlmError):
            yield from (Path(entry.source) for entry in IndexManifest.load(Path(source)).sources)
    elif is_local(source) and os.path.isfile(source):
        with suppress(RsvlmError), open_dataset(source) as dataset:
            yield from (Path(name) for name in dataset.files)


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
