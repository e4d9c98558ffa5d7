"""The commands of `python -m training.evaluate`: arguments in, one JSON document out."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rsvlm_core.errors import UsageError
from rsvlm_core.localize.methods import METHOD_HELP
from rsvlm_core.model.encoder import Encoder, ModelInfo
from rsvlm_core.progress import TerminalProgress
from rsvlm_core.scratch import scratch
from training.commands import Document, add_command, run_command
from training.evaluate import (
    captioning,
    classification,
    everything,
    holdout_command,
    pictures,
    retrieval,
    segmentation,
    vqa,
)
from training.evaluate.images import batches, list_images

Load = Callable[[str | None, str], Encoder]


def _load(name: str | None, device: str) -> Encoder:
    from rsvlm_core.model.registry import load_encoder

    return load_encoder(name, device)


def main(argv: Sequence[str] | None = None, load: Load = _load) -> int:
    """Run one command; returns the exit status. `load` makes the encoder of a `--model`."""
    return run_command(parser().parse_args(argv), load)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(prog="python -m training.evaluate", description="Measure a model on images of yours.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for name, build in _BUILDERS.items():
        build(commands, name)
    return top


def _command(
    commands: Any, name: str, run: Callable[[argparse.Namespace, Load], Document], help_: str, example: str,
) -> argparse.ArgumentParser:
    made = add_command(commands, "training.evaluate", name, run, help_, example)
    made.add_argument("--images", nargs="+", required=True, metavar="DIR|TAR", help="folders, tar files or shards")
    made.add_argument("--model", default=None, metavar="M", help="default: the bundled model")
    made.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")
    made.add_argument("--batch", type=int, default=32, help="images at a time")
    return made


def _about(info: ModelInfo) -> Document:
    told = asdict(info)
    return {k: told[k] for k in ("id", "sha256", "parameters", "image_size", "trained_on")}


def _captioned(args: argparse.Namespace, repeat: int = 5) -> retrieval.CaptionedSet:
    if args.captions:
        return retrieval.from_csv(args.images, args.captions)
    return retrieval.from_shards(args.images, repeat)


def _retrieval(args: argparse.Namespace, load: Load) -> Document:
    data = _captioned(args, args.repeat)
    first = load(args.model, args.device)
    found = retrieval.outcome(first, data, batch=args.batch, progress=TerminalProgress("encode"))
    document = {"model": _about(first.info), **retrieval.report(found, data, args.resamples)}
    if args.pictures:
        document["pictures"] = [str(p) for p in pictures.draw_retrievals(data, found, args.pictures)]
    if args.against:
        other = load(args.against, args.device)
        theirs = retrieval.outcome(other, data, batch=args.batch, progress=TerminalProgress("encode"))
        document["against"] = {"model": _about(other.info), **theirs.recalls()}
        document["difference"] = {
            "mean_recall": found.recalls()["mean_recall"] - theirs.recalls()["mean_recall"],
            "mean_recall_95": list(found.interval(theirs, args.resamples)),
        }
    return document


def _add_retrieval(commands: Any, name: str) -> None:
    made = _command(
        commands, name, _retrieval, "Image-text retrieval, protocol A: R@1, R@5, R@10 both ways, mean; percent.",
        "--images test_images --captions test.csv --json retrieval.json",
    )
    made.add_argument("--captions", type=Path, metavar="CSV", help="filename,caption: one row a caption; without "
                      "it, the captions in the shards' KEY.json")
    made.add_argument("--repeat", type=int, default=5, metavar="N", help="shards only: repeat an image's sentences "
                      "to N (default 5, as the protocol counts them; 0: as they are)")
    made.add_argument("--against", metavar="M2", help="a second model: adds the difference with a paired interval")
    made.add_argument("--resamples", type=int, default=1000, help="bootstrap resamples over images")
    made.add_argument("--pictures", type=Path, metavar="DIR", help="draw best and worst retrievals into this folder")


def _classify(args: argparse.Namespace, load: Load) -> Document:
    data = classification.read_labelled(args.images)
    if args.fold is not None:
        data = classification.only_fold(data, *args.fold)
    names = {}
    for given in args.name or ():
        label, sign, words = given.partition("=")
        if not sign or not words.strip():
            raise UsageError(f"--name {given!r} is not CLASS=WORDS.", "For instance: --name aGrass=grass")
        names[label] = words.strip()
    classification.prompts(data.classes, args.template, names)  # wrong arguments are said before the model loads
    encoder = load(args.model, args.device)
    found = classification.classify(
        encoder, data, args.template, names, batch=args.batch, progress=TerminalProgress("encode"))
    return {"model": _about(encoder.info), **found}


def _add_classify(commands: Any, name: str) -> None:
    made = _command(
        commands, name, _classify, "Zero-shot scene classification: top-1 and recall of each class, in percent.",
        "--images scenes --json classify.json   # scenes/parking lot/1.jpg, ...",
    )
    made.add_argument("--template", default=classification.TEMPLATE, help="one {} for the class name")
    made.add_argument("--name", action="append", metavar="CLASS=WORDS", help="words for a class instead of its folder")
    made.add_argument("--fold", type=_fold, metavar="K/N", help="only places of fold K of N (KEY.json: lat, lon)")


def _fold(text: str) -> tuple[int, int]:
    fold, folds = (int(part) for part in text.split("/"))
    if not 0 <= fold < folds:
        raise ValueError
    return fold, folds


def _caption(args: argparse.Namespace, load: Load) -> Document:
    data = _captioned(args)
    encoder = load(args.model, args.device)
    if not encoder.info.can_caption:
        raise UsageError(f"The model {encoder.info.id} cannot caption.", "Choose another with --model.")
    progress, candidates = TerminalProgress("caption"), []
    for images in batches(data.items, encoder.info.image_size, args.batch):
        candidates += encoder.caption(images, args.prompt)
        progress(len(candidates), len(data.items), "images")
    references: list[list[str]] = [[] for _ in data.items]
    for text, owner in zip(data.captions, data.owner, strict=True):
        references[owner].append(text)
    document = {"model": _about(encoder.info), **captioning.report(candidates, references)}
    if args.keep:
        document["captions"] = {i.image.name: c for i, c in zip(data.items, candidates, strict=True)}
    return document


def _add_caption(commands: Any, name: str) -> None:
    made = _command(
        commands, name, _caption, "Captions against references: BLEU-4 (0..1), CIDEr-D (0..10), best constant caption.",
        "--images rsicd/val-000.tar --json caption.json",
    )
    made.add_argument("--captions", type=Path, metavar="CSV", help="filename,caption: the references; default KEY.json")
    made.add_argument("--prompt", default="", help="how captions are to begin")
    made.add_argument("--keep", action="store_true", help="write the captions themselves into the JSON")


def _segment(args: argparse.Namespace, load: Load) -> Document:
    images = segmentation.read_masked(args.images)
    encoder = load(args.model, args.device)
    predict = segmentation.product(
        encoder, args.text, threshold=args.threshold, refine=args.refine, method=args.method, at_gsd_m=args.at_gsd)
    found = segmentation.segment(
        encoder, images, args.text, predict, gsd_m=args.gsd, ignore=args.ignore, progress=TerminalProgress("segment"))
    told = {k: getattr(args, k) for k in ("text", "threshold", "refine", "method", "gsd", "at_gsd")}
    return {"model": _about(encoder.info), "settings": told, **found}


def _threshold(text: str) -> str | float:
    return text if text == "auto" else float(text)


def _add_segment(commands: Any, name: str) -> None:
    made = _command(
        commands, name, _segment, "Text segmentation against masks at the product's own threshold; values in 0..1.",
        "--images seg_roads/dev.tar --text road --json segment.json",
    )
    made.add_argument("--text", action="append", required=True, metavar="T", help="one: masks are non-zero where it "
                      "is; several: mask values 1..n mean them in order")
    made.add_argument("--gsd", type=float, metavar="M", help="metres per pixel of the images, where KEY.json does "
                      "not say; without it they are looked at pixel by pixel")
    made.add_argument("--at-gsd", type=float, metavar="M", help="metres per pixel at which the model looks")
    made.add_argument("--method", default="auto", metavar="M", help=METHOD_HELP)
    made.add_argument("--refine", default="none", choices=("none", "edges"))
    made.add_argument("--threshold", type=_threshold, default="auto", help="auto, or a confidence in 0..1")
    made.add_argument("--ignore", type=int, metavar="VALUE", help="mask value of pixels that take no part")


def _vqa(args: argparse.Namespace, load: Load) -> Document:
    items = list_images(args.images)
    words, counted = ([w.strip() for w in (given or "").split(",") if w.strip()] for given in (
        args.mask_words, args.count_words))
    metas = vqa.read_metas(items, segmentation.read_masked(args.images) if words else (), words, counted)
    asked = vqa.questions(metas, args.seed, args.limit)
    encoder = load(args.model, args.device)
    document: Document = {"model": _about(encoder.info)}
    for route in dict.fromkeys(args.route or ("program", "caption")):
        if route == "caption" and not encoder.info.can_caption:
            continue
        with scratch() as folder:
            answer = vqa.ProductAnswerer(encoder, args.gsd, Path(folder), route)
            document[f"{route}_route"] = vqa.evaluate(items, asked, answer, progress=TerminalProgress(f"ask {route}"))
    if args.keep:
        document["questions_asked"] = [
            {"image": items[q.image].image.name, "text": q.text, "answer": q.answer} for q in asked]
    return document


def _add_vqa(commands: Any, name: str) -> None:
    made = _command(
        commands, name, _vqa, "Questions made from labels (presence, comparison, count, rural or urban); percent.",
        "--images rsicd/val-000.tar --limit 400 --json vqa.json",
    )
    made.add_argument("--mask-words", metavar="A,B", help="what mask values 1, 2, ... mean, where there are masks/")
    made.add_argument("--count-words", metavar="A,B", help="those of them that are single things, to be counted")
    made.add_argument("--route", action="append", choices=("program", "caption"), help="default: both")
    made.add_argument("--gsd", type=float, default=1.0, metavar="M", help="metres per pixel of the images")
    made.add_argument("--limit", type=int, help="ask about so many questions, all kinds alike")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--keep", action="store_true", help="write the questions into the JSON")


def _add_holdout(commands: Any, name: str) -> None:
    holdout_command.add(commands, name)


def _add_all(commands: Any, name: str) -> None:
    everything.add(commands, name, parser)


_BUILDERS: dict[str, Callable[[Any, str], None]] = {
    "retrieval": _add_retrieval,
    "classify": _add_classify,
    "segment": _add_segment,
    "caption": _add_caption,
    "vqa": _add_vqa,
    "holdout": _add_holdout,
    "all": _add_all,
}
