"""Where rounds start: a run of ours, or a model's folder such as the bundled weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rsvlm_core.errors import UsageError
from rsvlm_core.model.checkpoint import load_mammut
from rsvlm_core.model.config import list_configs, load_config
from rsvlm_core.model.mammut import Mammut
from rsvlm_core.model.tokenizer import Tokenizer, load_tokenizer
from training.export import load_run
from training.runs import STATE, copy_words


def load_start(source: Path, folder: Path) -> tuple[Mammut, Tokenizer, dict[str, Any]]:
    """Load a run or a model's folder; its tokenizer is copied into `folder`.

    Returns:
        The model, its tokenizer, and a state dict with `recipe`: what `training.export` needs to know.

    Raises:
        UsageError: Neither.
    """
    if (source / STATE).is_file():
        model, state = load_run(source)
    elif (source / "config.json").is_file():
        model, _ = load_mammut(source)
        state = {"recipe": _recipe_of(model, source, folder)}
    else:
        raise UsageError(f"{source} is neither a run nor a model's folder.", "Name one with run=FOLDER.")
    copy_words(source, folder)
    return model, load_tokenizer(model.cfg.text.tokenizer, folder), state


def _recipe_of(model: Mammut, source: Path, folder: Path) -> dict[str, Any]:
    """A recipe that says no more than what a model's folder tells."""
    known = [n for n in list_configs() if load_config(n) == model.cfg]
    if not known:
        (folder / "model.json").write_text(json.dumps(model.cfg.to_dict(), indent=1), "utf-8")
    raw = json.loads((source / "config.json").read_text("utf-8"))
    names = [n.strip() for n in str(raw.get("trained_on", "")).split(",")]
    sets: dict[str, dict[str, Any]] = {n: {"shards": []} for n in names if n}
    return {
        "name": str(raw.get("name", source.name)), "model": known[0] if known else str(folder / "model.json"),
        "sets": sets, "stages": [], "seed": 0,
    }  # fmt: skip
