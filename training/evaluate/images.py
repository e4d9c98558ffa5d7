"""Evaluation images from a folder, a tar file, or WebDataset shards, all seen as named files.

A source is a folder (searched through), a tar file, or several of either. The files that share a key (path up to the
first dot of the file name) belong together: `KEY.webp`, `KEY.json`. A folder that holds tar files and no images stands
for those tars.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rsvlm_core.errors import DataError
from rsvlm_core.model.encoder import Encoder, Float32, UInt8
from rsvlm_core.progress import Progress, ShouldStop, check, never, silent
from training.data.shards import IMAGE_SUFFIXES, decode_image, split_key


@dataclass(frozen=True)
class File:
    """One file of a source: its name within the source, and where its bytes lie."""

    name: str
    path: Path
    offset: int = 0
    size: int | None = None

    def read(self) -> bytes:
        """The bytes. DataError when the file went away or is cut off."""
        try:
            with open(self.path, "rb") as handle:
                handle.seek(self.offset)
                data = handle.read() if self.size is None else handle.read(self.size)
        except OSError as e:
            raise DataError(f"{self.path} cannot be read ({e.strerror}).", "Check the path and its permissions.") from e
        if self.size is not None and len(data) != self.size:
            raise DataError(f"{self.path} is cut off within {self.name}.", "Copy or build it again.")
        return data


@dataclass(frozen=True)
class Item:
    """One image with what lies beside it.

    Attributes:
        key: Name without suffixes, folders included.
        image: The image file.
        sides: Other files of the same key: suffix -> file.
    """

    key: str
    image: File
    sides: dict[str, File] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The image file's name without folders."""
        return self.image.name.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """The name of the folder that holds it, or an empty string."""
        return self.image.name.rpartition("/")[0].rpartition("/")[2]

    def pil(self) -> Image.Image:
        """The image, RGB."""
        return decode_image(self.image.read(), f"{self.image.name} in {self.image.path}")

    def meta(self) -> dict[str, Any]:
        """`KEY.json`, or an empty dict. DataError if it is not a JSON object."""
        if "json" not in self.sides:
            return {}
        try:
            found = json.loads(self.sides["json"].read())
        except ValueError as e:
            raise DataError(f"{self.key}.json is not valid JSON ({e}).", "Build it again.") from e
        if not isinstance(found, dict):
            raise DataError(f"{self.key}.json is not a JSON object.", "Build it again.")
        return found


def list_files(sources: Sequence[str | Path]) -> list[File]:
    """All files of the sources; folders sorted by name, tars in file order.

    Raises:
        DataError: A source does not exist, is neither folder nor tar, or is damaged; names it.
    """
    files: list[File] = []
    for source in map(Path, sources):
        if source.is_dir():
            inside = sorted(p for p in source.rglob("*") if p.is_file() and not p.name.startswith("."))
            tars = [p for p in inside if p.suffix == ".tar"]
            if tars and not any(split_key(p.name)[1] in IMAGE_SUFFIXES for p in inside):
                files += list_files(tars)
            else:
                files += [File(p.relative_to(source).as_posix(), p) for p in inside]
        elif source.is_file():
            files += _tar_files(source)
        else:
            raise DataError(f"There is no folder or tar file {source}.", "Check the path after --images.")
    return files


def _tar_files(path: Path) -> list[File]:
    try:
        size = path.stat().st_size
        with tarfile.open(path, "r:") as tar:
            members = [(m.name.removeprefix("./"), m.offset_data, m.size) for m in tar if m.isfile()]
    except (tarfile.TarError, OSError, EOFError) as e:
        raise DataError(
            f"{path} is not a usable, uncompressed tar file ({e}).", "Give a folder or a plain .tar (not .tar.gz)."
        ) from e
    for name, offset, length in members:
        if offset + length > size:
            raise DataError(f"{path} is cut off within {name}.", "Copy or build it again.")
    return [File(name, path, offset, length) for name, offset, length in members
            if not name.rpartition("/")[2].startswith(".")]


def _origin(file: File) -> str:
    """Two tars may use the same key; a folder is one source."""
    return str(file.path) if file.size is not None else ""


def list_images(sources: Sequence[str | Path]) -> list[Item]:
    """The images of the sources, each with the files of its key; `masks/` beside `images/` are no images.

    Raises:
        DataError: There are none.
    """
    groups: dict[tuple[str, str], dict[str, File]] = {}
    pictures: list[tuple[str, File]] = []
    for file in list_files(sources):
        key, suffix = split_key(file.name)
        stem, _, last = file.name.rpartition(".")
        if last.lower() in IMAGE_SUFFIXES and suffix != "label.png":
            # a picture called `a.b.png` is not a part of sample `a`
            pictures.append((key if suffix == last.lower() else stem, file))
        else:
            groups.setdefault((_origin(file), key), {})[suffix] = file
            if stem != key:
                groups.setdefault((_origin(file), stem), {})[last.lower()] = file
    segmented = {_origin(f) for _, f in pictures if "images" in f.name.split("/")[:-1]}
    pictures = [(k, f) for k, f in pictures if not (_origin(f) in segmented and "masks" in f.name.split("/")[:-1])]
    items = [Item(key, file, groups.get((_origin(file), key), {})) for key, file in pictures]
    if not items:
        raise DataError(
            f"There are no images in {', '.join(map(str, sources))}.", f"Images end in {', '.join(IMAGE_SUFFIXES)}."
        )
    return items


def square(image: Image.Image, size: int) -> UInt8:
    """The centre square of an image, resized (bicubic, antialiased) to [size, size, 3] uint8."""
    w, h = image.size
    side = min(w, h)
    left, top = (w - side) // 2, (h - side) // 2
    small = image.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    return np.asarray(small.convert("RGB"), dtype=np.uint8)


def batches(items: Sequence[Item], size: int, batch: int) -> Iterator[UInt8]:
    """[b, size, size, 3] uint8 squares of the items, in order."""
    for i in range(0, len(items), batch):
        yield np.stack([square(item.pil(), size) for item in items[i : i + batch]])


def encode_images(
    encoder: Encoder, items: Sequence[Item], *, batch: int = 32, progress: Progress = silent,
    should_stop: ShouldStop = never,
) -> Float32:
    """[N, D] float32 unit-norm embeddings of the items' centre squares.

    Args:
        encoder: The model.
        items: N images.
        batch: Seen at once.
        progress: Told of images.
        should_stop: Polled for every batch.
    """
    out = []
    for done, images in enumerate(batches(items, encoder.info.image_size, batch)):
        check(should_stop)
        out.append(encoder.encode_images(images).astype(np.float32))
        progress(min((done + 1) * batch, len(items)), len(items), "images")
    return np.concatenate(out)


def encode_distinct(encoder: Encoder, texts: Sequence[str], *, batch: int = 64) -> tuple[Float32, np.ndarray]:
    """Encode every distinct text once.

    Returns:
        [U, D] float32 embeddings of the distinct texts in order of first appearance, and [T] int64 with the row of
        each text.
    """
    rows: dict[str, int] = {}
    index = np.array([rows.setdefault(t, len(rows)) for t in texts], dtype=np.int64)
    distinct = list(rows)
    z = [encoder.encode_texts(distinct[i : i + batch]) for i in range(0, len(distinct), batch)]
    return np.concatenate(z).astype(np.float32), index
