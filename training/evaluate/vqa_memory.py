"""An encoder that remembers what it was last given: many questions about one image make it see that image once.

What is remembered is a whole call, not an image: the same batch through the same weights gives the same to the last
bit, another batch may not.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from hashlib import sha256
from typing import Any

import numpy as np

from rsvlm_core.model.encoder import Encoder, Float32, UInt8

_BYTES = 128 * 2**20  # of arrays; the questions of an image follow each other


class Remembering:
    """Answers as the encoder that it is made of.

    Args:
        encoder: The model.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder, self.info = encoder, encoder.info
        self._known: OrderedDict[Hashable, Any] = OrderedDict()
        self._held = 0

    def encode_images(self, images: UInt8) -> Float32:
        """See `Encoder`."""
        return self._vectors(("images", _digest(images)), lambda: self._encoder.encode_images(images))

    def encode_texts(self, texts: Sequence[str]) -> Float32:
        """See `Encoder`."""
        return self._vectors(("texts", *texts), lambda: self._encoder.encode_texts(texts))

    def encode_patches(self, images: UInt8, method: str = "smooth") -> Float32:
        """See `Encoder`."""
        key = "patches", method, _digest(images)
        return self._vectors(key, lambda: self._encoder.encode_patches(images, method))

    def caption(self, images: UInt8, prompt: str = "") -> list[str]:
        """See `Encoder`."""
        return list(self._once(("caption", prompt, _digest(images)), lambda: self._encoder.caption(images, prompt)))

    def _vectors(self, key: Hashable, compute: Callable[[], Float32]) -> Float32:
        return np.array(self._once(key, compute), dtype=np.float32)  # a copy: what a caller does to it is forgotten

    def _once(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        if key not in self._known:
            self._known[key] = compute()
            self._held += _size(self._known[key])
        self._known.move_to_end(key)
        while self._held > _BYTES and len(self._known) > 1:
            self._held -= _size(self._known.popitem(last=False)[1])
        return self._known[key]


def _digest(images: UInt8) -> tuple[tuple[int, ...], bytes]:
    return images.shape, sha256(images.tobytes()).digest()


def _size(value: Any) -> int:
    return int(getattr(value, "nbytes", 1024))
