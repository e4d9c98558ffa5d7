"""A model's folder, as far as it can be read without torch: `config.json`, `model.safetensors`, `tokenizer.json`."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from rsvlm_core.errors import ModelError
from rsvlm_core.model.config import MammutConfig
from rsvlm_core.model.encoder import ModelInfo
from rsvlm_core.model.quantise import PACKED, SCALE, dequantise

FORMAT = 1
WEIGHTS = "model.safetensors"
AGAIN = "Get the model's folder again, or run `rsvlm models list`."


@dataclass(frozen=True)
class Card:
    """What a model's `config.json` says beside its shape.

    Attributes:
        name: Shown to people.
        licence: Terms of the weights.
        trained_on: Training sets.
        notes: Anything else, JSON-able.
    """

    name: str = "unnamed"
    licence: str = ""
    trained_on: str = ""
    notes: dict[str, Any] | None = None


def file_sha256(path: Path) -> str:
    """Hex digest of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def read_config(folder: Path) -> tuple[MammutConfig, dict[str, Any]]:
    """Configuration and raw JSON of a model's folder.

    Raises:
        ModelError: Not a model's folder, or of a newer format.
    """
    try:
        raw: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{folder} is not a model's folder: {error}.", AGAIN) from None
    version = raw.get("format", 1) if isinstance(raw, dict) else None
    if isinstance(version, bool) or not isinstance(version, int):
        raise ModelError(f"{folder} is not a model's folder: its config.json has no format number.", AGAIN)
    if version > FORMAT:
        raise ModelError(
            f"The model in {folder} was written by a newer version (model format {version}; this rsvlm reads up to"
            f" {FORMAT}).",
            "Update rsvlm.",
        )
    return MammutConfig.from_dict(raw), raw


def read_arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    """A safetensors file as float32 arrays.

    Raises:
        ModelError: Missing or damaged.
    """
    try:
        return dequantise(load_file(path))
    except (OSError, SafetensorError, ValueError, TypeError, IndexError, KeyError) as error:
        raise ModelError(f"The weights {path} cannot be read: {error}.", AGAIN) from None


def folder_info(folder: Path, name: str | None = None) -> ModelInfo:
    """Identity of a model's folder, without loading its weights.

    Raises:
        ModelError: Not a model's folder, or of a newer format.
    """
    config, raw = read_config(folder)
    notes = raw.get("notes")
    scale = notes.get("logit_scale", 50.0) if isinstance(notes, dict) else 50.0
    if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not 0 < scale < 1e6:
        raise ModelError(f"{folder} is not a model's folder: its logit_scale is {str(scale)[:40]!r}.", AGAIN)
    return ModelInfo(
        id=name or str(raw.get("name") or folder.name),
        sha256=str(raw.get("sha256", "")),
        embed_dim=config.embed_dim,
        image_size=config.vision.image_size,
        patch_stride=config.vision.dense_stride,
        gsd_m=config.gsd_m,
        logit_scale=float(scale),
        can_caption=True,
        licence=str(raw.get("licence", "")),
        trained_on=str(raw.get("trained_on", "")),
        parameters=_count(folder / WEIGHTS),
    )


def _count(path: Path) -> int:
    """Weights in a safetensors file by its header alone, running means of norms left out; 0 where it is damaged."""
    try:
        with path.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header: dict[str, Any] = json.loads(stream.read(min(length, 1 << 24)))
        total = 0
        for key, entry in header.items():
            if key == "__metadata__" or key.endswith((SCALE, ".running_mean", ".running_var")):
                continue
            size = math.prod(int(n) for n in entry["shape"])
            total += size * 4 // 3 if key.endswith(PACKED) else size
    except (OSError, struct.error, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return 0
    return total
