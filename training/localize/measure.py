"""What every round is measured by: masks of the dev sets through the product's own path, and mean recall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from rsvlm_core.localize.prompts import Prompts
from rsvlm_core.model.encoder import Float32, ModelInfo
from rsvlm_core.model.mammut import Mammut
from rsvlm_core.model.tokenizer import Tokenizer
from rsvlm_core.model.torch_encoder import TorchEncoder
from rsvlm_core.pipelines.segment import segment_array
from rsvlm_core.settings import data_dir
from training.evaluate.pixels import Counts, ScorePool
from training.evaluate.segmentation import MaskedImage, read_masked
from training.localize.recipe import DevSet, LocalizeRecipe
from training.validation import Validation, embed_texts


def as_encoder(model: Mammut, tokenizer: Tokenizer, max_scale: float) -> TorchEncoder:
    """A model in training behind the engine's interface, as it would be after export but for quantisation."""
    info = ModelInfo(
        id="run", sha256="", embed_dim=model.cfg.embed_dim, image_size=model.cfg.vision.image_size,
        patch_stride=model.visual.dense_stride, gsd_m=model.cfg.gsd_m,
        logit_scale=min(float(model.logit_scale.exp()), max_scale),
    )  # fmt: skip
    return TorchEncoder(model, tokenizer, info, torch.device("cpu"))


class Dev:
    """The dev sets and validation pairs of a recipe, read once.

    Args:
        recipe: Which sets.
        size: Image side of the model.
    """

    def __init__(self, recipe: LocalizeRecipe, size: int) -> None:
        self.recipe = recipe
        self.sets = {name: dev_images(dev) for name, dev in recipe.dev.items()}
        self._pairs = Validation(recipe.validation, size) if recipe.validation else None
        self._text_vectors: Float32 | None = None  # the text tower is frozen

    def measure(self, model: Mammut, tokenizer: Tokenizer) -> dict[str, float]:
        """What a model reaches, by name.

        Returns:
            `SET.TEXT.iou` at the automatic threshold, `.precision`, `.recall`, `SET.TEXT.ap`, all by the
            method "smooth"; `iou` and `ap`, their means over texts that are not held out; `mean_recall` in percent.
        """
        model.eval()
        encoder = as_encoder(model, tokenizer, self.recipe.max_scale)
        out: dict[str, float] = {}
        for name, dev in self.recipe.dev.items():
            out |= {f"{name}.{key}": value for key, value in _segmented(encoder, self.sets[name], dev).items()}
        for kind in ("iou", "ap"):
            seen = [v for k, v in out.items() if k.endswith(f".{kind}") and not self.held_out(k)]
            if seen:
                out[kind] = float(np.mean(seen))
        if self._pairs is not None:
            device = torch.device("cpu")
            if self._text_vectors is None:
                self._text_vectors = embed_texts(model, tokenizer, self._pairs.texts, device)
            out["mean_recall"] = self._pairs.recalls(model, tokenizer, device, self._text_vectors)["mean_recall"]
        return out

    def held_out(self, key: str) -> bool:
        """Whether a measured value is of a held-out class."""
        return key.split(".")[-2].lower() in {w.lower() for w in self.recipe.held_out}


def better_everywhere(before: Mapping[str, float], after: Mapping[str, float], dev: Dev, kind: str) -> bool:
    """Whether every dev set gained, by its mean over the texts that are not held out."""
    for name in dev.sets:
        keys = [k for k in before if k.startswith(f"{name}.") and k.endswith(f".{kind}") and not dev.held_out(k)]
        if keys and not np.mean([after[k] for k in keys]) > np.mean([before[k] for k in keys]):
            return False
    return True


def dev_images(dev: DevSet) -> list[MaskedImage]:
    """The images of a dev set, as many of them as it says."""
    paths = [p if Path(p).is_absolute() else data_dir() / "data" / p for p in dev.images]
    found = read_masked(paths)
    if dev.sample and dev.sample < len(found):
        found = [found[i] for i in np.linspace(0, len(found) - 1, dev.sample).round().astype(int)]
    return found


def _segmented(encoder: TorchEncoder, images: Sequence[MaskedImage], dev: DevSet) -> dict[str, float]:
    prompts = Prompts.of(dev.texts, encoder)
    counts, pools = [Counts() for _ in dev.texts], [ScorePool() for _ in dev.texts]
    for image in images:
        raw = image.truth()
        truth = (raw > 0).astype(np.uint8) if len(dev.texts) == 1 else raw
        found = segment_array(np.array(image.item.pil(), np.uint8), dev.gsd, prompts, encoder, method="smooth")
        for t in range(len(dev.texts)):
            counts[t].add(found.labels == t + 1, truth == t + 1)
            pools[t].add(found.scores[t], truth == t + 1)
    out: dict[str, float] = {}
    for t, text in enumerate(dev.texts):
        report = counts[t].report()
        out |= {f"{text}.{k}": report[k] for k in ("iou", "precision", "recall")}
        out[f"{text}.ap"] = pools[t].average_precision()
    return out
