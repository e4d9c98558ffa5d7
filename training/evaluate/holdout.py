"""Holdout experiments, METHODS 7.4: classes kept out of training altogether, then asked for by name.

`plan` chooses the classes and writes the word lists and one recipe a draw; training runs those recipes; `score`
compares the models on the held-out classes and on the rest, over all classes and over the held-out ones alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from rsvlm_core.errors import DataError, UsageError
from rsvlm_core.model.encoder import Float32
from training.data.sentences import contains, normalise
from training.data.shards import Sample
from training.data.vocabulary import CONTENTS, bare, concept, concept_key, plural
from training.evaluate.classification import LabelledSet

# Classes that belong together: holding out a whole group leaves no near relative in training.
GROUPS: dict[str, tuple[str, ...]] = {
    "residential": ("dense residential", "medium residential", "sparse residential"),
    "sport": ("baseball field", "playfields", "playground", "stadium"),
    "water": ("beach", "pond", "port", "river"),
    "transport": ("airport", "bridge", "parking", "railway station", "viaduct"),
    "bare ground": ("bare land", "desert", "mountain"),
}


@dataclass(frozen=True)
class Holdout:
    """Classes that a model must not have seen.

    Attributes:
        name: Of the draw.
        classes: As the data names them.
        words: Their names, plurals and synonyms: no training text may contain one.
    """

    name: str
    classes: tuple[str, ...]
    words: tuple[str, ...]

    def removes(self, meta: Mapping[str, Any]) -> str | None:
        """Why a pair has to go: "label", "caption", or None where it may stay."""
        if meta.get("class") and concept_key(str(meta["class"])) in {concept_key(c) for c in self.classes}:
            return "label"
        texts = [str(meta.get("class") or ""), *map(str, meta.get("captions") or [])]
        amounts = {**(meta.get("fractions") or {}), **{w: len(b) for w, b in (meta.get("boxes") or {}).items()}}
        texts += [word for word, amount in amounts.items() if amount > 0]
        return "caption" if any(contains(t, self.words) for t in texts) else None


def words_of(classes: Iterable[str], strict: bool = False) -> tuple[str, ...]:
    """The word list of classes: names, synonyms and their plurals, normalised and sorted.

    Args:
        classes: Class names.
        strict: Also words that say what is in such a scene (cars of a parking lot); these are common elsewhere, and
            with them most of the other classes' captions go too.
    """
    words: set[str] = set()
    for name in classes:
        for entry in (concept_key(name), *concept(name).names):
            if entry == concept_key(name) or strict or bare(entry) not in CONTENTS:
                words |= {normalise(bare(entry)), normalise(plural(entry))}
    return tuple(sorted(words))


def plan(
    classes: Sequence[str], draws: int = 3, share: float = 0.15, seed: int = 0, groups: Sequence[str] = ("sport",),
    strict: bool = False,
) -> list[Holdout]:
    """Seeded random draws without overlap while classes last, then coherent groups.

    Raises:
        UsageError: Too few classes, or an unknown group.
    """
    each = max(1, round(share * len(classes)))
    if len(classes) < 3 or not 0 < share < 0.5:
        raise UsageError(f"{len(classes)} classes with a share of {share} cannot be held out.", "Use 0.1 to 0.2.")
    unknown = set(groups) - set(GROUPS)
    if unknown:
        raise UsageError(f"There is no group {', '.join(sorted(unknown))}.", f"Groups: {', '.join(GROUPS)}.")
    rng = np.random.default_rng(seed)
    pool: list[str] = []
    found = []
    for number in range(draws):
        chosen = pool[:each]
        pool = pool[each:]
        if len(chosen) < each:
            fresh = [str(c) for c in rng.permutation(sorted(set(classes) - set(chosen)))]
            chosen, pool = [*chosen, *fresh[: each - len(chosen)]], fresh[each - len(chosen) :]
        held = tuple(sorted(chosen))
        found.append(Holdout(f"draw-{number}", held, words_of(held, strict)))
    for group in groups:
        held = tuple(c for c in classes if concept_key(c) in GROUPS[group])
        if held:
            found.append(Holdout(group.replace(" ", "-"), held, words_of(held, strict)))
    return found


def count_removed(samples: Iterable[Sample], holdouts: Sequence[Holdout]) -> dict[str, dict[str, int]]:
    """Pairs that go because of their label or a caption, and pairs that stay, per holdout."""
    counts = {h.name: {"removed_by_label": 0, "removed_by_caption": 0, "kept": 0} for h in holdouts}
    for sample in samples:
        for h in holdouts:
            why = h.removes(sample.meta)
            counts[h.name][f"removed_by_{why}" if why else "kept"] += 1
    return counts


def write_recipe(base: Path, holdout: Holdout, out: Path) -> None:
    """A copy of a recipe in which every set leaves out the holdout's words.

    Raises:
        DataError: The recipe has no sets.
    """
    try:
        recipe = yaml.safe_load(base.read_text("utf-8"))
        sets = recipe["sets"]
        for spec in sets.values():
            spec["exclude"] = sorted({*spec.get("exclude", ()), *holdout.words, *map(concept_key, holdout.classes)})
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as e:
        raise DataError(f"{base} is not a usable recipe ({e}).", "Give one of training/configs.") from e
    recipe["name"] = f"{recipe.get('name', base.stem)}-without-{holdout.name}"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")


def score(z_image: Float32, z_text: Float32, data: LabelledSet, held: Sequence[str]) -> dict[str, float]:
    """Accuracies in percent of one model for one holdout.

    Args:
        z_image: [N, D] unit-norm image embeddings.
        z_text: [C, D] unit-norm prompt embeddings of all classes, in the order of `data.classes`.
        data: Truth.
        held: The held-out classes.

    Returns:
        unseen and seen (every image against all classes), their harmonic mean, unseen_among_unseen (held-out images
        against the held-out classes alone), and chance of the two settings.

    Raises:
        DataError: A held-out class is not in the evaluation set, or is all of it.
    """
    keys = {concept_key(c): k for k, c in enumerate(data.classes)}
    lost = [c for c in held if concept_key(c) not in keys]
    if lost:
        raise DataError(f"The images have no class {', '.join(lost)}.", "Use the set that the plan was made for.")
    unseen = np.array(sorted(keys[concept_key(c)] for c in held))
    of_unseen = np.isin(data.truth, unseen)
    if of_unseen.all() or not of_unseen.any():
        raise DataError("All or none of the images are of held-out classes.", "Evaluate on a set with both.")
    scores = z_image @ z_text.T
    right = scores.argmax(axis=1) == data.truth
    alone = unseen[scores[of_unseen][:, unseen].argmax(axis=1)] == data.truth[of_unseen]
    a, b = 100.0 * float(right[of_unseen].mean()), 100.0 * float(right[~of_unseen].mean())
    return {
        "unseen": a, "seen": b, "harmonic_mean": 2 * a * b / (a + b) if a + b else 0.0,
        "unseen_among_unseen": 100.0 * float(alone.mean()),
        "chance": 100.0 / len(data.classes), "chance_among_unseen": 100.0 / len(unseen),
        "images_unseen": float(of_unseen.sum()), "images_seen": float((~of_unseen).sum()),
    }


def summarise(
    full: Sequence[Mapping[str, float]], without: Sequence[Mapping[str, float]],
) -> dict[str, dict[str, float]]:
    """Mean and standard deviation over draws of each number, for both models and their difference."""
    found: dict[str, dict[str, float]] = {}
    for name in ("unseen", "seen", "harmonic_mean", "unseen_among_unseen"):
        a, b = np.array([d[name] for d in full]), np.array([d[name] for d in without])
        found[name] = {
            "full_mean": float(a.mean()), "without_mean": float(b.mean()), "difference_mean": float((b - a).mean()),
            "full_sd": _sd(a), "without_sd": _sd(b), "difference_sd": _sd(b - a),
        }
    return found


def _sd(values: Any) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0
