"""Turn a run into a model's folder: `python -m training.export RUN --out rsvlm_core/weights`.

Writes `model.safetensors` (int8 and 6 bits, one scale a row), `config.json`, `tokenizer.json` and `README.md` (the
model card), then loads them again and compares embeddings with the run's. With `--onnx` also the graphs with which
the model runs without torch; they are the same for all weights of one configuration.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rsvlm_core.errors import RsvlmError
from rsvlm_core.model.checkpoint import load_mammut, save_mammut
from rsvlm_core.model.config import load_config
from rsvlm_core.model.folder import Card
from rsvlm_core.model.mammut import Mammut
from rsvlm_core.model.tokenizer import load_tokenizer
from training.card import write_card
from training.recipe import Recipe
from training.state import load_state

LICENCE = (
    "Research and evaluation only: the public research sets it was trained on carry no licence for redistribution of "
    "their images; code GPL-2.0-or-later; trunk and sentence encoder Apache-2.0"
)


def load_run(run: Path, weights: str | None = None) -> tuple[Mammut, dict[str, Any]]:
    """A run's averaged weights and its state.

    Args:
        run: Folder of the run.
        weights: Another file of the run, such as `stage-0.pt`; None takes the newest.
    """
    state = load_state(run / "state.pt")
    recipe = Recipe.from_dict(state["recipe"])
    model = Mammut(load_config(recipe.model))
    model.load_state_dict(load_state(run / weights)["model"] if weights else state["average"])
    return model.eval().requires_grad_(False), state


@torch.no_grad()
def embedding_drift(a: Mammut, b: Mammut, tokenizer_folder: Path) -> dict[str, float]:
    """Least cosine between two models' vectors of random images and of some texts."""
    size = a.cfg.vision.image_size
    rng = np.random.default_rng(0)
    low = torch.from_numpy(rng.random((8, 3, 14, 14), dtype=np.float32))
    images = torch.nn.functional.interpolate(low, size=(size, size), mode="bilinear")
    tokenizer = load_tokenizer(a.cfg.text.tokenizer, tokenizer_folder)
    tokens = tokenizer(["houses", "a river between fields", "An aerial image of an airport.", "solar farm"], 64)
    x = a.visual.normalise(images)
    image = torch.cosine_similarity(a.encode_image(x), b.encode_image(x)).min()
    text = torch.cosine_similarity(
        a.encode_text(tokens.ids, tokens.valid), b.encode_text(tokens.ids, tokens.valid)
    ).min()
    return {"image_cosine": float(image), "text_cosine": float(text)}


def export(
    run: Path, out: Path, name: str, weights: str | None = None, results: Path | None = None, note: str = "",
    *, onnx: bool = False,
) -> dict[str, float]:
    """Write a model's folder; the same run gives the same bytes again.

    Graphs that a folder has from before are made anew too, lest they be those of another configuration.

    Args:
        run: Folder of the run.
        out: Folder to write.
        name: Of the model.
        weights: A file of the run, such as `stage-0.pt`, instead of its newest average.
        results: JSON of measured results for the model card.
        note: A sentence for the model card.
        onnx: Also write the graphs.

    Returns:
        What quantisation changed, as `embedding_drift` tells.

    Raises:
        DataError: The run has no state, or it is damaged.
        ModelError: Graphs are wanted of a model that has none.
    """
    model, state = load_run(run, weights)
    recipe = state["recipe"]
    sets = ", ".join(sorted(recipe["sets"]))
    tokenizer = run / "tokenizer.json"
    scale = min(float(model.logit_scale.exp()), float(recipe["stages"][-1]["max_scale"]))
    notes = {"logit_scale": round(scale, 4), "recipe": recipe["name"], "seed": recipe["seed"]}
    card = Card(name, LICENCE, sets, notes)
    save_mammut(model, out, card, tokenizer if tokenizer.is_file() else None)
    drift = embedding_drift(model, load_mammut(out)[0], out)
    if onnx or any(out.glob("*.onnx")):
        from training.graphs import write_graphs

        write_graphs(model, out)
    write_card(out, model, recipe, drift, json.loads(results.read_text("utf-8")) if results else {}, note)
    return drift


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m training.export", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder of a run")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--name", default="rsvlm-small", help="the model's name")
    parser.add_argument("--weights", help="a file of the run, such as stage-0.pt, instead of its newest average")
    parser.add_argument("--results", type=Path, help="JSON of measured results for the model card")
    parser.add_argument("--note", default="", help="a sentence for the model card, such as what the run started from")
    parser.add_argument("--onnx", action="store_true", help="also write the graphs of ONNX Runtime")
    args = parser.parse_args(argv)
    try:
        drift = export(args.run, args.out, args.name, args.weights, args.results, args.note, onnx=args.onnx)
    except RsvlmError as error:
        print(f"training.export: {error}", file=sys.stderr)
        return error.exit_status
    size = (args.out / "model.safetensors").stat().st_size
    print(
        f"{args.out}: {size / 1e6:.1f} MB; least cosine to the run's vectors: images {drift['image_cosine']:.4f}, "
        f"texts {drift['text_cosine']:.4f}",
        file=sys.stderr,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
