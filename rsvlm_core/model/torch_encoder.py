"""Our model on torch, behind the encoder's interface."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rsvlm_core.errors import ModelError, UsageError
from rsvlm_core.localize.cross_attention import cross_scores
from rsvlm_core.localize.methods import METHODS, OWN
from rsvlm_core.localize.towers import tower_map, upsampled
from rsvlm_core.model.checkpoint import load_mammut
from rsvlm_core.model.device import choose_device
from rsvlm_core.model.encoder import SMOOTH_WINDOW, Float32, ModelInfo, UInt8
from rsvlm_core.model.folder import folder_info
from rsvlm_core.model.mammut import Mammut, generate
from rsvlm_core.model.tokenizer import Tokenizer, check_texts

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
        return cls(model, tokenizer, folder_info(folder, name), choose_device(device))

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
        """[B, H, W, 3] uint8 -> [B, H/stride, W/stride, D] float32 unit norm; see `Encoder.encode_patches`.

        Raises:
            UsageError: There is no such method.
        """
        if method not in METHODS or method in ("tiles", "cross"):
            raise UsageError(f"There is no patch method '{method}'.", f"Use one of {', '.join(OWN[:-1])}.")
        visual, stride = self.model.visual, self.info.patch_stride
        if method == "auto":
            method = "dense" if visual.dense is not None else "smooth"
        rows, cols = images.shape[1] // stride, images.shape[2] // stride
        out = []
        for i in range(0, len(images), _CHUNK):
            x = self._pixels(images[i : i + _CHUNK])
            z = visual.pixels(x) if method == "dense" else tower_map(visual, x, method, SMOOTH_WINDOW)
            if z.shape[1:3] != (rows, cols):  # tokens coarser than the grid of the interface
                z = torch.nn.functional.normalize(upsampled(z, rows, cols), dim=-1)
            out.append(z.cpu().numpy())
        return np.concatenate(out)

    @torch.inference_mode()
    def cross_maps(self, images: UInt8, texts: Sequence[str]) -> Float32:
        """[B, H, W, 3] uint8 and T texts -> [B, H/stride, W/stride, T] scores by the decoder's cross-attention."""
        stride = self.info.patch_stride
        rows, cols = images.shape[1] // stride, images.shape[2] // stride
        tokens = self.tokenizer(check_texts(texts), self.model.cfg.text.context_length)
        ids, valid = tokens.ids.to(self.device), tokens.valid.to(self.device)
        vectors = torch.from_numpy(self.encode_texts(texts)).to(self.device)
        out = []
        for image in images:  # one at a time: every text is read for every image
            grid, _ = self.model.visual.grid(self._pixels(image[None]))
            scores = cross_scores(self.model, grid, ids, valid, vectors, self.info.logit_scale)
            out.append(upsampled(scores, rows, cols).cpu().numpy())
        return np.concatenate(out)

    def caption(self, images: UInt8, prompt: str = "") -> list[str]:
        """[B, S, S, 3] uint8 -> B sentences, by beam search. ModelError where `info.can_caption` is false."""
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
