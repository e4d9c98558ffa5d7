"""MaMMUT (arXiv 2303.16839): one vision tower, one text decoder in two passes."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rsvlm_core.model.config import MammutConfig
from rsvlm_core.model.text import TextDecoder
from rsvlm_core.model.vision import VisionTower


class Mammut(nn.Module):
    """Contrastive and captioning model.

    Args:
        cfg: The configuration; `load_config("small")` and friends.
    """

    def __init__(self, cfg: MammutConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.visual = VisionTower(cfg.vision, cfg.embed_dim)
        self.text = TextDecoder(cfg.text, cfg.embed_dim, self.visual.token_width)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def encode_image(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] normalised -> unit-norm [B, D]."""
        embedding: Tensor = self.visual(images)[0]
        return embedding

    def encode_text(self, ids: Tensor, valid: Tensor) -> Tensor:
        """[B, L] ids and bool mask -> unit-norm [B, D] (contrastive pass)."""
        embedding: Tensor = self.text(ids, valid)
        return embedding

    def caption_logits(self, images: Tensor, ids: Tensor, valid: Tensor) -> Tensor:
        """Captioning pass from pixels: logits [B, L, vocab]."""
        grid, _ = self.visual.grid(images)
        return self.text.next_tokens(ids, valid, self.text.image_context(grid))

    def parameter_counts(self) -> dict[str, int]:
        """Numbers of weights: vision, text, total."""
        vision = sum(p.numel() for p in self.visual.parameters())
        total = sum(p.numel() for p in self.parameters())
        return {"vision": vision, "text": total - vision, "total": total}


@torch.no_grad()
def generate(
    model: Mammut,
    images: Tensor,
    start: int,
    end: int,
    *,
    beams: int = 1,
    max_tokens: int = 30,
    prompt: list[int] | None = None,
) -> list[list[int]]:
    """Captions token by token, greedy or by beam search; no key-value cache, the decoder is small.

    Args:
        model: In eval mode.
        images: [B, 3, H, W] normalised.
        start: Id of the start token.
        end: Id of the end token.
        beams: 1 for greedy.
        max_tokens: New tokens at most, never past the context length.
        prompt: Ids that every caption begins with, after the start token.

    Returns:
        B lists of ids, start, prompt and end excluded.
    """
    grid, _ = model.visual.grid(images)
    context = model.text.image_context(grid)
    b = images.shape[0]
    head = [start, *(prompt or [])]
    max_tokens = min(max_tokens, model.cfg.text.context_length - len(head))
    ids = torch.tensor(head, device=images.device).repeat(b * beams, 1)
    context = context.repeat_interleave(beams, dim=0)
    # All beams start equal; only the first counts in the first step, else they would stay equal.
    total = torch.full((b, beams), float("-inf"), device=images.device)
    total[:, 0] = 0.0
    done = torch.zeros(b, beams, dtype=torch.bool, device=images.device)
    for _ in range(max_tokens):
        logits = model.text.next_tokens(ids, torch.ones_like(ids, dtype=torch.bool), context)[:, -1].float()
        step = logits.log_softmax(-1).view(b, beams, -1)
        vocab = step.shape[-1]
        frozen = torch.full_like(step, float("-inf"))
        frozen[..., end] = 0.0
        step = torch.where(done.unsqueeze(-1), frozen, step)
        total, flat = (total.unsqueeze(-1) + step).flatten(1).topk(beams, dim=1)
        origin, word = flat // vocab, flat % vocab
        rows = (torch.arange(b, device=ids.device)[:, None] * beams + origin).flatten()
        ids = torch.cat([ids[rows], word.reshape(-1, 1)], dim=1)
        done = done.gather(1, origin) | (word == end)
        if bool(done.all()):
            break
    out = []
    new = ids.view(b, beams, -1)[:, :, len(head) :]
    lengths = torch.where(new == end, 0, 1).cumprod(-1).sum(-1) + 1
    best = (total / lengths).argmax(1)  # mean log-probability, so that beams of other lengths compare fairly
    for i in range(b):
        words = new[i, best[i]].tolist()
        out.append(words[: words.index(end)] if end in words else words)
    return out
