"""Models by name; the bundled model through the encoder's interface."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch

from rsvlm_core.errors import ModelError, UsageError
from rsvlm_core.model import registry
from rsvlm_core.model.checkpoint import save_mammut
from rsvlm_core.model.config import load_config
from rsvlm_core.model.folder import Card, file_sha256
from rsvlm_core.model.mammut import Mammut
from rsvlm_core.settings import weights_dir


@pytest.fixture(autouse=True)
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RSVLM_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def bundled():
    return registry.load_encoder()


def test_bundled_model_is_whole():
    info = registry.model_info()
    assert info.id == "bundled" and info.sha256 == file_sha256(weights_dir() / "model.safetensors")
    assert info.parameters <= 30_000_000 and info.licence and info.trained_on
    assert (weights_dir() / "model.safetensors").stat().st_size < 25_000_000


def test_bundled_vectors_are_unit_and_do_not_depend_on_the_batch(bundled):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (3, 224, 224, 3), dtype=np.uint8)
    z = bundled.encode_images(images)
    assert z.shape == (3, bundled.info.embed_dim) and z.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(bundled.encode_images(images[1:2])[0], z[1], atol=2e-5)
    texts = bundled.encode_texts(["houses", "a very long sentence " * 40])
    np.testing.assert_array_equal(texts[0], bundled.encode_texts(["houses"])[0])
    with pytest.raises(UsageError):
        bundled.encode_texts(["  "])


def test_bundled_knows_words_that_mean_the_same(bundled):
    z = bundled.encode_texts(["houses", "residential buildings", "the open sea"])
    assert z[0] @ z[1] > z[0] @ z[2] + 0.1


@pytest.mark.parametrize("method", ["auto", "smooth", "attention", "dense"])
def test_bundled_patches_lie_on_the_stated_grid(bundled, method: str):
    images = np.zeros((1, 224, 448, 3), np.uint8)
    s = bundled.info.patch_stride
    z = bundled.encode_patches(images, method)
    assert z.shape == (1, 224 // s, 448 // s, bundled.info.embed_dim)
    np.testing.assert_allclose(np.linalg.norm(z, axis=-1), 1, atol=1e-4)
    with pytest.raises(UsageError):
        bundled.encode_patches(images, "magic")


def test_bundled_writes_a_caption(bundled):
    (caption,) = bundled.caption(np.full((1, 224, 224, 3), 90, np.uint8))
    assert 1 <= len(caption.split()) <= 40


def test_a_folder_of_ours_by_path_and_by_added_name(tmp_path: Path):
    torch.manual_seed(0)
    save_mammut(Mammut(load_config("tiny")), tmp_path / "mine", Card("mine"), int8=True)
    images = np.zeros((1, 64, 64, 3), np.uint8)
    by_path = registry.load_encoder(str(tmp_path / "mine"))
    registry.add_model("fields", str(tmp_path / "mine"))
    assert [m.id for m in registry.list_models()] == ["bundled", "fields"]
    by_name = registry.load_encoder("fields")
    np.testing.assert_array_equal(by_path.encode_images(images), by_name.encode_images(images))
    assert by_name.info.id == "fields" and by_name.info.sha256 == by_path.info.sha256
    with pytest.raises(UsageError):
        registry.add_model("bundled", str(tmp_path / "mine"))
    with pytest.raises(ModelError):
        registry.add_model("other", str(tmp_path))


def test_unknown_models_say_what_would_work():
    with pytest.raises(ModelError, match="open_clip:NAME/PRETRAINED"):
        registry.load_encoder("no/such/model")
    with pytest.raises(ModelError, match="names no weights"):
        registry.load_encoder("open_clip:ViT-B-32")
    with pytest.raises(ModelError, match="40 digits"):
        registry.load_encoder("hf-hub:org/name")


def test_what_a_hub_sends_is_what_it_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import hashlib
    from types import SimpleNamespace

    import huggingface_hub

    from rsvlm_core.errors import ModelError as Refused
    from rsvlm_core.model.open_clip_encoder import fetch_hub

    sent = {"config.json": b"{}", "model.safetensors": bytes(range(256)) * 40}
    blob = hashlib.sha1(b"blob 2\x00{}").hexdigest()  # noqa: S324 - git's own
    assert blob == "9e26dfeeb6e641a33dae4961196235bdb965b21b"  # what `git hash-object` says of an empty JSON object
    files = [
        SimpleNamespace(rfilename="config.json", lfs=None, blob_id=blob),
        SimpleNamespace(
            rfilename="model.safetensors",
            lfs=SimpleNamespace(sha256=hashlib.sha256(sent["model.safetensors"]).hexdigest()),
            blob_id="of the pointer",
        ),
        SimpleNamespace(rfilename="training.log", lfs=None, blob_id="not fetched"),
        SimpleNamespace(rfilename="../../../mine", lfs=None, blob_id="leads out of the folder"),
    ]
    revisions = []

    def download(repo, revision, local_dir, allow_patterns):
        revisions.append(revision)
        for name, data in sent.items():
            (local_dir / name).parent.mkdir(parents=True, exist_ok=True)
            (local_dir / name).write_bytes(data)

    api = SimpleNamespace(model_info=lambda repo, revision, files_metadata: SimpleNamespace(siblings=files))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: api)
    name = "hf-hub:org/name@" + "a1" * 20
    whole, sent["model.safetensors"] = sent["model.safetensors"], b"x" + sent["model.safetensors"][1:]
    (tmp_path / "mine").write_text("a file of the user's")
    with pytest.raises(Refused, match="not what the hub lists"):
        fetch_hub(name, tmp_path / "hub")
    sent["model.safetensors"], sent["more.json"] = whole, b"{}"
    with pytest.raises(Refused, match=r"more\.json .* not what the hub lists"):
        fetch_hub(name, tmp_path / "hub")
    del sent["more.json"]
    folder = fetch_hub(name, tmp_path / "hub")
    assert (tmp_path / "mine").read_text() == "a file of the user's"
    assert (folder / "model.safetensors").read_bytes() == whole and revisions == ["a1" * 20] * 3
    assert fetch_hub(name, tmp_path / "hub") == folder and len(revisions) == 3  # once is enough


def test_open_clip_model_from_a_checkpoint_made_here(tmp_path: Path):
    config = {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 64, "layers": 2, "width": 48, "head_width": 16, "patch_size": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
    }
    import json

    (tmp_path / "rsvlm-test-vit.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "rsvlm-test-vit.json")
    torch.manual_seed(0)
    model = open_clip.create_model("rsvlm-test-vit")
    torch.save(model.state_dict(), tmp_path / "w.pt")
    encoder = registry.load_encoder(f"open_clip:rsvlm-test-vit/{tmp_path / 'w.pt'}")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (2, 64, 64, 3), dtype=np.uint8)
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    mean, std = (
        torch.tensor(v).view(1, 3, 1, 1) for v in (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)
    )
    with torch.no_grad():
        wanted = model.eval().encode_image((x - mean) / std, normalize=True).numpy()
    np.testing.assert_allclose(encoder.encode_images(images), wanted, atol=1e-5)
    assert encoder.encode_patches(images).shape == (2, 4, 4, 32)
    assert encoder.encode_texts(["a", "b"]).shape == (2, 32)
    with pytest.raises(ModelError, match="captions"):
        encoder.caption(images)
