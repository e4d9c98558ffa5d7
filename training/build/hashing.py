"""Near-duplicate images by perceptual hash, also when turned or mirrored, as overhead images of one place are.

The hash is the sign pattern of the 63 lowest frequencies of a 32x32 grey thumbnail's cosine transform: it survives
resizing, recompression and small changes of colour. Two images are near-duplicates when few bits differ.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from PIL import Image
from scipy.fft import dctn

BITS = 64
NEAR = 6  # bits; unrelated images differ in about 32


def perceptual_hash(image: Image.Image) -> int:
    """A 64-bit hash of an image as it stands."""
    return _hash(_thumbnail(image))


def all_orientations(image: Image.Image) -> list[int]:
    """Hashes of the eight turned and mirrored versions; the first is the image as it stands."""
    small = _thumbnail(image)
    return [_hash(np.rot90(m, k)) for m in (small, small[:, ::-1]) for k in range(4)]


def _thumbnail(image: Image.Image) -> np.ndarray:
    # shrinking the red, green and blue channels first is several times faster than converting a large picture
    small = image.resize((32, 32), Image.Resampling.BOX, reducing_gap=2.0).convert("L")
    return np.asarray(small, dtype=np.float64)


def _hash(grey: np.ndarray) -> int:
    low = dctn(grey, norm="ortho")[:8, :8].ravel()
    low[0] = 0.0  # brightness says nothing
    bits = low > np.median(low[1:])
    bits[0] = False
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def distance(a: int, b: int) -> int:
    """Number of bits in which two hashes differ."""
    return (a ^ b).bit_count()


class HashIndex:
    """Hashes seen so far; finds any within a distance without comparing all.

    A hash is cut into `near + 1` pieces: of two hashes that differ in at most `near` bits, one piece is equal.

    Args:
        near: Largest distance that counts as a near-duplicate.
    """

    def __init__(self, near: int = NEAR) -> None:
        self.near = near
        edges = np.linspace(0, BITS, near + 2).astype(int)
        self._pieces = [(int(a), (1 << int(b - a)) - 1) for a, b in zip(edges[:-1], edges[1:], strict=True)]
        self._tables: list[dict[int, list[int]]] = [defaultdict(list) for _ in self._pieces]
        self._hashes: list[int] = []
        self._names: list[str] = []

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, value: int, name: str) -> None:
        """Remember a hash under a name."""
        number = len(self._hashes)
        self._hashes.append(value)
        self._names.append(name)
        for table, (shift, mask) in zip(self._tables, self._pieces, strict=True):
            table[(value >> shift) & mask].append(number)

    def find(self, values: Iterable[int]) -> str | None:
        """The name of the first remembered hash near any of the values, or None."""
        for value in values:
            for table, (shift, mask) in zip(self._tables, self._pieces, strict=True):
                for number in table.get((value >> shift) & mask, ()):
                    if distance(value, self._hashes[number]) <= self.near:
                        return self._names[number]
        return None
