"""One training step's loss and gradients, whole or in chunks, on one process or many."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.nn.functional as dist_nn
from torch import Tensor, nn

from rsvlm_core.model.mammut import Mammut
from rsvlm_core.model.text import TextDecoder
from rsvlm_core.model.tokenizer import Tokenizer, Tokens
from training import losses
from training.batches import Batch
from training.recipe import Stage


class Passes(nn.Module):
    """What one forward call computes; a module of its own so that DDP and FSDP can wrap it."""

    def __init__(self, model: Mammut) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, images: Tensor, ids: Tensor, valid: Tensor, captioned: int, smoothing: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Images [b, 3, S, S] in 0..1, or cached maps [b, C, h, w]; the first `captioned` rows run the captioning pass.

        Returns:
            Image vectors [b, D], text vectors [b, D], sentence vectors before the head [b, width], caption loss.
        """
        model = self.model
        cached = images.shape[1] != 3
        images = images if cached else model.visual.normalise(images)
        images = images.contiguous(memory_format=torch.channels_last)
        # On a CPU bf16 slows convolutions (measured: 31 against 23 ms an image) and speeds text up (3.5, 8.8).
        with torch.autocast(
            images.device.type, enabled=images.device.type != "cpu" and torch.is_autocast_enabled(images.device.type)
        ):
            grid = model.visual.grid_of_lower(images) if cached else model.visual.grid(images)[0]
        z_image = nn.functional.normalize(model.visual.pool(grid.flatten(1, 2)).float(), dim=-1)
        sentence = model.text.sentence(ids, valid)
        z_text = nn.functional.normalize(model.text.project(sentence).float(), dim=-1)
        caption = z_image.new_zeros(())
        if captioned:
            context = model.text.image_context(grid[:captioned])
            logits = model.text.next_tokens(ids[:captioned], valid[:captioned], context)
            caption = losses.caption_cross_entropy(logits, ids[:captioned], valid[:captioned], smoothing)
        return z_image, z_text, sentence.float(), caption


class SentenceTeacher:
    """Frozen sentence vectors of the starting text tower, cached by text."""

    def __init__(self, text: TextDecoder, tokenizer: Tokenizer, length: int, limit: int = 200_000) -> None:
        self._text, self._tokenizer, self._length, self._limit = text, tokenizer, length, limit
        self._known: dict[str, Tensor] = {}

    @torch.no_grad()
    def __call__(self, texts: list[str], device: torch.device) -> Tensor:
        """[T, width] unit-norm float32."""
        new = [t for t in dict.fromkeys(texts) if t not in self._known]
        if len(self._known) + len(new) > self._limit:
            self._known.clear()
            new = list(dict.fromkeys(texts))
        if new:
            tokens = self._tokenizer(new, self._length)
            z = self._text.sentence(tokens.ids.to(device), tokens.valid.to(device)).float()
            for text, row in zip(new, nn.functional.normalize(z, dim=-1).cpu(), strict=True):
                self._known[text] = row
        return torch.stack([self._known[t] for t in texts]).to(device)


class Objective:
    """Loss and backward of a step.

    Args:
        passes: The wrapped model.
        model: The model itself, for its logit scale.
        tokenizer: Of the model.
        teacher: Frozen sentence vectors, or None.
        device: Where to compute.
        autocast: dtype of automatic mixed precision, or None.
    """

    def __init__(
        self,
        passes: nn.Module,
        model: Mammut,
        tokenizer: Tokenizer,
        teacher: SentenceTeacher | None,
        device: torch.device,
        autocast: torch.dtype | None,
    ) -> None:
        self.passes, self.model, self.tokenizer, self.teacher = passes, model, tokenizer, teacher
        self.device, self.autocast = device, autocast
        self.world = dist.get_world_size() if dist.is_initialized() else 1

    def _amp(self) -> Any:
        return torch.autocast(self.device.type, self.autocast) if self.autocast else nullcontext()

    def _gather(self, z: Tensor) -> Tensor:
        if self.world == 1:
            return z
        return torch.cat(dist_nn.all_gather(z))  # type: ignore[no-untyped-call]

    def _contrastive(self, z_image: Tensor, z_text: Tensor, batch: Batch, stage: Stage) -> Tensor:
        scale = self.model.logit_scale.exp().clamp(max=stage.max_scale)
        logits = scale * self._gather(z_image) @ self._gather(z_text).t()
        positives = batch.positives.to(self.device)
        if stage.contrastive == "focal":
            return losses.focal_contrastive(logits - 10.0, positives)
        if stage.contrastive == "siglip":
            return losses.siglip(logits - 10.0, positives)
        if self.teacher is not None and stage.soft_weight > 0:
            teacher = self.teacher(batch.texts, self.device)
            wanted = losses.soft_targets(positives, teacher, stage.soft_weight, stage.soft_temperature)
        else:
            wanted = losses.row_normalise(positives), losses.row_normalise(positives.t())
        return losses.multi_positive_info_nce(logits, *wanted)

    def _anchor(self, sentence: Tensor, texts: list[str], stage: Stage) -> Tensor:
        if self.teacher is None or stage.anchor_weight == 0 or not sentence.requires_grad:
            return sentence.new_zeros(())
        return losses.feature_anchor(sentence, self.teacher(texts, self.device))

    def step(self, batch: Batch, stage: Stage, seed: int) -> dict[str, float]:
        """Compute gradients of the stage's loss; returns the parts' values.

        With `stage.accumulate` > 1 the batch runs in chunks: a pass without gradients gives all embeddings, the
        contrastive loss over the full batch gives their gradients, and each chunk runs again with them. Dropout
        repeats between the passes because each chunk fixes its own random state.
        """
        images = batch.images.to(self.device)
        texts = batch.texts[batch.rows]
        tokens = self.tokenizer(texts, self.model.cfg.text.context_length)
        tokens = Tokens(tokens.ids.to(self.device), tokens.valid.to(self.device))
        n = len(images)
        chunks = [slice(a, min(a + -(-n // stage.accumulate), n)) for a in range(0, n, -(-n // stage.accumulate))]
        captioned = [round((c.stop - c.start) * stage.caption_fraction) if stage.caption_weight else 0 for c in chunks]

        def run(k: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
            torch.manual_seed(seed * 1000 + k)
            c = chunks[k]
            with self._amp():
                out: tuple[Tensor, Tensor, Tensor, Tensor] = self.passes(
                    images[c], tokens.ids[c], tokens.valid[c], captioned[k], stage.label_smoothing
                )
            return out

        parts = {"contrastive": 0.0, "caption": 0.0, "anchor": 0.0}
        if len(chunks) == 1:
            z_image, z_text, sentence, caption = run(0)
            contrastive = self._contrastive(z_image, z_text, batch, stage)
            anchor = self._anchor(sentence, texts, stage)
            (contrastive + stage.caption_weight * caption + stage.anchor_weight * anchor).backward()  # type: ignore[no-untyped-call]
            parts = {"contrastive": contrastive.item(), "caption": caption.item(), "anchor": anchor.item()}
        else:
            with torch.no_grad():
                first = [run(k) for k in range(len(chunks))]
            leaf_image = torch.cat([f[0] for f in first]).requires_grad_()
            leaf_text = torch.cat([f[1] for f in first]).requires_grad_()
            contrastive = self._contrastive(leaf_image, leaf_text, batch, stage)
            contrastive.backward()  # type: ignore[no-untyped-call]  # also reaches logit_scale
            parts["contrastive"] = contrastive.item()
            for k, c in enumerate(chunks):
                last = k == len(chunks) - 1
                no_sync = getattr(self.passes, "no_sync", nullcontext)
                sync = nullcontext() if last else no_sync()
                with sync:
                    z_image, z_text, sentence, caption = run(k)
                    share = (c.stop - c.start) / n
                    anchor = self._anchor(sentence, texts[c], stage)
                    surrogate = (z_image * leaf_image.grad[c]).sum() + (z_text * leaf_text.grad[c]).sum()  # type: ignore[index]
                    extra = stage.caption_weight * caption + stage.anchor_weight * anchor
                    (surrogate + share * extra).backward()
                parts["caption"] += share * caption.item()
                parts["anchor"] += share * anchor.item()
        parts["scale"] = self.model.logit_scale.exp().item()
        return parts
