"""Texts to token ids, with the validity mask that both passes need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from rsvlm_core.errors import ModelError, UsageError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Tokens:
    """ids [T, L] int64 and valid [T, L] bool, True up to and including the end token."""

    ids: Tensor
    valid: Tensor


class Tokenizer(Protocol):
    """Texts -> `Tokens`; ids -> text. `start` and `end` are ids."""

    start: int
    end: int
    vocab_size: int

    def __call__(self, texts: Sequence[str], length: int) -> Tokens:
        """Texts -> ids and mask, at most `length` tokens wide."""
        ...

    def pieces(self, text: str) -> list[int]:
        """Ids of a text without start and end."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Ids -> text."""
        ...


def check_texts(texts: Sequence[str]) -> list[str]:
    """Strip control characters and blanks.

    Raises:
        UsageError: A text is empty.
    """
    clean = ["".join(c if c.isprintable() else " " for c in t).strip() for t in texts]
    if not clean or any(not t for t in clean):
        raise UsageError("The text is empty.", "Type what to look for, for example: houses with red roofs.")
    return clean


def framed(
    rows: Sequence[Sequence[int]], start: int, end: int, length: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Frame rows of ids by start and end, cut to `length`, pad with zeros to the longest row.

    Returns:
        ids [T, L] int64 and valid [T, L] bool, True up to and including the end token.
    """
    whole = [[start, *row[: length - 2], end] for row in rows]
    width = max(len(row) for row in whole)
    ids = np.zeros((len(whole), width), np.int64)
    valid = np.zeros((len(whole), width), np.bool_)
    for i, row in enumerate(whole):
        ids[i, : len(row)] = row
        valid[i, : len(row)] = True
    return ids, valid


def pad(rows: list[list[int]], start: int, end: int, length: int) -> Tokens:
    """`framed` for torch."""
    import torch  # runtimes without it tokenize too

    ids, valid = framed(rows, start, end, length)
    return Tokens(torch.from_numpy(ids), torch.from_numpy(valid))


class WordPiece:
    """A BERT-style tokenizer from a `tokenizer.json`."""

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer as Backend

        try:
            self._backend = Backend.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise ModelError(
                f"The tokenizer {path.name} cannot be read: {error}.", "Get the model's folder again."
            ) from None
        self._backend.no_padding()
        self._backend.no_truncation()
        start, end = self._backend.token_to_id("[CLS]"), self._backend.token_to_id("[SEP]")
        if start is None or end is None:
            raise ModelError(f"The tokenizer {path.name} has no [CLS] and [SEP].", "Get the model's folder again.")
        self.start, self.end = int(start), int(end)
        self.vocab_size = int(self._backend.get_vocab_size())

    def pieces(self, text: str) -> list[int]:
        """Ids of a text without start and end."""
        return list(self._backend.encode(text, add_special_tokens=False).ids)

    def __call__(self, texts: Sequence[str], length: int) -> Tokens:
        """Texts -> ids and mask, at most `length` tokens wide."""
        return pad([self.pieces(t) for t in check_texts(texts)], self.start, self.end, length)

    def decode(self, ids: Sequence[int]) -> str:
        """Ids -> text."""
        return str(self._backend.decode(list(ids))).strip()


class ClipBpe:
    """open_clip's byte-pair encoding."""

    def __init__(self) -> None:
        from open_clip.tokenizer import SimpleTokenizer

        self._backend = SimpleTokenizer()
        self.start = int(self._backend.sot_token_id)
        self.end = int(self._backend.eot_token_id)
        self.vocab_size = int(self._backend.vocab_size)

    def pieces(self, text: str) -> list[int]:
        """Ids of a text without start and end."""
        return [int(i) for i in self._backend.encode(text)]

    def __call__(self, texts: Sequence[str], length: int) -> Tokens:
        """Texts -> ids and mask, at most `length` tokens wide."""
        return pad([self.pieces(t) for t in check_texts(texts)], self.start, self.end, length)

    def decode(self, ids: Sequence[int]) -> str:
        """Ids -> text."""
        return str(self._backend.decode(list(ids))).strip()


def load_tokenizer(kind: str, folder: Path | None) -> Tokenizer:
    """The tokenizer a configuration names.

    Args:
        kind: "clip" or "wordpiece".
        folder: Where `tokenizer.json` lies, for "wordpiece".

    Raises:
        ModelError: There is no such tokenizer, or its file cannot be read.
    """
    if kind == "clip":
        return ClipBpe()
    if kind == "wordpiece" and folder is not None:
        return WordPiece(folder / "tokenizer.json")
    raise ModelError(f"Unknown tokenizer '{kind}'.", "Use 'clip' or 'wordpiece'.")
