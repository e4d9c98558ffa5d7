"""One training step's loss and gradients, whole or in chunks, on one process or many."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.nn.functional as dist_nn
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from rsvlm_core.model.encoder import Encoder
from rsvlm_core.model.mammut import Mammut
from rsvlm_core.model.text import TextDecoder
from rsvlm_core.model.tokenizer import Tokenizer, Tokens
from training import losses
from training.batches import Batch
from training.recipe import Stage


class Passes(nn.Module):
    """What one forward call computes; a module of its own so that DDP and FSDP can wrap it.

    Args:
        model: The model.
        text_chunks: Captions run in this many chunks of like lengths.
    """

    def __init__(self, model: Mammut, text_chunks: int = 4) -> None:
        super().__init__()
        self.model, self.text_chunks = model, text_chunks

    def forward(
        self,
        images: Tensor,
        ids: Tensor,
        valid: Tensor,
        captioned: int,
        smoothing: float,
        sentences: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
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


def sentences_by_length(text: TextDecoder, ids: Tensor, valid: Tensor, chunks: int) -> Tensor:
    """`text.sentence` in chunks of like lengths: most captions are a third as long as the longest of a batch.

    Args:
        text: The tower.
        ids: [B, L] int64.
        valid: [B, L] bool, a prefix of each row.
        chunks: At most.

    Returns:
        [B, width], in the order given.
    """
    if chunks < 2:
        return text.sentence(ids, valid)
    lengths = valid.sum(1)
    order = lengths.argsort(stable=True)
    parts = [text.sentence(ids[r, : lengths[r].max()], valid[r, : lengths[r].max()]) for r in order.chunk(chunks)]
    return torch.cat(parts)[order.argsort()]


class SentenceTeacher:
    """Frozen sentence vectors of a text tower, cached by text.

    Args:
        text: The tower, in eval mode for as long as it is asked.
        tokenizer: Its tokenizer.
        length: Tokens at most.
        bf16: Compute in bfloat16.
        limit: Vectors kept in memory at most.
        folder: Where `keep` writes and where vectors of the same weights are read from; None for neither.
    """

    def __init__(
        self,
        text: TextDecoder,
        tokenizer: Tokenizer,
        length: int,
        bf16: bool = False,
        limit: int = 400_000,
        folder: Path | None = None,
    ) -> None:
        self._text, self._tokenizer, self._length, self._bf16, self._limit = text, tokenizer, length, bf16, limit
        self._known: dict[str, Tensor] = {}
        self._file: Path | None = None
        if folder is not None:
            digest = hashlib.sha256(f"{length} {bf16}".encode())
            for name, value in sorted(text.state_dict().items()):
                if self._reads(name):
                    digest.update(value.detach().cpu().numpy().tobytes())
            self._file = folder / f"{digest.hexdigest()[:16]}.safetensors"
            if self._file.is_file():
                with safe_open(self._file, "pt") as kept:
                    texts = json.loads(kept.metadata()["texts"])
                    self._known = dict(zip(texts, kept.get_tensor("vectors"), strict=True))

    def keep(self) -> None:
        """Write what is known, for other runs: most of the time of a short run is reading captions."""
        if self._file is None or not self._known:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        temp = self._file.with_suffix(f".{os.getpid()}")
        vectors = {"vectors": torch.stack(list(self._known.values()))}
        save_file(vectors, temp, {"texts": json.dumps(list(self._known))})
        os.replace(temp, self._file)

    @staticmethod
    def _reads(name: str) -> bool:
        return name.startswith(("token", "position", "ln_", "blocks")) and "cross" not in name and "gate" not in name

    def reads_like(self, text: TextDecoder) -> bool:
        """Whether another tower gives the same sentence vectors: its reading layers have the same weights."""
        mine, its = self._text.state_dict(), text.state_dict()
        return all(n in its and torch.equal(v.cpu(), its[n].cpu()) for n, v in mine.items() if self._reads(n))

    @torch.no_grad()
    def __call__(self, texts: list[str], device: torch.device) -> Tensor:
        """[T, width] unit-norm float32."""
        new = [t for t in dict.fromkeys(texts) if t not in self._known]
        training, _ = self._text.training, self._text.eval()
        if len(self._known) + len(new) > self._limit:
            self._known.clear()
            new = list(dict.fromkeys(texts))
        if new:
            tokens = self._tokenizer(new, self._length)
            with torch.autocast(device.type, torch.bfloat16, enabled=self._bf16):
                ids, valid = tokens.ids.to(device), tokens.valid.to(device)
                # One by one: the last bits depend on the texts beside them, and a resumed run meets others.
                rows = zip(ids, valid, valid.sum(1).tolist(), strict=True)
                z = torch.cat([self._text.sentence(i[None, :n], v[None, :n]) for i, v, n in rows]).float()
            for text, row in zip(new, nn.functional.normalize(z, dim=-1).cpu(), strict=True):
                self._known[text] = row
        self._text.train(training)
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
        self.frozen_text: SentenceTeacher | None = None
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
            self.frozen_text = SentenceTeacher(text, self.tokenizer, text.cfg.context_length, bf16) if still else None

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
        images = batch.images.to(self.device)
        texts = batch.texts[batch.rows]
        tokens = self.tokenizer(texts, self.model.cfg.text.context_length)
        tokens = Tokens(tokens.ids.to(self.device), tokens.valid.to(self.device))
        n = len(images)
        chunks = [slice(a, min(a + -(-n // stage.accumulate), n)) for a in range(0, n, -(-n // stage.accumulate))]
        captioned = [round((c.stop - c.start) * stage.caption_fraction) if stage.caption_weight else 0 for c in chunks]

        sentences = self.frozen_text(texts, self.device) if self.frozen_text else None

        def run(k: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
            torch.manual_seed(seed * 1000 + k)
            c = chunks[k]
            with self._amp():
                out: tuple[Tensor, Tensor, Tensor, Tensor] = self.passes(
                    images[c],
                    tokens.ids[c],
                    tokens.valid[c],
                    captioned[k],
                    stage.label_smoothing,
                    None if sentences is None else sentences[c],
                )
            return out

        taught = self._relations(images, texts, stage)

        def distillation(z_image: Tensor, z_text: Tensor, c: slice) -> Tensor:
            if taught is None:
                return z_image.new_zeros(())
            scale = stage.distill_scale
            image = losses.relational_distillation(z_image, taught[0][c], scale)
            return 0.5 * (image + losses.relational_distillation(z_text, taught[1][c], scale))

        parts = {"contrastive": 0.0, "caption": 0.0, "anchor": 0.0, **({"distill": 0.0} if taught else {})}
        if len(chunks) == 1:
            z_image, z_text, sentence, caption = run(0)
            contrastive = self._contrastive(z_image, z_text, batch, stage)
            anchor = self._anchor(sentence, texts, stage)
            distilled = distillation(z_image, z_text, chunks[0])
            extra = stage.caption_weight * caption + stage.anchor_weight * anchor + stage.distill_weight * distilled
            (contrastive + extra).backward()  # type: ignore[no-untyped-call]
            parts |= {"contrastive": contrastive.item(), "caption": caption.item(), "anchor": anchor.item()}
            parts |= {"distill": distilled.item()} if taught else {}
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
                    distilled = distillation(z_image, z_text, c)
                    extra = (
                        stage.caption_weight * caption + stage.anchor_weight * anchor + stage.distill_weight * distilled
                    )
                    (surrogate + share * extra).backward()
                parts["caption"] += share * caption.item()
                parts["anchor"] += share * anchor.item()
                if taught:
                    parts["distill"] += share * distilled.item()
        parts["scale"] = self.model.logit_scale.exp().item()
        return parts
