"""Parameter groups, the learning-rate schedule, and weight averaging."""

from __future__ import annotations

import math
import re
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

from training.recipe import Stage

_LEVEL = re.compile(r"(?:blocks|resblocks)\.(\d+)")


def group_of(name: str) -> str:
    """The learning-rate group of a parameter: "trunk", "text", "embedding", "scale" or "new"."""
    if name == "logit_scale" or name.endswith(".gate"):
        return "scale"
    if name.startswith("visual.trunk."):
        return "trunk"
    if name.startswith(("text.token", "text.position", "text.ln_in")):
        return "embedding"
    if name.startswith("text.blocks.") and "cross" not in name:
        return "text"
    return "new"


def level_of(name: str, levels: dict[str, int]) -> int:
    """Levels below the top of its tower: 0 for the last block and what follows it."""
    group = group_of(name)
    found = _LEVEL.search(name)
    if group not in ("trunk", "text"):
        return 0
    if found is None:  # the stem lies below the first block, the head above the last
        return levels[group] + 1 if re.search(r"stem|conv1|bn1|class_emb|positional|ln_pre", name) else 0
    return levels[group] - int(found.group(1))


def parameter_groups(model: nn.Module, stage: Stage) -> list[dict[str, object]]:
    """AdamW groups with `peak` learning rates; frozen parameters stop requiring gradients."""
    named = list(model.named_parameters())
    levels = {
        g: max((int(m.group(1)) for n, _ in named if group_of(n) == g and (m := _LEVEL.search(n))), default=0)
        for g in ("trunk", "text")
    }
    decay = {"trunk": stage.trunk_decay, "text": stage.text_decay}
    found: dict[tuple[float, float], list[Tensor]] = {}
    for name, parameter in named:
        group = group_of(name)
        peak = stage.lr.get(group, 0.0) * decay.get(group, 1.0) ** level_of(name, levels)
        frozen = peak == 0.0 or any(fnmatchcase(name, f"{start}*") for start in stage.freeze)
        parameter.requires_grad_(not frozen)
        if not frozen:
            wd = 0.0 if parameter.ndim < 2 or group in ("scale", "embedding") else stage.weight_decay
            found.setdefault((peak, wd), []).append(parameter)
    return [{"params": ps, "lr": peak, "peak": peak, "weight_decay": wd} for (peak, wd), ps in found.items()]


def schedule(step: int, stage: Stage) -> float:
    """Factor of the peak learning rate: linear warm-up, then cosine to `final_lr`."""
    warm = max(1, round(stage.warmup * stage.steps))
    if step < warm:
        return (step + 1) / warm
    done = (step - warm) / max(1, stage.steps - warm)
    return stage.final_lr + (1 - stage.final_lr) * 0.5 * (1 + math.cos(math.pi * done))


class Average:
    """Exponential moving average of the weights, with warm-up `m_t = min(m, (1 + t) / (10 + t))`."""

    def __init__(self, model: nn.Module) -> None:
        self.state = {k: v.detach().clone() for k, v in model.state_dict().items()}
        self.updates = 0

    @torch.no_grad()
    def update(self, model: nn.Module, decay: float) -> None:
        """Move towards the model; parameters that never learn stay equal to it."""
        m = min(decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        for name, value in model.state_dict().items():
            if value.dtype.is_floating_point:
                self.state[name].lerp_(value.to(self.state[name].dtype), 1 - m)
            else:
                self.state[name].copy_(value)
