"""The model without torch: the same results, from graphs that hold no weights."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rsvlm_core.errors import ModelError, UsageError
from rsvlm_core.index.builder import build_index
from rsvlm_core.index.plan import Wanted
from rsvlm_core.model import graphs, registry, runtime
from rsvlm_core.model.onnx_encoder import OnnxEncoder
from rsvlm_core.settings import weights_dir

ROOT = Path(__file__).resolve().parents[2]
TEXTS = ("houses", "a river between fields", "forest", "a car park", "storage tanks", "roads", "a harbour with boats",
         "solar panels", "a sports field", "bare soil")  # fmt: skip
GRAPHS = (graphs.IMAGE, graphs.DENSE, graphs.SMOOTH, graphs.TEXT, graphs.CAPTION, graphs.NEXT)

# Runs the command line as in an environment in which torch was never installed.
BLOCKED = """
import importlib.util, sys
class Absent:
    names = {"torch", "torchvision", "open_clip", "timm", "onnx"}
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
really = importlib.util.find_spec
def find(name, package=None):
    return None if name.split(".")[0] in Absent.names else really(name, package)
importlib.util.find_spec = find
from rsvlm_core.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def both():
    pytest.importorskip("torch")
    return registry.load_encoder(runtime="onnx", device="cpu"), registry.load_encoder(runtime="torch", device="cpu")


def scene(seed, h, w):
    """Patchy colours: smooth noise of two sizes and some sharp rectangles."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    out = np.zeros((h, w, 3))
    for cells in (6, 30):
        small = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        out += np.asarray(Image.fromarray(small).resize((w, h), Image.Resampling.BICUBIC)) / 2
    for _ in range(40):
        r, c = rng.integers(0, h - 8), rng.integers(0, w - 8)
        out[r : r + rng.integers(4, 40), c : c + rng.integers(4, 40)] = rng.integers(0, 256, 3)
    return out.astype(np.uint8)


def test_the_graphs_hold_no_weights_and_are_small():
    files = [weights_dir() / f"{name}.onnx" for name in GRAPHS]
    assert all(path.is_file() for path in files)
    assert sum(path.stat().st_size for path in files) < 600_000


def test_search_is_the_same_as_on_torch(both):
    onnx, torch = both
    assert isinstance(onnx, OnnxEncoder) and onnx.info == torch.info
    big = scene(0, 1024, 1024)
    size = onnx.info.image_size
    tiles = np.stack([
        big[r : r + size, c : c + size] for r in range(0, 801, 160) for c in range(0, 801, 160)
    ])  # fmt: skip
    texts = [e.encode_texts(TEXTS) for e in both]
    images = [e.encode_images(tiles) for e in both]
    np.testing.assert_allclose(np.linalg.norm(images[0], axis=1), 1, atol=1e-5)
    scores = [t @ v.T for t, v in zip(texts, images, strict=True)]
    assert np.abs(scores[0] - scores[1]).max() < 0.01
    best = [np.argsort(-s, axis=1)[:, :10] for s in scores]
    overlap = np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(*best, strict=True)])
    assert overlap >= 0.98


@pytest.mark.parametrize(("height", "width"), [(224, 224), (256, 192), (104, 72)])
@pytest.mark.parametrize("method", ["auto", "dense", "smooth", "attention"])
def test_patches_are_the_same_as_on_torch_at_any_size(both, method, height, width):
    images = np.stack([scene(1, height, width), scene(2, height, width)])
    got, expected = (e.encode_patches(images, method) for e in both)
    assert got.shape == (2, height // 8, width // 8, 384) and got.dtype == np.float32
    assert np.abs(got - expected).max() < 0.01


def test_captions_are_the_same_as_on_torch(both):
    images = np.stack([scene(3, 224, 224), scene(4, 224, 224)])
    assert both[0].caption(images) == both[1].caption(images)
    assert both[0].caption(images[:1], "there is") == both[1].caption(images[:1], "there is")


def test_a_tile_alone_and_among_others_gives_the_same_vector(both):
    images = np.stack([scene(i, 224, 224) for i in range(3)])
    np.testing.assert_allclose(both[0].encode_images(images)[1:2], both[0].encode_images(images[1:2]), atol=1e-5)
    assert both[0].encode_images(images[:0]).shape == (0, 384)


def test_an_index_of_one_runtime_is_continued_by_the_other(both, make_raster, tmp_path):
    raster = make_raster(scene(5, 300, 500), gsd=1.0)
    for encoder in both:
        report = build_index([str(raster)], tmp_path / "x.rsindex", encoder, Wanted([1.0]))
    assert report.embedded == 0 and report.tiles > 0


def run(*arguments, cwd):
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, *arguments, "--json"], capture_output=True, text=True, cwd=ROOT, timeout=120,
        env={"RSVLM_CACHE": str(cwd / "cache"), "PATH": "/usr/bin:/bin", "HOME": str(cwd)},
    )
    return done, json.loads(done.stdout)


def test_everything_but_other_models_works_without_torch(make_raster, tmp_path):
    raster, out = str(make_raster(scene(6, 260, 300), gsd=1.0)), str(tmp_path / "index.rsindex")
    for arguments in (
        ("index", raster, "--out", out, "--gsd", "1.0"),
        ("search", out, "--text", "houses", "--out", str(tmp_path / "hits.gpkg")),
        ("segment", raster, "--text", "houses", "--out", str(tmp_path / "masks.gpkg")),
        ("caption", raster),
    ):
        done, said = run(*arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "hits.gpkg").is_file() and (tmp_path / "masks.gpkg").is_file()
    done, said = run("search", out, "--text", "x", "--runtime", "torch", cwd=tmp_path)
    assert done.returncode == 2 and "PyTorch" in said["error"]["message"], done.stderr


def test_heatmap_and_classes_and_the_doctor_work_without_torch(make_raster, tmp_path):
    raster = str(make_raster(scene(7, 240, 240), gsd=1.0))
    for arguments in (
        ("heatmap", raster, "--text", "houses", "--out", str(tmp_path / "heat.tif")),
        ("classify", raster, "--classes", "forest,houses", "--out", str(tmp_path / "classes.gpkg")),
    ):
        done, _ = run(*arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "heat.tif").is_file() and (tmp_path / "classes.gpkg").is_file()
    done, said = run("models", "info", "open_clip:ViT-B-32/laion2b_s34b_b79k", cwd=tmp_path)
    assert done.returncode == 2 and "PyTorch" in said["error"]["message"]


def test_the_runtime_is_chosen_by_what_is_there(monkeypatch, tmp_path):
    folder = weights_dir()
    monkeypatch.delenv("RSVLM_RUNTIME", raising=False)
    monkeypatch.setattr(runtime, "graphics_card", lambda: False)
    assert runtime.choose(folder) == runtime.choose(folder, "cpu") == "onnx"
    assert runtime.choose(folder, "auto", "torch") == runtime.choose(folder, "cuda") == "torch"
    monkeypatch.setenv("RSVLM_RUNTIME", "torch")
    assert runtime.choose(folder) == "torch" and runtime.choose(folder, "auto", "onnx") == "onnx"
    monkeypatch.delenv("RSVLM_RUNTIME")
    assert runtime.choose(tmp_path) == "torch"  # a model without graphs
    with pytest.raises(ModelError, match="graphs"):
        runtime.choose(tmp_path, "cpu", "onnx")
    with pytest.raises(ModelError, match="processor"):
        runtime.choose(folder, "cuda", "onnx")
    with pytest.raises(UsageError, match="runtime"):
        runtime.choose(folder, "cpu", "tensorflow")
    monkeypatch.setattr(runtime, "has_torch", lambda: False)
    monkeypatch.setattr(runtime, "graphics_card", lambda: True)
    assert runtime.choose(folder) == "onnx"
    with pytest.raises(ModelError, match="PyTorch"):
        runtime.choose(tmp_path)


def test_damaged_graphs_and_weights_of_another_model_are_told(tmp_path):
    for path in weights_dir().iterdir():
        if path.suffix != ".onnx":
            (tmp_path / path.name).symlink_to(path)
    (tmp_path / "image.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelError, match="image.onnx"):
        OnnxEncoder(tmp_path).encode_images(np.zeros((1, 224, 224, 3), np.uint8))
    with pytest.raises(ModelError, match="text.onnx"):
        OnnxEncoder(tmp_path).encode_texts(["houses"])
