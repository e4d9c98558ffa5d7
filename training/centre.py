"""Centre a run's image vectors: `python -m training.centre RUN --images SHARDS… --out DIR [--share 1] [--sample N]`.

The mean image vector of a training set is what all its images have in common, and says nothing of any one of them; a
text that lies along it comes up for every image (a hub). Taking the mean away is a known cure (Suzuki et al., EMNLP
2013, "Centering similarity measures to reduce hubs"). Here it is taken from the bias of the layer that ends the
pooling, so that the model stays one of the same form and speed, and maps of its tokens move with it
(docs/results.md has what it gave). The result is a run's folder that `training.export` takes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rsvlm_core.errors import RsvlmError, UsageError
from rsvlm_core.model.mammut import Mammut
from rsvlm_core.settings import cache_dir
from training.bank import ImageBank
from training.export import load_run
from training.recipe import SetSpec
from training.runs import STATE, copy_words
from training.state import save_state

BIAS = "visual.pool.out.bias"


@torch.no_grad()
def mean_vector(model: Mammut, images: np.ndarray, batch: int = 32) -> Tensor:
    """The mean of what comes out of the image pooling, before it is brought to unit norm.

    Args:
        model: In eval mode.
        images: [N, S, S, 3] uint8.
        batch: Images seen at once.

    Returns:
        [D] float32.
    """
    total = torch.zeros(model.visual.pool.out.bias.shape)
    for first in range(0, len(images), batch):
        x = torch.from_numpy(np.ascontiguousarray(images[first : first + batch])).permute(0, 3, 1, 2)
        grid, _ = model.visual.grid(model.visual.normalise(x))
        total += model.visual.pool(grid.flatten(1, 2)).float().sum(0)
    return total / len(images)


def centre(run: Path, images: Sequence[str], out: Path, share: float = 1.0, sample: int = 1000, seed: int = 0) -> float:
    """Write the centred run; see the module's docstring.

    Args:
        run: Folder of a run.
        images: Shards of training images, as recipes name them.
        out: Folder of the result.
        share: Of the mean that is taken away.
        sample: Images at most, drawn from all.
        seed: Of the draw.

    Returns:
        Length of the mean vector, before unit norm.

    Raises:
        UsageError: An output that is there.
        DataError: Shards that are missing, damaged or empty.
    """
    if (out / STATE).exists():
        raise UsageError(f"{out} holds a run already.", "Name another folder.")
    model, state = load_run(run)
    bank = ImageBank(SetSpec(images, size=model.cfg.vision.image_size), cache_dir() / "banks")
    drawn = np.sort(np.random.default_rng(seed).permutation(len(bank))[:sample])
    mean = mean_vector(model, bank.images[drawn])
    for weights in (state["model"], state["average"]):
        weights[BIAS] = weights[BIAS] - (share * mean).to(weights[BIAS].dtype)
    out.mkdir(parents=True, exist_ok=True)
    copy_words(run, out)
    state["centred"] = {"images": len(drawn), "share": share}
    save_state({**state, "optimizer": None}, out / STATE)
    return float(mean.norm())


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m training.centre", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run")
    parser.add_argument("--images", nargs="+", required=True, help="shards of training images")
    parser.add_argument("--out", type=Path, required=True, help="folder of the centred run")
    parser.add_argument("--share", type=float, default=1.0, help="of the mean that is taken away (default: 1)")
    parser.add_argument("--sample", type=int, default=1000, help="images at most (default: 1000)")
    args = parser.parse_args(argv)
    try:
        length = centre(args.run, args.images, args.out, args.share, args.sample)
    except RsvlmError as error:
        print(f"training.centre: {error}", file=sys.stderr)
        return error.exit_status
    print(f"{args.out}: {args.share:g} of the mean vector, of length {length:.2f}, taken away")
    return 0


if __name__ == "__main__":
    sys.exit(main())
