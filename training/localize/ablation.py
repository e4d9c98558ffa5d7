"""What each part of the maps is worth: `python -m training.localize.ablation [--model M] [--sample N]`.

One table over the dev sets of a recipe: raw patch cosine, its blur by the same window, Smooth-Attention with several
windows, with an attention edit (or its analogue for convolutional trunks), with the image-level score taken out, the
decoder's cross-attention, the pixel head. Average precision needs no threshold; IoU is at the product's automatic one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from rsvlm_core.errors import RsvlmError, UsageError
from rsvlm_core.localize.cross_attention import cross_scores
from rsvlm_core.localize.prompts import Prompts
from rsvlm_core.localize.smooth import smooth_attention
from rsvlm_core.localize.towers import grid_map, tower_map, upsampled
from rsvlm_core.model.encoder import Float32, UInt8
from rsvlm_core.model.registry import load_encoder
from rsvlm_core.model.torch_encoder import TorchEncoder
from rsvlm_core.model.vision import VitTrunk
from rsvlm_core.pipelines.segment import segment_array
from rsvlm_core.progress import Progress, TerminalProgress, silent
from training.evaluate.pixels import Counts, ScorePool
from training.evaluate.table import write_json
from training.localize.measure import dev_images
from training.localize.recipe import DevSet, LocalizeRecipe

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "localize.yaml"


@dataclass(frozen=True)
class Row:
    """One way to make maps.

    Attributes:
        name: In the table.
        method: Of `localize.methods`; or "blur", the raw cosines averaged over the window; or "windows",
            Smooth-Attention's scores averaged over the odd windows up to `window`.
        window: Side in tokens.
    """

    name: str
    method: str
    window: int = 1


def rows_for(encoder: TorchEncoder) -> list[Row]:
    """The rows that a model can have."""
    visual = encoder.model.visual
    edits = ("sclip", "clearclip", "naclip", "segearth") if isinstance(visual.trunk, VitTrunk) else ("affinity",)
    rows = [Row("raw patch cosine", "attention")]
    for window in (3, 5):
        rows += [Row(f"its blur, window {window}", "blur", window), Row(f"SAO, window {window}", "smooth", window)]
    rows += [Row("SAO, windows 1, 3 and 5 averaged", "windows", 5)]
    rows += [Row(f"SAO, window 3, after {edit}", edit, 3) for edit in edits]
    rows += [Row("SAO, window 3, bias subtracted", "smooth+bias", 3), Row("decoder cross-attention", "cross")]
    return rows + ([Row("pixel head", "dense")] if visual.dense is not None else [])


class Kept:
    """A model of ours that sees every window once and answers for any row.

    Args:
        encoder: The model.
    """

    def __init__(self, encoder: TorchEncoder) -> None:
        self.encoder, self.info, self.row = encoder, encoder.info, Row("", "smooth", 3)
        self._seen: dict[bytes, tuple[Tensor, list[Tensor]]] = {}

    def forget(self) -> None:
        """Drop what was kept; call between images."""
        self._seen.clear()

    def encode_texts(self, texts: Sequence[str]) -> Float32:
        """As the model."""
        return self.encoder.encode_texts(texts)

    def encode_images(self, images: UInt8) -> Float32:
        """As the model."""
        return self.encoder.encode_images(images)

    def caption(self, images: UInt8, prompt: str = "") -> list[str]:
        """As the model."""
        return self.encoder.caption(images, prompt)

    @torch.inference_mode()
    def encode_patches(self, images: UInt8, method: str = "smooth") -> Float32:
        """Features by the present row, [B, H/stride, W/stride, D]; means of several are not unit norm."""
        return np.concatenate([self._one(image).numpy() for image in images])

    @torch.inference_mode()
    def cross_maps(self, images: UInt8, texts: Sequence[str]) -> Float32:
        """As the model, from the tokens that are kept."""
        model = self.encoder.model
        tokens = self.encoder.tokenizer(list(texts), model.cfg.text.context_length)
        vectors = torch.from_numpy(self.encode_texts(texts))
        out = []
        for image in images:
            grid, _ = self._grid(image)
            scores = cross_scores(model, grid, tokens.ids, tokens.valid, vectors, self.info.logit_scale)
            out.append(upsampled(scores, *self._cells(image)).numpy())
        return np.concatenate(out)

    def _cells(self, image: UInt8) -> tuple[int, int]:
        return image.shape[0] // self.info.patch_stride, image.shape[1] // self.info.patch_stride

    def _pixels(self, image: UInt8) -> Tensor:
        x = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]
        return self.encoder.model.visual.normalise(x).contiguous(memory_format=torch.channels_last)

    def _grid(self, image: UInt8) -> tuple[Tensor, list[Tensor]]:
        key = image.tobytes()
        if key not in self._seen:
            self._seen[key] = self.encoder.model.visual.grid(self._pixels(image))
        return self._seen[key]

    def _one(self, image: UInt8) -> Tensor:
        visual, method = self.encoder.model.visual, self.row.method.removesuffix("+bias")
        if method == "dense" and visual.dense is not None:
            return F.normalize(visual.dense(self._grid(image)[1]).permute(0, 2, 3, 1).float(), dim=-1)
        if method == "blur":
            raw = grid_map(visual, self._grid(image)[0], "attention", 1).permute(0, 3, 1, 2)
            even = torch.zeros_like(raw[:, :1])
            return upsampled(
                smooth_attention(even, raw[:, None], self.row.window).permute(0, 2, 3, 1), *self._cells(image)
            )
        if method == "windows":
            parts = [grid_map(visual, self._grid(image)[0], "smooth", k) for k in range(1, self.row.window + 1, 2)]
            return upsampled(torch.stack(parts).mean(0), *self._cells(image))
        if method in ("smooth", "attention", "affinity"):
            z = grid_map(visual, self._grid(image)[0], method, self.row.window)
        else:
            z = tower_map(visual, self._pixels(image), method, self.row.window)
        return F.normalize(upsampled(z, *self._cells(image)), dim=-1)


def ablate(
    encoder: TorchEncoder, dev: dict[str, DevSet], rows: Sequence[Row], progress: Progress = silent
) -> dict[str, dict[str, dict[str, float]]]:
    """Measure rows.

    Args:
        encoder: A model of ours.
        dev: Sets with masks.
        rows: What is compared.
        progress: Called after every image.

    Returns:
        Row's name -> "SET text" -> `iou` (automatic threshold), `ap`, `best_iou` (at any threshold); first a row
        "everything" for the prediction that all is foreground.
    """
    kept = Kept(encoder)
    out: dict[str, dict[str, dict[str, float]]] = {"everything": {}, **{row.name: {} for row in rows}}
    images = {name: dev_images(d) for name, d in dev.items()}
    done, total = 0, sum(map(len, images.values()))
    for name, d in dev.items():
        prompts, n = Prompts.of(d.texts, kept), len(d.texts)
        counts = {row.name: [Counts() for _ in d.texts] for row in (Row("everything", ""), *rows)}
        pools = {row.name: [ScorePool() for _ in d.texts] for row in rows}
        for image in images[name]:
            kept.forget()
            rgb, raw = np.array(image.item.pil(), np.uint8), image.truth()
            truths = [raw > 0] if n == 1 else [raw == t + 1 for t in range(n)]
            for t, truth in enumerate(truths):
                counts["everything"][t].add(np.ones_like(truth), truth)
            for row in rows:
                kept.row = row
                found = segment_array(rgb, d.gsd, prompts, kept, method=_known(row.method))
                for t, truth in enumerate(truths):
                    counts[row.name][t].add(found.labels == t + 1, truth)
                    pools[row.name][t].add(found.scores[t], truth)
            done += 1
            progress(done, total, "images")
        for t, text in enumerate(d.texts):
            column = name if n == 1 else f"{name} {text}"
            share = counts["everything"][t].report()
            out["everything"][column] = {"iou": share["iou"], "ap": share["precision"], "best_iou": share["iou"]}
            for row in rows:
                pool = pools[row.name][t]
                out[row.name][column] = {
                    "iou": counts[row.name][t].iou, "ap": pool.average_precision(), "best_iou": pool.oracle_iou(),
                }  # fmt: skip
    return out


def table(found: dict[str, dict[str, dict[str, float]]]) -> str:
    """Markdown: average precision / best IoU / IoU at the automatic threshold, and the means of the first two."""
    columns = list(next(iter(found.values())))
    lines = [f"| maps | {' | '.join(columns)} | mean AP | mean IoU |", "|---" * (len(columns) + 3) + "|"]
    for name, cells in found.items():
        told = [f"{c['ap']:.3f} / {c['best_iou']:.3f} / {c['iou']:.3f}" for c in (cells[k] for k in columns)]
        means = [float(np.mean([cells[k][kind] for k in columns])) for kind in ("ap", "iou")]
        lines.append(f"| {name} | {' | '.join(told)} | {means[0]:.3f} | {means[1]:.3f} |")
    return "\n".join(lines)


def _known(method: str) -> str:
    """The engine's own name for a row's method; it decides how windows are laid and what is subtracted."""
    return "attention" if method in ("blur", "windows") else method


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m training.localize.ablation", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--model", help="default: the bundled model")
    parser.add_argument("--config", type=Path, default=CONFIG, help="a recipe, for its dev sets")
    parser.add_argument("--sample", type=int, help="images of each set, evenly spread (default: the recipe's; 0: all)")
    parser.add_argument("--only", nargs="+", metavar="METHOD", help="rows of these methods only, such as smooth blur")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    args = parser.parse_args(argv)
    try:
        dev = dict(LocalizeRecipe.load(args.config).dev)
        if args.sample is not None:
            dev = {name: replace(d, sample=args.sample) for name, d in dev.items()}
        encoder = load_encoder(args.model, runtime="torch")
        if not isinstance(encoder, TorchEncoder):
            raise UsageError("Only models of ours have all these parts.", "Use training.evaluate segment --method M.")
        rows = [r for r in rows_for(encoder) if not args.only or r.method in args.only]
        if not rows:
            raise UsageError(f"No row has a method {' or '.join(args.only)}.")
        found = ablate(encoder, dev, rows, TerminalProgress("ablation"))
        print(f"Cells: average precision / best IoU at any threshold / IoU at the automatic one. {encoder.info.id}")
        print(table(found))
        if args.json:
            write_json(found, args.json)
    except RsvlmError as error:
        print(f"training.localize.ablation: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
