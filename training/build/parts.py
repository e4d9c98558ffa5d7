"""Parts of a build: a unit of work is done when its `NAME.json` is there, and is never done twice."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from rsvlm_core.errors import OutputError, UsageError
from rsvlm_core.scratch import publish, scratch
from training.build.card import Tally
from training.build.shardout import ShardWriter, write_text
from training.data.shards import index_shard


def part_name(source: str, shown: str | None = None) -> str:
    """The stem of a source's part files: readable, and different for files of one name in two folders."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(source).stem if shown is None else shown)[:60]
    return f"{stem}-{hashlib.sha256(source.encode()).hexdigest()[:8]}"


def begin_parts(parts: Path, settings: Mapping[str, Any]) -> None:
    """Make the folder and keep what its parts are made with.

    Raises:
        UsageError: It was begun with other settings.
        OutputError: It cannot be written.
    """
    told = json.dumps(settings, sort_keys=True)
    file = parts / "settings.json"
    if file.is_file() and file.read_text("utf-8") != told:
        raise UsageError(f"{parts} was begun with other settings.", "Use the same ones, another --out, or remove it.")
    try:
        parts.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise OutputError(f"{parts} cannot be made ({e.strerror}).", "Choose another --out.") from e
    write_text(file, told)


class PartWriter:
    """Writes one part; it is there as a whole when the block ends well, and leaves nothing otherwise.

    What a killed build left of a part goes when that part is written again.

    Attributes:
        tally: What happened to the part's records.

    Args:
        parts: Folder of the parts.
        stem: From `part_name`.
        more: Goes into the part's document; may be filled while writing.

    Raises:
        OutputError: There is no room for it.
    """

    def __init__(self, parts: Path, stem: str, more: Mapping[str, Any] | None = None) -> None:
        self._parts, self._stem, self._more = parts, stem, more if more is not None else {}
        self._held = ExitStack()
        try:
            parts.mkdir(parents=True, exist_ok=True)
            folder = self._held.enter_context(scratch(parts, f".{stem}-"))
        except OSError as e:
            raise OutputError(f"{parts} cannot be written ({e}).", "Check space and permissions.") from e
        self._shard = ShardWriter(folder, stem, 1 << 30)
        self.tally = Tally()

    def __enter__(self) -> PartWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._held:
            self._shard.__exit__(kind, error, trace)
            if kind is not None:
                return
            try:
                for path in self._shard.paths:
                    publish(path, self._parts / f"{self._stem}.tar")
            except OSError as e:
                raise OutputError(f"{self._parts} cannot be written ({e}).", "Check space and permissions.") from e
        told = {**self._more, "tally": self.tally.to_json(), "samples": self._shard.samples}
        write_text(self._parts / f"{self._stem}.json", json.dumps(told, ensure_ascii=False))

    @property
    def samples(self) -> int:
        """How many were added."""
        return self._shard.samples

    def add(self, files: Mapping[str, bytes]) -> None:
        """Write one sample: suffix -> bytes."""
        self._shard.add(f"{self._shard.samples:07}", files)


def read_part(parts: Path, stem: str, tally: Tally) -> Iterator[dict[str, bytes]]:
    """The samples of a finished part, in order: suffix -> bytes. Adds the part's tally.

    Raises:
        DataError: The part is damaged.
    """
    document = json.loads((parts / f"{stem}.json").read_text("utf-8"))
    tally.add(Tally.from_json(document["tally"]))
    if not document["samples"]:
        return
    path = parts / f"{stem}.tar"
    with open(path, "rb") as handle:
        for entry in index_shard(path):
            files = {}
            for suffix, (offset, size) in entry.members.items():
                handle.seek(offset)
                files[suffix] = handle.read(size)
            yield files
