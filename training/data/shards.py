"""WebDataset shards: plain tar files in which files that share a key are one sample.

The key of a member is its path up to the first dot of its file name; what follows the dot says what it is:
`a/42.webp` the image, `a/42.json` the meta data, `a/42.label.png` the pixel label. Two readers:

    read_samples(paths)                 every sample once, in file order
    ShardStream(paths, seed=0, ...)     endless epochs, shuffled, deterministic, resumable, striped over ranks
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rsvlm_core.errors import DataError
from rsvlm_core.model.encoder import UInt8

IMAGE_SUFFIXES = ("webp", "png", "jpg", "jpeg", "tif", "tiff", "bmp")


@dataclass(frozen=True)
class Sample:
    """One image and what is known of it; nothing is decoded until asked for.

    Attributes:
        key: Name within the shard.
        image: The encoded image file (webp, png, jpeg, ...).
        meta: `KEY.json` as a dict, `{"captions": [text]}` from `KEY.txt`, else empty.
        label: Encoded `KEY.label.png`, or None.
        shard: Where it lies.
    """

    key: str
    image: bytes = field(repr=False)
    meta: dict[str, Any]
    label: bytes | None = field(default=None, repr=False)
    shard: Path = Path()

    def pil(self) -> Image.Image:
        """The image as a PIL RGB image. DataError if it cannot be decoded."""
        return decode_image(self.image, f"{self.shard}:{self.key}")

    def array(self) -> UInt8:
        """The image as [H, W, 3] uint8."""
        return np.asarray(self.pil(), dtype=np.uint8)

    def label_array(self) -> UInt8 | None:
        """The pixel label as [H, W] uint8 class numbers (palette indices, not colours), or None."""
        return None if self.label is None else decode_label(self.label, f"{self.shard}:{self.key}")


def decode_image(data: bytes, name: str) -> Image.Image:
    """Decode an image file to PIL RGB; `name` is said in the DataError of a damaged one."""
    try:
        with Image.open(io.BytesIO(data)) as opened:
            rgb: Image.Image = opened.convert("RGB")
            return rgb
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as e:
        raise DataError(f"The image {name} cannot be decoded ({e}).", "Write it again or leave it out.") from e


def decode_label(data: bytes, name: str) -> UInt8:
    """Decode a label file to [H, W] uint8; palette images give their indices.

    Raises:
        DataError: It cannot be decoded.
    """
    try:
        with Image.open(io.BytesIO(data)) as opened:
            return np.asarray(opened if opened.mode in ("P", "L") else opened.convert("L"), dtype=np.uint8)
    except (OSError, SyntaxError, ValueError) as e:
        raise DataError(f"The label of {name} cannot be decoded ({e}).", "Write it again or leave it out.") from e


@dataclass(frozen=True)
class _Entry:
    """A sample's members within one tar: suffix -> (offset of its bytes, size)."""

    shard: Path
    key: str
    members: dict[str, tuple[int, int]]


def split_key(name: str) -> tuple[str, str]:
    """`a/42.label.png` -> (`a/42`, `label.png`)."""
    folder, _, base = name.rpartition("/")
    stem, _, suffix = base.partition(".")
    return (f"{folder}/{stem}" if folder else stem), suffix.lower()


def _damaged(path: Path, why: object) -> DataError:
    return DataError(f"The shard {path} is damaged or not a tar file ({why}).", "Copy or build it again.")


def index_shard(path: Path) -> list[_Entry]:
    """The samples of one shard in file order; reads headers only. Samples without an image are refused.

    Raises:
        DataError: No such file, not a tar, cut off, or a sample without an image; names the shard.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"There is no shard {path}.", "Check the path in the recipe.")
    found: dict[str, dict[str, tuple[int, int]]] = {}
    try:
        size = path.stat().st_size
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                if not member.isfile():
                    continue
                if member.offset_data + member.size > size:
                    raise _damaged(path, f"cut off within {member.name}")
                key, suffix = split_key(member.name)
                found.setdefault(key, {})[suffix] = (member.offset_data, member.size)
    except (tarfile.TarError, OSError, EOFError) as e:
        raise _damaged(path, e) from e
    if not found:
        raise _damaged(path, "no samples in it")
    for key, members in found.items():
        if not any(s in members for s in IMAGE_SUFFIXES):
            raise DataError(
                f"Sample {key} of shard {path} has no image (found: {', '.join(sorted(members))}).",
                f"A sample is KEY.json and KEY.{IMAGE_SUFFIXES[0]} (or {', '.join(IMAGE_SUFFIXES[1:])}).",
            )
    return [_Entry(path, key, members) for key, members in found.items()]


def _load(entry: _Entry, handle: io.BufferedReader) -> Sample:
    def read(suffix: str) -> bytes:
        offset, size = entry.members[suffix]
        handle.seek(offset)
        data = handle.read(size)
        if len(data) != size:
            raise _damaged(entry.shard, f"cut off within {entry.key}.{suffix}")
        return data

    image = read(next(s for s in IMAGE_SUFFIXES if s in entry.members))
    meta: dict[str, Any] = {}
    if "json" in entry.members:
        try:
            meta = json.loads(read("json"))
            if not isinstance(meta, dict):
                raise ValueError("not an object")
        except ValueError as e:
            raise DataError(f"{entry.key}.json in {entry.shard} is no JSON object ({e}).", "Build it again.") from e
    elif "txt" in entry.members:
        meta = {"captions": [read("txt").decode("utf-8", errors="replace").strip()]}
    label = read("label.png") if "label.png" in entry.members else None
    return Sample(entry.key, image, meta, label, entry.shard)


def read_samples(paths: Sequence[Path | str]) -> Iterator[Sample]:
    """Every sample of the shards once, in file order.

    Raises:
        DataError: A shard is missing or damaged; the message names it. Raised before the shard's first sample.
    """
    for path in paths:
        entries = index_shard(Path(path))
        with open(path, "rb") as handle:
            for entry in entries:
                yield _load(entry, handle)


class ShardStream:
    """Endless shuffled samples whose order is a function of (paths, seed, window) alone.

    Shards are shuffled each epoch and taken `window` at a time; the samples of a window are shuffled together and
    read by offset, so memory holds headers only. Ranks take turns: rank r of `world` gets every world-th sample of
    the common order, and all ranks get equally many (the last incomplete turn of a window is left out).

    `state()` after any sample, given to `restore()` of a stream with the same paths, seed and window, continues with
    the very next sample; it counts samples of the common order, so `world` may differ between the two runs when both
    stop at a turn's end. Iterating continues where the last iteration stopped.

    Args:
        paths: Shards; the order given does not matter.
        seed: Of the order.
        window: Shards that are mixed with one another.
        shuffle: False gives sorted shards in file order.
        rank: Number of this reader, 0 <= rank < world.
        world: Number of readers.
        epochs: Stop after so many; None never stops.
    """

    def __init__(
        self, paths: Iterable[Path | str], *, seed: int = 0, window: int = 8, shuffle: bool = True,
        rank: int = 0, world: int = 1, epochs: int | None = None,
    ) -> None:
        self._paths = sorted(Path(p) for p in paths)
        if not self._paths:
            raise DataError("No shards were given.", "Name at least one tar file.")
        if not 0 <= rank < world:
            raise ValueError(f"rank {rank} of {world}")
        self._seed, self._window, self._shuffle = seed, max(1, window), shuffle
        self._rank, self._world, self._epochs = rank, world, epochs
        self._epoch = self._block = self._offset = 0

    def state(self) -> dict[str, int]:
        """Where the stream stands: epoch, window within it, samples of the window already given to all ranks."""
        return {"epoch": self._epoch, "block": self._block, "offset": self._offset, "seed": self._seed,
                "window": self._window, "shards": len(self._paths)}

    def restore(self, state: dict[str, int]) -> None:
        """Continue from `state()` of an equal stream. DataError if it was another one."""
        mine = self.state()
        for name in ("seed", "window", "shards"):
            if state[name] != mine[name]:
                raise DataError(
                    f"The saved data order had {name} {state[name]}, now it is {mine[name]}.",
                    "Resume with the same data settings, or start a new run.",
                )
        self._epoch, self._block, self._offset = state["epoch"], state["block"], state["offset"]

    def _order(self, epoch: int, block: int) -> list[_Entry]:
        """The common order of one window; empty behind the last."""
        shards = self._paths
        if self._shuffle:
            shards = [shards[i] for i in np.random.default_rng([self._seed, epoch]).permutation(len(shards))]
        chosen = shards[block * self._window : (block + 1) * self._window]
        entries = [e for path in chosen for e in index_shard(path)]
        if self._shuffle:
            order = np.random.default_rng([self._seed, epoch, block + 1]).permutation(len(entries))
            entries = [entries[i] for i in order]
        return entries

    def __iter__(self) -> Iterator[Sample]:
        handles: dict[Path, io.BufferedReader] = {}
        try:
            while self._epochs is None or self._epoch < self._epochs:
                entries = self._order(self._epoch, self._block)
                # a turn never spans windows: what a window has over a multiple of `world` is left out
                while self._offset + self._world <= len(entries):
                    entry = entries[self._offset + self._rank]
                    if entry.shard not in handles:
                        handles[entry.shard] = open(entry.shard, "rb")  # noqa: SIM115
                    sample = _load(entry, handles[entry.shard])
                    self._offset += self._world
                    yield sample
                for handle in handles.values():
                    handle.close()
                handles.clear()
                self._block, self._offset = self._block + 1, 0
                if self._block * self._window >= len(self._paths):
                    self._epoch, self._block = self._epoch + 1, 0
        finally:
            for handle in handles.values():
                handle.close()
