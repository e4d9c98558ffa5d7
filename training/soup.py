"""Average the weights of runs that began at the same place: `python -m training.soup RUN RUN … --out DIR`.

Two points of one run, or of its start and its end, are WiSE-FT; runs of other seeds or settings are a model soup
(METHODS 6.6). Weights that learnt apart from a common start mostly lie in one basin, where their average can be better
than each of them; docs/results.md has what it gave here. The result is a run's folder
that `training.pretrain --resume` goes on from, with the stage that comes next, and that `training.export` takes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rsvlm_core.errors import RsvlmError, UsageError
from rsvlm_core.model.tokenizer import load_tokenizer
from rsvlm_core.scratch import write_text
from training.export import load_run
from training.recipe import Recipe
from training.runs import STATE, copy_words
from training.state import save_state
from training.validation import Validation, validate

Weights = Mapping[str, Tensor]
SHARES = (0.15, 0.3, 0.5)  # that `choose` tries of every further run


def mix(states: Sequence[Weights], shares: Sequence[float]) -> dict[str, Tensor]:
    """Weighted average of state dicts; what is no floating-point number, or the same in all, is the first's.

    Args:
        states: Of one shape.
        shares: One for each; they are divided by their sum.

    Raises:
        UsageError: Not as many shares as states, shares that sum to nothing, or states of different models.
    """
    if len(states) != len(shares) or not states or not sum(shares) > 0:
        raise UsageError("Give one share for each run; they may not sum to nothing.", "For example: --shares 0.3 0.7")
    first = states[0]
    shapes = [{k: tuple(v.shape) for k, v in state.items()} for state in states]
    if any(s != shapes[0] for s in shapes):
        raise UsageError("The runs are of different models and have no average.")
    total = float(sum(shares))
    # Weights that were frozen stay the very same, so that features cached of them are found again.
    learnt = {k for k, v in first.items() if any(not torch.equal(s[k], v) for s in states)}
    return {
        k: torch.stack([s[k].double() * (w / total) for s, w in zip(states, shares, strict=True)]).sum(0).to(v.dtype)
        if v.dtype.is_floating_point and k in learnt
        else v.clone()
        for k, v in first.items()
    }


def choose(
    states: Sequence[Weights], score: Callable[[Weights], float]
) -> tuple[dict[str, Tensor], list[float], float]:
    """Greedy soup: from the best run on, a share of every other is taken where that raises the score.

    Returns:
        The average, the share of each run in it, its score.
    """
    scores = [score(s) for s in states]
    order = sorted(range(len(states)), key=lambda i: -scores[i])
    shares = [float(i == order[0]) for i in range(len(states))]
    best, top = mix(states, shares), scores[order[0]]
    for i in order[1:]:
        tried = []
        for share in SHARES:
            new = [(1 - share) * s + share * float(i == j) for j, s in enumerate(shares)]
            tried.append((score(mix(states, new)), new))
        found, new = max(tried, key=lambda t: t[0])
        if found > top:
            best, top, shares = mix(states, new), found, new
    return best, shares, top


def cook(runs: Sequence[Path], out: Path, shares: Sequence[float] | None, choosing: bool) -> dict[str, Any]:
    """Write the averaged run; see the module's docstring.

    Args:
        runs: Folders of runs, at the same stage of the same curriculum.
        out: Folder of the result.
        shares: One for each run; None for equal ones.
        choosing: Choose the shares by mean recall on the first run's validation shards instead.

    Returns:
        What is written of it to `soup.json`.

    Raises:
        UsageError: Different models, vocabularies or stages; an output that is there; no validation to choose by.
    """
    if (out / STATE).exists():
        raise UsageError(f"{out} holds a run already.", "Name another folder.")
    loaded = [load_run(run) for run in runs]
    states = [model.state_dict() for model, _ in loaded]
    first, state = loaded[0]
    for run, (_, other) in zip(runs[1:], loaded[1:], strict=True):
        if other["stage"] != state["stage"]:
            raise UsageError(f"{run} stands at stage {other['stage']}, {runs[0]} at stage {state['stage']}.")
        if _bytes(run / "tokenizer.json") != _bytes(runs[0] / "tokenizer.json"):
            raise UsageError(f"{run} has another vocabulary than {runs[0]}.")
    told: dict[str, Any] = {"runs": [run.name for run in runs]}
    if choosing:
        recipe = Recipe.from_dict(state["recipe"])
        if not recipe.validation:
            raise UsageError("The recipe names no validation shards.", "Give --shares.")
        tokenizer = load_tokenizer(first.cfg.text.tokenizer, runs[0])
        pairs = Validation(recipe.validation, first.cfg.vision.image_size)

        def score(weights: Weights) -> float:
            found = validate(first, weights, tokenizer, pairs, torch.device("cpu"))["val_mean_recall"]
            print(f"mean recall {found:.2f}", file=sys.stderr, flush=True)
            return found

        average, told["shares"], told["val_mean_recall"] = choose(states, score)
    else:
        told["shares"] = list(shares) if shares else [1 / len(states)] * len(states)
        average = mix(states, told["shares"])
    out.mkdir(parents=True, exist_ok=True)
    copy_words(runs[0], out)
    begun = {"model": average, "average": {k: v.clone() for k, v in average.items()}, "average_updates": 0}
    save_state({**state, **begun, "step": 0, "optimizer": None}, out / STATE)
    write_text(out / "soup.json", json.dumps(told, indent=1) + "\n")
    return told


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m training.soup", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folders of runs")
    parser.add_argument("--out", type=Path, required=True, help="folder of the averaged run")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--shares", nargs="+", type=float, help="one for each run (default: equal)")
    how.add_argument("--choose", action="store_true", help="shares by mean recall on the recipe's validation shards")
    args = parser.parse_args(argv)
    try:
        told = cook(args.runs, args.out, args.shares, args.choose)
    except RsvlmError as error:
        print(f"training.soup: {error}", file=sys.stderr)
        return error.exit_status
    print("  ".join(f"{run.name} {share:.2f}" for run, share in zip(args.runs, told["shares"], strict=True)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
