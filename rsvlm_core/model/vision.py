"""The image tower: a timm trunk or open_clip's ViT, tokens, attention pooling, and a pixel-aligned head."""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rsvlm_core.errors import ModelError
from rsvlm_core.model.config import VisionConfig
from rsvlm_core.model.pooling import AttentionPool


class TimmTrunk(nn.Module):
    """A convolutional timm trunk as maps of several strides.

    Attributes:
        channels: Channels of the last map.
        pyramid_channels: Of the maps of strides 8, 16 and 32.
        stride: Of the last map.
    """

    def __init__(self, name: str, drop_path: float) -> None:
        super().__init__()
        import timm

        net: Any = timm.create_model(name, pretrained=False, num_classes=0, drop_path_rate=drop_path)
        self.net = net
        levels = [(i, f) for i, f in enumerate(net.feature_info) if f["reduction"] in (8, 16, 32)]
        self.indices = [i for i, _ in levels]
        self.pyramid_channels = [int(f["num_chs"]) for _, f in levels]
        self.channels = int(net.num_features)
        self.stride = 32

    # Keys of the part that `upper` computes, in EfficientNet-type trunks: everything behind the stride-16 map.
    UPPER = ("net.blocks.5.", "net.blocks.6.", "net.conv_head.", "net.bn2.")

    def lower(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] -> the map of stride 16, [B, C16, H/16, W/16], of EfficientNet-type trunks."""
        net: Any = self.net
        out: Tensor = net.blocks[:5](net.bn1(net.conv_stem(images)))
        return out

    def upper(self, lower: Tensor) -> Tensor:
        """The map of stride 16 -> the last map, as `forward` gives it."""
        net: Any = self.net
        out: Tensor = net.bn2(net.conv_head(net.blocks[5:](lower)))
        return out

    def forward(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """[B, 3, H, W] -> last map [B, C, H/32, W/32] and maps of strides 8, 16, 32."""
        last, maps = self.net.forward_intermediates(images, indices=self.indices)
        return last, maps


class VitTrunk(nn.Module):
    """open_clip's VisionTransformer as a map of tokens; works on any multiple of the patch size."""

    def __init__(self, cfg: VisionConfig) -> None:
        super().__init__()
        from open_clip.transformer import VisionTransformer

        self.net: Any = VisionTransformer(
            image_size=cfg.image_size,
            patch_size=cfg.patch_size,
            width=cfg.width,
            layers=cfg.layers,
            heads=cfg.width // cfg.head_width,
            mlp_ratio=cfg.mlp_ratio,
            output_dim=cfg.width,
            pool_type="none",
            output_tokens=False,
        )
        self.net.proj = None  # pooling and projection are ours
        self.channels = cfg.width
        self.pyramid_channels: list[int] = [cfg.width]
        self.stride = cfg.patch_size

    def forward(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """[B, 3, H, W] -> map [B, width, H/p, W/p], also as the only pyramid level."""
        net = self.net
        x = net.conv1(images)
        b, c, h, w = x.shape
        x = x.flatten(2).transpose(1, 2)
        cls = net.class_embedding.view(1, 1, -1).expand(b, -1, -1).to(x.dtype)
        x = torch.cat([cls, x], dim=1) + self._positions(h, w).to(x.dtype)
        x = net.ln_post(net.transformer(net.ln_pre(x)))[:, 1:]
        grid = x.transpose(1, 2).reshape(b, c, h, w)
        return grid, [grid]

    def _positions(self, h: int, w: int) -> Tensor:
        """Position table [1 + h*w, width], interpolated where the grid is not the trained one."""
        table = cast(Tensor, self.net.positional_embedding)
        side = int((table.shape[0] - 1) ** 0.5)
        if (h, w) == (side, side):
            return table
        grid = table[1:].T.reshape(1, -1, side, side).float()
        grid = F.interpolate(grid, size=(h, w), mode="bicubic", align_corners=False)
        return torch.cat([table[:1], grid.flatten(2)[0].T.to(table.dtype)])


class DenseHead(nn.Module):
    """Maps of several strides -> the joint space at the finest stride (pixel-level alignment, METHODS section 4)."""

    def __init__(self, channels: list[int], width: int, out_dim: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        joined = width * len(channels)
        self.mix = nn.Sequential(
            nn.Conv2d(joined, joined, 3, padding=1, groups=joined),
            nn.Conv2d(joined, out_dim, 1),
            nn.GELU(),
            nn.Conv2d(out_dim, out_dim, 5, padding=2, groups=out_dim),
            nn.GELU(),
            nn.Conv2d(out_dim, out_dim, 1),
        )

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Maps [B, C_l, h_l, w_l], finest first -> [B, out_dim, h_0, w_0], not normalised."""
        size = maps[0].shape[-2:]
        up = [
            F.interpolate(lateral(m), size=size, mode="bilinear", align_corners=False)
            for lateral, m in zip(self.laterals, maps, strict=True)
        ]
        out: Tensor = self.mix(torch.cat(up, dim=1))
        return out


class VisionTower(nn.Module):
    """Image -> tokens -> pooled vector in the joint space; optionally pixel vectors.

    Args:
        cfg: The configuration.
        embed_dim: Width D of the joint space.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, cfg: VisionConfig, embed_dim: int) -> None:
        super().__init__()
        self.cfg = cfg
        trunk: TimmTrunk | VitTrunk = (
            TimmTrunk(cfg.timm_model_name, cfg.drop_path) if cfg.timm_model_name else VitTrunk(cfg)
        )
        self.trunk = trunk
        width = cfg.token_width or trunk.channels
        self.token_width = width
        self.to_tokens = (
            nn.Sequential(nn.LayerNorm(trunk.channels), nn.Linear(trunk.channels, width))
            if cfg.token_width
            else nn.Identity()
        )
        self.pool = AttentionPool(width, embed_dim, cfg.pool_heads)
        self.dense = DenseHead(trunk.pyramid_channels, cfg.dense_width, embed_dim) if cfg.dense_width else None
        self.register_buffer("mean", torch.tensor(cfg.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(cfg.std).view(1, 3, 1, 1), persistent=False)

    @property
    def dense_stride(self) -> int:
        """Pixels per cell of `pixels`' grid; of the token grid where there is no dense head."""
        return 8 if self.dense is not None and self.cfg.timm_model_name else self.trunk.stride

    def normalise(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] uint8, or float in 0..1, -> normalised float."""
        x = images.float() / 255.0 if images.dtype == torch.uint8 else images
        return (x - self.mean) / self.std

    def grid(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """[B, 3, H, W] normalised -> tokens [B, h, w, token_width] and the trunk's maps."""
        last, maps = self.trunk(images)
        return self.to_tokens(last.permute(0, 2, 3, 1)), maps

    def grid_of_lower(self, lower: Tensor) -> Tensor:
        """Stride-16 maps of the trunk's `lower` part -> tokens [B, h, w, token_width]."""
        tokens: Tensor = self.to_tokens(cast(TimmTrunk, self.trunk).upper(lower).permute(0, 2, 3, 1))
        return tokens

    def grid_of_pooled(self, pooled: Tensor) -> Tensor:
        """Means [B, C, 1, 1] of layer-normalised trunk maps -> their one token, [B, 1, 1, token_width].

        Pooling it gives what pooling all tokens gives while the pooling query is zero.
        """
        norm, linear = cast("tuple[nn.LayerNorm, nn.Linear]", tuple(cast(nn.Sequential, self.to_tokens)))
        token: Tensor = linear(pooled.permute(0, 2, 3, 1) * norm.weight + norm.bias)
        return token

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 3, H, W] normalised -> unit-norm embedding [B, D] float32 and tokens [B, N, token_width]."""
        grid, _ = self.grid(images)
        tokens = grid.flatten(1, 2)
        return F.normalize(self.pool(tokens).float(), dim=-1), tokens

    def smooth(self, images: Tensor, window: int) -> Tensor:
        """[B, 3, H, W] normalised -> unit-norm [B, h, w, D] by Smooth-Attention with `window` tokens."""
        grid, _ = self.grid(images)
        return F.normalize(self.pool.smooth(grid, window), dim=-1)

    def pixels(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] normalised -> unit-norm [B, H/stride, W/stride, D] from the pixel-aligned head.

        Raises:
            ModelError: The model has no such head.
        """
        if self.dense is None:
            raise ModelError("This model has no pixel-aligned head.", "Use the method 'smooth'.")
        _, maps = self.trunk(images)
        return F.normalize(self.dense(maps).permute(0, 2, 3, 1).float(), dim=-1)
