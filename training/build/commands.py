"""The commands of `python -m training.build`: a data set in, shards and a data card out."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rsvlm_core.errors import UsageError
from rsvlm_core.progress import TerminalProgress
from training.commands import Document, add_command, run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    return run_command(
        parser().parse_args(argv), stopped="Stopped; what is finished is kept: run the same command again.")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(prog="python -m training.build", description="Build training sets.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _add_webli(commands)
    _add_landmarks(commands)
    _add_ground_pairs(commands)
    _add_overhead(commands)
    return top


def _command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], Document], about: str, example: str
) -> argparse.ArgumentParser:
    return add_command(commands, "training.build", name, run, about, example)


def _webli(args: argparse.Namespace) -> Document:
    from training.build import webli

    filters = webli.Filter(
        args.overhead, args.quality, args.min_side, args.max_side, args.safety or "", args.classifier or "")
    return webli.build(
        args.sources, args.out, images=args.images, filters=filters,
        merging=webli.Merge(args.near, args.same_text, args.per_shard), against=args.against, workers=args.workers,
        engine=args.engine, address=args.address, progress=TerminalProgress("rs_webli"),
    )


def _add_webli(commands: Any) -> None:
    made = _command(commands, "rs_webli", _webli, "The remote-sensing part of web image/alt-text lists.",
                    "cc12m/*.tar --out sets/rs_webli --against rsicd/val-000.tar --workers 4")
    made.add_argument("sources", nargs="+", metavar="TAR|PARQUET|DIR", help="img2dataset shards or parquet")
    made.add_argument("--out", type=Path, required=True, metavar="DIR")
    made.add_argument("--images", type=Path, metavar="DIR", help="what paths in parquet are relative to")
    made.add_argument("--against", nargs="*", default=(), metavar="DIR|TAR", help="evaluation sets to stay clear of")
    made.add_argument("--overhead", type=float, default=0.5, metavar="P", help="least probability of an overhead view")
    made.add_argument("--quality", type=float, default=0.08, metavar="Q", help="least quality, 0..1")
    made.add_argument("--min-side", type=int, default=96, metavar="PX")
    made.add_argument("--max-side", type=int, default=512, metavar="PX", help="longer sides are shrunk to this")
    made.add_argument("--near", type=int, default=6, metavar="BITS", help="near-duplicates differ in at most so many")
    made.add_argument("--same-text", type=int, default=20, metavar="N", help="how often one sentence may occur")
    made.add_argument("--per-shard", type=int, default=1000, metavar="N")
    made.add_argument("--safety", metavar="MODULE:FUNCTION", help="takes image and text, returns True for safe")
    made.add_argument("--classifier", metavar="FILE", help="another overhead classifier")
    made.add_argument("--workers", type=int, default=1, metavar="N")
    made.add_argument("--engine", choices=("local", "ray"), default="local")
    made.add_argument("--address", help="of a Ray cluster")


def _landmarks(args: argparse.Namespace) -> Document:
    from training.build import rs_landmarks
    from training.build.language_models import ChatWriter, HuggingFaceWriter
    from training.build.writers import GrammarWriter, Writer

    if args.empty and not args.complete:
        raise UsageError("--empty says what is not there, which only a complete map knows.", "Add --complete.")
    writer: Writer = GrammarWriter(args.complete)
    if args.llm and "://" in args.llm:
        writer = ChatWriter(args.llm, args.llm_model, args.llm_key or "", args.llm_sees)
    elif args.llm:
        writer = HuggingFaceWriter(args.llm, args.llm_sees)
    tiling = rs_landmarks.Tiling(
        tuple(args.gsd or ()), args.size, args.overlap, args.valid, args.captions, args.same_scene, args.column or "",
        args.layer or "", args.seed, args.test, args.empty)
    return rs_landmarks.build(
        args.imagery, args.landmarks, args.out, tiling=tiling, writer=writer, per_shard=args.per_shard,
        progress=TerminalProgress("rs_landmarks"))


def _add_landmarks(commands: Any) -> None:
    made = _command(commands, "rs_landmarks", _landmarks, "Imagery tiles captioned by what a map knows of them.",
                    "--imagery ortho.tif --landmarks town.gpkg --out sets/town --gsd 0.5")
    made.add_argument("--imagery", nargs="+", required=True, metavar="RASTER|DIR|STAC")
    made.add_argument("--landmarks", nargs="+", required=True, metavar="VECTOR", help="OSM, Overture, any layer")
    made.add_argument("--out", type=Path, required=True, metavar="DIR")
    made.add_argument("--column", help="says what a feature is; default: OSM tags, or class, type, ...")
    made.add_argument("--layer", help="of the vector file; default all")
    made.add_argument("--gsd", type=float, action="append", metavar="M", help="metres per pixel; may be repeated")
    made.add_argument("--size", type=int, default=224, metavar="PX")
    made.add_argument("--overlap", type=float, default=0.0)
    made.add_argument("--valid", type=float, default=0.9, help="least share of valid pixels")
    made.add_argument("--captions", type=int, default=4, help="a tile")
    made.add_argument("--same-scene", type=int, default=200, metavar="N", help="tiles with the same things in view")
    made.add_argument("--test", type=float, default=0.0, metavar="SHARE", help="of the tiles, whole places of them, for"
                      " measuring: train-*.tar and test-*.tar instead of rs_landmarks-*.tar")
    made.add_argument("--complete", action="store_true", help="the map is complete: exact numbers may be said")
    made.add_argument("--empty", type=int, default=0, metavar="N", help="with --complete: keep N tiles of a raster in"
                      " which nothing is mapped, as places without")
    made.add_argument("--per-shard", type=int, default=1000)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--llm", metavar="URL|hf-hub:ORG/NAME@COMMIT|DIR", help="a language model instead of the grammar:"
                      " an OpenAI-compatible address up to /v1, or one of Hugging Face that runs here")
    made.add_argument("--llm-model", default="", metavar="NAME", help="with a URL: the model's name there")
    made.add_argument("--llm-key", metavar="VARIABLE", help="environment variable that holds the key")
    made.add_argument("--llm-sees", action="store_true", help="send the pictures too")


def _ground_pairs(args: argparse.Namespace) -> Document:
    from training.build import ground_pairs

    encoder = None
    if args.ground_model:
        from rsvlm_core.model.registry import load_encoder

        encoder = load_encoder(args.ground_model)
    pairing = ground_pairs.Pairing(
        args.gsd, args.size, args.most, args.photo_size, args.valid, args.test_fold, args.folds, args.safety or "")
    return ground_pairs.build(
        args.imagery, args.photos, args.out, folder=args.folder, pairing=pairing, encoder=encoder,
        per_shard=args.per_shard, progress=TerminalProgress("ground_pairs"))


def _add_ground_pairs(commands: Any) -> None:
    made = _command(commands, "ground_pairs", _ground_pairs, "Imagery tiles with photographs taken in them.",
                    "--imagery ortho.tif --photos holiday/ --out sets/pairs")
    made.add_argument("--imagery", nargs="+", required=True, metavar="RASTER|DIR|STAC")
    made.add_argument("--photos", nargs="+", type=Path, required=True, metavar="DIR|CSV", help="EXIF, or a table")
    made.add_argument("--folder", type=Path, metavar="DIR", help="where a table's files lie; default beside it")
    made.add_argument("--out", type=Path, required=True, metavar="DIR")
    made.add_argument("--ground-model", metavar="M", help="frozen encoder of the photographs, such as "
                      "open_clip:NAME/TAG; without it the set has no vectors")
    made.add_argument("--gsd", type=float, default=0.0, metavar="M", help="metres per pixel; default the raster's")
    made.add_argument("--size", type=int, default=224, metavar="PX")
    made.add_argument("--most", type=int, default=25, metavar="N", help="photographs of a tile")
    made.add_argument("--photo-size", type=int, default=384, metavar="PX")
    made.add_argument("--valid", type=float, default=0.9, help="least share of valid pixels")
    made.add_argument("--test-fold", type=int, default=0)
    made.add_argument("--folds", type=int, default=10, help="of places; one is for testing")
    made.add_argument("--safety", metavar="MODULE:FUNCTION", help="keeps people and rooms out")
    made.add_argument("--per-shard", type=int, default=500)


def _overhead(args: argparse.Namespace) -> Document:
    from training.build import overhead

    found = overhead.train(
        args.overhead, args.other, args.test_overhead, args.test_other,
        limit=args.limit, crops=args.crops, seed=args.seed)
    found.save(args.out)
    return found.facts


def _add_overhead(commands: Any) -> None:
    made = _command(commands, "overhead", _overhead, "Train the classifier that tells overhead views from the rest.",
                    "--overhead a.tar --other photos --test-overhead b.tar --test-other more --out o.safetensors")
    for name, about in (("overhead", "overhead images"), ("other", "ground photographs, close-ups, graphics"),
                        ("test-overhead", "to measure on"), ("test-other", "to measure on")):
        made.add_argument(f"--{name}", nargs="+", required=True, metavar="DIR|TAR", help=about)
    made.add_argument("--out", type=Path, required=True, metavar="FILE")
    made.add_argument("--limit", type=int, default=500, help="distinct images of each source")
    made.add_argument("--crops", type=int, default=12, help="views of each of --other")
    made.add_argument("--seed", type=int, default=0)
