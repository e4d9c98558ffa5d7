"""A model's folder: `config.json`, `model.safetensors`, and where its tokenizer needs one, `tokenizer.json`."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save
from torch import Tensor

from rsvlm_core.errors import ModelError, first_line
from rsvlm_core.model.folder import AGAIN, FORMAT, WEIGHTS, Card, file_sha256, read_arrays, read_config
from rsvlm_core.model.mammut import Mammut
from rsvlm_core.model.quantise import quantise
from rsvlm_core.model.tokenizer import Tokenizer, load_tokenizer
from rsvlm_core.scratch import whole, write_text


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
    with whole(folder / WEIGHTS) as part:
        _write_weights(part, weights)
    if tokenizer_file is not None:
        with whole(folder / "tokenizer.json") as part:
            part.write_bytes(tokenizer_file.read_bytes())
    raw = {
        "format": FORMAT,
        "name": card.name,
        "licence": card.licence,
        "trained_on": card.trained_on,
        "notes": card.notes or {},
        "sha256": file_sha256(folder / WEIGHTS),
        **model.cfg.to_dict(),
    }
    write_text(folder / "config.json", json.dumps(raw, indent=1) + "\n")


def _write_weights(path: Path, weights: Mapping[str, NDArray[np.generic]]) -> None:
    """Write a safetensors file whose header is sorted, so that equal weights give equal bytes and one sha256.

    The library's own header follows the random order of a hash table; the tensors behind it lie where they did.
    """
    file = save(dict(weights), metadata={"format": "pt", "rsvlm": str(FORMAT)})
    (length,) = struct.unpack_from("<Q", file)
    raw: dict[str, Any] = json.loads(file[8 : 8 + length])
    names = sorted(raw, key=lambda name: (raw[name].get("data_offsets", []), name))
    header = json.dumps({name: dict(sorted(raw[name].items())) for name in names}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # tensors begin at multiples of eight
    with path.open("wb") as out:
        out.write(struct.pack("<Q", len(header)) + header)
        out.write(memoryview(file)[8 + length :])


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
        raise ModelError(f"The configuration in {folder} makes no model: {first_line(error)}.", AGAIN) from None
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
