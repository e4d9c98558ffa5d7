"""Image/alt-text records from the web: img2dataset or WebDataset shards, or parquet lists with images in folders.

Nothing here raises for a bad record: a record that cannot be read is a `Trouble` with a reason, so that it is counted.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rsvlm_core.errors import DataError
from training.data.shards import IMAGE_SUFFIXES, split_key

TEXT_COLUMNS = ("caption", "captions", "text", "alt", "alt_text", "alttext", "title")
IMAGE_COLUMNS = ("image", "jpg", "png", "webp", "bytes")
PATH_COLUMNS = ("path", "filename", "file", "file_name", "image_path", "key")
URL_COLUMNS = ("url", "image_url", "source_url")


@dataclass(frozen=True)
class Record:
    """One image and its alt-text.

    Attributes:
        key: Unique within its unit.
        image: The encoded image file.
        text: Alt-text as found.
        url: Where it was, or an empty string.
    """

    key: str
    image: bytes = field(repr=False)
    text: str
    url: str = ""


@dataclass(frozen=True)
class Trouble:
    """A record that could not be read: which, and why."""

    key: str
    reason: str


@dataclass(frozen=True)
class Unit:
    """A piece of work that is done as a whole: one tar, or one row group of a parquet file.

    Attributes:
        path: The file.
        group: Row group, or -1 for a tar.
        images: Folder that paths in a parquet file are relative to, or an empty string.
    """

    path: str
    group: int = -1
    images: str = ""

    @property
    def name(self) -> str:
        """The file's name, with the row group."""
        return Path(self.path).name + (f"#{self.group}" if self.group >= 0 else "")


def list_units(sources: Sequence[str | Path], images: Path | None = None) -> list[Unit]:
    """The units of files and folders, sorted.

    Raises:
        DataError: A source does not exist, is of another kind, or holds nothing.
    """
    units: list[Unit] = []
    for source in map(Path, sources):
        if source.is_dir():
            found = sorted(p for p in source.rglob("[!.]*") if p.suffix in (".tar", ".parquet"))
            if not found:
                raise DataError(f"{source} holds no .tar and no .parquet files.", "Give img2dataset's output folder.")
            units += list_units(found, images)
        elif source.suffix == ".tar" and source.is_file():
            units.append(Unit(str(source)))
        elif source.suffix == ".parquet" and source.is_file():
            units += [Unit(str(source), g, str(images or source.parent)) for g in range(_row_groups(source))]
        else:
            raise DataError(f"{source} is no folder, .tar or .parquet file.", "Check the path.")
    return units


def _row_groups(path: Path) -> int:
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    try:
        return int(pq.ParquetFile(path).num_row_groups)
    except (ArrowException, OSError) as e:
        raise DataError(f"{path} is not a usable parquet file ({e}).", "Download it again.") from e


def read_unit(unit: Unit) -> Iterator[Record | Trouble]:
    """The records of a unit, in file order; a damaged end is one `Trouble`."""
    yield from _read_parquet(unit) if unit.group >= 0 else _read_tar(unit)


def _read_tar(unit: Unit) -> Iterator[Record | Trouble]:
    key, parts = "", dict[str, bytes]()
    try:
        with tarfile.open(unit.path, "r:") as tar:
            for member in tar:
                if not member.isfile():
                    continue
                name, suffix = split_key(member.name.removeprefix("./"))
                if name != key and parts:
                    yield _record(key, parts)
                    parts = {}
                key = name
                handle = tar.extractfile(member)
                data = handle.read() if handle else b""
                if len(data) != member.size:
                    raise tarfile.ReadError("cut off")
                parts[suffix] = data
    except (tarfile.TarError, OSError, EOFError):
        if parts:
            yield _record(key, parts)
        yield Trouble(unit.name, "damaged shard")
        return
    if parts:
        yield _record(key, parts)


def _record(key: str, parts: dict[str, bytes]) -> Record | Trouble:
    image = next((parts[s] for s in IMAGE_SUFFIXES if s in parts), None)
    meta: dict[str, Any] = {}
    if "json" in parts:
        try:
            found = json.loads(parts["json"])
            meta = found if isinstance(found, dict) else {}
        except ValueError:
            if "txt" not in parts:
                return Trouble(key, "broken meta data")
    if image is None:
        # img2dataset writes the meta data of failed downloads too
        return Trouble(key, "no image")
    text = parts["txt"].decode("utf-8", errors="replace") if "txt" in parts else _text(meta)
    return Record(key, image, text, _first(meta, URL_COLUMNS))


def _text(row: dict[str, Any]) -> str:
    for name in TEXT_COLUMNS:
        value = row.get(name)
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, (list, tuple)) and value and isinstance(value[0], str):
            return value[0]
    return ""


def _first(row: dict[str, Any], names: Sequence[str]) -> str:
    return next((str(row[n]) for n in names if isinstance(row.get(n), str) and row[n]), "")


def _read_parquet(unit: Unit) -> Iterator[Record | Trouble]:
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    try:
        table = pq.ParquetFile(unit.path).read_row_group(unit.group)
    except (ArrowException, OSError):  # a damaged column shows only when it is read
        yield Trouble(unit.name, "damaged shard")
        return
    for batch in table.to_batches(max_chunksize=256):
        for number, row in enumerate(batch.to_pylist()):
            row = {str(k).lower(): v for k, v in row.items()}
            key = str(row.get("key") or f"{unit.group}_{number}").replace("/", "_").replace(".", "_")
            image = next((_bytes(row[n]) for n in IMAGE_COLUMNS if row.get(n)), None)
            if image is None:
                path = _first(row, PATH_COLUMNS)
                try:
                    image = (Path(unit.images) / path).read_bytes() if path else None
                except OSError:
                    yield Trouble(path, "no image")
                    continue
            if image is None:
                yield Trouble(key, "no image")
                continue
            yield Record(key, image, _text(row), _first(row, URL_COLUMNS))


def _bytes(value: Any) -> bytes | None:
    if isinstance(value, dict):
        value = value.get("bytes")
    return value if isinstance(value, bytes) else None
