"""One training step's loss and gradients, whole or in chunks, on one process or many."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.nn.functional as dist_nn
from torch import Tensor, nn

from rsvlm_core.model.encoder import Encoder
from rsvlm_core.model.mammut import Mammut
from rsvlm_core.model.tokenizer import Tokenizer, Tokens
from training import losses
from training.batches import Batch
from training.recipe import Stage
from training.sentences import SentenceVectors

# Image vectors, text vectors, sentence vectors and caption loss: what `Passes` gives.
Passed = tuple[Tensor, Tensor, Tensor, Tensor]


class Passes(nn.Module):
    """What one forward call computes; a module of its own so that DDP and FSDP can wrap it.

    Args:
        model: The model.
    """

    def __init__(self, model: Mammut) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        images: Tensor,
        ids: Tensor,
        valid: Tensor,
        captioned: int,
        smoothing: float,
        sentences: Tensor | None = None,
    ) -> Passed:
        """Both towers, and the captioning pass for the first `captioned` rows.

        Args:
            images: [b, 3, S, S] in 0..1, or cached maps [b, C, h, w] of stride 16, or pooled [b, C, 1, 1].
            ids: [b, L] token ids.
            valid: [b, L] bool.
            captioned: Rows of the captioning pass.
            smoothing: Label smoothing.
            sentences: [b, width] of a frozen text tower; None computes them.

        Returns:
            Image vectors [b, D], text vectors [b, D], sentence vectors before the head [b, width], caption loss.
        """
        model = self.model
        cached = images.shape[1] != 3
        images = images if cached else model.visual.normalise(images)
        images = images.contiguous(memory_format=torch.channels_last)
        # On a CPU bf16 slows convolutions (measured: 31 against 23 ms an image) and speeds text up (3.5, 8.8).
        with torch.autocast("cpu", enabled=False) if images.device.type == "cpu" else nullcontext():
            if not cached:
                grid = model.visual.grid(images)[0]
            elif images.shape[1] == model.visual.trunk.channels:
                grid = model.visual.grid_of_pooled(images)
            else:
                grid = model.visual.grid_of_lower(images)
        z_image = nn.functional.normalize(model.visual.pool(grid.flatten(1, 2)).float(), dim=-1)
        sentence = model.text.sentence(ids, valid) if sentences is None else sentences
        z_text = nn.functional.normalize(model.text.project(sentence).float(), dim=-1)
        caption = z_image.new_zeros(())
        if captioned:
            context = model.text.image_context(grid[:captioned])
            logits = model.text.next_tokens(ids[:captioned], valid[:captioned], context)
            caption = losses.caption_cross_entropy(logits, ids[:captioned], valid[:captioned], smoothing)
        return z_image, z_text, sentence.float(), caption


@dataclass(frozen=True)
class _Rows:
    """This process's share of a batch, on its device; `chunks` cut all of it alike.

    `sentences` are those of a frozen text tower, `taught` the distillation teacher's vectors of images and of texts.
    """

    images: Tensor
    texts: list[str]
    tokens: Tokens
    sentences: Tensor | None
    taught: tuple[Tensor, Tensor] | None
    chunks: list[slice]


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
        teacher: SentenceVectors | None,
        device: torch.device,
        autocast: torch.dtype | None,
    ) -> None:
        self.passes, self.model, self.tokenizer, self.teacher = passes, model, tokenizer, teacher
        self.device, self.autocast = device, autocast
        self.world = dist.get_world_size() if dist.is_initialized() else 1
        self.frozen_text: SentenceVectors | None = None
        self.distil: Encoder | None = None

    def start_stage(self, stage: Stage) -> None:
        """Look at what learns: a text tower of which only what writes captions does gives each text's vector once."""
        text = self.model.text
        of_captions = ("project", "from_image", "to_vocab", "vocab_bias")
        still = not any(
            p.requires_grad
            for n, p in text.named_parameters()
            if not n.startswith(of_captions) and "cross" not in n and not n.endswith("gate")
        )
        bf16 = self.autocast == torch.bfloat16
        if still and self.teacher is not None and self.teacher.reads_like(text):
            self.frozen_text = self.teacher
        else:
            self.frozen_text = SentenceVectors(text, self.tokenizer, text.cfg.context_length, bf16) if still else None

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
        return losses.multi_positive_info_nce(logits, *wanted, batch.neutral.to(self.device))

    def _anchor(self, sentence: Tensor, texts: list[str], stage: Stage) -> Tensor:
        if self.teacher is None or stage.anchor_weight == 0 or not sentence.requires_grad:
            return sentence.new_zeros(())
        return losses.feature_anchor(sentence, self.teacher(texts, self.device))

    def _relations(self, images: Tensor, texts: list[str], stage: Stage) -> tuple[Tensor, Tensor] | None:
        """The distillation teacher's vectors of this process's images and texts, or None where nothing is distilled."""
        if self.distil is None or not stage.distill_weight:
            return None
        size = self.distil.info.image_size
        seen = nn.functional.interpolate(images, size=(size, size), mode="bicubic", antialias=True)
        pixels = (seen.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        vectors = self.distil.encode_images(pixels), self.distil.encode_texts(texts)
        return torch.from_numpy(vectors[0]).to(self.device), torch.from_numpy(vectors[1]).to(self.device)

    def step(self, batch: Batch, stage: Stage, seed: int) -> dict[str, float]:
        """Compute gradients of the stage's loss; returns the parts' values.

        With `stage.accumulate` > 1 the batch runs in chunks: a pass without gradients gives all embeddings, the
        contrastive loss over the full batch gives their gradients, and each chunk runs again with them. Dropout
        repeats between the passes because each chunk fixes its own random state.
        """
        rows = self._rows(batch, stage)
        run = self._at_once if len(rows.chunks) == 1 else self._in_chunks
        return {**run(batch, rows, stage, seed), "scale": self.model.logit_scale.exp().item()}

    def _rows(self, batch: Batch, stage: Stage) -> _Rows:
        images = batch.images.to(self.device)
        texts = batch.texts[batch.rows]
        tokens = self.tokenizer(texts, self.model.cfg.text.context_length)
        tokens = Tokens(tokens.ids.to(self.device), tokens.valid.to(self.device))
        sentences = self.frozen_text(texts, self.device) if self.frozen_text else None
        n, size = len(images), -(-len(images) // stage.accumulate)
        chunks = [slice(a, min(a + size, n)) for a in range(0, n, size)]
        return _Rows(images, texts, tokens, sentences, self._relations(images, texts, stage), chunks)

    def _run(self, rows: _Rows, k: int, stage: Stage, seed: int) -> Passed:
        """The forward passes of a chunk; the same every time."""
        torch.manual_seed(seed * 1000 + k)
        c = rows.chunks[k]
        captioned = round((c.stop - c.start) * stage.caption_fraction) if stage.caption_weight else 0
        sentences = None if rows.sentences is None else rows.sentences[c]
        with self._amp():
            out: Passed = self.passes(
                rows.images[c], rows.tokens.ids[c], rows.tokens.valid[c], captioned, stage.label_smoothing, sentences
            )
        return out

    def _beside(self, rows: _Rows, c: slice, out: Passed, stage: Stage) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a chunk but for its contrastive part: weighted and summed, and the parts themselves."""
        z_image, z_text, sentence, caption = out
        parts = {"caption": caption, "anchor": self._anchor(sentence, rows.texts[c], stage)}
        total = stage.caption_weight * caption + stage.anchor_weight * parts["anchor"]
        if rows.taught is not None:
            pairs = zip((z_image, z_text), rows.taught, strict=True)
            image, text = (losses.relational_distillation(z, known[c], stage.distill_scale) for z, known in pairs)
            parts["distill"] = 0.5 * (image + text)
            total = total + stage.distill_weight * parts["distill"]
        return total, parts

    def _at_once(self, batch: Batch, rows: _Rows, stage: Stage, seed: int) -> dict[str, float]:
        out = self._run(rows, 0, stage, seed)
        contrastive = self._contrastive(out[0], out[1], batch, stage)
        extra, parts = self._beside(rows, rows.chunks[0], out, stage)
        (contrastive + extra).backward()  # type: ignore[no-untyped-call]
        return {name: value.item() for name, value in {"contrastive": contrastive, **parts}.items()}

    def _in_chunks(self, batch: Batch, rows: _Rows, stage: Stage, seed: int) -> dict[str, float]:
        with torch.no_grad():
            first = [self._run(rows, k, stage, seed) for k in range(len(rows.chunks))]
        leaf_image = torch.cat([f[0] for f in first]).requires_grad_()
        leaf_text = torch.cat([f[1] for f in first]).requires_grad_()
        contrastive = self._contrastive(leaf_image, leaf_text, batch, stage)
        contrastive.backward()  # type: ignore[no-untyped-call]  # also reaches logit_scale
        found = {"contrastive": contrastive.item()}
        for k, c in enumerate(rows.chunks):
            last = k == len(rows.chunks) - 1
            with nullcontext() if last else getattr(self.passes, "no_sync", nullcontext)():
                out = self._run(rows, k, stage, seed)
                share = (c.stop - c.start) / len(rows.images)
                surrogate = (out[0] * leaf_image.grad[c]).sum() + (out[1] * leaf_text.grad[c]).sum()  # type: ignore[index]
                extra, parts = self._beside(rows, c, out, stage)
                (surrogate + share * extra).backward()
            for name, value in parts.items():
                found[name] = found.get(name, 0.0) + share * value.item()
        return found
