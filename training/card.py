"""The model card that travels with the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rsvlm_core.model.mammut import Mammut
from rsvlm_core.scratch import write_text

# What each training set is and under which terms it is had; METHODS and the sets' own pages.
SETS = {
    "rsicd": "RSICD, training split: 8,734 scenes of 31 kinds with sentences (research set, no licence stated)",
    "sentinel2": "Sentinel-2 RGB at 10 m around Delhi, 2,944 tiles, WorldCover class (Copernicus, ESA)",
    "harvey": "Houston after hurricane Harvey, 2,000 tiles, flooded or intact houses (public research set)",
    "maps": "pix2pix maps, 800 tiles of New York, shares of road, water and park from the map (research set)",
    "boxes": "349 images with boxes of airplanes and vehicles (RSICD; drone images, CC-BY, CC-BY-SA)",
}


def write_card(
    folder: Path,
    model: Mammut,
    recipe: dict[str, Any],
    drift: dict[str, float],
    results: dict[str, Any],
    note: str = "",
) -> None:
    """Write `README.md` into a model's folder: what it is, saw, reached, and must not be used for.

    Args:
        folder: Of the model.
        model: As trained.
        recipe: Of the run, as its state has it.
        drift: Of `embedding_drift`: `image_cosine`, `text_cosine`.
        results: What was measured -> value; none leaves the section out.
        note: A sentence more, such as what the run started from.
    """
    counts = model.parameter_counts()
    low, high = model.cfg.gsd_m
    stages = "\n".join(
        f"| {s['name']} | {s['steps']} | {s['batch']} | "
        + ", ".join(f"{k} {v:g}" for k, v in s["mixture"].items())
        + " |"
        for s in recipe["stages"]
    )
    sets = "\n".join(f"- `{k}`: {SETS.get(k, 'a set of the user')}" for k in sorted(recipe["sets"]))
    measured = "\n".join(f"| {k} | {v} |" for k, v in results.items())
    table = f"\n## Measured\n\n| what | value |\n|---|---|\n{measured}\n" if results else ""
    text = f"""# Model card: {recipe["name"]}

A MaMMUT (one vision tower, one text decoder in two passes) of {counts["total"] / 1e6:.1f} million weights:
image side {counts["vision"] / 1e6:.1f}, text side {counts["text"] / 1e6:.1f}.
Images are {model.cfg.vision.image_size} pixels square, at {low:g} to {high:g} m per pixel.
Trunk from EfficientNet-Lite (ImageNet), decoder from all-MiniLM-L6-v2 (both
Apache-2.0), the rest trained from scratch by `training.pretrain`.

## Trained on

{sets}

No set comes with a licence to redistribute its images. The weights are for research and evaluation unless the sets'
owners say otherwise; `training/configs/own.yaml` trains on your data alone.

| stage | steps | batch | mixture |
|---|---|---|---|
{stages}

{note}
{table}
## Files

Weights are int8 (token embedding: 6 bits) with one float scale a row.
Least cosine between the exported and the trained model's vectors:
images {drift["image_cosine"]:.4f}, texts {drift["text_cosine"]:.4f}.

## Not for

Decisions about people, targeting, surveillance, or damage assessment without a person who checks every result. It has
seen few places and few words: a confident score is a hint where to look, not a fact. English texts only.
"""
    write_text(folder / "README.md", text)
