"""Sentence vectors of a text tower that does not learn: each text is read once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from rsvlm_core.model.text import TextDecoder
from rsvlm_core.model.tokenizer import Tokenizer
from rsvlm_core.scratch import whole


class SentenceVectors:
    """Vectors of a frozen text tower before its joint head, kept by text.

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
        vectors = {"vectors": torch.stack(list(self._known.values()))}
        with whole(self._file) as part:
            save_file(vectors, part, {"texts": json.dumps(list(self._known))})

    @staticmethod
    def _reads(name: str) -> bool:
        return name.startswith(("token", "position", "ln_", "blocks")) and "cross" not in name and "gate" not in name

    def reads_like(self, text: TextDecoder) -> bool:
        """Whether another tower gives the same sentence vectors: its reading layers have the same weights."""
        mine, its = self._text.state_dict(), text.state_dict()
        return all(n in its and torch.equal(v.cpu(), its[n].cpu()) for n, v in mine.items() if self._reads(n))

    @torch.no_grad()
    def __call__(self, texts: list[str], device: torch.device) -> Tensor:
        """[T, width] unit-norm float32 on `device`, where the tower has to be."""
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
