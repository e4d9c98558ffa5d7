"""What a configuration costs to train, computed without training it: `python -m training.footprint --model 800M`.

The model is built on the meta device, one step's forward pass is traced there, and the bytes that autograd would keep
are counted. `--step` also runs one real step, forward and backward, on this machine and reports its time and memory.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from rsvlm_core.errors import RsvlmError
from rsvlm_core.model.config import load_config
from rsvlm_core.model.mammut import Mammut
from training.evaluate.table import show, write_json
from training.losses import multi_positive_info_nce
from training.objective import Passes

GB = 1e9


@dataclass(frozen=True)
class Footprint:
    """Memory of training on one device without sharding, in GB (10^9 bytes).

    Attributes:
        weights_million: Number of weights, millions: vision tower.
        text_million: The same of the text decoder.
        state_gb: Weights, gradients, both AdamW moments and the averaged weights, float32.
        activations_gb_per_pair: What autograd keeps of one pair, both passes.
        pairs_per_80gb: Pairs a chunk of the batch can have on a device of 80 GB; accumulation does the rest.
        forward_gflop_per_pair: Floating-point operations of one pair's forward passes, multiply-adds counted twice.
    """

    weights_million: float
    text_million: float
    state_gb: float
    activations_gb_per_pair: float
    pairs_per_80gb: int
    forward_gflop_per_pair: float


def _inputs(model: Mammut, pairs: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    size, length = model.cfg.vision.image_size, model.cfg.text.context_length
    images = torch.zeros(pairs, 3, size, size, device=device)
    ids = torch.ones(pairs, length, dtype=torch.long, device=device)
    return images, ids, torch.ones_like(ids, dtype=torch.bool)


def footprint(name: str, pairs: int = 4) -> Footprint:
    """Count a configuration's memory and operations on the meta device.

    Args:
        name: Of the configuration.
        pairs: Traced at once; counts grow linearly with it.
    """
    from torch.utils.flop_counter import FlopCounterMode

    meta = torch.device("meta")
    with meta:
        model = Mammut(load_config(name)).train()
    passes = Passes(model)
    weights = {id(p) for p in model.parameters()}
    kept: dict[int, int] = {}
    alive: list[Tensor] = []  # a freed tensor's id could be used again

    def pack(x: Tensor) -> Tensor:
        whole = x if x._base is None else x._base  # a view costs nothing of its own
        if id(whole) not in weights:
            kept[id(whole)] = whole.numel() * whole.element_size()
            alive.append(whole)
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x), FlopCounterMode(display=False) as flops:
        passes(*_inputs(model, pairs, meta), pairs, 0.1)
    counts = model.parameter_counts()
    state = counts["total"] * 4 * 5 / GB
    each = sum(kept.values()) / pairs / GB
    return Footprint(
        counts["vision"] / 1e6, counts["text"] / 1e6, state, each, max(0, int((80 - state) / each)),
        flops.get_total_flops() / pairs / 1e9,
    )  # fmt: skip


def one_step(name: str, pairs: int) -> dict[str, float]:
    """One real forward and backward pass on this machine: seconds, peak memory, loss."""
    torch.manual_seed(0)
    model = Mammut(load_config(name)).train()
    passes = Passes(model)
    images, ids, valid = _inputs(model, pairs, torch.device("cpu"))
    images, ids = torch.rand_like(images), torch.randint(1, model.cfg.text.vocab_size, ids.shape)
    before = time.perf_counter()
    z_image, z_text, _, caption = passes(images, ids, valid, pairs, 0.1)
    eye = torch.eye(pairs)
    contrastive = multi_positive_info_nce(model.logit_scale.exp() * z_image @ z_text.t(), eye, eye)
    (contrastive + caption).backward()
    seconds = time.perf_counter() - before
    norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
    return {
        "pairs": pairs,
        "seconds": round(seconds, 2),
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GB,
        "contrastive": contrastive.item(),
        "caption": caption.item(),
        "gradient_norm": float(norm),
    }


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m training.footprint", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", action="append", required=True, help="a configuration: small, B-16, L-14, 800M")
    parser.add_argument("--step", type=int, metavar="PAIRS", help="also run one real step of so many pairs here")
    parser.add_argument("--json", type=Path, help="write the result here; - is stdout")
    args = parser.parse_args(argv)
    try:
        document: dict[str, object] = {}
        for name in args.model:
            found: dict[str, object] = asdict(footprint(name))
            if args.step:
                found["step"] = one_step(name, args.step)
            document[name] = found
        show(document)
        if args.json:
            write_json(document, args.json)
    except RsvlmError as error:
        print(f"training.footprint: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
