"""The indexes that the panel keeps, one a raster: where they lie, whether they still fit, how large they are."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass

from . import settings
from .translate import tr

NONE, BUILT, PARTIAL, STALE = "none", "built", "partial", "stale"
MANIFEST = "collection.json"


@dataclass(frozen=True)
class Status:
    """What is known of a raster's index.

    Attributes:
        kind: `none`, `built`, `partial` (its building was stopped) or `stale` (the raster has changed since).
        folder: Where it lies or would lie.
        tiles: Tiles in it, as far as known.
        megabytes: Size on disk.
    """

    kind: str
    folder: str
    tiles: int = 0
    megabytes: float = 0.0

    def words(self) -> str:
        """For people."""
        if self.kind == BUILT:
            return tr("Index: {} tiles, {:.1f} MB").format(self.tiles, self.megabytes)
        if self.kind == STALE:
            return tr("Index: out of date, the raster has changed")
        if self.kind == PARTIAL:
            return tr("Index: unfinished, {:.1f} MB").format(self.megabytes)
        return tr("Index: none. Build it once, and every search is immediate")


def folder_of(source: str) -> str:
    """The index folder of a raster: its name, and enough of its path's hash to be its own."""
    base = settings.index_folder() or os.path.join(settings.data_folder(), "indexes")
    mark = hashlib.sha256(os.path.normcase(os.path.abspath(source)).encode("utf-8")).hexdigest()[:10]
    name = os.path.splitext(os.path.basename(source))[0] or "raster"
    return os.path.join(base, f"{name[:40]}-{mark}.rsindex")


def stamp(source: str) -> list[float]:
    """What changes when a file changes: its size and time."""
    try:
        facts = os.stat(source)
    except OSError:
        return []
    return [facts.st_size, facts.st_mtime]


def _size(path: str) -> int:
    """Bytes of a file; of one that its writer has just renamed, none."""
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


def _note(folder: str) -> str:
    return folder + ".json"


def remember(source: str, folder: str, tiles: int) -> None:
    """Note that an index is complete and which state of the raster it is of."""
    with open(_note(folder), "w", encoding="utf-8") as file:
        json.dump({"source": source, "stamp": stamp(source), "tiles": tiles}, file)


def status(source: str) -> Status:
    """What is known of a raster's index; reads a small file and lists a folder."""
    folder = folder_of(source)
    if not os.path.isfile(os.path.join(folder, MANIFEST)):
        return Status(NONE, folder)
    size = sum(_size(os.path.join(path, name)) for path, _, names in os.walk(folder) for name in names)
    try:
        with open(_note(folder), encoding="utf-8") as file:
            note = json.load(file)
        tiles, then = int(note["tiles"]), list(note["stamp"])
    except (OSError, ValueError, KeyError, TypeError):
        return Status(PARTIAL, folder, 0, size / 1e6)
    return Status(BUILT if then == stamp(source) else STALE, folder, tiles, size / 1e6)


def begin(folder: str) -> None:
    """An index is about to be built: until it is done it counts as unfinished."""
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    if os.path.exists(_note(folder)):
        os.remove(_note(folder))


def delete(source: str) -> None:
    """Remove a raster's index; a folder that is none is left alone."""
    folder = folder_of(source)
    if os.path.isfile(os.path.join(folder, MANIFEST)):
        shutil.rmtree(folder, ignore_errors=True)
    begin(folder)
