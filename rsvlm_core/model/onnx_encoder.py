"""Our model in ONNX Runtime, behind the encoder's interface: no torch, and faster than torch on a processor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rsvlm_core.errors import ModelError
from rsvlm_core.model.encoder import Float32, ModelInfo, UInt8
from rsvlm_core.model.folder import WEIGHTS, folder_info, read_arrays, read_config
from rsvlm_core.model.graphs import CAPTION, DENSE, IMAGE, NEXT, SMOOTH, TEXT, Graphs
from rsvlm_core.model.runtime import need_torch
from rsvlm_core.model.tokenizer import check_texts, framed, load_tokenizer

if TYPE_CHECKING:
    from rsvlm_core.model.torch_encoder import TorchEncoder

_CHUNK = 8  # images at once; more are not faster here, and need more memory
_BEAMS, _CAPTION_TOKENS = 3, 30


class OnnxEncoder:
    """An `Encoder` over the graphs of a model's folder.

    Args:
        folder: With `config.json`, `model.safetensors`, `tokenizer.json` and the graphs.
        name: The id that indexes and results carry; None takes the model's own.

    Raises:
        ModelError: A file is missing or damaged.
    """

    def __init__(self, folder: Path, name: str | None = None) -> None:
        self._config, _ = read_config(folder)
        self.info: ModelInfo = folder_info(folder, name)
        self._folder = folder
        self._tokenizer = load_tokenizer(self._config.text.tokenizer, folder)
        self._graphs = Graphs(folder, read_arrays(folder / WEIGHTS))
        self._on_torch: TorchEncoder | None = None

    def encode_images(self, images: UInt8) -> Float32:
        """[B, S, S, 3] uint8 -> [B, D] float32 unit norm."""
        return self._images(IMAGE, images, "embedding", (self.info.embed_dim,))

    def encode_texts(self, texts: Sequence[str]) -> Float32:
        """T texts -> [T, D] float32 unit norm; each text alone, so that a batch cannot change its vector."""
        rows = []
        for text in check_texts(texts):
            ids, valid = framed(
                [self._tokenizer.pieces(text)],
                self._tokenizer.start,
                self._tokenizer.end,
                self._config.text.context_length,
            )
            rows.append(self._graphs.run(TEXT, {"ids": ids, "valid": valid}, "embedding"))
        return np.concatenate(rows)

    def encode_patches(self, images: UInt8, method: str = "auto") -> Float32:
        """[B, H, W, 3] uint8 -> [B, H/stride, W/stride, D] float32 unit norm; see `Encoder.encode_patches`.

        Raises:
            ModelError: Methods other than "auto", "dense", "smooth" and "attention" need torch.
        """
        if method == "auto":
            method = DENSE if self._graphs.has(DENSE) else "smooth"
        if method == DENSE and not self._graphs.has(DENSE):
            raise ModelError("This model has no pixel-aligned head.", "Use the method 'smooth'.")
        if method not in (DENSE, "smooth", "attention"):
            return self._torch(f"The method {method}").encode_patches(images, method)
        stride = self.info.patch_stride
        shape = (images.shape[1] // stride, images.shape[2] // stride, self.info.embed_dim)
        return self._images(DENSE if method == DENSE else SMOOTH, images, method, shape)

    def cross_maps(self, images: UInt8, texts: Sequence[str]) -> Float32:
        """[B, H, W, 3] uint8 and T texts -> [B, H/stride, W/stride, T]; needs torch."""
        return self._torch("The method cross").cross_maps(images, texts)

    def caption(self, images: UInt8, prompt: str = "") -> list[str]:
        """[B, S, S, 3] uint8 -> B sentences, by beam search."""
        head = self._tokenizer.pieces(prompt) if prompt.strip() else []
        width = self._config.text.width
        tokens = (self.info.image_size // 32) ** 2
        contexts = self._images(CAPTION, images, "context", (tokens, width))
        return [self._tokenizer.decode([*head, *self._beams(context, head)]) for context in contexts]

    def _beams(self, context: Float32, head: list[int]) -> list[int]:
        """[N, width] what the decoder sees -> ids of the best sentence, start, head and end left out."""
        end, first = self._tokenizer.end, [self._tokenizer.start, *head]
        ids = np.array([first], np.int64)
        total, done = np.zeros(1, np.float32), np.zeros(1, np.bool_)
        for _ in range(min(_CAPTION_TOKENS, self._config.text.context_length - len(first))):
            seen = np.repeat(context[None], len(ids), axis=0)
            step = self._graphs.run(NEXT, {"ids": ids, "context": seen}, "scores").copy()
            step[done] = -np.inf  # a finished sentence goes on with its end only, at no cost
            step[done, end] = 0.0
            score = (total[:, None] + step).ravel()
            best = np.argsort(-score, kind="stable")[:_BEAMS]
            origin, word = np.divmod(best, step.shape[1])
            total, done = score[best], done[origin] | (word == end)
            ids = np.concatenate([ids[origin], word[:, None]], axis=1)
            if done.all():
                break
        new = ids[:, len(first) :]
        lengths = np.cumprod(new != end, axis=1).sum(axis=1) + 1
        row: list[int] = new[int(np.argmax(total / lengths))].tolist()  # mean log-probability: lengths differ
        return row[: row.index(end)] if end in row else row

    def _images(self, graph: str, images: UInt8, output: str, shape: tuple[int, ...]) -> Float32:
        """Images through a graph, a few at a time."""
        out = np.empty((len(images), *shape), np.float32)
        for i in range(0, len(images), _CHUNK):
            part = np.ascontiguousarray(images[i : i + _CHUNK])
            out[i : i + _CHUNK] = self._graphs.run(graph, {"images": part}, output)
        return out

    def _torch(self, what: str) -> TorchEncoder:
        """The same model on torch, where that is installed, for what has no graph."""
        if self._on_torch is None:
            need_torch(what)
            from rsvlm_core.model.torch_encoder import TorchEncoder

            self._on_torch = TorchEncoder.load(self._folder, self.info.id, "cpu")
        return self._on_torch
