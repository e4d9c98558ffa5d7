"""Arguments that several commands share, and how their values are read."""

from __future__ import annotations

import argparse


def extent(value: str) -> list[float]:
    """`xmin,ymin,xmax,ymax`."""
    return _numbers(value, 4, "xmin,ymin,xmax,ymax")


def bands(value: str) -> list[float]:
    """`R,G,B`, counted from 1."""
    return _numbers(value, 3, "three band numbers such as 4,3,2")


def threshold(value: str) -> str | float:
    """`auto` or a number."""
    if value == "auto":
        return value
    try:
        return float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{value!r} is neither auto nor a number") from None


def names(value: str) -> list[str]:
    """`a,b,c`."""
    return [name.strip() for name in value.split(",") if name.strip()]


def _numbers(value: str, count: int, shape: str) -> list[float]:
    try:
        found = [float(part) for part in value.split(",")]
    except ValueError:
        found = []
    if len(found) != count:
        raise argparse.ArgumentTypeError(f"{value!r} is not {shape}")
    return found


def add_common(parser: argparse.ArgumentParser) -> None:
    """`--json` and `--verbose`, which every command has."""
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout and nothing else there")
    parser.add_argument("-v", "--verbose", action="store_true", help="log what is done on stderr")


def add_model(parser: argparse.ArgumentParser) -> None:
    """`--model`, `--device` and `--runtime`."""
    parser.add_argument(
        "--model", metavar="M",
        help="a folder or file of ours, open_clip:NAME/PRETRAINED or hf-hub:…; the bundled model where not given",
    )
    parser.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument(
        "--runtime", choices=("auto", "onnx", "torch"),
        help="what computes our models (default: RSVLM_RUNTIME, else onnx on the processor and torch on other devices)",
    )


def add_imagery(parser: argparse.ArgumentParser) -> None:
    """`--extent`, `--bands` and `--gsd`."""
    parser.add_argument(
        "--extent", type=extent, metavar="XMIN,YMIN,XMAX,YMAX", help="only there; in the (first) raster's coordinates"
    )
    parser.add_argument(
        "--bands", type=bands, metavar="R,G,B", help="bands to use as red, green and blue, from 1"
    )
    parser.add_argument(
        "--gsd", type=float, nargs="+", metavar="G",
        help="ground sizes to look at, metres per pixel; chosen from raster and model where not given",
    )


def add_texts(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """`--text`, once or several times."""
    parser.add_argument(
        "--text", action="append", required=required, metavar="T", help="what to look for; give it again for another"
    )
