"""Fine-tune on your own set and say what it brought: `python -m training.own SET --out runs/town`.

SET is a folder with `train-*.tar` and `test-*.tar`, as `training.build rs_landmarks --test 0.2` makes it: other places
on either side. What this does is `training.pretrain` with a recipe (training/configs/own.yaml), `training.export`, and
the same measurement before and after, on the test places: search by the map's words, and retrieval by the captions.
The run's folder gets `model/` (for `--model`, or `rsvlm models add`) and `before_after.json`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rsvlm_core.errors import DataError, RsvlmError
from rsvlm_core.model.encoder import Encoder
from rsvlm_core.model.registry import load_encoder
from rsvlm_core.settings import weights_dir
from training.evaluate import retrieval, search
from training.evaluate.table import show, write_json
from training.export import export
from training.pretrain import Run
from training.recipe import Recipe, load_recipe
from training.runs import STATE

CONFIG = Path(__file__).resolve().parent / "configs" / "own.yaml"


def measure(encoder: Encoder, shards: Sequence[Path], resamples: int = 500) -> tuple[dict[str, Any], retrieval.Outcome]:
    """Search and retrieval of a model on test shards."""
    captioned = retrieval.from_shards(shards)
    outcome = retrieval.outcome(encoder, captioned)
    recalls = outcome.recalls()
    low, high = outcome.interval(resamples=resamples)
    found = {"mean_recall": recalls["mean_recall"], "mean_recall_95": [low, high], "images": len(captioned.items)}
    try:
        return {"search": search.report(encoder, shards), "retrieval": found}, outcome
    except DataError:  # a set of captions alone
        return {"retrieval": found}, outcome


def fine_tune(
    folder: Path,
    run: Path,
    *,
    start: Path | None = None,
    config: Path = CONFIG,
    overrides: Sequence[str] = (),
    name: str = "own",
) -> dict[str, Any]:
    """Train on a set's training places, export, and measure before and after on its test places.

    A run that was stopped goes on where it was.

    Args:
        folder: Of the set.
        run: Folder of the run.
        start: Folder of the model to start from; None for the bundled one.
        config: Recipe with one set, `mine`.
        overrides: `key=value` for the recipe.
        name: Of the new model.

    Returns:
        What `before_after.json` holds.

    Raises:
        DataError: The set has no test or no training places.
    """
    train, test = (sorted(folder.glob(f"{side}-*.tar")) for side in ("train", "test"))
    if not train or not test:
        raise DataError(f"{folder} has no train-*.tar and test-*.tar.", "Build it with rs_landmarks --test 0.2.")
    begun, weights = time.monotonic(), start or weights_dir()
    recipe: Recipe = load_recipe(
        config,
        [f"sets.mine.shards=['{folder.resolve()}/train-*.tar']", f"init.weights={weights}", f"name={name}", *overrides],
    )
    before, was = measure(load_encoder(str(weights), "cpu"), test)
    Run(recipe, run, resume=(run / STATE).is_file()).train()
    model = run / "model"
    # with graphs, as the bundled one has them: faster on a processor, and usable where there is no torch
    export(
        run,
        model,
        name,
        note=f"Fine-tuned on {folder.name}, starting from another model.",
        onnx=find_spec("onnx") is not None,
    )
    after, now = measure(load_encoder(str(model), "cpu"), test)
    document = {
        "set": folder.name,
        "model": str(model),
        "before": before,
        "after": after,
        "gain": {
            "mean_recall": now.recalls()["mean_recall"] - was.recalls()["mean_recall"],
            "mean_recall_95": list(now.interval(was, 500)),
            **(
                {
                    "mean_average_precision": after["search"]["mean_average_precision"]
                    - before["search"]["mean_average_precision"]
                }
                if "search" in before
                else {}
            ),
        },
        "seconds": round(time.monotonic() - begun, 1),
    }
    write_json(document, run / "before_after.json")
    return document


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m training.own", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("set", type=Path, help="folder with train-*.tar and test-*.tar")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the run")
    parser.add_argument("--start", type=Path, metavar="DIR", help="model to start from (default: the bundled one)")
    parser.add_argument("--config", type=Path, default=CONFIG, help="recipe (default: training/configs/own.yaml)")
    parser.add_argument("--name", default="own", help="the new model's name")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="of the recipe, such as stages.0.steps=100")
    args = parser.parse_intermixed_args(argv)
    try:
        show(
            fine_tune(
                args.set, args.out, start=args.start, config=args.config, overrides=args.overrides, name=args.name
            )
        )
    except RsvlmError as error:
        print(f"training.own: {error}", file=sys.stderr)
        return error.exit_status
    print(f"\nrsvlm search ... --model {args.out / 'model'}\nrsvlm models add {args.name} {args.out / 'model'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
