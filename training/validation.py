"""A quick look at a model in training: mean recall (protocol A) on validation shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from rsvlm_core.errors import DataError
from rsvlm_core.model.encoder import Float32
from rsvlm_core.model.mammut import Mammut
from rsvlm_core.model.tokenizer import Tokenizer
from training.bank import centre_square
from training.data.captions import sentences
from training.data.shards import read_samples
from training.evaluate.retrieval import Outcome, ranks
from training.recipe import SetSpec


@torch.no_grad()
def embed_images(model: Mammut, images: np.ndarray, device: torch.device, batch: int = 32) -> np.ndarray:
    """[N, S, S, 3] uint8 -> [N, D] float32 unit norm; the model is in eval mode, on `device`."""
    out = []
    for i in range(0, len(images), batch):
        x = torch.from_numpy(np.ascontiguousarray(images[i : i + batch])).permute(0, 3, 1, 2).to(device)
        out.append(model.encode_image(model.visual.normalise(x)).cpu().numpy())
    return np.concatenate(out)


@torch.no_grad()
def embed_texts(
    model: Mammut, tokenizer: Tokenizer, texts: Sequence[str], device: torch.device, batch: int = 64
) -> np.ndarray:
    """Unit-norm vectors of texts; equal ones are encoded once.

    Args:
        model: In eval mode, on `device`.
        tokenizer: Of the model.
        texts: T of them.
        device: Where to compute.
        batch: Distinct texts seen at once, those of like lengths together.

    Returns:
        [T, D] float32.
    """
    distinct = sorted(set(texts), key=len)
    rows: dict[str, np.ndarray] = {}
    for i in range(0, len(distinct), batch):
        tokens = tokenizer(distinct[i : i + batch], model.cfg.text.context_length)
        z = model.encode_text(tokens.ids.to(device), tokens.valid.to(device)).cpu().numpy()
        rows.update(zip(distinct[i : i + batch], z, strict=True))
    return np.stack([rows[t] for t in texts])


class Validation:
    """Image-text pairs of shards, read once: models are compared on them by mean recall.

    Args:
        shards: As recipes name them.
        size: Image side of the models in pixels.

    Attributes:
        images: [N, size, size, 3] uint8.
        texts: The distinct sentences.

    Raises:
        DataError: A shard is missing or damaged, or no image has sentences.
    """

    def __init__(self, shards: Sequence[str], size: int) -> None:
        samples = [s for s in read_samples(SetSpec(shards).paths()) if sentences(s.meta)]
        if not samples:
            raise DataError("No image of the validation shards has sentences.", "Name shards with captions.")
        self.images = np.stack([np.asarray(centre_square(s.pil(), size, Image.Resampling.BICUBIC)) for s in samples])
        # RSICD keeps five captions an image; files that list distinct ones repeat them in turn.
        texts = [c[i % len(c)] for s in samples for c in [sentences(s.meta)] for i in range(5)]
        self._owner = np.repeat(np.arange(len(samples)), 5)
        # Each distinct sentence is scored once, so that scores of equal ones are bit-equal.
        distinct, self._column = np.unique(texts, return_inverse=True)
        self.texts: list[str] = distinct.tolist()

    def recalls(
        self, model: Mammut, tokenizer: Tokenizer, device: torch.device, z_text: Float32 | None = None
    ) -> dict[str, float]:
        """The measures of `training.evaluate retrieval`, in percent.

        Args:
            model: In eval mode, on `device`.
            tokenizer: Of the model.
            device: Where to compute.
            z_text: `embed_texts` of `texts`, where they are known; None computes them.
        """
        if z_text is None:
            z_text = embed_texts(model, tokenizer, self.texts, device)
        scores = (embed_images(model, self.images, device) @ z_text.T)[:, self._column]
        return {k: float(v) for k, v in Outcome(*ranks(scores, self._owner), self._owner).recalls().items()}


def validate(
    model: Mammut, average: Mapping[str, Tensor], tokenizer: Tokenizer, pairs: Validation, device: torch.device
) -> dict[str, float]:
    """Mean recall of other weights of a model, which comes back with its own, in eval mode.

    Args:
        model: On `device`.
        average: The weights to look at.
        tokenizer: Of the model.
        pairs: What to look with.
        device: Where to compute.

    Returns:
        `val_mean_recall`, `val_i2t_r1` and `val_t2i_r1`, in percent.
    """
    kept = {k: v.clone() for k, v in model.state_dict().items()}
    model.load_state_dict(average)
    model.eval()
    try:
        found = pairs.recalls(model, tokenizer, device)
    finally:
        model.load_state_dict(kept)
    return {f"val_{k}": found[k] for k in ("mean_recall", "i2t_r1", "t2i_r1")}
