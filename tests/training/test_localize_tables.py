"""The ablation's rows are what they say; refinements of edges move outlines to edges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter
from torch.nn.functional import normalize

from rsvlm_core.model.config import MammutConfig, load_config
from rsvlm_core.model.encoder import ModelInfo
from rsvlm_core.model.mammut import Mammut
from rsvlm_core.model.tokenizer import load_tokenizer
from rsvlm_core.model.torch_encoder import TorchEncoder
from rsvlm_core.pipelines.segment import segment_array
from tests.training.scenes import encode, write_tar
from training.evaluate.pixels import Counts
from training.localize import ablation, edges
from training.localize.recipe import DevSet


@pytest.fixture(scope="module")
def encoder() -> TorchEncoder:
    torch.manual_seed(0)
    raw = load_config("tiny").to_dict()
    raw["vision_cfg"] |= {"patch_size": 8}
    model = Mammut(MammutConfig.from_dict(raw)).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p) * 0.1)
    info = ModelInfo("tiny", "0", 32, 64, 8, (0.1, 10.0), 20.0)
    return TorchEncoder(model, load_tokenizer("clip", Path()), info, torch.device("cpu"))


@pytest.fixture
def dev(tmp_path: Path) -> dict[str, DevSet]:
    rng = np.random.default_rng(0)
    files = {}
    for i in range(2):
        truth = np.zeros((64, 64), np.uint8)
        truth[16:48, 8 : 40 + 8 * i] = 1
        image = np.where(truth[..., None] == 1, (180, 60, 60), (70, 130, 60)) + rng.normal(0, 10, (64, 64, 3))
        files |= {f"images/{i}.png": encode(np.clip(image, 0, 255).astype(np.uint8)), f"masks/{i}.png": encode(truth)}
    return {"houses": DevSet([str(write_tar(tmp_path / "dev.tar", files))], ["a house"], 1.0)}


def test_rows_are_what_the_product_does_and_the_blur_is_a_blur(encoder: TorchEncoder, dev: dict[str, DevSet]) -> None:
    rows = ablation.rows_for(encoder)
    assert {"attention", "blur", "smooth", "smooth+bias", "cross", "clearclip"} <= {r.method for r in rows}
    found = ablation.ablate(encoder, dev, rows)
    image = ablation.dev_images(dev["houses"])
    counts = {m: Counts() for m in ("smooth", "attention", "cross", "clearclip")}
    for item in image:
        for method, count in counts.items():
            out = segment_array(np.array(item.item.pil(), np.uint8), 1.0, ["a house"], encoder, method=method)
            count.add(out.labels == 1, item.truth() > 0)
    names = {"smooth": "SAO, window 3", "attention": "raw patch cosine", "cross": "decoder cross-attention",
             "clearclip": "SAO, window 3, after clearclip"}  # fmt: skip
    for method, count in counts.items():
        assert found[names[method]]["houses"]["iou"] == pytest.approx(count.iou, abs=1e-6), method
    assert found["everything"]["houses"]["ap"] == pytest.approx(36 * 32 / 64**2, rel=1e-6)
    text = ablation.table(found)
    assert text.count("\n") == len(rows) + 2 and "| raw patch cosine |" in text

    kept = ablation.Kept(encoder)
    rgb = np.array(image[0].item.pil(), np.uint8)
    kept.row = ablation.Row("", "attention")
    raw = kept.encode_patches(rgb[None])[0]
    kept.row = ablation.Row("", "blur", 3)
    blurred = kept.encode_patches(rgb[None])[0]
    want = uniform_filter(raw, size=(3, 3, 1), mode="constant")
    np.testing.assert_allclose(blurred[1:-1, 1:-1], want[1:-1, 1:-1], atol=1e-5)
    corner = raw[:2, :2].mean(axis=(0, 1))  # windows are clipped at the border, as Smooth-Attention's are
    np.testing.assert_allclose(blurred[0, 0], corner, atol=1e-5)


def test_models_with_a_pixel_head_have_its_row() -> None:
    raw = load_config("tiny").to_dict()
    raw["vision_cfg"] |= {"timm_model_name": "tf_efficientnet_lite0", "token_width": 32, "dense_width": 8}
    torch.manual_seed(0)
    model = Mammut(MammutConfig.from_dict(raw)).eval()
    info = ModelInfo("tiny", "0", 32, 64, 8, (0.1, 10.0), 20.0)
    encoder = TorchEncoder(model, load_tokenizer("clip", Path()), info, torch.device("cpu"))
    methods = {r.method for r in ablation.rows_for(encoder)}
    assert {"dense", "affinity"} <= methods and not {"clearclip", "sclip"} & methods
    kept, rgb = ablation.Kept(encoder), np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    for method in ("dense", "affinity", "smooth"):
        kept.row = ablation.Row("", method, 3)
        np.testing.assert_allclose(
            kept.encode_patches(rgb[None]), encoder.encode_patches(rgb[None], method), atol=1e-5
        )
    assert len(kept._seen) == 1  # one look at the window for all rows
    z = torch.from_numpy(kept.encode_patches(rgb[None]))
    torch.testing.assert_close(normalize(z, dim=-1), z)


@pytest.mark.parametrize("kind", [k for k in edges.REFINEMENTS if k != "none"])
def test_refinements_move_coarse_outlines_to_the_edges(kind: str) -> None:
    if kind == "GrabCut":
        pytest.importorskip("cv2", reason="OpenCV is not installed")
    rng = np.random.default_rng(0)
    truth = np.zeros((96, 96), bool)
    truth[19:69, 27:77] = True
    rgb = np.where(truth[..., None], (170, 90, 80), (80, 120, 70)) + rng.normal(0, 6, (96, 96, 3))
    coarse = np.kron(truth.reshape(12, 8, 12, 8).mean(axis=(1, 3)), np.ones((8, 8)))
    margins = (6 * coarse - 3).astype(np.float32)

    def iou(mask: np.ndarray) -> float:
        return float((mask & truth).sum() / (mask | truth).sum())

    before = iou(edges.as_it_is(margins, rgb, 8))
    image = np.clip(rgb, 0, 255).astype(np.uint8)
    after = iou(edges.REFINEMENTS[kind](margins, image, 8))
    # Superpixels of a cell's size can move an outline by little; the others find the edge.
    assert after > before + 0.01 and (after > 0.97 or kind == "superpixels")
    nothing = np.full((96, 96), -3.0, np.float32)
    assert not edges.REFINEMENTS[kind](nothing, image, 8).any()


def test_edges_are_compared_on_the_dev_sets(encoder: TorchEncoder, dev: dict[str, DevSet]) -> None:
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    found = edges.compare(encoder, dev)
    assert set(found) == set(edges.REFINEMENTS)
    want = Counts()
    for item in ablation.dev_images(dev["houses"]):
        out = segment_array(np.array(item.item.pil(), np.uint8), 1.0, ["a house"], encoder)
        want.add(out.labels == 1, item.truth() > 0)
    assert found["none"]["houses"] == pytest.approx(want.iou, abs=0.01)
