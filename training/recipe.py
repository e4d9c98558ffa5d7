"""Recipes: YAML files that say what is trained, on what, in which stages (a curriculum is a list of stages)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rsvlm_core.errors import DataError, UsageError
from rsvlm_core.settings import data_dir


@dataclass(frozen=True)
class SetSpec:
    """A training set.

    Attributes:
        shards: Glob patterns, relative to the data folder (`RSVLM_DATA`/data) unless absolute.
        size: Side in pixels at which images are kept (centre square, resized).
        text: "captions" (sentences and class phrases), "sentences" (captions only) or "classes" (class phrases only).
        names: Share of draws that use the class where a sample has sentences too.
        noise: Factor of the chances that a sentence is changed: joined to another, cut, its words swapped, prefixed.
        exclude: Words; a sample whose class or any sentence contains one is left out, and no caption that is made
            may contain one (holdout experiments).
        views: Cached views of each image at most; None takes the stage's number.
        test_fold: Places of this fold are left out, with a strip around them (`training.data.places`); needs lat, lon.
        folds: Number of folds of places.
    """

    shards: Sequence[str]
    size: int = 224
    text: str = "captions"
    names: float = 0.15
    noise: float = 1.0
    exclude: Sequence[str] = ()
    views: int | None = None
    test_fold: int | None = None
    folds: int = 5

    def paths(self) -> list[Path]:
        """The shards, sorted.

        Raises:
            DataError: A pattern matches nothing.
        """
        found: list[Path] = []
        for pattern in self.shards:
            root, glob = (Path("/"), pattern[1:]) if Path(pattern).is_absolute() else (data_dir() / "data", pattern)
            matches = sorted(root.glob(glob))
            if not matches:
                raise DataError(f"No shards match {root / glob}.", "Set RSVLM_DATA or correct the recipe.")
            found += matches
        return found


@dataclass(frozen=True)
class Stage:
    """One stage of the curriculum.

    Attributes:
        name: Shown and logged.
        steps: Optimizer steps.
        batch: Pairs per step over all processes: the full contrastive batch.
        accumulate: Chunks the batch is computed in; the contrastive loss still sees all of it.
        image_size: Side of training images; None takes the model's.
        mixture: Share of the batch from each set.
        freeze: Beginnings of the names of parameters that do not learn; * stands for anything.
        lr: Learning rate by parameter group: "new", "trunk", "text", "embedding", "scale".
        trunk_decay, text_decay: Factor per level from the top down.
        warmup: Share of the steps with rising learning rate; then cosine to `final_lr` times the peak.
        contrastive: "infonce" (multi-positive), "focal" or "siglip".
        neutral_names: Class names that other images' captions hold neither draw nor repel an image whose own caption is
            a sentence; false makes them positives of it.
        soft_weight, soft_temperature: Share and temperature of the sentence encoder's soft targets.
        caption_weight, caption_fraction: Weight of the captioning loss; share of the batch that it sees.
        anchor_weight: Weight of the anchor to the frozen sentence space.
        distill_weight, distill_scale: Weight and logit scale of relational distillation from `init.distill`, a model
            that `--model` accepts, such as `open_clip:ViT-B-32/laion2b_s34b_b79k`; needs images, not cached features.
        ema: Decay of the averaged model.
        augment: Strength of image augmentation, 0 to 1.
        max_scale: Upper clamp of exp(logit_scale).
        cached_views: Train on this many cached views of each image with the lower trunk frozen (see `features`);
            0 trains on images.
        cached_texts: Captions drawn once for each image and drawn from again, so that a frozen text tower or teacher
            reads each once; 0 draws a new one every time.
        cached_level: "lower" (maps of stride 16) or "pooled" (the mean token; trunk and pooling query frozen).
    """

    name: str
    steps: int
    batch: int
    mixture: dict[str, float]
    accumulate: int = 1
    image_size: int | None = None
    freeze: Sequence[str] = ()
    lr: dict[str, float] = field(
        default_factory=lambda: {"new": 1e-3, "trunk": 3e-4, "text": 5e-5, "embedding": 0.0, "scale": 1e-3}
    )
    trunk_decay: float = 0.7
    text_decay: float = 0.85
    warmup: float = 0.05
    final_lr: float = 0.01
    weight_decay: float = 0.05
    contrastive: str = "infonce"
    neutral_names: bool = True
    soft_weight: float = 0.25
    soft_temperature: float = 0.07
    caption_weight: float = 0.5
    caption_fraction: float = 0.25
    label_smoothing: float = 0.1
    anchor_weight: float = 0.5
    distill_weight: float = 0.0
    distill_scale: float = 20.0
    ema: float = 0.99
    augment: float = 1.0
    max_scale: float = 50.0
    cached_views: int = 0
    cached_level: str = "lower"
    cached_texts: int = 0


@dataclass(frozen=True)
class Recipe:
    """A run: model, starting point, sets, stages.

    `distributed` is "ddp" or "fsdp", under `torchrun`. `feature_seed` chooses the cached views: runs of other seeds can
    share one cache.
    """

    name: str
    model: str
    sets: dict[str, SetSpec]
    stages: list[Stage]
    init: dict[str, str] = field(default_factory=dict)
    seed: int = 0
    feature_seed: int = 1
    precision: str = "auto"
    distributed: str = "ddp"
    log_every: int = 10
    eval_every: int = 0
    save_every: int = 100
    validation: Sequence[str] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able form, stored in every checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Recipe:
        """Inverse of `to_dict`; unknown fields are errors.

        Raises:
            UsageError: A field is unknown or missing, or a mixture names an unknown set.
        """
        try:
            raw = dict(raw)
            raw["sets"] = {k: SetSpec(**v) for k, v in raw["sets"].items()}
            defaults = raw.pop("stage_defaults", {})
            raw["stages"] = [
                Stage(
                    **{**defaults, **s, "lr": {**Stage("", 1, 1, {}).lr, **defaults.get("lr", {}), **s.get("lr", {})}}
                )
                for s in raw["stages"]
            ]
            recipe = cls(**raw)
            for stage in recipe.stages:
                if not isinstance(stage.mixture, dict) or not isinstance(recipe.init, dict):
                    raise TypeError("mixture and init are tables")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"The recipe cannot be used: {error}.", "See training/configs for examples.") from None
        for stage in recipe.stages:
            unknown = set(stage.mixture) - set(recipe.sets)
            if stage.cached_level not in ("lower", "pooled"):
                raise UsageError(f"cached_level is '{stage.cached_level}', not lower or pooled (stage '{stage.name}').")
            if stage.distill_weight and ("distill" not in recipe.init or stage.cached_views):
                raise UsageError(
                    f"Stage '{stage.name}' distils, which needs `distill: MODEL` under init and cached_views: 0."
                )
            if unknown or not stage.mixture:
                raise UsageError(f"Stage '{stage.name}' mixes sets that the recipe does not have: {sorted(unknown)}.")
        return recipe


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe; `overrides` are `key=value` with dotted keys, list items by number: `stages.0.steps=50`.

    Raises:
        UsageError: The file or an override cannot be used.
    """
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UsageError(f"The recipe {path} cannot be read: {error}.") from None
    for item in overrides:
        key, equals, value = item.partition("=")
        if not equals:
            raise UsageError(f"'{item}' is not key=value.")
        node: Any = raw
        *parents, last = key.split(".")
        try:
            for name in parents:
                node = node[int(name)] if isinstance(node, list) else node.setdefault(name, {})
            node[int(last) if isinstance(node, list) else last] = yaml.safe_load(value)
        except (ValueError, IndexError, KeyError, AttributeError, TypeError, RecursionError, yaml.YAMLError) as error:
            raise UsageError(f"The override '{item}' does not fit the recipe: {error}.") from None
    return Recipe.from_dict(raw)
