"""Captions by language models: behind an OpenAI-compatible address, or from Hugging Face in this process."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rsvlm_core.errors import DataError, ModelError, UsageError, first_line
from rsvlm_core.settings import cache_dir
from training.build.scene import Sight

_TASK = (
    "Write {count} different short captions, one a line, for one aerial image. Name only things from this list, "
    "nothing else, and no numbers unless the list has them. x runs from left to right and y from top to bottom, 0 to "
    "1; share is the part of the image covered.\n{facts}"
)


def task(sights: Sequence[Sight], count: int) -> str:
    """What a model is asked to do."""
    facts = "\n".join(json.dumps(s.to_json(), ensure_ascii=False) for s in sights)
    return _TASK.format(count=count, facts=facts)


def captions_of(answer: str, count: int) -> list[str]:
    """The captions of an answer: its lines without list marks and quotes, those of three words or more."""
    cleaned = (re.sub(r"^\s*(?:[-*•]|\d+[.)])\s*", "", line).strip().strip('"') for line in answer.splitlines())
    return list(dict.fromkeys(c for c in cleaned if len(c.split()) >= 3))[:count]


class ChatWriter:
    """Any model behind an OpenAI-compatible `/chat/completions`: a local server or a hosted one.

    Args:
        url: Up to and including the version, such as `http://localhost:8000/v1`.
        model: Its name there.
        key_variable: Environment variable with the key, where one is needed; the key is never written anywhere.
        see: Send the picture too (for vision-language models).
        timeout_s: Of one request.
        tries: Of one request.
    """

    def __init__(
        self, url: str, model: str, key_variable: str = "", see: bool = False, timeout_s: float = 60.0, tries: int = 2,
    ) -> None:
        if not re.match(r"https?://", url):
            raise UsageError(f"{url} is no address of a model.", "It begins with http:// or https://.")
        if key_variable and not os.environ.get(key_variable):
            raise UsageError(f"The environment variable {key_variable} is not set.", "Put the key of the model there.")
        self.name = model
        self._url, self._model, self._key = url.rstrip("/") + "/chat/completions", model, key_variable
        self._see, self._timeout, self._tries = see, timeout_s, tries

    def write(self, sights: Sequence[Sight], image: bytes, count: int, rng: np.random.Generator) -> list[str]:
        """See `Writer`. DataError when the model cannot be asked; what it makes up is for the caller to check."""
        text = task(sights, count)
        content: Any = text
        if self._see:
            picture = "data:image/webp;base64," + base64.b64encode(image).decode()
            content = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": picture}}]
        seed = int(rng.integers(2**31))
        body = {"model": self._model, "messages": [{"role": "user", "content": content}], "seed": seed}
        return captions_of(self._ask(body), count)

    def _ask(self, body: dict[str, Any]) -> str:
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {os.environ[self._key]}"
        last: Exception | None = None
        for _ in range(self._tries):
            request = urllib.request.Request(self._url, json.dumps(body).encode(), headers)  # noqa: S310
            try:
                with urllib.request.urlopen(request, timeout=self._timeout) as answer:  # noqa: S310
                    return str(json.load(answer)["choices"][0]["message"]["content"])
            except (urllib.error.URLError, OSError, ValueError, KeyError, IndexError, TypeError) as e:
                last = e
        raise DataError(f"The model at {self._url} gave no caption ({last}).", "Check that it runs and its name.")


class HuggingFaceWriter:
    """A language or vision-language model of Hugging Face, run in this process by transformers' pipeline.

    Args:
        model: A folder, or `hf-hub:ORG/NAME@COMMIT`, which is fetched once; the commit is required. Code that comes
            with a model is never run.
        see: Show it the picture too (task image-text-to-text, else text-generation).
        words: New tokens at most, for one tile.
        device: As torch names it; None takes a graphics card where there is one.

    Raises:
        UsageError: Neither a folder nor a name with a commit; transformers is not installed.
        ModelError: It cannot be fetched or loaded.
    """

    def __init__(self, model: str, see: bool = False, words: int = 160, device: str | None = None) -> None:
        self.name, self._see, self._words = model, see, words
        folder = Path(model)
        if model.startswith("hf-hub:"):
            from rsvlm_core.model.open_clip_encoder import fetch_hub

            folder = fetch_hub(model, cache_dir() / "hub")
        elif not (folder / "config.json").is_file():
            raise UsageError(f"{model} is no language model.", "Name a URL, a folder, or hf-hub:ORG/NAME@COMMIT.")
        try:
            from transformers import pipeline
        except ImportError as e:
            raise UsageError("transformers is not installed.", "pip install transformers, or give a URL.") from e
        try:
            self._pipe: Any = pipeline(
                "image-text-to-text" if see else "text-generation", model=str(folder), device=device,
                trust_remote_code=False)
        except (OSError, ValueError, KeyError, ImportError, RuntimeError) as e:
            raise ModelError(f"{model} cannot be loaded: {first_line(e)}.", "Try another model.") from e

    def write(self, sights: Sequence[Sight], image: bytes, count: int, rng: np.random.Generator) -> list[str]:
        """See `Writer`; the same generator gives the same captions on the same machine."""
        import torch

        text = task(sights, count)
        tokenizer = self._pipe.tokenizer
        chat = bool(getattr(getattr(self._pipe, "processor", None) or tokenizer, "chat_template", None))
        # the pipeline of pictures takes what is meant for the generation apart
        sampled = {"generate_kwargs": {"do_sample": True}} if self._see else {"do_sample": True}
        settings = {"max_new_tokens": self._words, "return_full_text": False, **sampled}
        picture = Image.open(io.BytesIO(image)).convert("RGB") if self._see else None
        content: Any = text
        if self._see and chat:
            content = [{"type": "image", "image": picture}, {"type": "text", "text": text}]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**31)))
            if chat:
                given = [{"role": "user", "content": content}]
                found = self._pipe(text=given, **settings) if self._see else self._pipe(given, **settings)
            elif self._see:
                found = self._pipe(images=picture, text=text, **settings)
            else:
                found = self._pipe(text, **settings)
        return captions_of(str(found[0]["generated_text"]), count)
