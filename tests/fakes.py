"""An encoder whose space is colour: fast, deterministic, and its right answers are known by looking."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rsvlm_core.errors import UsageError
from rsvlm_core.model.encoder import Float32, ModelInfo, UInt8

COLOURS = {
    "red": (200, 30, 30),
    "green": (30, 160, 30),
    "blue": (30, 30, 200),
    "grey": (128, 128, 128),
    "white": (255, 255, 255),
    "yellow": (220, 220, 30),
}


def _unit(x: np.ndarray) -> Float32:
    return (x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-6)).astype(np.float32)


def _lift(rgb: np.ndarray) -> Float32:
    """RGB in 0..255, [..., 3] -> unit vectors [..., 4]; the fourth axis keeps grey levels apart from black."""
    centred = rgb.astype(np.float64) / 255.0 - 0.5
    return _unit(np.concatenate([centred, np.full((*rgb.shape[:-1], 1), 0.25)], axis=-1))


class FakeEncoder:
    """Mean colour of the image, named colours as texts; any other text is grey."""

    def __init__(self, image_size: int = 32, patch_stride: int = 8, name: str = "fake") -> None:
        self.info = ModelInfo(
            id=name, sha256="0" * 64, embed_dim=4, image_size=image_size, patch_stride=patch_stride,
            gsd_m=(0.1, 10.0), logit_scale=20.0, can_caption=True, licence="none", trained_on="nothing", parameters=0,
        )
        self.images_seen = 0

    def encode_images(self, images: UInt8) -> Float32:
        assert images.dtype == np.uint8 and images.shape[1:] == (self.info.image_size, self.info.image_size, 3)
        self.images_seen += len(images)
        return _lift(images.mean(axis=(1, 2)))

    def encode_texts(self, texts: Sequence[str]) -> Float32:
        if any(not t.strip() for t in texts):
            raise UsageError("The text is empty.", "Type what to look for.")
        rows = [next((c for w, c in COLOURS.items() if w in t.lower()), COLOURS["grey"]) for t in texts]
        return _lift(np.array(rows))

    def encode_patches(self, images: UInt8, method: str = "smooth") -> Float32:
        b, h, w, _ = images.shape
        s = self.info.patch_stride
        assert h % s == 0 and w % s == 0
        return _lift(images.reshape(b, h // s, s, w // s, s, 3).mean(axis=(2, 4)))

    def caption(self, images: UInt8, prompt: str = "") -> list[str]:
        names = list(COLOURS)
        best = (self.encode_images(images) @ self.encode_texts(names).T).argmax(axis=1)
        return [f"a {names[i]} place" for i in best]
