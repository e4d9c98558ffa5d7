"""A quick look at a model in training: mean recall (protocol A) on validation shards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rsvlm_core.model.mammut import Mammut
from rsvlm_core.model.tokenizer import Tokenizer
from training.bank import centre_square
from training.data.captions import sentences
from training.data.shards import read_samples
from training.evaluate.retrieval import Outcome, ranks
from training.recipe import SetSpec


@torch.no_grad()
def embed_images(model: Mammut, images: np.ndarray, device: torch.device, batch: int = 32) -> np.ndarray:
    """[N, S, S, 3] uint8 -> [N, D] float32."""
    out = []
    for i in range(0, len(images), batch):
        x = torch.from_numpy(np.ascontiguousarray(images[i : i + batch])).permute(0, 3, 1, 2).to(device)
        out.append(model.encode_image(model.visual.normalise(x)).cpu().numpy())
    return np.concatenate(out)


@torch.no_grad()
def embed_texts(
    model: Mammut, tokenizer: Tokenizer, texts: Sequence[str], device: torch.device, batch: int = 64
) -> np.ndarray:
    """[T, D] float32; equal texts are encoded once."""
    distinct = sorted(set(texts), key=len)
    rows: dict[str, np.ndarray] = {}
    for i in range(0, len(distinct), batch):
        tokens = tokenizer(distinct[i : i + batch], model.cfg.text.context_length)
        z = model.encode_text(tokens.ids.to(device), tokens.valid.to(device)).cpu().numpy()
        rows.update(zip(distinct[i : i + batch], z, strict=True))
    return np.stack([rows[t] for t in texts])


def validate(
    model: Mammut, average: dict[str, Tensor], tokenizer: Tokenizer, shards: Sequence[str], device: torch.device
) -> dict[str, float]:
    """Mean recall of the averaged weights; the model comes back as it was."""
    from PIL import Image

    kept = {k: v.clone() for k, v in model.state_dict().items()}
    model.load_state_dict(average)
    model.eval()
    try:
        samples = [s for s in read_samples(SetSpec(shards).paths()) if sentences(s.meta)]
        size = model.cfg.vision.image_size
        images = np.stack([np.asarray(centre_square(s.pil(), size, Image.Resampling.BICUBIC)) for s in samples])
        # RSICD keeps five captions an image; files that list distinct ones repeat them in turn.
        texts = [[c[i % len(c)] for i in range(5)] for s in samples for c in [sentences(s.meta)]]
        owner = np.repeat(np.arange(len(samples)), 5)
        # Each distinct sentence is scored once, so that scores of equal ones are bit-equal.
        distinct, column = np.unique([t for row in texts for t in row], return_inverse=True)
        z_text = embed_texts(model, tokenizer, distinct.tolist(), device)
        scores = (embed_images(model, images, device) @ z_text.T)[:, column]
        found = Outcome(*ranks(scores, owner), owner).recalls()
    finally:
        model.load_state_dict(kept)
    return {
        "val_mean_recall": float(found["mean_recall"]),
        "val_i2t_r1": float(found["i2t_r1"]),
        "val_t2i_r1": float(found["t2i_r1"]),
    }
