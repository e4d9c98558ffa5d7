"""The text decoder of MaMMUT: one set of weights, two passes (METHODS section 2.1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rsvlm_core.model.config import TextConfig


class Attention(nn.Module):
    """Multi-head attention of queries over keys and values."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.q, self.k = nn.Linear(width, width), nn.Linear(width, width)
        self.v, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None) -> Tensor:
        """X [B, L, W], context [B, N, W], mask bool broadcastable to [B, heads, L, N], True = may look -> [B, L, W]."""
        b, n, w = x.shape

        def split(t: Tensor) -> Tensor:
            return t.view(b, -1, self.heads, w // self.heads).transpose(1, 2)

        y = F.scaled_dot_product_attention(
            split(self.q(x)),
            split(self.k(context)),
            split(self.v(context)),
            attn_mask=mask,
            dropout_p=self.dropout if self.training else 0.0,
        )
        out: Tensor = self.out(y.transpose(1, 2).reshape(b, n, w))
        return out


class DecoderBlock(nn.Module):
    """Self-attention, optional gated cross-attention, feed-forward; norms before ("pre") or after ("post").

    The cross-attention's gate starts at zero, so a pretrained text space is undisturbed at the start.
    """

    def __init__(self, cfg: TextConfig, cross: bool) -> None:
        super().__init__()
        self.post = cfg.norm == "post"
        hidden = int(cfg.width * cfg.mlp_ratio)
        eps = 1e-12 if self.post else 1e-5
        self.attn = Attention(cfg.width, cfg.heads, cfg.dropout)
        self.ln_1, self.ln_2 = nn.LayerNorm(cfg.width, eps), nn.LayerNorm(cfg.width, eps)
        self.up, self.down = nn.Linear(cfg.width, hidden), nn.Linear(hidden, cfg.width)
        self.drop = nn.Dropout(cfg.dropout)
        self.cross = Attention(cfg.width, cfg.heads, cfg.dropout) if cross else None
        if cross:
            self.ln_cross = nn.LayerNorm(cfg.width)
            self.gate = nn.Parameter(torch.zeros(1))

    def _mlp(self, x: Tensor) -> Tensor:
        out: Tensor = self.drop(self.down(F.gelu(self.up(x))))
        return out

    def forward(self, x: Tensor, mask: Tensor | None, image: Tensor | None) -> Tensor:
        """X [B, L, W]; `image` [B, N, W] in the captioning pass, None in the contrastive pass."""
        if self.post:
            x = self.ln_1(x + self.drop(self.attn(x, x, mask)))
        else:
            y = self.ln_1(x)
            x = x + self.drop(self.attn(y, y, mask))
        if self.cross is not None and image is not None:
            x = x + self.gate * self.drop(self.cross(self.ln_cross(x), image, None))
        return self.ln_2(x + self._mlp(x)) if self.post else x + self._mlp(self.ln_2(x))


def sincos_2d(h: int, w: int, width: int, device: torch.device) -> Tensor:
    """Fixed positions [h*w, width] of a token grid, coordinates scaled to 0..1 so that any grid size fits."""
    quarter = width // 4
    freq = torch.exp(torch.arange(quarter, device=device) * (-6.0 / max(quarter, 1))) * 64.0

    def axis(n: int) -> Tensor:
        angle = ((torch.arange(n, device=device) + 0.5) / n)[:, None] * freq
        return torch.cat([angle.sin(), angle.cos()], dim=1)

    rows = axis(h)[:, None].expand(h, w, 2 * quarter)
    cols = axis(w)[None].expand(h, w, 2 * quarter)
    table = torch.cat([rows, cols], dim=-1).reshape(h * w, 4 * quarter)
    return F.pad(table, (0, width - 4 * quarter))


class TextDecoder(nn.Module):
    """Token ids -> a text vector (contrastive pass) or next-token logits given an image (captioning pass).

    Args:
        cfg: The configuration.
        embed_dim: Width D of the joint space.
        image_width: Width of the image tokens.
    """

    def __init__(self, cfg: TextConfig, embed_dim: int, image_width: int) -> None:
        super().__init__()
        self.cfg = cfg
        self.token = nn.Embedding(cfg.vocab_size, cfg.width)
        self.position = nn.Parameter(torch.empty(cfg.context_length, cfg.width).normal_(std=0.02))
        nn.init.normal_(self.token.weight, std=0.02)
        post = cfg.norm == "post"
        self.ln_in = nn.LayerNorm(cfg.width, 1e-12) if post else nn.Identity()
        self.blocks = nn.ModuleList(DecoderBlock(cfg, cross=i % cfg.cross_attn_every == 0) for i in range(cfg.layers))
        self.ln_out = nn.Identity() if post else nn.LayerNorm(cfg.width)
        self.project = nn.Linear(cfg.width, embed_dim, bias=False)
        if cfg.width == embed_dim:
            nn.init.eye_(self.project.weight)  # keeps a pretrained sentence space at the start
        to_width = nn.Linear(image_width, cfg.width)
        nn.init.xavier_uniform_(to_width.weight)
        self.from_image = nn.Sequential(nn.LayerNorm(image_width), to_width)
        self.to_vocab = nn.Sequential(nn.Linear(cfg.width, cfg.width), nn.GELU(), nn.LayerNorm(cfg.width))
        self.vocab_bias = nn.Parameter(torch.zeros(cfg.vocab_size))

    def _embed(self, ids: Tensor) -> Tensor:
        x = self.token(ids) + self.position[: ids.shape[1]]
        out: Tensor = self.ln_in(x)
        return out

    def sentence(self, ids: Tensor, valid: Tensor) -> Tensor:
        """Contrastive pass up to the pooled vector: bidirectional, padding masked, masked mean.

        Args:
            ids: [B, L] int64.
            valid: [B, L] bool, True up to and including the end token.

        Returns:
            [B, width], before the joint head, not normalised.
        """
        x = self._embed(ids)
        mask = valid[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask, None)
        weight = valid.unsqueeze(-1).to(x.dtype)
        pooled: Tensor = (self.ln_out(x) * weight).sum(1) / weight.sum(1)
        return pooled

    def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
        """Contrastive pass: [B, L] ids -> unit-norm [B, D] float32."""
        return F.normalize(self.project(self.sentence(ids, valid)).float(), dim=-1)

    def image_context(self, tokens: Tensor) -> Tensor:
        """Image tokens [B, h, w, image_width] -> keys and values [B, h*w, width] with 2-D positions."""
        _, h, w, _ = tokens.shape
        kv: Tensor = self.from_image(tokens.flatten(1, 2))
        return kv + sincos_2d(h, w, kv.shape[-1], kv.device).to(kv.dtype)

    def next_tokens(self, ids: Tensor, valid: Tensor, context: Tensor) -> Tensor:
        """Captioning pass: causal, cross-attention on.

        Args:
            ids: [B, L] int64.
            valid: [B, L] bool.
            context: [B, N, width] from `image_context`.

        Returns:
            [B, L, vocab] logits; position l predicts token l + 1.
        """
        x = self._embed(ids)
        length = ids.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=ids.device).tril()
        # Position 0 is always valid, so every row can look somewhere.
        mask = causal[None, None] & valid[:, None, None, :]
        for block in self.blocks:
            x = block(x, mask, context)
        out: Tensor = F.linear(
            self.to_vocab(self.ln_out(x)), self.token.weight.to(x.dtype), self.vocab_bias.to(x.dtype)
        )
        return out
