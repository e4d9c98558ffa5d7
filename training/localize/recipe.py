"""Recipes of pseudo-label rounds; `training/configs/localize.yaml` is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rsvlm_core.errors import UsageError
from training.recipe import SetSpec


@dataclass(frozen=True)
class DevSet:
    """Images with masks that a round is measured on; nothing is ever trained on them.

    Attributes:
        images: Tar files or folders with images/ and masks/, relative to the data folder unless absolute.
        texts: One text, or one a mask value in order, 1 first.
        gsd: Metres per pixel.
        sample: Take only so many images, evenly spread; 0 for all.
    """

    images: Sequence[str]
    texts: Sequence[str]
    gsd: float
    sample: int = 0


@dataclass(frozen=True)
class LocalizeRecipe:
    """What `training.localize` does; METHODS section 3.4 has the formulas.

    Attributes:
        name: Of the run.
        run: Where to start: a run's folder, or a model's folder.
        sets: Training sets.
        pairs: Share of each set in the image-text pairs of the image-level loss.
        scenes: Images of each set that get pseudo-labels, evenly spread over it.
        classes: Name -> phrases; a class's vector is the mean of its phrases'.
        held_out: Words that must not be taught: no class may be called so, and neutral prompts that mean the same do
            not compete either.
        dev: Sets that every round is measured on.
        validation: Shards for mean recall.
        rounds, steps: How many rounds at most, and steps of each.
        pair_batch, scene_batch: Pairs and scenes a step; at least half are pairs.
        size: Side in pixels of the views.
        zoom: Least and greatest side of a scene's crop as a share of the image's.
        colour: Strength of the views' colour augmentation.
        window: Side of the Smooth-Attention window in tokens.
        scale: Of the softmax over prompts; None takes the model's own.
        bias: lambda, the share of the image-level score that is taken out of every map.
        gate_margin, gate_top: An image is a candidate for a class that wins against all prompts by this cosine, or
            that it is among this top share for.
        high, low: Probabilities from which a token is a positive, and up to which it is a negative.
        agreement: Share of the eight views that must be on the same side of one half.
        min_component: Tokens; smaller positive components are ignored.
        area: Least and greatest share of the image that a mask may cover.
        region_weight, pixel_weight: lambda_r and lambda_p.
        learn: Prefixes of parameter names that learn.
        lr: Peak learning rates by group, one tenth of the main training's.
        max_scale: Clamp of the logit scale.
        ema: Decay of the teacher.
        min_flips: Rounds stop when fewer labels than this share change.
        max_recall_loss: Points of mean recall that a round may cost.
        seed: Of everything random.
        save_every, log_every: Steps.
    """

    name: str
    run: str
    sets: Mapping[str, SetSpec]
    pairs: Mapping[str, float]
    scenes: Mapping[str, int]
    classes: Mapping[str, Sequence[str]]
    held_out: Sequence[str] = ()
    dev: Mapping[str, DevSet] = field(default_factory=dict)
    validation: Sequence[str] = ()
    rounds: int = 3
    steps: int = 100
    pair_batch: int = 64
    scene_batch: int = 64
    size: int = 224
    zoom: tuple[float, float] = (0.5, 1.0)
    colour: float = 0.3
    window: int = 3
    scale: float | None = None
    bias: float = 0.3
    gate_margin: float = 0.02
    gate_top: float = 0.1
    high: float = 0.7
    low: float = 0.3
    agreement: float = 0.75
    min_component: int = 4
    area: tuple[float, float] = (0.01, 0.6)
    region_weight: float = 0.5
    pixel_weight: float = 0.2
    learn: Sequence[str] = ("visual.",)
    lr: Mapping[str, float] = field(default_factory=lambda: {"new": 6e-5, "trunk": 4e-5})
    max_scale: float = 50.0
    ema: float = 0.99
    min_flips: float = 0.02
    max_recall_loss: float = 1.0
    seed: int = 0
    save_every: int = 50
    log_every: int = 10

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> LocalizeRecipe:
        """From plain values; what `to_dict` gives, or a YAML file holds.

        Raises:
            UsageError: A field is unknown, missing or of the wrong kind; a held-out word names a class; fewer pairs
                than scenes in a batch.
        """
        try:
            values = dict(raw)
            values["sets"] = {k: SetSpec(**v) for k, v in values["sets"].items()}
            values["dev"] = {k: DevSet(**v) for k, v in values.get("dev", {}).items()}
            for name in ("zoom", "area"):
                if name in values:
                    low, high = values[name]
                    values[name] = (float(low), float(high))
            recipe = cls(**values)
            recipe._check()
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"The recipe cannot be used: {error}.", "See training/configs/localize.yaml.") from None
        return recipe

    def _check(self) -> None:
        unknown = (set(self.pairs) | set(self.scenes)) - set(self.sets)
        if unknown:
            raise UsageError(f"The recipe uses sets that it does not have: {', '.join(sorted(unknown))}.")
        if not self.classes or not all(self.classes.values()):
            raise UsageError("Every class needs at least one phrase, and there must be a class.")
        if not self.pairs or self.pair_batch < self.scene_batch:
            raise UsageError("At least half of each batch must be image-text pairs, or retrieval is lost.")
        banned = {w.lower() for w in self.held_out}
        for name, phrases in self.classes.items():
            for phrase in (name, *phrases):
                if any(f" {w} " in f" {phrase.lower().replace('.', ' ')} " for w in banned):
                    raise UsageError(f"The class '{name}' is called '{phrase}', which the recipe holds out.")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able form."""
        return asdict(self)

    @classmethod
    def load(cls, path: Path, overrides: Sequence[str] = ()) -> LocalizeRecipe:
        """Read YAML and `key=value` overrides with dotted keys, such as `dev.roads.sample=10`.

        Raises:
            UsageError: An unreadable file, or as `from_dict`.
        """
        try:
            raw = yaml.safe_load(path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
            raise UsageError(f"The recipe {path} cannot be read: {error}.") from None
        for item in overrides:
            key, equals, value = item.partition("=")
            *parents, last = key.split(".")
            node = raw
            for name in parents:
                node = node.get(name) if isinstance(node, dict) else None
            if not equals or not isinstance(node, dict):
                raise UsageError(f"'{item}' is not key=value with a key of the recipe.")
            try:
                node[last] = yaml.safe_load(value)
            except (ValueError, RecursionError, yaml.YAMLError) as error:
                raise UsageError(f"The override '{item}' cannot be read: {error}.") from None
        return cls.from_dict(raw)
