"""Several processes: DDP copies of the model, or FSDP shards of it; states on disk are always whole."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from rsvlm_core.errors import UsageError
from rsvlm_core.model.mammut import Mammut


def shard(passes: nn.Module, model: Mammut, device: torch.device) -> None:
    """Cut a model's weights over all processes (FSDP2), block by block; `logit_scale` stays whole everywhere.

    Args:
        passes: The module whose forward is called.
        model: The model inside it.
        device: Of this process.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    options: dict[str, Any] = {"mesh": mesh, "ignored_params": {model.logit_scale}}
    trunk = model.visual.trunk
    layers = [m for m in trunk.modules() if type(m).__name__ == "ResidualAttentionBlock"]
    for block in (*layers, *model.text.blocks):
        fully_shard(block, mesh=mesh)
    fully_shard(passes, **options)


def copies(passes: nn.Module, device: torch.device) -> nn.Module:
    """DDP around the module."""
    # logit_scale is used outside the wrapped call, where every process computes the same gradient for it.
    passes._ddp_params_and_buffers_to_ignore = ["model.logit_scale"]  # type: ignore[assignment]
    return nn.parallel.DistributedDataParallel(
        passes, device_ids=[device.index] if device.type == "cuda" else None, find_unused_parameters=True
    )


def check_kind(kind: str) -> None:
    """Raises UsageError for anything but "ddp" and "fsdp"."""
    if kind not in ("ddp", "fsdp"):
        raise UsageError(f"distributed is '{kind}', not ddp or fsdp.")


def whole(value: Any) -> Any:
    """Tensors of a nested state without their shards; every process must call it."""
    if isinstance(value, DTensor):
        return value.full_tensor()
    if isinstance(value, dict):
        return {k: whole(v) for k, v in value.items()}
    if isinstance(value, list):
        return [whole(v) for v in value]
    return value


def like(value: Tensor, pattern: Tensor) -> Tensor:
    """A whole tensor, cut as `pattern` is, and on its device."""
    if isinstance(pattern, DTensor):
        return distribute_tensor(value.to(pattern.device), pattern.device_mesh, pattern.placements)
    return value.to(pattern.device)


def load_whole(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Load whole tensors into a model that may be cut."""
    pattern = model.state_dict()
    model.load_state_dict({k: like(v, pattern[k]) for k, v in state.items()})


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load an optimizer's whole state; moments are cut as their parameters are."""
    parameters = [p for g in optimizer.param_groups for p in g["params"]]
    cut = {
        number: {
            k: like(v, parameters[number]) if isinstance(v, Tensor) and v.shape == parameters[number].shape else v
            for k, v in of_parameter.items()
        }
        for number, of_parameter in state["state"].items()
    }
    optimizer.load_state_dict({**state, "state": cut})
