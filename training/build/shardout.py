"""Writing WebDataset shards so that a crash at any moment leaves only whole ones."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from PIL import Image

from rsvlm_core import scratch
from rsvlm_core.errors import OutputError


class ShardWriter:
    """Writes samples into `PREFIX-00000.tar`, `PREFIX-00001.tar`, ...; each appears by rename when it is complete.

    The same samples give the same bytes. Shards of an earlier run with higher numbers, and what a killed run left
    unfinished, are removed by `close`.

    Args:
        folder: Made where it is missing.
        prefix: Of the file names.
        per_shard: Samples in a shard.

    Raises:
        OutputError: The folder or a file cannot be written.
    """

    def __init__(self, folder: Path, prefix: str = "shard", per_shard: int = 1000) -> None:
        self._folder, self._prefix, self._per_shard = folder, prefix, per_shard
        self._tar: tarfile.TarFile | None = None
        self._temporary = folder / f".{prefix}.{os.getpid()}.tar"
        self._in_shard = 0
        self.paths: list[Path] = []
        self.samples = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise OutputError(f"{folder} cannot be made ({e.strerror}).", "Choose another --out.") from e

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._drop()

    def _drop(self) -> None:
        """Take the unfinished shard away, and the folder where it is empty."""
        if self._tar is not None:
            with contextlib.suppress(OSError):  # a full disk fails here again
                self._tar.close()
            self._tar = None
        self._temporary.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not empty
            self._folder.rmdir()

    def add(self, key: str, files: Mapping[str, bytes]) -> None:
        """Write one sample: suffix -> bytes."""
        try:
            if self._tar is None:
                self._tar = tarfile.open(self._temporary, "w")  # noqa: SIM115
            for suffix, data in files.items():
                info = tarfile.TarInfo(f"{key}.{suffix}")
                info.size = len(data)
                self._tar.addfile(info, io.BytesIO(data))
        except OSError as e:
            raise OutputError(f"{self._temporary} cannot be written ({e}).", "Check space and permissions.") from e
        self._in_shard += 1
        self.samples += 1
        if self._in_shard == self._per_shard:
            self._finish()

    def _finish(self) -> None:
        if self._tar is None:
            return
        path = self._folder / f"{self._prefix}-{len(self.paths):05}.tar"
        try:
            self._tar.close()
            os.replace(self._temporary, path)
        except OSError as e:
            self._drop()
            raise OutputError(f"{path} cannot be written ({e}).", "Check space and permissions.") from e
        self.paths.append(path)
        self._tar, self._in_shard = None, 0

    def close(self) -> None:
        """Finish the last shard."""
        self._finish()
        for old in self._folder.glob(f"{self._prefix}-[0-9][0-9][0-9][0-9][0-9].tar"):
            if old not in self.paths:
                old.unlink()
        for left in self._folder.glob(f".{self._prefix}.*.tar"):
            left.unlink(missing_ok=True)


def webp(image: Image.Image, quality: int = 90) -> bytes:
    """A picture as a WebP file."""
    out = io.BytesIO()
    image.save(out, "WEBP", quality=quality)
    return out.getvalue()


def to_json(document: Mapping[str, Any]) -> bytes:
    """A JSON file."""
    return json.dumps(document, ensure_ascii=False).encode()


def write_text(path: Path, text: str) -> None:
    """Write a small file, whole.

    Raises:
        OutputError: It cannot be written.
    """
    try:
        scratch.write_text(path, text)
    except OSError as e:
        raise OutputError(f"{path} cannot be written ({e}).", "Check space and permissions.") from e
