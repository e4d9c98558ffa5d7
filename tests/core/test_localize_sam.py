import sys
import types
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
import torch

from rsvlm_core.errors import ModelError
from rsvlm_core.localize import sam
from rsvlm_core.localize.polygons import Region
from rsvlm_core.pipelines import segment as pipeline
from rsvlm_core.pipelines.segment import segment
from tests.fakes import COLOURS, FakeEncoder


class ColourPredictor:
    """Answers a prompt with the pixels inside the box that look like the pixel at the point."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, ...]] = []
        self.boxes: list[list[float]] = []

    def set_image(self, image: np.ndarray) -> None:
        self.image = image.astype(int)
        self.sizes.append(image.shape)

    def predict(self, *, boxes: list[float], point_coords: np.ndarray, point_labels: np.ndarray, **_: Any) -> tuple:
        self.boxes.append(boxes)
        x, y = (int(v) for v in point_coords[0])
        alike = np.abs(self.image - self.image[y, x]).max(axis=-1) < 40
        rows, cols = np.mgrid[: alike.shape[0], : alike.shape[1]]
        x0, y0, x1, y1 = boxes
        inside = (cols >= x0 - 12) & (cols < x1 + 12) & (rows >= y0 - 12) & (rows < y1 + 12)
        masks = np.stack([np.ones_like(alike), alike & inside, np.zeros_like(alike)])
        return masks, np.array([0.2, 0.9, 0.1]), None


@pytest.fixture
def predictor(monkeypatch: pytest.MonkeyPatch) -> ColourPredictor:
    fake = ColourPredictor()
    monkeypatch.setattr(pipeline, "load_predictor", lambda: fake)
    return fake


def field(h: int = 300, w: int = 320) -> np.ndarray:
    rgb = np.empty((h, w, 3), np.uint8)
    rgb[:] = COLOURS["green"]
    return rgb


def test_masks_take_the_predictors_outline_where_it_agrees(
    make_raster: Callable[..., Path], predictor: ColourPredictor, tmp_path: Path
) -> None:
    rgb = field()
    rgb[43:127, 51:149] = COLOURS["red"]
    path = make_raster(rgb, gsd=0.5)
    encoder = FakeEncoder(image_size=64, patch_stride=16)  # coarse: our own outline is off by pixels
    result = segment([str(path)], ["red"], encoder, refine="sam", threshold=0.5, mask_raster=tmp_path / "m.tif")
    want = shapely.box(500025.5, 5400000 - 63.5, 500074.5, 5400000 - 21.5)
    assert len(result.masks) == 1 and result.masks.geometry.iloc[0].equals(want)
    with rasterio.open(tmp_path / "m.tif") as labels:
        np.testing.assert_array_equal(labels.read(1) == 1, (rgb == COLOURS["red"]).all(axis=-1))
    assert predictor.sizes == [(300, 320, 3)] and len(predictor.boxes) == 1


def test_an_object_longer_than_a_window_is_asked_for_in_pieces_and_comes_out_whole(
    make_raster: Callable[..., Path], predictor: ColourPredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sam, "WINDOW", 128)
    monkeypatch.setattr(sam, "OVERLAP", 64)
    rgb = field()
    rgb[100:141, 10:310] = COLOURS["red"]
    rgb[200:230, 200:240] = COLOURS["red"]
    path = make_raster(rgb, gsd=0.5)
    result = segment([str(path)], ["red"], FakeEncoder(64, 8), refine="sam", threshold=0.5)
    areas = sorted(result.masks["area_m2"] / 0.25)
    assert areas == [pytest.approx(1200, rel=0.01), pytest.approx(41 * 300, rel=0.01)]
    assert all(rows <= 128 and cols <= 128 for rows, cols, _ in predictor.sizes) and len(predictor.boxes) > 3


def test_nonsense_answers_leave_our_outline(make_raster: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    class Silly(ColourPredictor):
        def predict(self, **prompts: Any) -> tuple:
            masks, quality, logits = super().predict(**prompts)
            return np.stack([np.ones_like(masks[0]), np.zeros_like(masks[0])]), quality[:2], logits

    rgb = field()
    rgb[40:120, 48:144] = COLOURS["red"]
    path = make_raster(rgb, gsd=0.5)
    encoder = FakeEncoder(64, 8)
    monkeypatch.setattr(pipeline, "load_predictor", Silly)
    ours = segment([str(path)], ["red"], encoder, refine="edges").masks
    theirs = segment([str(path)], ["red"], encoder, refine="sam").masks
    assert theirs.geometry.iloc[0].equals(ours.geometry.iloc[0])


def test_two_texts_stay_disjoint_and_nodata_stays_nodata(
    make_raster: Callable[..., Path], predictor: ColourPredictor, tmp_path: Path
) -> None:
    rgb = field()
    rgb[40:120, 40:140], rgb[40:120, 140:240], rgb[:, 200:] = COLOURS["red"], COLOURS["blue"], 0
    path = make_raster(rgb, gsd=0.5, nodata=0)
    result = segment([str(path)], ["red", "blue"], FakeEncoder(64, 8), refine="sam", mask_raster=tmp_path / "m.tif")
    red, blue = (result.masks[result.masks["text"] == t].geometry.union_all() for t in ("red", "blue"))
    assert red.intersection(blue).area == 0 and red.area > 1500 and blue.area > 900
    with rasterio.open(tmp_path / "m.tif") as labels:
        assert (labels.read(1)[:, 200:] == 255).all()


def test_windows_hold_short_objects_whole() -> None:
    rng = np.random.default_rng(0)
    regions = []
    for _ in range(200):
        x, y, w, h = rng.integers(0, 4000), rng.integers(0, 3000), rng.integers(2, 512), rng.integers(2, 512)
        regions.append(Region(1, shapely.box(x, y, min(x + w, 4100), min(y + h, 3100)), 4, np.ones(1), np.ones(1)))
    jobs = sam._assign(regions, (3100, 4100))
    assert sum(len(r) for _, r in jobs) == 200
    for (row, col, rows, cols), members in jobs:
        assert all(shapely.box(col, row, col + cols, row + rows).covers(r.geometry) for r, _ in members)


def test_what_is_missing_is_said_with_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RSVLM_CACHE", str(tmp_path))
    monkeypatch.delenv("RSVLM_SAM", raising=False)
    with pytest.raises(ModelError, match="checkpoint") as caught:
        sam.load_predictor()
    assert "RSVLM_SAM" in caught.value.remedy and str(tmp_path) in caught.value.remedy
    monkeypatch.setenv("RSVLM_SAM", str(tmp_path / "nothing.pth"))
    with pytest.raises(ModelError, match="no file"):
        sam.load_predictor()
    (tmp_path / "sam").mkdir()
    (tmp_path / "sam" / "sam_vit_b.pth").write_bytes(b"x")
    monkeypatch.delenv("RSVLM_SAM")
    assert sam.find_checkpoint() == tmp_path / "sam" / "sam_vit_b.pth"
    monkeypatch.setitem(sys.modules, "samgeo", None)
    with pytest.raises(ModelError, match="segment-geospatial") as caught:
        sam.load_predictor()
    assert "pip install" in caught.value.remedy
    monkeypatch.setenv("RSVLM_SAM", "sam2-hiera-tiny")
    assert sam.find_checkpoint() == "sam2-hiera-tiny"


def test_missing_sam_is_said_before_any_work(
    make_raster: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RSVLM_CACHE", str(tmp_path))
    monkeypatch.delenv("RSVLM_SAM", raising=False)
    encoder = FakeEncoder(64, 8)
    monkeypatch.setattr(encoder, "encode_texts", lambda _: pytest.fail("work began"))
    with pytest.raises(ModelError):
        segment([str(make_raster(field()))], ["red"], encoder, refine="sam")


def test_sam_3_is_asked_by_text_behind_the_same_interface(
    make_raster: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against a stand-in for `samgeo.samgeo3.SamGeo3`: its weights are gated."""
    made: list[Any] = []

    class SamGeo3:
        def __init__(self, **options: Any) -> None:
            self.options, self.asked = options, []
            made.append(self)

        def set_image(self, image: np.ndarray) -> None:
            self.image = image

        def generate_masks(self, prompt: str, quiet: bool = False) -> None:
            self.asked.append(prompt)
            colour = np.array(COLOURS[prompt])
            mask = np.abs(self.image.astype(int) - colour).max(axis=-1) < 40
            self.masks = [mask[None], np.zeros_like(mask)[None]]  # [1, H, W], as the package gives them
            self.scores = [np.array([0.9]), np.array([0.1])]

    module = types.ModuleType("samgeo.samgeo3")
    module.SamGeo3 = SamGeo3  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "samgeo", types.ModuleType("samgeo"))
    monkeypatch.setitem(sys.modules, "samgeo.samgeo3", module)
    monkeypatch.setenv("RSVLM_SAM", "sam3")
    rgb = field()
    rgb[43:127, 51:149], rgb[200:260, 200:260] = COLOURS["red"], COLOURS["blue"]
    path = make_raster(rgb, gsd=0.5)
    masks = segment([str(path)], ["red", "blue"], FakeEncoder(64, 16), refine="sam", threshold=0.5).masks
    want = {"red": shapely.box(500025.5, 5400000 - 63.5, 500074.5, 5400000 - 21.5),
            "blue": shapely.box(500100, 5400000 - 130, 500130, 5400000 - 100)}  # fmt: skip
    assert sorted(masks["text"]) == ["blue", "red"]
    assert all(g.equals(want[t]) for g, t in zip(masks.geometry, masks["text"], strict=True))
    assert sorted(made[0].asked) == ["blue", "red"] and made[0].options["backend"] == "transformers"
    monkeypatch.setenv("RSVLM_SAM", "sam3:" + str(path))
    with pytest.raises(ModelError, match="cannot be used"):
        sam.load_predictor()


def test_the_real_package_with_a_small_random_checkpoint(
    make_raster: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The path through segment-geospatial; a random model answers nonsense, so what is checked is the plumbing."""
    samgeo = pytest.importorskip("samgeo", reason="segment-geospatial is not installed")
    module = sys.modules[samgeo.SamGeo.__module__]
    from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

    def build(checkpoint: str | None = None) -> Sam:
        dim, grid = 32, 64
        model = Sam(
            ImageEncoderViT(
                depth=1, embed_dim=16, img_size=1024, mlp_ratio=2, norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
                num_heads=2, patch_size=16, qkv_bias=True, use_rel_pos=True, global_attn_indexes=[], window_size=14,
                out_chans=dim,
            ),
            PromptEncoder(dim, (grid, grid), (1024, 1024), 4),
            MaskDecoder(
                num_multimask_outputs=3, transformer=TwoWayTransformer(1, dim, 2, 32), transformer_dim=dim,
                iou_head_depth=2, iou_head_hidden_dim=16,
            ),
        ).eval()  # fmt: skip
        if checkpoint:
            model.load_state_dict(torch.load(checkpoint, weights_only=True))
        return model

    torch.manual_seed(0)
    checkpoint = tmp_path / "sam_vit_b_random.pth"
    torch.save(build().state_dict(), checkpoint)
    monkeypatch.setitem(module.sam_model_registry, "vit_b", build)
    monkeypatch.setenv("RSVLM_SAM", str(checkpoint))
    monkeypatch.setattr(sam, "MIN_AGREEMENT", 0.0)  # let nonsense through
    predictor = sam.load_predictor("cpu")
    predictor.set_image(field())
    masks, quality, _ = predictor.predict(
        boxes=[10.0, 10.0, 90.0, 60.0], point_coords=np.array([[50.0, 30.0]]), point_labels=np.ones(1, int),
        multimask_output=True, return_results=True,
    )  # fmt: skip
    assert masks.shape == (3, 300, 320) and len(quality) == 3
    rgb = field()
    rgb[40:120, 48:144] = COLOURS["red"]
    path = make_raster(rgb, gsd=0.5)
    result = segment([str(path)], ["red"], FakeEncoder(64, 8), refine="sam", mask_raster=tmp_path / "m.tif")
    assert result.masks.crs.to_epsg() == 32633
    frame = shapely.box(500000, 5400000 - 150, 500160, 5400000)
    assert all(frame.buffer(1e-6).covers(g) for g in result.masks.geometry)
    checkpoint.write_bytes(b"not a checkpoint")
    with pytest.raises(ModelError, match="cannot be used"):
        sam.load_predictor("cpu")
