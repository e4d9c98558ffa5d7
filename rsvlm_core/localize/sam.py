"""Outlines from a Segment Anything model, prompted with ours, through the segment-geospatial package.

Neither the package nor a checkpoint comes with this project. `RSVLM_SAM` names the checkpoint: a file of Segment
Anything or HQ-SAM whose name says its size (`sam_vit_b_01ec64.pth`, `sam_hq_vit_l.pth`), the id of a SAM 2 model
(`sam2-hiera-tiny`), or `sam3` (text prompts; a file after a colon, else the package fetches it); without it the cache
folder `sam` is looked into.
"""

from __future__ import annotations

import os
import pickle
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import shapely
from numpy.typing import NDArray

from rsvlm_core.errors import ModelError, OutputError, first_line
from rsvlm_core.imagery.patch import Window
from rsvlm_core.localize.polygons import Region, RegionCollector
from rsvlm_core.localize.scoring import NODATA, LabelledBlock, Scored
from rsvlm_core.model.encoder import UInt8
from rsvlm_core.scratch import reserve
from rsvlm_core.settings import cache_dir

WINDOW = 1024  # pixels of the raster shown to the model at once: its own input size
OVERLAP = 512  # objects up to this long are seen whole by one window
MIN_AGREEMENT = 0.3  # intersection over union with our outline; below it the model segmented something else
_INSTALL = "pip install 'segment-geospatial[samgeo]' into the environment of rsvlm."
_FETCH = (
    "Fetch one, for instance sam_vit_b_01ec64.pth from the Segment Anything project, and set RSVLM_SAM to its path, "
    "or put it into {folder}."
)


class Predictor(Protocol):
    """The part of `samgeo.SamGeo` that is used here; `SamGeo2` and HQ-SAM have it too."""

    def set_image(self, image: UInt8) -> None:
        """Look at [H, W, 3] uint8."""
        ...

    def predict(self, **prompts: Any) -> tuple[Any, Any, Any]:
        """Masks [M, H, W], their quality [M], low-resolution logits."""
        ...


class TextMasks:
    """SAM 3's text mode as a predictor: its masks of a text, those that touch the prompt's box.

    So its masks replace ours where they agree with them, as those of box prompts do.

    Args:
        sam: `samgeo.samgeo3.SamGeo3`.

    Attributes:
        text: What is asked for next.
    """

    def __init__(self, sam: Any) -> None:
        self._sam, self.text = sam, ""
        self._found: dict[str, tuple[NDArray[np.bool_], NDArray[np.float32]]] = {}
        self._shape = (0, 0)

    def set_image(self, image: UInt8) -> None:
        """Look at [H, W, 3] uint8."""
        self._found, self._shape = {}, (image.shape[0], image.shape[1])
        self._sam.set_image(image)

    def predict(self, **prompts: Any) -> tuple[Any, Any, Any]:
        """Masks [M, H, W] of `text` that touch `boxes`, their quality [M], None."""
        if self.text not in self._found:
            self._sam.generate_masks(self.text, quiet=True)
            masks = [np.squeeze(np.asarray(m)) > 0 for m in self._sam.masks]
            shape = (len(masks), *self._shape)
            sure = np.asarray([float(np.squeeze(s)) for s in self._sam.scores], np.float32)
            self._found[self.text] = np.array(masks, bool).reshape(shape), sure
        masks_, sure = self._found[self.text]
        left, top, right, bottom = (int(v) for v in prompts["boxes"])
        near = masks_[:, max(0, top) : bottom + 1, max(0, left) : right + 1].any(axis=(1, 2))
        return masks_[near], sure[near], None


def load_predictor(device: str | None = None) -> Predictor:
    """The user's Segment Anything model.

    Args:
        device: "cpu", "cuda"; None chooses.

    Raises:
        ModelError: segment-geospatial or a checkpoint is missing, or the checkpoint does not load; says what to do.
    """
    named = find_checkpoint()
    try:
        return _load(named, device)
    except ImportError as error:
        raise ModelError(f"Refinement by sam needs the package segment-geospatial ({error}).", _INSTALL) from error
    except (RuntimeError, KeyError, OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise ModelError(f"{named} cannot be used for refinement: {first_line(error)}.", "Fetch it again.") from error


def _load(named: Path | str, device: str | None) -> Predictor:
    if isinstance(named, str):
        kind, _, file = named.partition(":")
        if kind == "sam3":
            from samgeo.samgeo3 import SamGeo3

            if not file:
                return TextMasks(SamGeo3(backend="transformers", device=device))
            _check_data_only(Path(file))
            return TextMasks(
                SamGeo3(backend="meta", checkpoint_path=file, load_from_HF=False, device=device)
            )
        from samgeo import SamGeo2

        return SamGeo2(named, automatic=False, device=device)  # type: ignore[no-any-return]
    size = re.search(r"vit_tiny|vit_\w", named.name.lower())
    if size is None:
        raise ModelError(f"{named}: the name does not say which model it is.", "Keep vit_b, vit_l or vit_h in it.")
    kind = "vit_tiny" if "vit_t" in size.group() else size.group()
    if "hq" in named.name.lower():
        from samgeo.hq_sam import SamGeo
    else:
        from samgeo import SamGeo
    _check_data_only(named)
    return SamGeo(model_type=kind, checkpoint=str(named), automatic=False, device=device)  # type: ignore[no-any-return]


def _check_data_only(path: Path) -> None:
    """Refuse a checkpoint that is more than tensors: Segment Anything's own loader would run what is in it."""
    import torch

    torch.load(path, map_location="meta", weights_only=True)


def find_checkpoint() -> Path | str:
    """The checkpoint file, the id of a SAM 2 model, or `sam3` with or without a file.

    Raises:
        ModelError: There is none.
    """
    folder = cache_dir() / "sam"
    named = os.environ.get("RSVLM_SAM")
    if named:
        if named.startswith("sam2-") or named.partition(":")[0] == "sam3":
            return named
        if not Path(named).is_file():
            raise ModelError(f"RSVLM_SAM names {named}, which is no file.", _FETCH.format(folder=folder))
        return Path(named)
    found = sorted(folder.glob("*.pth")) if folder.is_dir() else []
    if not found:
        raise ModelError("Refinement by sam needs a Segment Anything checkpoint.", _FETCH.format(folder=folder))
    return min(found, key=lambda path: path.stat().st_size)  # the smallest is the quickest


def refine_blocks(
    blocks: Iterator[LabelledBlock], again: Callable[[], Iterator[LabelledBlock]], scored: Scored, predictor: Predictor,
    folder: Path, before_each: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[LabelledBlock]:
    """Blocks whose labels come from a Segment Anything model prompted with the labels that were there.

    Every object is shown to the model inside the window that holds most of it, as a box and a point in its middle.
    Where the answer agrees with our outline it replaces it; where two objects claim a pixel, the surer one keeps it.
    Long objects are asked for piece by piece; the pieces meet in the raster and come out as one.

    Args:
        blocks: Our labels.
        again: Gives the same blocks a second time.
        scored: Where they come from.
        predictor: The model.
        folder: For two temporary rasters.
        before_each: Called with windows done and their number; may raise to stop.
    """
    shape = (scored.height, scored.width)
    collector = RegionCollector(scored.width, 1)
    for block in blocks:
        labels = np.where(block.labels == NODATA, 0, block.labels).astype(np.uint8)
        own = np.maximum(labels, 1)[..., None].astype(np.intp) - 1
        sure = np.take_along_axis(block.confidence, own, axis=-1)
        collector.add(block.row - scored.first_row, block.col - scored.first_col, labels, sure)
    labels_out, sure_out = _scratch(shape, folder), _scratch(shape, folder)
    jobs = _assign(collector.finish(), shape)
    for done, (window, regions) in enumerate(jobs):
        before_each(done, len(jobs))
        _one_window(window, regions, scored, predictor, labels_out, sure_out)
    before_each(len(jobs), len(jobs))
    for block in again():
        r, c = block.row - scored.first_row, block.col - scored.first_col
        h, w = block.labels.shape
        painted = np.array(labels_out[r : r + h, c : c + w])
        yield replace(block, labels=np.where(block.valid, painted, NODATA).astype(np.uint8))


Box = tuple[int, int, int, int]  # row, col, rows, cols


def _assign(regions: Sequence[Region], shape: tuple[int, int]) -> list[tuple[Box, list[tuple[Region, Any]]]]:
    """Windows with the regions (and their part inside) that are asked for there."""
    step = WINDOW - OVERLAP

    def starts(total: int) -> NDArray[np.int64]:
        return np.arange(0, max(1, total - OVERLAP), step)

    windows: dict[Box, list[tuple[Region, Any]]] = {}
    for region in regions:
        left, top, right, bottom = region.geometry.bounds
        whole = right - left <= OVERLAP and bottom - top <= OVERLAP
        rows, cols = starts(shape[0]), starts(shape[1])
        if whole:  # the window in whose middle it lies most
            rows = rows[[int(np.abs(rows + WINDOW / 2 - (top + bottom) / 2).argmin())]]
            cols = cols[[int(np.abs(cols + WINDOW / 2 - (left + right) / 2).argmin())]]
        for row in rows:
            for col in cols:
                box: Box = (int(row), int(col), min(WINDOW, shape[0] - int(row)), min(WINDOW, shape[1] - int(col)))
                frame = shapely.box(box[1], box[0], box[1] + box[3], box[0] + box[2])
                part = region.geometry.intersection(frame)
                if part.area >= 4:
                    windows.setdefault(box, []).append((region, part))
    return sorted(windows.items())


def _one_window(
    box: Box, regions: list[tuple[Region, Any]], scored: Scored, predictor: Predictor, labels_out: UInt8,
    sure_out: UInt8,
) -> None:
    from rasterio.features import rasterize

    row, col, rows, cols = box
    seen = scored.source.read(Window(col + scored.first_col, row + scored.first_row, cols, rows), (rows, cols))
    predictor.set_image(seen.filled())
    at = (slice(row, row + rows), slice(col, col + cols))
    for region, part in regions:
        if isinstance(predictor, TextMasks):
            predictor.text = scored.prompts.texts[region.label - 1]
        moved = shapely.transform(part, lambda xy: xy - [col, row])
        ours = rasterize([moved], (rows, cols), dtype="uint8").astype(bool)
        mask = _ask(predictor, moved, ours) & seen.valid
        sure = np.uint8(round(255 * float(np.clip(region.means[0], 0, 1))))
        # Strictly surer, or as sure and earlier in reading order: the first one stays.
        paint = mask & ((labels_out[at] == 0) | (sure > sure_out[at]))
        labels_out[at][paint] = region.label
        sure_out[at][paint] = sure


def _ask(predictor: Predictor, part: Any, ours: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The model's mask for an outline, or the outline where it answers something else."""
    left, top, right, bottom = (float(v) for v in part.bounds)
    point = shapely.get_coordinates(part.representative_point())
    masks, quality, _ = predictor.predict(
        boxes=[left, top, right, bottom], point_coords=point, point_labels=np.ones(len(point), np.int64),
        multimask_output=True, return_results=True,
    )  # fmt: skip
    best, chosen = MIN_AGREEMENT, ours
    for mask, good in zip(np.asarray(masks).astype(bool), np.asarray(quality, np.float32), strict=True):
        union = (mask | ours).sum()
        agreement = float((mask & ours).sum() / union) if union else 0.0
        # Among the answers that agree, the model's own judgement counts a little.
        value = agreement + 0.1 * float(good) if agreement >= MIN_AGREEMENT else 0.0
        if value > best:
            best, chosen = value, mask
    return chosen


def _scratch(shape: tuple[int, int], folder: Path) -> UInt8:
    handle = tempfile.NamedTemporaryFile(dir=folder, suffix=".sam", delete=False)  # noqa: SIM115
    handle.close()
    try:
        reserve(Path(handle.name), shape[0] * shape[1])
    except OSError as error:
        raise OutputError(
            f"The temporary folder {folder} is full ({error.strerror}).", "Free space, or set TMPDIR to another disk."
        ) from error
    return np.memmap(handle.name, np.uint8, "r+", shape=shape)

