"""Index folders in object storage or anywhere else that fsspec reaches, and their copies in the cache."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from rsvlm_core.errors import OutputError, SearchIndexError, UsageError, first_line
from rsvlm_core.index.files import MANIFEST, PARTS, write_whole
from rsvlm_core.scratch import beside, publish
from rsvlm_core.settings import cache_dir

Options = dict[str, str]


def is_remote(place: str) -> bool:
    """Whether a place is a URL rather than a folder."""
    return re.match(r"^[A-Za-z][A-Za-z0-9+.-]+://", place) is not None


class RemoteFolder:
    """The files of an index at a URL. An object appears whole or not at all, as object storage does it.

    Args:
        url: Such as `s3://bucket/country.rsindex`.
        options: Of the storage; `key`, `secret` and `endpoint_url` for S3; None takes the surroundings'.

    Raises:
        UsageError: fsspec or what it needs for such a URL is not installed.
    """

    def __init__(self, url: str, options: Options | None = None) -> None:
        self.url, self.options = url.rstrip("/"), options
        try:
            import fsspec

            self._fs, self._root = fsspec.core.url_to_fs(self.url, **(options or {}))
        except (ImportError, ValueError) as error:
            raise UsageError(
                f"{url} cannot be reached: {error}.", "pip install -r requirements-scale.txt brings S3; see fsspec."
            ) from error

    def sizes(self) -> dict[str, int]:
        """Name, relative to the folder, and bytes of the manifest and of every part."""
        with self._reading():
            self._fs.invalidate_cache()
            found = {}
            for folder, prefix in ((self._root, ""), (f"{self._root}/{PARTS}", f"{PARTS}/")):
                try:
                    entries = self._fs.ls(folder, detail=True)
                except FileNotFoundError:
                    continue
                for entry in entries:
                    name = prefix + PurePosixPath(entry["name"]).name
                    if entry["type"] == "file" and (prefix or name == MANIFEST):
                        found[name] = int(entry["size"])
            return found

    def get(self, name: str, path: Path) -> None:
        """Copy a file here; what was at `path` is replaced in one step."""
        with self._reading():
            write_whole(path, lambda temporary: self._fs.get_file(f"{self._root}/{name}", str(temporary)))

    def put(self, path: Path, name: str) -> None:
        """Copy a file there.

        Raises:
            OutputError: It cannot be written.
        """
        with self._writing():
            self._fs.makedirs(f"{self._root}/{PARTS}", exist_ok=True)
            self._fs.put_file(str(path), f"{self._root}/{name}")

    def remove(self, name: str) -> None:
        """Take a file away."""
        with self._writing():
            self._fs.rm_file(f"{self._root}/{name}")

    def open(self, name: str) -> Any:
        """A file, opened for reading in binary."""
        return self._fs.open(f"{self._root}/{name}", "rb")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - each kind of storage raises its own
            raise SearchIndexError(
                f"{self.url} cannot be read: {first_line(error)}.", "Check its name, the keys and the connection."
            ) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - each kind of storage raises its own
            raise OutputError(
                f"{self.url} cannot be written: {first_line(error)}.", "Check its name, the keys and the connection."
            ) from error


def fetched(place: str, options: Options | None = None) -> Path:
    """The folder itself, or an up-to-date copy of a remote one in the cache: only what changed is copied.

    Raises:
        SearchIndexError: It cannot be read, or is no index.
    """
    if not is_remote(place):
        return Path(place)
    remote = RemoteFolder(place, options)
    copy = cached(remote.url)
    sizes = remote.sizes()
    if MANIFEST not in sizes:
        raise SearchIndexError(f"{place}: no index there.", "Build one with: rsvlm index --engine ray --out URL")
    (copy / PARTS).mkdir(parents=True, exist_ok=True)
    with beside(copy) as folder:
        for name in sorted(sizes, key=lambda n: n == MANIFEST):  # what it names comes before the manifest
            if name == MANIFEST or not _has(copy / name, sizes[name]):
                new = folder / "new"
                remote.get(name, new)
                _replace_unless_equal(new, copy / name)
    for path in (copy / PARTS).iterdir():
        if f"{PARTS}/{path.name}" not in sizes:
            path.unlink()
    return copy


def cached(url: str) -> Path:
    """Where the copy of a remote folder lies."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", PurePosixPath(url).stem).strip("-")[:32] or "index"
    return cache_dir() / "remote" / f"{stem}-{hashlib.sha256(url.encode()).hexdigest()[:16]}.rsindex"


def _has(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _replace_unless_equal(new: Path, path: Path) -> None:
    """Touch what is there only where it differs: an open index is known by its files' times."""
    if not path.is_file() or path.read_bytes() != new.read_bytes():
        publish(new, path)
