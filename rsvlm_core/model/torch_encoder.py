"""Our model on torch, behind the encoder's interface."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rsvlm_core.errors import ModelError, UsageError
from rsvlm_core.model.checkpoint import load_mammut, read_config
from rsvlm_core.model.device import choose_device
from rsvlm_core.model.encoder import Float32, ModelInfo, UInt8
from rsvlm_core.model.mammut import Mammut, generate
from rsvlm_core.model.tokenizer import Tokenizer, check_texts

METHODS = ("auto", "smooth", "attention", "dense")
SMOOTH_WINDOW = 3  # tokens; at a token of 32 pixels this is about one object and its surroundings
_CHUNK = 16  # images at once: bounds memory at about 1 GB on the CPU


class TorchEncoder:
    """An `Encoder` over `Mammut`.

    Args:
        model: In eval mode.
        tokenizer: Of the model.
        info: Its identity.
        device: Where to compute.
    """

    def __init__(self, model: Mammut, tokenizer: Tokenizer, info: ModelInfo, device: torch.device) -> None:
        self.model = model.to(device)
        self.model.visual.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.tokenizer, self.info, self.device = tokenizer, info, device

    @classmethod
    def load(cls, folder: Path, name: str | None = None, device: str = "auto") -> TorchEncoder:
        """Load a model's folder.

        Raises:
            ModelError: The folder or the device cannot be used.
        """
        model, tokenizer = load_mammut(folder)
        return cls(model, tokenizer, folder_info(folder, name, model), choose_device(device))

    def _pixels(self, images: UInt8) -> Tensor:
        x = torch.from_numpy(np.ascontiguousarray(images)).to(self.device).permute(0, 3, 1, 2)
        return self.model.visual.normalise(x).contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def encode_images(self, images: UInt8) -> Float32:
        """[B, S, S, 3] uint8 -> [B, D] float32 unit norm."""
        out = [
            self.model.encode_image(self._pixels(images[i : i + _CHUNK])).cpu().numpy()
            for i in range(0, len(images), _CHUNK)
        ]
        return np.concatenate(out) if out else np.zeros((0, self.info.embed_dim), np.float32)

    @torch.inference_mode()
    def encode_texts(self, texts: Sequence[str]) -> Float32:
        """T texts -> [T, D] float32 unit norm; each text alone, so that a batch cannot change its vector."""
        rows = []
        for text in check_texts(texts):
            tokens = self.tokenizer([text], self.model.cfg.text.context_length)
            rows.append(self.model.encode_text(tokens.ids.to(self.device), tokens.valid.to(self.device)).cpu().numpy())
        return np.concatenate(rows)

    @torch.inference_mode()
    def encode_patches(self, images: UInt8, method: str = "auto") -> Float32:
        """[B, H, W, 3] uint8 -> [B, H/stride, W/stride, D] float32 unit norm; see `Encoder.encode_patches`."""
        if method not in METHODS:
            raise UsageError(f"There is no patch method '{method}'.", f"Use one of {', '.join(METHODS)}.")
        visual, stride = self.model.visual, self.info.patch_stride
        if method == "auto":
            method = "dense" if visual.dense is not None else "smooth"
        rows, cols = images.shape[1] // stride, images.shape[2] // stride
        out = []
        for i in range(0, len(images), _CHUNK):
            x = self._pixels(images[i : i + _CHUNK])
            z = visual.pixels(x) if method == "dense" else visual.smooth(x, SMOOTH_WINDOW if method == "smooth" else 1)
            if z.shape[1:3] != (rows, cols):  # tokens coarser than the grid of the interface
                z = torch.nn.functional.interpolate(
                    z.permute(0, 3, 1, 2), size=(rows, cols), mode="bilinear", align_corners=False
                )
                z = torch.nn.functional.normalize(z.permute(0, 2, 3, 1), dim=-1)
            out.append(z.cpu().numpy())
        return np.concatenate(out)

    def caption(self, images: UInt8, prompt: str = "") -> list[str]:
        """[B, S, S, 3] uint8 -> B sentences, by beam search."""
        if not self.info.can_caption:
            raise ModelError(f"The model {self.info.id} cannot write captions.", "Use the bundled model.")
        head = self.tokenizer.pieces(prompt) if prompt.strip() else []
        with torch.inference_mode():
            ids = [
                row
                for i in range(0, len(images), _CHUNK)
                for row in generate(
                    self.model,
                    self._pixels(images[i : i + _CHUNK]),
                    self.tokenizer.start,
                    self.tokenizer.end,
                    beams=3,
                    prompt=head,
                )
            ]
        return [self.tokenizer.decode([*head, *row]) for row in ids]


def folder_info(folder: Path, name: str | None = None, model: Mammut | None = None) -> ModelInfo:
    """Identity of a model's folder, without loading its weights where `model` is None."""
    config, raw = read_config(folder)
    if model is None:
        with torch.device("meta"):
            model = Mammut(config)
    return ModelInfo(
        id=name or str(raw.get("name") or folder.name),
        sha256=str(raw.get("sha256", "")),
        embed_dim=config.embed_dim,
        image_size=config.vision.image_size,
        patch_stride=model.visual.dense_stride,
        gsd_m=config.gsd_m,
        logit_scale=float(raw.get("notes", {}).get("logit_scale", 50.0)),
        can_caption=True,
        licence=str(raw.get("licence", "")),
        trained_on=str(raw.get("trained_on", "")),
        parameters=model.parameter_counts()["total"],
    )
