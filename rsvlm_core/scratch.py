"""Files that appear whole, and private folders to work in that no killed run leaves for ever."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from rsvlm_core.locking import take

_LOCK = ".in-use"


@contextmanager
def beside(out: Path) -> Iterator[Path]:
    """A folder to write `out` in before it is put in place: on the same disk, hidden, for this user alone.

    Raises:
        OSError: It cannot be made.
    """
    with scratch(out.parent, f".{out.name[:24]}-") as folder:
        yield folder


@contextmanager
def whole(out: Path) -> Iterator[Path]:
    """A path to write a file to, with the suffix of `out`, whose place it takes in one step at the end.

    After an error what was written goes away; what a killed run left goes when the file is written again.

    Raises:
        OSError: It cannot be put there; what was there is unchanged.
    """
    with beside(out) as folder:
        part = folder / f"part{out.suffix.lower()}"  # a long name would leave no room for what SQLite appends
        yield part
        publish(part, out)


def write_text(out: Path, text: str) -> None:
    """Write a text in UTF-8, whole.

    Raises:
        OSError: It cannot be; what was there is unchanged.
    """
    with whole(out) as part:
        part.write_text(text, encoding="utf-8")


@contextmanager
def scratch(parent: Path | None = None, prefix: str = "rsvlm-") -> Iterator[Path]:
    """A folder for this user alone that goes away at the end; those of killed runs with this prefix go as well.

    Args:
        parent: Where; None is the system's temporary folder.
        prefix: Of its name.

    Raises:
        OSError: It cannot be made.
    """
    place = Path(tempfile.gettempdir()) if parent is None else parent
    _sweep(place, prefix)
    folder, lock = _made(place, prefix)
    try:
        with lock:
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(part: Path, out: Path) -> None:
    """Put a finished file in its place in one step, after it has reached the disk.

    Raises:
        OSError: It cannot be; what was there is unchanged.
    """
    with open(part, "rb+") as handle:
        os.fsync(handle.fileno())
    os.replace(part, out)


def publish_raster(part: Path, out: Path) -> None:
    """Read a finished raster once, block by block, then put it in its place.

    GDAL can report success where the last bytes found no room.

    Raises:
        OSError: It cannot be read, or not be put there; what was there is unchanged.
    """
    import rasterio

    with rasterio.open(part) as written:
        for _, window in written.block_windows(1):
            written.read(1, window=window)
    publish(part, out)


def reserve(path: Path, size: int) -> None:
    """Make a file of `size` bytes whose room on the disk is certain.

    A memory map over a file with holes would kill the process where the disk is full, instead of raising.

    Raises:
        OSError: There is no room.
    """
    with open(path, "wb") as handle:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(handle.fileno(), 0, max(1, size))
        else:
            handle.truncate(size)


def _made(place: Path, prefix: str) -> tuple[Path, IO[bytes]]:
    """A new folder and its lock, held; tries again where a sweeper took it for a dead one's in between."""
    for _ in range(100):
        folder = Path(tempfile.mkdtemp(dir=place, prefix=prefix))
        try:
            lock = open(folder / _LOCK, "wb")  # noqa: SIM115 - the caller holds it
        except FileNotFoundError:
            continue
        if take(lock) and (folder / _LOCK).is_file():
            return folder, lock
        lock.close()
    raise OSError(f"no folder can be kept in {place}")


def _sweep(place: Path, prefix: str) -> None:
    """Remove folders whose process has died: their lock can be had."""
    try:
        names = [name for name in os.listdir(place) if name.startswith(prefix)]
    except OSError:
        return
    for name in names:
        folder = place / name
        try:
            status = folder.lstat()
            if not folder.is_dir() or folder.is_symlink() or (hasattr(os, "getuid") and status.st_uid != os.getuid()):
                continue
            if not (folder / _LOCK).is_file():
                os.rmdir(folder)  # one that was just made; fails where there is something in it
                continue
            with open(folder / _LOCK, "rb+") as lock:
                dead = take(lock)
        except OSError:
            continue
        if dead:
            shutil.rmtree(folder, ignore_errors=True)
