"""`python -m training.evaluate holdout plan|run|score`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rsvlm_core.errors import DataError, RsvlmError, UsageError
from rsvlm_core.model.encoder import Encoder, Float32
from rsvlm_core.progress import TerminalProgress
from training.data.shards import read_samples
from training.evaluate import holdout
from training.evaluate.classification import TEMPLATE, LabelledSet, prompts, read_labelled
from training.evaluate.images import encode_images
from training.evaluate.table import write_json

Load = Callable[[str | None, str], Encoder]
Document = dict[str, Any]
PLAN, MODEL = "plan.json", "model"


def add(commands: Any, name: str) -> None:
    """Add the command and its three parts to a parser."""
    about = "Classes kept out of training: choose them (plan), train without them (run), compare (score)."
    top = commands.add_parser(name, help=about, description=about)
    parts = top.add_subparsers(required=True, metavar="plan|run|score")

    made = _part(parts, "plan", _plan, "Choose classes; write word lists, numbers removed, and one recipe a draw.",
                 "--images rsicd/train-*.tar --config training/configs/small.yaml --out holdout")
    made.add_argument("--images", nargs="+", required=True, metavar="SHARD", help="the training shards")
    made.add_argument("--config", type=Path, required=True, help="the recipe of the full model")
    made.add_argument("--out", type=Path, required=True, metavar="DIR")
    made.add_argument("--draws", type=int, default=3)
    made.add_argument("--share", type=float, default=0.15, help="of the classes, in each draw")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--group", action="append", choices=sorted(holdout.GROUPS), help="coherent groups; default sport")
    made.add_argument("--strict", action="store_true", help="also remove words for what is in such scenes")

    made = _part(parts, "run", _run, "Train the full model and one without each draw; finished ones are left alone.",
                 "--plan holdout")
    made.add_argument("--plan", type=Path, required=True, metavar="DIR", help="what `plan` wrote")
    made.add_argument("overrides", nargs="*", metavar="key=value", help="for every run, as for training.pretrain")

    made = _part(parts, "score", _score, "Accuracy on held-out and other classes, full model against those without.",
                 "--plan holdout --images rsicd/val-000.tar --json holdout/result.json")
    made.add_argument("--plan", type=Path, required=True, metavar="DIR")
    made.add_argument("--images", nargs="+", required=True, metavar="DIR|TAR", help="labelled test images")
    made.add_argument("--full", metavar="M", help="model trained on everything; default: of `run`, else bundled")
    made.add_argument("--without", nargs="+", metavar="M", help="models in the order of the draws; default: of `run`")
    made.add_argument("--template", default=TEMPLATE)
    made.add_argument("--device", default="auto")
    made.add_argument("--batch", type=int, default=32)


def _part(
    parts: Any, name: str, run: Callable[[argparse.Namespace, Load], Document], about: str, example: str,
) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = parts.add_parser(
        name, help=about, description=about, epilog=f"example:\n  python -m training.evaluate holdout {name} {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.set_defaults(run=run)
    made.add_argument("--json", type=Path, default=None, metavar="OUT", help="write the result here; - is stdout")
    return made


def _plan(args: argparse.Namespace, load: Load) -> Document:
    metas = list(read_samples([Path(p) for p in args.images]))
    classes = sorted({str(s.meta["class"]) for s in metas if s.meta.get("class")})
    if not classes:
        raise DataError("The shards name no classes.", "Give shards whose KEY.json have `class`.")
    found = holdout.plan(classes, args.draws, args.share, args.seed, args.group or ("sport",), args.strict)
    removed = holdout.count_removed(metas, found)
    for h in found:
        holdout.write_recipe(args.config, h, args.out / f"{h.name}.yaml")
    document: Document = {
        "config": str(args.config), "seed": args.seed, "share": args.share, "strict": args.strict,
        "draws": [{**asdict(h), **removed[h.name]} for h in found],
    }
    write_json(document, args.out / PLAN)
    return {**document, "summary": {h.name: {"held_out": ", ".join(h.classes), **removed[h.name]} for h in found}}


def read_plan(folder: Path) -> tuple[Document, list[holdout.Holdout]]:
    """The document that `plan` wrote, and its holdouts.

    Raises:
        DataError: There is none, or it is damaged.
    """
    try:
        document: Document = json.loads((folder / PLAN).read_text("utf-8"))
        draws = [holdout.Holdout(d["name"], tuple(d["classes"]), tuple(d["words"])) for d in document["draws"]]
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise DataError(f"{folder / PLAN} is not a holdout plan ({e}).", "Make one with `holdout plan`.") from e
    return document, draws


def _run(args: argparse.Namespace, load: Load) -> Document:
    document, draws = read_plan(args.plan)
    done = {}
    for name, config in [("full", Path(document["config"])), *((d.name, args.plan / f"{d.name}.yaml") for d in draws)]:
        folder = args.plan / name
        where = ["--resume", str(folder)] if (folder / "state.pt").is_file() else ["--out", str(folder)]
        _call(name, "training.pretrain", "--config", str(config), *where, *args.overrides)
        _call(name, "training.export", str(folder), "--out", str(folder / MODEL))
        done[name] = str(folder / MODEL)
    return {"models": done}


def _call(name: str, module: str, *arguments: str) -> None:
    status = subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode
    if status:
        raise RsvlmError(f"{module} of {name} ended with status {status}.", "Its last lines say why; run again then.")


def _score(args: argparse.Namespace, load: Load) -> Document:
    document, draws = read_plan(args.plan)
    without_models = args.without or [str(args.plan / d.name / MODEL) for d in draws]
    full_model = args.full or (str(args.plan / "full" / MODEL) if (args.plan / "full" / MODEL).is_dir() else None)
    if len(without_models) != len(draws):
        names = ", ".join(d.name for d in draws)
        raise UsageError(f"{len(without_models)} models for {len(draws)} draws.", f"The draws are: {names}.")
    data = read_labelled(args.images)
    texts = prompts(data.classes, args.template)
    z_full = _embed(load(full_model, args.device), data, texts, args.batch)
    full, without, table = [], [], {}
    for draw, model in zip(draws, without_models, strict=True):
        z = _embed(load(model, args.device), data, texts, args.batch)
        full.append(holdout.score(*z_full, data, draw.classes))
        without.append(holdout.score(*z, data, draw.classes))
        table[draw.name] = {"held_out": ", ".join(draw.classes), "full": full[-1], "without": without[-1]}
    return {"summary": holdout.summarise(full, without), "draws": table, "prompts": texts, "images": len(data.items),
            "words": {d.name: list(d.words) for d in draws}}


def _embed(encoder: Encoder, data: LabelledSet, texts: Sequence[str], batch: int) -> tuple[Float32, Float32]:
    z = encode_images(encoder, data.items, batch=batch, progress=TerminalProgress(encoder.info.id))
    return z, encoder.encode_texts(texts)
