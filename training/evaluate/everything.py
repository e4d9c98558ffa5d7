"""`python -m training.evaluate all`: one model on every development set, one JSON document and one table."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from rsvlm_core.errors import DataError
from rsvlm_core.model.encoder import Encoder
from rsvlm_core.settings import data_dir

Load = Callable[[str | None, str], Encoder]
Document = dict[str, Any]

# What each set measures: the command as a user would type it (paths relative to the data folder), and the keys shown.
# Nothing here was trained on except where the name says so.
SETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "RSICD val, retrieval": ("retrieval --images rsicd/val-000.tar", ("mean_recall", "i2t_r1", "t2i_r1")),
    "RSICD val, 31 scene names (seen in training)": ("classify --images rsicd/val-000.tar", ("top1",)),
    "Sentinel-2, fold 0 of places (seen unless left out)": (
        "classify --images sentinel2/train-000.tar --fold 0/5", ("top1",)),
    "Harvey, fold 0 of places (seen unless left out)": (
        "classify --images harvey/train-000.tar --fold 0/5", ("top1",)),
    "RSICD val, captions": ("caption --images rsicd/val-000.tar", ("bleu4", "cider_d")),
    "Barnarp, building": (
        "segment --images seg_buildings/dev.tar --text building --gsd 0.16", ("iou", "average_precision")),
    "ETH CIL, road": ("segment --images seg_roads/dev.tar --text road --gsd 1.0", ("iou", "average_precision")),
    "maps, road water park": (
        "segment --images maps/dev.tar --text road --text water --text park --gsd 1.2", ("miou", "iou_per_text")),
}


def add(commands: Any, name: str, parser: Callable[[], argparse.ArgumentParser]) -> None:
    """Add the command to a parser; `parser` gives the whole command line, whose commands this one runs."""
    about = "A model on every development set of RSVLM_DATA, one after the other; missing sets are said and left out."
    made = commands.add_parser(name, help=about, description=about)
    made.add_argument("--model", default=None, metavar="M", help="default: the bundled model")
    made.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")
    made.add_argument("--only", action="append", metavar="WORD", help="sets whose name contains this word")
    made.add_argument("--json", type=Path, default=None, metavar="OUT", help="write the result here; - is stdout")
    made.set_defaults(run=lambda args, load: run(args, load, parser()))


def run(args: argparse.Namespace, load: Load, whole: argparse.ArgumentParser) -> Document:
    """Every set's document by name, and under `summary` the numbers that matter.

    Raises:
        DataError: None of the sets is there.
    """
    once = lru_cache(maxsize=1)(load)
    root = data_dir() / "data"
    found: Document = {}
    summary: Document = {}
    missing = []
    for name, (command, keys) in SETS.items():
        if args.only and not any(word.lower() in name.lower() for word in args.only):
            continue
        words = [str(root / w) if w.endswith(".tar") else w for w in command.split()]
        if not all(Path(w).exists() for w in words if w.endswith(".tar")):
            missing.append(name)
            continue
        model = ["--model", args.model] if args.model else []
        asked = whole.parse_args([*words, *model, "--device", args.device])
        found[name] = asked.run(asked, once)
        summary[name] = {k: found[name][k] for k in keys if k in found[name]}
    if not found:
        raise DataError(f"No development set lies in {root}.", "Set RSVLM_DATA to the folder that holds data/.")
    return {"summary": summary, "sets": found, "missing": missing}
