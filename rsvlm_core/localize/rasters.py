"""Labels and confidences as GeoTIFFs on the pixels of the raster, written block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine

from rsvlm_core import style
from rsvlm_core.errors import OutputError
from rsvlm_core.imagery.raster import Raster
from rsvlm_core.localize.scoring import NODATA, LabelledBlock, Scored
from rsvlm_core.model.encoder import Float32, ModelInfo
from rsvlm_core.scratch import beside, publish_raster

NO_SCORE = -9999.0
Write = Callable[[LabelledBlock], None]


def check_raster_out(out: Path) -> None:
    """Refuse a raster that could not be written, before the work rather than after it.

    Raises:
        OutputError: No such folder, or a folder in its place.
    """
    if not out.parent.is_dir():
        raise OutputError(f"{out}: the folder {out.parent} does not exist.", "Create it, or write elsewhere.")
    if out.is_dir():
        raise OutputError(f"{out} is a folder.", "Choose another file name.")


@contextmanager
def label_raster(out: Path, raster: Raster, scored: Scored, info: ModelInfo) -> Iterator[Write]:
    """A label raster: uint8, 0 none, 1...T the texts in order (tags CLASS_1 and so on), 255 no imagery; coloured.

    Yields:
        Takes one block after the other. The file is put in place when the context ends well.

    Raises:
        OutputError: It cannot be written.
    """
    texts = scored.prompts.texts
    with _geotiff(out, raster, scored, 1, "uint8", NODATA) as dst:
        colours = {i + 1: (*style.category_colour(i), 255) for i in range(len(texts))}
        dst.write_colormap(1, {0: (0, 0, 0, 0), NODATA: (0, 0, 0, 0), **colours})
        dst.update_tags(**{f"CLASS_{i + 1}": text for i, text in enumerate(texts)}, **_origin(info))

        def write(block: LabelledBlock) -> None:
            dst.write(block.labels, 1, window=_window(block, scored))

        yield write


@contextmanager
def score_raster(out: Path, raster: Raster, scored: Scored, info: ModelInfo) -> Iterator[Write]:
    """A raster of confidences: float32, one band for each text and described by it, -9999 where there is no imagery.

    Its tags say what polygons need to be made of it again (`pipelines.rethreshold`).

    Yields:
        Takes one block after the other. The file is put in place when the context ends well.

    Raises:
        OutputError: It cannot be written.
    """
    with _bands(out, raster, scored, info, "confidence", lambda block: block.confidence) as write:
        yield write


@contextmanager
def cosine_raster(out: Path, raster: Raster, scored: Scored, info: ModelInfo) -> Iterator[Write]:
    """A raster of cosines, otherwise like `score_raster`."""
    with _bands(out, raster, scored, info, "cosine", lambda block: block.cosine) as write:
        yield write


@contextmanager
def _bands(
    out: Path, raster: Raster, scored: Scored, info: ModelInfo, quantity: str,
    values: Callable[[LabelledBlock], Float32],
) -> Iterator[Write]:
    texts, plan = scored.prompts.texts, scored.plan
    with _geotiff(out, raster, scored, len(texts), "float32", NO_SCORE) as dst:
        dst.update_tags(
            quantity=quantity, source=raster.source, gsd_m=repr(float(plan.gsds[0])),
            cell_m=repr(plan.stride * float(plan.gsds[0])), pixel_m2=repr(raster.gsd_m[0] * raster.gsd_m[1]),
            **_origin(info),
        )
        for i, text in enumerate(texts):
            dst.set_band_description(i + 1, text)

        def write(block: LabelledBlock) -> None:
            seen = np.where(block.valid[..., None], values(block), np.float32(NO_SCORE))
            dst.write(np.moveaxis(seen, -1, 0), window=_window(block, scored))

        yield write


@contextmanager
def _geotiff(out: Path, raster: Raster, scored: Scored, count: int, dtype: str, nodata: float) -> Iterator[Any]:
    placed = raster.transform * Affine.translation(scored.first_col, scored.first_row)
    try:
        with beside(out) as folder:
            part = folder / "part.tif"
            with rasterio.open(
                part, "w", driver="GTiff", width=scored.width, height=scored.height, count=count, dtype=dtype,
                crs=rasterio.CRS.from_wkt(raster.wkt), transform=placed, nodata=nodata, tiled=True, blockxsize=512,
                blockysize=512, compress="deflate", predictor=1 if dtype == "uint8" else 3, bigtiff="if_safer",
            ) as dst:  # fmt: skip
                yield dst
            publish_raster(part, out)
    except (OSError, rasterio.errors.RasterioError) as error:
        raise OutputError(f"{out} could not be written ({error}).", "Check space and permissions.") from error


def _origin(info: ModelInfo) -> dict[str, str]:
    return {"model": info.id, "model_sha256": info.sha256}


def _window(block: LabelledBlock, scored: Scored) -> Any:
    h, w = block.labels.shape
    return rasterio.windows.Window(block.col - scored.first_col, block.row - scored.first_row, w, h)
