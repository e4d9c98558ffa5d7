"""LAION's openMaMMUT checkpoint layout, reproduced strictly (METHODS section 2.5).

Its weaknesses are kept because its weights were trained with them: padding is attended to and averaged, the text
vector is not projected, some self-attention blocks have no MLP. Our own model is `mammut.Mammut`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rsvlm_core.errors import ModelError
from rsvlm_core.model.checkpoint import read_weights


class SelfBlock(nn.Module):
    """Pre-norm self-attention block; without MLP where the layout leaves it out."""

    def __init__(self, width: int, heads: int, hidden: int, mlp: bool) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        if mlp:
            self.ln_2 = nn.LayerNorm(width)
            self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, hidden), "c_proj": nn.Linear(hidden, width)})
        self.has_mlp = mlp

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """X [B, L, W]; mask [L, L] bool, True = may not look."""
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, attn_mask=mask, need_weights=False)[0]
        return self.feed(x)

    def feed(self, x: Tensor) -> Tensor:
        """The MLP's residual branch, where there is one."""
        if not self.has_mlp:
            return x
        fed: Tensor = x + self.mlp["c_proj"](F.gelu(self.mlp["c_fc"](self.ln_2(x))))
        return fed


class CrossBlock(SelfBlock):
    """Pre-norm cross-attention block with MLP."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__(width, heads, hidden, True)
        self.ln_1_kv = nn.LayerNorm(width)

    def look(self, x: Tensor, image: Tensor) -> Tensor:
        """X [B, L, W] looks at image tokens [B, N, W]."""
        kv = self.ln_1_kv(image)
        return self.feed(x + self.attn(self.ln_1(x), kv, kv, need_weights=False)[0])


class _Vision(nn.Module):
    def __init__(self, cfg: dict[str, Any], embed_dim: int) -> None:
        super().__init__()
        width, patch = cfg["width"], cfg["patch_size"]
        tokens = (cfg["image_size"] // patch) ** 2 + 1
        hidden = int(width * cfg.get("mlp_ratio", 4))
        self.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.positional_embedding = nn.Parameter(torch.empty(tokens, width))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        heads = width // cfg.get("head_width", 64)
        self.transformer = nn.Module()
        self.transformer.resblocks = nn.ModuleList(SelfBlock(width, heads, hidden, True) for _ in range(cfg["layers"]))
        self.proj = nn.Parameter(torch.empty(width, embed_dim))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x = self.conv1(images).flatten(2).transpose(1, 2)
        cls = self.class_embedding.expand(len(x), 1, -1)
        x = self.ln_pre(torch.cat([cls, x], 1) + self.positional_embedding)
        for block in cast(nn.ModuleList, self.transformer.resblocks):
            x = block(x)
        return F.normalize(self.ln_post(x.mean(1)) @ self.proj, dim=-1), x


class _Text(nn.Module):
    def __init__(self, cfg: dict[str, Any]) -> None:
        super().__init__()
        width, layers, ratio = cfg["width"], cfg["layers"], cfg["cross_attn_ratio"]
        hidden = int(width * cfg.get("mlp_ratio", 4))
        self.step = layers // (layers // ratio)
        self.token_embedding = nn.Embedding(cfg["vocab_size"], width)
        self.positional_embedding = nn.Parameter(torch.empty(cfg["context_length"], width))
        self.resblocks = nn.ModuleList(
            SelfBlock(width, cfg["heads"], hidden, cfg.get("has_mlp", True) or i % self.step != 0)
            for i in range(layers)
        )
        self.cross_attn = nn.ModuleList(CrossBlock(width, cfg["heads"], hidden) for _ in range(layers // ratio))
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.empty(width, cfg["vocab_size"]))

    def forward(self, ids: Tensor, image: Tensor | None) -> Tensor:
        x = self.token_embedding(ids) + self.positional_embedding[: ids.shape[1]]
        n = ids.shape[1]
        mask = None if image is None else torch.ones(n, n, dtype=torch.bool, device=ids.device).triu(1)
        for i, block in enumerate(self.resblocks):
            x = block(x, mask)
            if image is not None and i % self.step == 0:
                x = self.cross_attn[i // self.step].look(x, image)  # type: ignore[operator]
        out: Tensor = self.ln_final(x)
        return out


class OpenMammut(nn.Module):
    """The layout's two passes. Build with `load_openmammut`."""

    def __init__(self, cfg: dict[str, Any]) -> None:
        super().__init__()
        vision, text = cfg["vision_cfg"], cfg["text_cfg"]
        if cfg["embed_dim"] != text["width"]:
            raise ModelError(
                "In the openMaMMUT layout embed_dim must equal the text width.", "Check the configuration."
            )
        self.visual = _Vision(vision, cfg["embed_dim"])
        self.text = _Text(text)
        self.map_viz2txt_kv = nn.Parameter(torch.empty(vision["width"], text["width"]))
        self.logit_scale = nn.Parameter(torch.zeros(()))

    def encode_image(self, images: Tensor) -> Tensor:
        """[B, 3, S, S] normalised -> unit-norm [B, D]."""
        pooled: Tensor = self.visual(images)[0]
        return pooled

    def encode_text(self, ids: Tensor) -> Tensor:
        """[B, L] int64 -> unit-norm [B, D]: no mask, mean over all positions, padding included."""
        return F.normalize(self.text(ids, None).mean(1), dim=-1)

    def forward(self, images: Tensor, ids: Tensor) -> dict[str, Tensor]:
        """Both passes: image_features, text_features, logits [B, L-1, vocab], labels [B, L-1], logit_scale."""
        pooled, tokens = self.visual(images)
        hidden = self.text(ids[:, :-1], tokens @ self.map_viz2txt_kv)
        return {
            "image_features": pooled,
            "text_features": self.encode_text(ids),
            "logits": hidden @ self.text.text_projection,
            "labels": ids[:, 1:],
            "logit_scale": self.logit_scale.exp(),
        }


def load_openmammut(config: Path, weights: Path) -> OpenMammut:
    """A model in the layout, eval mode, float32.

    Args:
        config: open_clip-style JSON.
        weights: safetensors state dict; a leading `module.` is stripped.

    Raises:
        ModelError: A file cannot be read or they do not fit each other.
    """
    try:
        cfg = json.loads(config.read_text("utf-8"))
        model = OpenMammut(cfg)
    except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise ModelError(
            f"The openMaMMUT configuration {config} cannot be used: {error}.",
            "Compare it with the layout in docs/method.md.",
        ) from None
    state = {k.removeprefix("module."): v for k, v in read_weights(weights).items()}
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(
            f"The weights {weights} do not have the openMaMMUT layout: {error}.",
            "Check that config and weights belong together.",
        ) from None
    return model.eval().requires_grad_(False)
