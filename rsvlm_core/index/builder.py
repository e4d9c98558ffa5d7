"""Building an index folder, part by part: killed at any moment it opens, and running again continues."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rsvlm_core.errors import OutputError, SearchIndexError, UsageError
from rsvlm_core.index.files import MANIFEST, PARTS, VECTORS_OF, is_ours, leftovers
from rsvlm_core.index.local import LocalWork
from rsvlm_core.index.lock import WriterLock
from rsvlm_core.index.manifest import IndexManifest
from rsvlm_core.index.places import Places
from rsvlm_core.index.plan import Wanted, plan
from rsvlm_core.index.vectors import load_vectors
from rsvlm_core.index.work import IndexReport
from rsvlm_core.model.encoder import Encoder, ModelInfo
from rsvlm_core.progress import Progress, ShouldStop, never, silent


def build_index(
    sources: Sequence[str],
    out: Path,
    encoder: Encoder,
    wanted: Wanted = Wanted(),  # noqa: B008 - frozen
    *,
    progress: Progress = silent,
    should_stop: ShouldStop = never,
) -> IndexReport:
    """Embed the tiles of rasters into an index folder; what it holds already is kept.

    Args:
        sources: Rasters; those of earlier runs stay in the index whether or not they are named again.
        out: The folder, made where it does not exist.
        encoder: The model.
        wanted: Of which tiles, and how.
        progress: Told of tiles.
        should_stop: Polled for every tile; finished parts stay.

    Raises:
        RasterError: A raster cannot be used at all (single tiles that cannot be read are reported).
        SearchIndexError: The folder belongs to another model, another layout or a newer version, or is being written.
        OutputError: The folder cannot be written, or holds other things.
        UsageError: The extent touches no raster.
        Stopped: should_stop said so.
    """
    started = time.monotonic()
    folder = Path(out)
    if not sources:
        raise UsageError("No raster was given.", "Name at least one.")
    is_new = prepare(folder)
    try:
        with WriterLock(folder) as lock:
            before = existing(folder, encoder.info, wanted)
            manifest, names = plan(before, sources, wanted, encoder.info)
            if manifest != before or wanted.fresh or not (folder / MANIFEST).is_file():
                manifest.save(folder)
            work = LocalWork(folder, manifest, encoder, max(1, wanted.batch), lock, progress, should_stop)
            work.clean()
            report = work.run(names)
            load_vectors(folder, work.files(), manifest.dimensions)
            Places(folder, work.files())
    except BaseException:
        if is_new and not (folder / MANIFEST).exists():
            _remove_empty(folder)
        raise
    return replace(report, seconds=time.monotonic() - started)


def prepare(folder: Path) -> bool:
    """Make the folder, or see that it is ours; tells whether it is new.

    Raises:
        OutputError: It is a file, holds other things, or cannot be made.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file.", "Give the name of a folder for the index, such as NAME.rsindex.")
    is_new = not folder.exists()
    try:
        if not is_new and not (folder / MANIFEST).is_file() and not is_ours(folder):
            raise OutputError(
                f"{folder} holds other things than an index.", "Give the name of a new folder, such as NAME.rsindex."
            )
        if (folder / PARTS).is_symlink():  # what is no part of an index is removed from there
            raise OutputError(
                f"{folder / PARTS} is a link to another folder.", "Make a new index, or move that folder here."
            )
        (folder / PARTS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be made: {error.strerror}.", "Choose another place, or check permissions."
        ) from error
    return is_new


def _remove_empty(folder: Path) -> None:
    """Take away what was made for an index that could not even be planned."""
    try:
        for path in (folder / ".lock", *leftovers(folder)):
            path.unlink(missing_ok=True)
        (folder / PARTS).rmdir()
        folder.rmdir()
    except OSError:
        pass  # something is in it after all; it stays, and is harmless


def existing(folder: Path, info: ModelInfo, wanted: Wanted) -> IndexManifest:
    """The manifest to continue from; an empty one where there is none or it shall be forgotten.

    Raises:
        SearchIndexError: It is damaged, of another model or a newer version, or its tiles overlap otherwise.
    """
    empty = IndexManifest.of(info, wanted.overlap)
    # names of parts are never used twice, so that nothing stored about an old one is taken for a new one
    numbers = [int(m[1]) for p in (folder / PARTS).iterdir() if (m := re.fullmatch(r"part-(\d+)\.parquet", p.name))]
    empty = replace(empty, next_part=max(numbers, default=-1) + 1)
    if wanted.fresh:
        (folder / VECTORS_OF).unlink(missing_ok=True)
        return empty
    if not (folder / MANIFEST).is_file():
        return empty
    manifest = IndexManifest.load(folder)
    manifest.check_model(info, folder)
    if abs(manifest.overlap - wanted.overlap) > 1e-9:
        raise SearchIndexError(
            f"{folder} has tiles that overlap by {manifest.overlap:g}, not {wanted.overlap:g}.",
            "Build it again with --fresh, or under another name.",
        )
    return manifest
