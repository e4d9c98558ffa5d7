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
from training.recipe import SetSpec


def recalls(z_image: np.ndarray, z_text: np.ndarray, owner: np.ndarray) -> dict[str, float]:
    """Protocol A of METHODS 7.1 without its tie rule's details: enough to choose a checkpoint by."""
    scores = z_image @ z_text.T
    own = owner[None] == np.arange(len(z_image))[:, None]
    best = np.where(own, scores, -2).max(1, keepdims=True)
    i2t = ((scores > best) & ~own).sum(1)
    t2i = (scores > scores[owner, np.arange(len(owner))][None]).sum(0)
    found = {
        f"{n}_r{k}": 100.0 * float((ranks < k).mean()) for n, ranks in (("i2t", i2t), ("t2i", t2i)) for k in (1, 5, 10)
    }
    return {**found, "mean_recall": sum(found.values()) / 6}


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
        z_text = embed_texts(model, tokenizer, [t for row in texts for t in row], device)
        found = recalls(embed_images(model, images, device), z_text, owner)
    finally:
        model.load_state_dict(kept)
    return {
        "val_mean_recall": float(found["mean_recall"]),
        "val_i2t_r1": float(found["i2t_r1"]),
        "val_t2i_r1": float(found["t2i_r1"]),
    }
