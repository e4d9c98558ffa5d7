"""Training-free edits of a vision transformer's last attention layer, for patch features in the text space.

An edit changes *which tokens mix*; Smooth-Attention (`smooth.py`) changes *how tokens are pooled into the text space*.
Both compose here for any `open_clip.transformer.VisionTransformer`: tokens -> edit -> Smooth-Attention -> projection ->
unit norm. The methods are those of their papers, as far as they concern the last layer:

| edit | weights of the last attention layer | residual and MLP |
|---|---|---|
| `tokens` | as trained: plain patch similarity | kept |
| `pooling` | as trained, the class token's own attention inside a window: exact Smooth-Attention | of the class token |
| `maskclip` | identity | dropped |
| `sclip` | softmax(QQ') + softmax(KK') | kept |
| `clearclip` | softmax(QQ') | dropped |
| `naclip` | softmax(KK' + G), G a Gaussian bump around each patch | dropped |
| `segearth` | softmax(QQ') + softmax(KK') + softmax(VV') | dropped |
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from rsvlm_core.errors import ModelError
from rsvlm_core.localize.methods import EDITS
from rsvlm_core.localize.smooth import smooth_attention

_KEEP_RESIDUAL = ("sclip",)
GLOBAL_BIAS = 0.3  # SegEarth-OV's lambda


def patch_features(
    vit: Any,
    images: Tensor,
    edit: str = "pooling",
    window: int = 1,
    *,
    iterations: int = 1,
    class_token: bool = False,
    std: float = 5.0,
) -> Tensor:
    """Patch features of an open_clip vision transformer, in the space of its texts.

    Args:
        vit: `open_clip.transformer.VisionTransformer` with any of its poolings (class token, average, attentional).
        images: [B, 3, H, W], normalised as the model wants; H and W multiples of the patch size. Sizes other than
            the trained one interpolate the positional embedding.
        edit: One of `EDITS`.
        window: Odd side of the Smooth-Attention window in tokens; 1 for none.
        iterations: Of Smooth-Attention.
        class_token: Whether the class token takes part in every window. With `edit="pooling"` and a window over the
            whole grid this gives the model's global embedding exactly; without it maps are cleaner. Models that pool
            by average have no class token in the pooling and ignore it.
        std: Width of NACLIP's bump in tokens.

    Returns:
        [B, h, w, D] float32, unit norm.

    Raises:
        ModelError: The tower is built in a way that these edits do not know.
        ValueError: Unknown edit.
    """
    if edit not in EDITS:
        raise ValueError(f"edit must be one of {', '.join(EDITS)}, not {edit!r}")
    tokens, grid = _embed(vit, images)
    *body, last = vit.transformer.resblocks
    for block in body:
        tokens = block(tokens)
    if edit == "tokens" or (edit == "pooling" and not _pools_by_class_token(vit)):
        return _pool_windows(vit, last(tokens), grid, edit, window, iterations, class_token)

    q, k, v = _qkv(last, tokens)  # [B, heads, L, dh] each, class token first
    if edit == "pooling":
        mixed = v
    else:
        mixed = _weights(edit, q, k, v, grid, std) @ v
    # The trained pooling of these towers is the class token's row of this layer.
    scale = q.shape[-1] ** -0.5
    pooled = _windowed(q[:, :, :1] @ k.transpose(-1, -2) * scale, mixed, grid, window, iterations, class_token)
    out = F.linear(pooled, last.attn.out_proj.weight.float(), last.attn.out_proj.bias.float())
    if edit == "pooling":
        out = _finish(last, tokens[:, :1].float(), out)
    elif edit in _KEEP_RESIDUAL:
        out = _finish(last, tokens[:, 1:].float(), out)
    return _project(vit, vit.ln_post(out), grid)


def edited_tokens(vit: Any, images: Tensor, edit: str, std: float = 5.0) -> Tensor:
    """Patch tokens after an edited last layer and the tower's final norm, before any pooling or projection.

    For towers whose pooling is their own, not open_clip's.

    Args:
        vit: `open_clip.transformer.VisionTransformer`.
        images: [B, 3, H, W], normalised.
        edit: One of `EDITS` that edits: not "tokens" or "pooling".
        std: Width of NACLIP's bump in tokens.

    Returns:
        [B, h, w, width] float32.

    Raises:
        ModelError: The tower is built in a way that these edits do not know.
        ValueError: No edit.
    """
    if edit not in EDITS or edit in ("tokens", "pooling"):
        raise ValueError(f"{edit!r} is no edit of the last layer")
    tokens, grid = _embed(vit, images)
    *body, last = vit.transformer.resblocks
    for block in body:
        tokens = block(tokens)
    q, k, v = _qkv(last, tokens)
    mixed = (_weights(edit, q, k, v, grid, std) @ v).transpose(1, 2).flatten(2)
    out = F.linear(mixed, last.attn.out_proj.weight.float(), last.attn.out_proj.bias.float())
    if edit in _KEEP_RESIDUAL:
        out = _finish(last, tokens.float(), out)
    patches: Tensor = vit.ln_post(out)[:, 1:]
    return patches.reshape(len(images), *grid, -1)


def subtract_global_bias(scores: Tensor, global_scores: Tensor, share: float = GLOBAL_BIAS) -> Tensor:
    """Take the image-level score out of every patch (SegEarth-OV): `score_c(i, j) - share * <z_global, t_c>`.

    Args:
        scores: [B, h, w, T] cosines of patches.
        global_scores: [B, T] cosines of the whole image.
        share: lambda.

    Returns:
        [B, h, w, T].
    """
    return scores - share * global_scores[:, None, None, :]


def affinity_step(features: Tensor, values: Tensor, temperature: float = 0.07, std: float = 5.0) -> Tensor:
    """The analogue of these edits for towers without self-attention (a reconstruction, not from a paper).

    `v <- A v` with `A = softmax_q(cos(f_p, f_q) / temperature + G_pq)` and G a Gaussian bump around each token.

    Args:
        features: [B, C, h, w] what similarity is measured in.
        values: [B, heads, dh, h, w] what is mixed.
        temperature: Lower mixes fewer, more similar tokens.
        std: Width of the bump in tokens.

    Returns:
        [B, heads, dh, h, w] float32. Memory grows with (h w)^2: meant for windows of some 32 x 32 tokens.
    """
    b, heads, dh, h, w = values.shape
    f = F.normalize(features.float().flatten(2), dim=1)
    weights = torch.softmax(f.transpose(1, 2) @ f / temperature + _bump((h, w), std, f.device), dim=-1)
    return torch.einsum("bpq,bnq->bnp", weights, values.float().reshape(b, heads * dh, h * w)).reshape(values.shape)


def _embed(vit: Any, images: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """Tokens [B, 1 + h w, width] before the first block, and the grid (h, w)."""
    ph, pw = vit.patch_size
    if images.shape[-2] % ph or images.shape[-1] % pw:
        raise ValueError(f"sides must be multiples of the patch size {ph} x {pw}, not {tuple(images.shape[-2:])}")
    x = vit.conv1(images.to(vit.conv1.weight.dtype))
    h, w = x.shape[-2:]
    x = x.flatten(2).transpose(1, 2)
    place = vit.positional_embedding.to(x.dtype)
    if (h, w) != tuple(vit.grid_size):
        gh, gw = vit.grid_size
        patches = place[1:].reshape(1, gh, gw, -1).permute(0, 3, 1, 2).float()
        patches = F.interpolate(patches, (h, w), mode="bicubic", align_corners=False, antialias=False)
        place = torch.cat([place[:1], patches[0].flatten(1).T.to(x.dtype)])
    first = vit.class_embedding.to(x.dtype).expand(x.shape[0], 1, -1)
    return vit.ln_pre(torch.cat([first, x], dim=1) + place), (h, w)


def _pools_by_class_token(vit: Any) -> bool:
    return vit.attn_pool is None and vit.pool_type == "tok"


def _qkv(block: Any, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys, values of a block, [B, heads, L, dh] float32."""
    attention = block.attn
    weight = getattr(attention, "in_proj_weight", None)
    special = getattr(attention, "logit_scale", None) is not None or getattr(attention, "head_scale", None) is not None
    inner = getattr(attention, "ln_inner", None)
    if weight is None or special or not (inner is None or isinstance(inner, torch.nn.Identity)):
        raise ModelError(
            "This model's attention layer is of a kind that attention edits do not know.",
            "Choose method 'smooth' or 'attention'.",
        )
    bias = attention.in_proj_bias
    qkv = F.linear(block.ln_1(tokens).float(), weight.float(), None if bias is None else bias.float())
    b, n, _ = qkv.shape
    q, k, v = (part.reshape(b, n, attention.num_heads, -1).transpose(1, 2) for part in qkv.chunk(3, dim=-1))
    if hasattr(attention, "ln_q"):
        q, k = attention.ln_q(q), attention.ln_k(k)
    return q, k, v


def _weights(edit: str, q: Tensor, k: Tensor, v: Tensor, grid: tuple[int, int], std: float) -> Tensor:
    """[B, heads, L, L] attention weights of an edit."""
    scale = q.shape[-1] ** -0.5

    def self_self(x: Tensor) -> Tensor:
        return torch.softmax(x @ x.transpose(-1, -2) * scale, dim=-1)

    if edit == "maskclip":
        return torch.eye(q.shape[2], device=q.device).expand(*q.shape[:2], -1, -1)
    if edit == "sclip":
        return self_self(q) + self_self(k)
    if edit == "clearclip":
        return self_self(q)
    if edit == "segearth":
        return self_self(q) + self_self(k) + self_self(v)
    bump = F.pad(_bump(grid, std, q.device), (1, 0, 1, 0))  # zero towards and from the class token
    return torch.softmax(k @ k.transpose(-1, -2) * scale + bump, dim=-1)


def _bump(grid: tuple[int, int], std: float, device: torch.device) -> Tensor:
    """[h w, h w]: exp(-distance^2 / 2 std^2) between tokens."""
    h, w = grid
    rows, cols = torch.meshgrid(torch.arange(h, device=device), torch.arange(w, device=device), indexing="ij")
    at = torch.stack([rows.flatten(), cols.flatten()], dim=1).float()
    return torch.exp(-torch.cdist(at, at).square() / (2 * std**2))


def _windowed(
    logits: Tensor, values: Tensor, grid: tuple[int, int], window: int, iterations: int, class_token: bool
) -> Tensor:
    """Smooth-Attention over tokens with the class token first.

    Args:
        logits: [B, heads, 1, 1 + h w] pooling logits.
        values: [B, heads, 1 + h w, dh].
        grid: (h, w).
        window: Odd side in tokens.
        iterations: Of both filters.
        class_token: Whether it joins every window.

    Returns:
        [B, h w, heads * dh] float32.
    """
    b, heads, _, dh = values.shape
    h, w = grid
    s = logits[:, :, 0, 1:].float().reshape(b, heads, h, w)
    v = values[:, :, 1:].float().transpose(2, 3).reshape(b, heads, dh, h, w)
    z = smooth_attention(s, v, window, iterations).reshape(b, heads, dh, h * w).transpose(2, 3)
    if class_token:
        mass = _window_log_mass(s, window, iterations).reshape(b, heads, h * w)
        share = torch.sigmoid(logits[:, :, 0, :1].float() - mass)[..., None]
        z = share * values[:, :, :1].float() + (1 - share) * z
    return z.transpose(1, 2).reshape(b, h * w, heads * dh)


def _window_log_mass(s: Tensor, window: int, iterations: int) -> Tensor:
    """[B, heads, h, w]: log of the summed weights in each window, against which the class token's weight counts."""
    if window == 1:
        return s
    top = s.amax(dim=(-2, -1), keepdim=True)
    mass = torch.exp((s - top).clamp(min=-50.0))
    h, w = s.shape[-2:]
    kh, kw = min(window, 2 * h - 1), min(window, 2 * w - 1)
    for _ in range(iterations):
        mass = F.avg_pool2d(mass, (kh, kw), stride=1, padding=(kh // 2, kw // 2)) * (kh * kw)
    if iterations > 1:  # a tapered window counts as one that is as heavy as its centre
        mass = mass / (kh * kw) ** (iterations - 1)
    return torch.log(mass) + top


def _finish(block: Any, residual: Tensor, attended: Tensor) -> Tensor:
    """The rest of a block after its attention: residual, layer scales, MLP."""
    attended = getattr(block, "ln_attn", torch.nn.Identity())(attended)
    x = residual + block.ls_1(attended)
    return x + block.ls_2(block.mlp(block.ln_2(x)))  # type: ignore[no-any-return]


def _pool_windows(
    vit: Any, tokens: Tensor, grid: tuple[int, int], edit: str, window: int, iterations: int, class_token: bool
) -> Tensor:
    """Finished tokens [B, 1 + h w, width] -> features; windows use the tower's own pooling after the last block."""
    b, (h, w) = tokens.shape[0], grid
    if vit.attn_pool is not None and getattr(vit, "attn_pool_contrastive", None) is not None:
        raise ModelError(
            "This model pools by two attention poolers, for which no patch features are known.", "Use another model."
        )
    if vit.attn_pool is not None:
        pool = vit.attn_pool
        attention = pool.attn
        dh = attention.head_dim
        x = pool.ln_k(tokens).float()
        width = attention.embed_dim
        if attention._qkv_same_embed_dim:
            wq, wk, wv = attention.in_proj_weight.float().chunk(3)
        else:
            wq, wk, wv = (getattr(attention, f"{n}_proj_weight").float() for n in "qkv")
        bq, bk, bv = attention.in_proj_bias.float().chunk(3)
        q = F.linear(pool.ln_q(pool.query[:1]).float(), wq, bq).reshape(1, attention.num_heads, 1, dh)
        k = F.linear(x, wk, bk).reshape(b, -1, attention.num_heads, dh).transpose(1, 2)
        v = F.linear(x, wv, bv).reshape(b, -1, attention.num_heads, dh).transpose(1, 2)
        z = _windowed(q @ k.transpose(-1, -2) / math.sqrt(dh), v, grid, window, iterations, class_token)
        assert z.shape[-1] == width
        return _project(vit, vit.ln_post(attention.out_proj(z)), grid)
    # Average pooling, and plain tokens: every token counts alike, so the window is a mean of tokens.
    if not vit.final_ln_after_pool:
        tokens = vit.ln_post(tokens)
    patches = tokens[:, 1:].float().transpose(1, 2).reshape(b, 1, -1, h, w)
    z = smooth_attention(torch.zeros_like(patches[:, :, 0]), patches, window, iterations).flatten(2).transpose(1, 2)
    return _project(vit, vit.ln_post(z) if vit.final_ln_after_pool else z, grid)


def _project(vit: Any, pooled: Tensor, grid: tuple[int, int]) -> Tensor:
    """[B, h w, width] -> [B, h, w, D] unit norm."""
    out = pooled.float() if vit.proj is None else pooled.float() @ vit.proj.float()
    return F.normalize(out, dim=-1).reshape(pooled.shape[0], *grid, -1)
