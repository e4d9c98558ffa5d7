"""Small hand-made evaluation sets in the colour encoder's space."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from tests.fakes import COLOURS


def picture(colour: str, size: tuple[int, int] = (40, 40)) -> bytes:
    """A PNG of one named colour; size is width, height."""
    return encode(np.full((size[1], size[0], 3), COLOURS[colour], dtype=np.uint8))


def encode(array: np.ndarray) -> bytes:
    """An array as a PNG file."""
    out = io.BytesIO()
    Image.fromarray(array).save(out, "PNG")
    return out.getvalue()


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files by relative name."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def write_tar(path: Path, files: dict[str, bytes]) -> Path:
    """Write files into a plain tar."""
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def landscape(image: Image.Image, text: str) -> bool:
    """A safety filter that refuses upright pictures."""
    return image.width >= image.height
