"""Model configurations: JSON files in open_clip's style (`embed_dim`, `vision_cfg`, `text_cfg`)."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from rsvlm_core.errors import ModelError

CONFIG_DIR = Path(__file__).resolve().parent / "configs"
# Widths, heads, pixels, words: a file that asks for more is damaged, or means harm.
_MOST, _MOST_LAYERS = 1_000_000, 1000


@dataclass(frozen=True)
class VisionConfig:
    """The image side.

    Attributes:
        image_size: Side in pixels of the image that one embedding sees.
        timm_model_name: A timm trunk; None for open_clip's VisionTransformer with the fields below.
        layers, width, head_width, mlp_ratio, patch_size: The ViT, where there is no timm trunk.
        token_width: Width of the tokens that pooling and cross-attention see; None keeps the trunk's.
        pool_heads: Heads of the attention pooling.
        dense_width: Channels per level of the pixel-aligned head; 0 for none.
        drop_path: Stochastic depth of the trunk while training.
        mean, std: Normalisation of RGB in 0..1.
    """

    image_size: int = 224
    timm_model_name: str | None = None
    layers: int = 12
    width: int = 768
    head_width: int = 64
    mlp_ratio: float = 4.0
    patch_size: int = 16
    token_width: int | None = None
    pool_heads: int = 8
    dense_width: int = 0
    drop_path: float = 0.0
    mean: tuple[float, float, float] = (0.48145466, 0.4578275, 0.40821073)
    std: tuple[float, float, float] = (0.26862954, 0.26130258, 0.27577711)

    @property
    def dense_stride(self) -> int:
        """Pixels per cell of the pixel-aligned head's grid; of the token grid where there is no such head."""
        if self.timm_model_name is None:
            return self.patch_size
        return 8 if self.dense_width else 32


@dataclass(frozen=True)
class TextConfig:
    """The decoder, used in two passes with shared weights.

    Attributes:
        layers, width, heads, mlp_ratio: The transformer.
        context_length: Tokens at most, start and end included.
        vocab_size: Rows of the token embedding, which is also the (tied) vocabulary head.
        norm: "pre" (GPT, CLIP) or "post" (BERT, MiniLM).
        cross_attn_every: M; layers 0, M, 2M, ... have cross-attention in the captioning pass.
        tokenizer: "clip" (open_clip's byte-pair encoding) or "wordpiece" (a tokenizer.json beside the weights).
        dropout: While training.
    """

    layers: int = 12
    width: int = 512
    heads: int = 8
    mlp_ratio: float = 4.0
    context_length: int = 77
    vocab_size: int = 49408
    norm: str = "pre"
    cross_attn_every: int = 2
    tokenizer: str = "clip"
    dropout: float = 0.0


@dataclass(frozen=True)
class MammutConfig:
    """A whole model; `gsd_m` is the range of metres per pixel that it is trained for."""

    embed_dim: int
    vision: VisionConfig = field(default_factory=VisionConfig)
    text: TextConfig = field(default_factory=TextConfig)
    gsd_m: tuple[float, float] = (0.1, 10.0)

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> MammutConfig:
        """Build from open_clip-style JSON; unknown fields are an error, so that a typo cannot hide.

        Raises:
            ModelError: A field is unknown, missing, or of no use.
        """
        try:
            vision: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in raw["vision_cfg"].items()}
            config = cls(
                embed_dim=raw["embed_dim"],
                vision=VisionConfig(**vision),
                text=TextConfig(**raw["text_cfg"]),
                gsd_m=tuple(raw.get("gsd_m", (0.1, 10.0))),
            )
            _check_whole("embed_dim", config.embed_dim, 1)
            low, high = (_check_number("gsd_m", value) for value in config.gsd_m)
            if not 0 < low <= high:
                raise ValueError(f"gsd_m is {low:g} to {high:g}")
            _check(config.vision)
            _check(config.text)
            return config
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ModelError(
                f"The model configuration cannot be used: {error}.", "See rsvlm_core/model/configs."
            ) from None

    def to_dict(self) -> dict[str, Any]:
        """The JSON form that `from_dict` reads."""
        return {
            "embed_dim": self.embed_dim,
            "gsd_m": list(self.gsd_m),
            "vision_cfg": asdict(self.vision),
            "text_cfg": asdict(self.text),
        }


def _check(part: VisionConfig | TextConfig) -> None:
    """Every field has its kind, and a size that a model can have: the file may come from anyone."""
    for field_ in fields(part):
        name, value, usual = field_.name, getattr(part, field_.name), field_.default
        if name in ("timm_model_name", "token_width") and value is None:
            continue
        if isinstance(usual, str) or name == "timm_model_name":
            if not isinstance(value, str):
                raise TypeError(f"{name} must be a text, not {value!r}")
        elif isinstance(usual, tuple):
            if len(value) != len(usual):
                raise ValueError(f"{name} must be {len(usual)} numbers")
            for number in value:
                _check_number(name, number)
        elif isinstance(usual, float):
            _check_number(name, value)
        else:
            _check_whole(name, value, 0 if name == "dense_width" else 1)


def _check_number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise TypeError(f"{name} must be a number, not {value!r}")
    return float(value)


def _check_whole(name: str, value: object, low: int) -> None:
    high = _MOST_LAYERS if name == "layers" else _MOST
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}, not {value!r}")


def list_configs() -> list[str]:
    """Names of the configurations that ship."""
    return sorted(p.stem for p in CONFIG_DIR.glob("*.json"))


def load_config(name_or_path: str | Path) -> MammutConfig:
    """A configuration by its shipped name ("small", "B-16", ...) or by file.

    Raises:
        ModelError: There is no such configuration, or it is malformed.
    """
    path = CONFIG_DIR / f"{name_or_path}.json"
    if not path.is_file():
        path = Path(name_or_path)
    try:
        return MammutConfig.from_dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"No model configuration {name_or_path}: {error}.", f"Known ones: {', '.join(list_configs())}."
        ) from None
