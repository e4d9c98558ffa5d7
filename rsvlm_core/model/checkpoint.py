"""A model's folder: `config.json`, `model.safetensors`, and where its tokenizer needs one, `tokenizer.json`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch
from safetensors.numpy import save_file
from torch import Tensor

from rsvlm_core.errors import ModelError
from rsvlm_core.model.folder import AGAIN, FORMAT, WEIGHTS, Card, file_sha256, read_arrays, read_config
from rsvlm_core.model.mammut import Mammut
from rsvlm_core.model.quantise import quantise
from rsvlm_core.model.tokenizer import Tokenizer, load_tokenizer


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
    os.replace(temp, folder / WEIGHTS)
    if tokenizer_file is not None:
        (folder / "tokenizer.json").write_bytes(tokenizer_file.read_bytes())
    raw = {
        "format": FORMAT,
        "name": card.name,
        "licence": card.licence,
        "trained_on": card.trained_on,
        "notes": card.notes or {},
        "sha256": file_sha256(folder / WEIGHTS),
        **model.cfg.to_dict(),
    }
    temp = folder / f".config.{os.getpid()}.json"
    temp.write_text(json.dumps(raw, indent=1) + "\n", "utf-8")
    os.replace(temp, folder / "config.json")


def read_weights(path: Path) -> dict[str, Tensor]:
    """A safetensors file as float32 tensors.

    Raises:
        ModelError: Missing or damaged.
    """
    return {k: torch.from_numpy(v) for k, v in read_arrays(path).items()}


def load_mammut(folder: Path) -> tuple[Mammut, Tokenizer]:
    """Model in eval mode, float32, on the CPU, and its tokenizer.

    Raises:
        ModelError: Files are missing, damaged, or do not fit each other.
    """
    config, _ = read_config(folder)
    state = read_weights(folder / WEIGHTS)
    tokenizer = load_tokenizer(config.text.tokenizer, folder)
    try:
        with torch.device("meta"):
            model = Mammut(config)
    except Exception as error:  # sizes that do not fit each other, a trunk that nobody knows: each library has its kind
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"The configuration in {folder} makes no model: {reason}.", AGAIN) from None
    model.visual.mean, model.visual.std = (
        torch.tensor(v).view(1, 3, 1, 1) for v in (config.vision.mean, config.vision.std)
    )
    try:
        missing, unexpected = model.load_state_dict(state, strict=False, assign=True)
    except RuntimeError as error:
        raise ModelError(f"The weights in {folder} do not fit their configuration: {error}.", AGAIN) from None
    missing = [k for k in missing if not k.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise ModelError(
            f"The weights in {folder} do not fit their configuration ({len(missing)} missing, {len(unexpected)} more).",
            AGAIN,
        )
    for module in model.modules():  # counters of batch norm, of no use for inference, are not in the file
        if isinstance(module, torch.nn.BatchNorm2d):
            module.num_batches_tracked = torch.zeros((), dtype=torch.int64)
    return model.eval().requires_grad_(False), tokenizer
