"""`python -m training.evaluate.questions`: `vqa` on every labelled set that it is measured on, and the table of them.

Both routes of `rsvlm ask` answer the same questions, half of every kind with either answer. What a set is, and whether
the bundled model has seen it, stands in its name. `--limit 30` is a look; docs/data.md has the table of `--limit 120`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from rsvlm_core.errors import DataError, RsvlmError
from rsvlm_core.model.registry import load_encoder
from rsvlm_core.settings import data_dir
from training.evaluate import commands
from training.evaluate.table import write_json

# The command as a user would type it behind `vqa`, paths relative to the data folder.
SETS: dict[str, str] = {
    "RSICD val": "--images rsicd/val-000.tar",
    "maps dev": "--images maps/dev.tar --mask-words road,water,park --gsd 1.2",
    "Barnarp": "--images seg_buildings/dev.tar --mask-words building --count-words building --gsd 0.16",
    "airports, boxes (seen in training)": "--images boxes/airplane-train.tar",
    "traffic from drones, boxes (seen in training)": "--images boxes/vehicle-train.tar --gsd 0.15",
}
ROUTES = ("program_route", "caption_route")


def measure(model: str | None, device: str, limit: int, only: Sequence[str] = ()) -> dict[str, Any]:
    """Every set's document by name; sets that there are not are named under `missing`.

    Raises:
        DataError: None of them is there.
    """
    once = lru_cache(maxsize=1)(load_encoder)
    root, found, missing = data_dir() / "data", dict[str, Any](), list[str]()
    for name, options in SETS.items():
        if only and not any(word.lower() in name.lower() for word in only):
            continue
        words = [str(root / w) if w.endswith(".tar") else w for w in options.split()]
        if not Path(words[1]).exists():
            missing.append(name)
            continue
        args = commands.parser().parse_args(
            ["vqa", *words, "--limit", str(limit), *(["--model", model] if model else []), "--device", device])
        found[name] = args.run(args, once)
    if not found:
        raise DataError(f"No labelled set lies in {root}.", "Set RSVLM_DATA to the folder that holds data/.")
    return {"limit": limit, "sets": found, "missing": missing}


def table(document: dict[str, Any]) -> str:
    """Kinds of all sets as Markdown: number of questions, percent right by each route, and by the commonest answer."""
    lines = ["| kind | images | questions | program route | caption route | commonest answer |"]
    lines.append("|---|---|---:|---:|---:|---:|")
    for name, one in document["sets"].items():
        first = one[ROUTES[0]]
        for kind, number in sorted(first["questions_per_kind"].items()):
            right = [f"{one[route]['per_kind'][kind]:.1f}" if route in one else "" for route in ROUTES]
            majority = first["baselines"]["majority"][kind]
            lines.append(f"| {kind.replace('_', ' or ')} | {name} | {number} | {' | '.join(right)} | {majority:.1f} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate.questions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", default=None, metavar="M", help="default: the bundled model")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")
    parser.add_argument("--limit", type=int, default=60, metavar="N", help="questions of a set, all kinds alike")
    parser.add_argument("--only", action="append", default=[], metavar="WORD", help="sets with this word in the name")
    parser.add_argument("--json", type=Path, default=None, metavar="OUT", help="write all numbers here")
    args = parser.parse_args(argv)
    try:
        document = measure(args.model, args.device, args.limit, args.only)
        print(table(document))
        if args.json:
            write_json(document, args.json)
    except RsvlmError as error:
        print(f"training.evaluate.questions: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
