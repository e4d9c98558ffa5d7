"""`rsvlm segment`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from rsvlm_core.cli import options
from rsvlm_core.cli.show import unread, written
from rsvlm_core.localize.methods import METHOD_HELP, REFINEMENTS

NAME = "segment"
OP = "segment"
HELP = "Outline what a text names. With several texts each place takes the best of them, or none."
EXAMPLE = 'rsvlm segment ortho.tif --text building --text road --out masks.gpkg --mask-raster mask.tif'


def add(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("rasters", nargs="+", metavar="RASTER", help="GeoTIFF, JPEG2000, VRT, URL: what GDAL reads")
    options.add_texts(parser)
    parser.add_argument(
        "--threshold", type=options.threshold, metavar="auto|F", help="lowest confidence that counts (default: auto)"
    )
    parser.add_argument(
        "--refine", choices=REFINEMENTS, help="fit outlines to edges in the image (default: none)"
    )
    parser.add_argument("--method", metavar="M", help=METHOD_HELP)
    parser.add_argument("--within", metavar="POLYGONS", help="vector file; only outlines that meet its polygons")
    parser.add_argument("--min-area", type=float, metavar="M2", help="leave out smaller outlines, square metres")
    parser.add_argument(
        "--simplify", type=float, metavar="M", help="straighten outlines by up to this many metres; 0 keeps every "
        "corner (default: one and a half pixels)",
    )
    parser.add_argument(
        "--orthogonal", action="store_true", default=None,
        help="give outlines right angles where that changes them little; for buildings",
    )
    options.add_imagery(parser)
    options.add_model(parser)
    parser.add_argument("--out", required=True, metavar="FILE", help="the outlines: .gpkg, .geojson or .parquet")
    parser.add_argument("--mask-raster", metavar="TIF", help="also write labels: 0 nothing, 1 the first text, …")
    parser.add_argument("--scores", metavar="TIF", help="also write the scores, one band a text")
    parser.add_argument("--overview", metavar="PNG", help="draw the outlines on the imagery")
    options.add_common(parser)


def params(args: Namespace) -> dict[str, Any]:
    """The job's parameters."""
    return {
        "sources": args.rasters, "texts": args.text, "threshold": args.threshold, "refine": args.refine,
        "method": args.method, "min_area_m2": args.min_area, "simplify_m": args.simplify,
        "orthogonal": args.orthogonal, "extent": args.extent, "within": args.within, "bands": args.bands,
        "gsd": args.gsd, "model": args.model, "device": args.device, "out": args.out,
        "mask_raster": args.mask_raster, "scores": args.scores, "overview": args.overview,
    }


def show(summary: dict[str, Any]) -> str:
    """The result in words."""
    thresholds = ", ".join(f"{text} ≥ {value:.3f}" for text, value in summary["threshold"].items())
    count = summary["count"]
    line = f"{count} outline{'' if count == 1 else 's'} ({thresholds}) in {summary['seconds']:.1f} s"
    return "\n".join([line, *unread(summary), *written(summary)])
