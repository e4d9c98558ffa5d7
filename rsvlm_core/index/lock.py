"""One writer at a time in an index folder."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from rsvlm_core.errors import OutputError, SearchIndexError
from rsvlm_core.index.files import LOCK
from rsvlm_core.locking import take

# A writer on another machine that has not been heard of for so long is taken for dead.
STALE_S = 900.0


class WriterLock:
    """Holds the folder's lock file while writing; the system frees it when its holder dies.

    The file names process and machine. The operating system's own lock on it decides on one machine; between
    machines, where such locks may not reach, the file's age does, which the holder renews by `beat`.

    Raises:
        SearchIndexError: Another writer is at work.
        OutputError: The folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK
        self._folder = folder
        self._file: IO[str] | None = None

    def __enter__(self) -> WriterLock:
        try:
            # opened without truncating: until the lock is ours, the text belongs to its holder
            # not through a link: whoever made the folder may have it lead to any file of the user's
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            self._file = os.fdopen(os.open(self._path, flags, 0o666), "r+", encoding="utf-8")
        except OSError as error:
            raise OutputError(
                f"{self._folder} cannot be written: {error.strerror}.", "Choose another folder, or check permissions."
            ) from error
        if not take(self._file):
            holder = self._holder()
            self._forget()
            raise self._busy(holder)
        holder = self._holder()
        age = time.time() - self._path.stat().st_mtime
        if holder and holder.get("host") != socket.gethostname() and age < STALE_S:
            self._forget()
            raise self._busy(holder)
        try:
            self._file.seek(0)
            self._file.truncate()
            self._file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
            self._file.flush()
        except OSError as error:
            with contextlib.suppress(OSError):  # closing tries to write the same again
                self._forget()
            raise OutputError(
                f"{self._path} cannot be written: {error.strerror}.", "Check the free space and permissions."
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # emptied, not removed: a file that is removed could be locked by two writers under one name
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()
            self._forget()

    def beat(self) -> None:
        """Tell other machines that this writer is alive."""
        os.utime(self._path)

    def _holder(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8") or "{}")
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def _busy(self, holder: dict[str, Any]) -> SearchIndexError:
        who = f"process {holder.get('pid', '?')} on {holder.get('host', 'this machine')}"
        return SearchIndexError(
            f"{self._folder} is being written by {who}.",
            f"Wait until it is done; if that process is gone, delete {self._path}.",
        )

    def _forget(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
