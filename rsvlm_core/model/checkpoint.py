"""A model's folder: `config.json`, `model.safetensors`, and where its tokenizer needs one, `tokenizer.json`."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch import Tensor

from rsvlm_core.errors import ModelError
from rsvlm_core.model.config import MammutConfig
from rsvlm_core.model.mammut import Mammut
from rsvlm_core.model.quantise import dequantise, quantise
from rsvlm_core.model.tokenizer import Tokenizer, load_tokenizer

FORMAT = 1
_AGAIN = "Get the model's folder again, or run `rsvlm models list`."


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


def save_mammut(
    model: Mammut, folder: Path, card: Card, tokenizer_file: Path | None = None, *, int8: bool = True
) -> None:
    """Write a model's folder; each file appears whole.

    Args:
        model: Any device and precision.
        folder: Made when missing.
        card: Goes into `config.json`.
        tokenizer_file: Copied beside, where the configuration needs one.
        int8: At most one byte a weight (see `quantise`), else float32.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = {k: v.detach().cpu().contiguous().float().numpy() for k, v in model.state_dict().items()}
    state = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    weights = quantise(state) if int8 else state
    temp = folder / f".model.{os.getpid()}.safetensors"
    save_file(weights, temp, metadata={"format": "pt", "rsvlm": str(FORMAT)})
    temp.chmod(0o644)  # the writer makes it private; a model is for everyone who may read the folder
    os.replace(temp, folder / "model.safetensors")
    if tokenizer_file is not None:
        (folder / "tokenizer.json").write_bytes(tokenizer_file.read_bytes())
    raw = {
        "format": FORMAT,
        "name": card.name,
        "licence": card.licence,
        "trained_on": card.trained_on,
        "notes": card.notes or {},
        "sha256": file_sha256(folder / "model.safetensors"),
        **model.cfg.to_dict(),
    }
    temp = folder / f".config.{os.getpid()}.json"
    temp.write_text(json.dumps(raw, indent=1) + "\n", "utf-8")
    os.replace(temp, folder / "config.json")


def read_config(folder: Path) -> tuple[MammutConfig, dict[str, Any]]:
    """Configuration and raw JSON of a model's folder.

    Raises:
        ModelError: Not a model's folder, or of a newer format.
    """
    try:
        raw: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise ModelError(f"{folder} is not a model's folder: {error}.", _AGAIN) from None
    if not isinstance(raw, dict) or int(raw.get("format", 1)) > FORMAT:
        raise ModelError(f"The model in {folder} was written by a newer version.", "Update rsvlm.")
    return MammutConfig.from_dict(raw), raw


def read_weights(path: Path) -> dict[str, Tensor]:
    """A safetensors file as float32 tensors.

    Raises:
        ModelError: Missing or damaged.
    """
    try:
        return {k: torch.from_numpy(v) for k, v in dequantise(load_file(path)).items()}
    except (OSError, SafetensorError, ValueError) as error:
        raise ModelError(f"The weights {path} cannot be read: {error}.", _AGAIN) from None


def load_mammut(folder: Path) -> tuple[Mammut, Tokenizer]:
    """Model in eval mode, float32, on the CPU, and its tokenizer.

    Raises:
        ModelError: Files are missing, damaged, or do not fit each other.
    """
    config, _ = read_config(folder)
    state = read_weights(folder / "model.safetensors")
    tokenizer = load_tokenizer(config.text.tokenizer, folder)
    with torch.device("meta"):
        model = Mammut(config)
    model.visual.mean, model.visual.std = (
        torch.tensor(v).view(1, 3, 1, 1) for v in (config.vision.mean, config.vision.std)
    )
    try:
        missing, unexpected = model.load_state_dict(state, strict=False, assign=True)
    except RuntimeError as error:
        raise ModelError(f"The weights in {folder} do not fit their configuration: {error}.", _AGAIN) from None
    missing = [k for k in missing if not k.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise ModelError(
            f"The weights in {folder} do not fit their configuration ({len(missing)} missing, {len(unexpected)} more).",
            _AGAIN,
        )
    for module in model.modules():  # counters of batch norm, of no use for inference, are not in the file
        if isinstance(module, torch.nn.BatchNorm2d):
            module.num_batches_tracked = torch.zeros((), dtype=torch.int64)
    return model.eval().requires_grad_(False), tokenizer
