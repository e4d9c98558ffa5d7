"""What each part brings: a recipe run with one thing changed a row, every row measured alike.

    python -m training.ablate --config training/configs/ablation.yaml --out runs/ablation

Rows that are finished are not run again. Writes `rows.json` and `table.md`; no number in it comes from anywhere else.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rsvlm_core.errors import RsvlmError, UsageError
from rsvlm_core.model.config import load_config
from rsvlm_core.model.tokenizer import load_tokenizer
from rsvlm_core.scratch import write_text
from training.evaluate import everything
from training.evaluate.commands import parser
from training.evaluate.table import write_json
from training.export import load_run
from training.localize.measure import as_encoder
from training.pretrain import Run
from training.recipe import load_recipe
from training.runs import STATE


@dataclass(frozen=True)
class Plan:
    """Rows of an ablation.

    Attributes:
        base: The recipe.
        overrides: For every row, as for `training.pretrain`.
        rows: Overrides by name of the row; a row without any is the reference.
        only: Words of the sets to measure (`training.evaluate all --only`).
    """

    base: Path
    overrides: Sequence[str]
    rows: dict[str, list[str]]
    only: Sequence[str]


def load_plan(path: Path) -> Plan:
    """Read the YAML file.

    Raises:
        UsageError: It cannot be used.
    """
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
        rows = {str(name): [str(o) for o in overrides or ()] for name, overrides in raw["rows"].items()}
        return Plan(path.parent / raw["base"], raw.get("overrides", []), rows, raw.get("only", []))
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} is no plan of an ablation: {error}.", "See training/configs/ablation.yaml.") from None


def run_row(plan: Plan, name: str, folder: Path) -> dict[str, Any]:
    """Train and measure one row; goes on where an earlier call was stopped."""
    recipe = load_recipe(plan.base, [*plan.overrides, *plan.rows[name], "eval_every=0", "validation=[]"])
    started = time.monotonic()
    Run(recipe, folder, resume=(folder / STATE).is_file()).train()
    seconds = time.monotonic() - started
    model, _ = load_run(folder)
    tokenizer = load_tokenizer(load_config(recipe.model).text.tokenizer, folder)
    encoder = as_encoder(model, tokenizer, recipe.stages[-1].max_scale)
    asked = ["all", *(word for one in plan.only for word in ("--only", one))]
    found = everything.run(parser().parse_args(asked), lambda *_: encoder, parser())
    pairs = sum(s.steps * s.batch for s in recipe.stages)
    return {"overrides": plan.rows[name], "pairs": pairs, "train_seconds": round(seconds), **found["summary"]}


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Markdown: a line a row, a column a number."""
    keys = list(
        dict.fromkeys((s, k) for row in rows.values() for s, v in row.items() if isinstance(v, dict) for k in v)
    )
    lines = ["| row | " + " | ".join(f"{s}: {k}" for s, k in keys) + " |", "|---" * (len(keys) + 1) + "|"]
    for name, row in rows.items():
        lines.append(f"| {name} | " + " | ".join(f"{row.get(s, {}).get(k, float('nan')):.2f}" for s, k in keys) + " |")
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    made = argparse.ArgumentParser(
        prog="python -m training.ablate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--config", type=Path, required=True)
    made.add_argument("--out", type=Path, default=Path("runs/ablation"))
    made.add_argument("--row", action="append", help="only these rows")
    args = made.parse_args(argv)
    try:
        plan = load_plan(args.config)
        unknown = set(args.row or ()) - set(plan.rows)
        if unknown:
            raise UsageError(f"There is no row {', '.join(sorted(unknown))}.", f"Rows: {', '.join(plan.rows)}.")
        args.out.mkdir(parents=True, exist_ok=True)
        kept = args.out / "rows.json"
        done: dict[str, dict[str, Any]] = json.loads(kept.read_text("utf-8")) if kept.is_file() else {}
        for number, name in enumerate(args.row or plan.rows):
            if name not in done:
                print(f"row {number + 1}: {name}", file=sys.stderr, flush=True)
                done[name] = run_row(plan, name, args.out / name.replace(" ", "-").replace("/", "-"))
                write_json(done, kept)
                write_text(args.out / "table.md", table(done))
        print(table(done))
    except RsvlmError as error:
        print(f"training.ablate: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
