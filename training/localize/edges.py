"""Which refinement of outlines helps: `python -m training.localize.edges [--model M] [--sample N]`.

The product's own decisions on the dev sets, drawn to the image's edges: the guided filter that `--refine edges` uses,
GrabCut (OpenCV), superpixels (SLIC, scikit-image) and the random walker (scikit-image). All start from the same
margins, logits minus the automatic threshold; nothing is tuned on the masks.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsvlm_core.errors import RsvlmError
from rsvlm_core.localize.prompts import Prompts, logit_of
from rsvlm_core.localize.refine import LIMIT, RADIUS_CELLS, guided
from rsvlm_core.model.encoder import Encoder, Float32, UInt8
from rsvlm_core.model.registry import load_encoder
from rsvlm_core.pipelines.segment import segment_array
from rsvlm_core.progress import Progress, TerminalProgress, silent
from training.evaluate.pixels import Counts
from training.evaluate.table import write_json
from training.localize.ablation import CONFIG
from training.localize.measure import dev_images
from training.localize.recipe import DevSet, LocalizeRecipe

Bool = NDArray[np.bool_]
Refine = Callable[[Float32, UInt8, int], Bool]
_SURE = 1.0  # logits from the threshold beyond which GrabCut and the random walker take a pixel as decided


def as_it_is(margins: Float32, rgb: UInt8, cell: int) -> Bool:
    """[H, W] margins -> where they are positive."""
    return margins > 0


def guided_filter(margins: Float32, rgb: UInt8, cell: int) -> Bool:
    """The product's own `--refine edges`."""
    radius = max(1, round(RADIUS_CELLS * cell))
    return guided(margins[..., None], rgb, np.ones(margins.shape, bool), radius)[..., 0] > 0


def grab_cut(margins: Float32, rgb: UInt8, cell: int) -> Bool:
    """GrabCut: colour models of both sides, what is sure fixed. Nothing changes where one side is empty."""
    import cv2

    mask = np.where(margins > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    mask[margins > _SURE], mask[margins < -_SURE] = cv2.GC_FGD, cv2.GC_BGD
    if len(np.unique(mask % 2)) < 2:
        return margins > 0
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    cut: Any = cv2.grabCut  # its stubs do not allow the rectangle to be left out
    cut(np.ascontiguousarray(rgb[..., ::-1]), mask, None, *models, 3, cv2.GC_INIT_WITH_MASK)
    found: Bool = (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)
    return found


def superpixels(margins: Float32, rgb: UInt8, cell: int) -> Bool:
    """The mean vote of each SLIC superpixel of about one cell."""
    from skimage.segmentation import slic

    parts = slic(rgb, n_segments=max(2, rgb.shape[0] * rgb.shape[1] // cell**2), compactness=10, start_label=0)
    votes = np.clip(margins, -LIMIT, LIMIT).ravel()
    mean = np.bincount(parts.ravel(), votes) / np.maximum(np.bincount(parts.ravel()), 1)
    out: Bool = mean[parts] > 0
    return out


def walker(margins: Float32, rgb: UInt8, cell: int) -> Bool:
    """The random walker between what is sure on both sides."""
    from skimage.segmentation import random_walker

    seeds = np.where(margins > _SURE, 2, np.where(margins < -_SURE, 1, 0))
    if len(np.unique(seeds)) < 3:
        return margins > 0
    out: Bool = random_walker(rgb / 255.0, seeds, beta=130, mode="cg_j", channel_axis=-1, tol=1e-2) == 2
    return out


REFINEMENTS: Mapping[str, Refine] = {
    "none": as_it_is,
    "guided filter": guided_filter,
    "GrabCut": grab_cut,
    "superpixels": superpixels,
    "random walker": walker,
}


def compare(
    encoder: Encoder, dev: Mapping[str, DevSet], progress: Progress = silent
) -> dict[str, dict[str, float]]:
    """IoU of every refinement on every dev set, each text on its own.

    Returns:
        Refinement -> "SET text" -> IoU, and "s per Mpx" -> seconds per million pixels and text.
    """
    images = {name: dev_images(d) for name, d in dev.items()}
    total, done, pixels = sum(map(len, images.values())), 0, 0
    counts: dict[str, dict[str, Counts]] = {r: {} for r in REFINEMENTS}
    spent = dict.fromkeys(REFINEMENTS, 0.0)
    low = encoder.info.gsd_m[0]
    for name, d in dev.items():
        prompts, n = Prompts.of(d.texts, encoder), len(d.texts)
        cell = max(1, round(encoder.info.patch_stride * max(d.gsd, low / 2) / d.gsd))
        for image in images[name]:
            rgb, raw = np.array(image.item.pil(), np.uint8), image.truth()
            found = segment_array(rgb, d.gsd, prompts, encoder)
            for t, text in enumerate(d.texts):
                truth = raw > 0 if n == 1 else raw == t + 1
                edge = np.clip(found.scores[t].astype(np.float64), 1e-9, 1 - 1e-9)
                margins = (np.log(edge) - np.log1p(-edge) - found.thresholds[t].logit).astype(np.float32)
                if not found.thresholds[t].present:
                    margins = np.minimum(margins, logit_of(1e-9))
                for kind, refine in REFINEMENTS.items():
                    started = time.monotonic()
                    mask = refine(margins, rgb, cell)
                    spent[kind] += time.monotonic() - started
                    column = name if n == 1 else f"{name} {text}"
                    counts[kind].setdefault(column, Counts()).add(mask, truth)
                pixels += truth.size
            done += 1
            progress(done, total, "images")
    return {
        kind: {**{column: c.iou for column, c in cells.items()}, "s per Mpx": 1e6 * spent[kind] / pixels}
        for kind, cells in counts.items()
    }


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m training.localize.edges", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--model", help="default: the bundled model")
    parser.add_argument("--config", type=Path, default=CONFIG, help="a recipe, for its dev sets")
    parser.add_argument("--sample", type=int, help="images of each set, evenly spread (default: the recipe's; 0: all)")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    args = parser.parse_args(argv)
    try:
        dev = dict(LocalizeRecipe.load(args.config).dev)
        if args.sample is not None:
            dev = {name: replace(d, sample=args.sample) for name, d in dev.items()}
        found = compare(load_encoder(args.model), dev, TerminalProgress("edges"))
        columns = list(found["none"])
        print("\n".join([f"| refinement | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]))
        for kind, cells in found.items():
            print(f"| {kind} | {' | '.join(f'{cells[c]:.3f}' for c in columns)} |")
        if args.json:
            write_json(found, args.json)
    except RsvlmError as error:
        print(f"training.localize.edges: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
