"""Captions for what is in view from a local grammar, and a check of anybody's captions against what is in view."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np

from training.build.osm import BARE, TAGS
from training.build.scene import Sight
from training.data.sentences import normalise
from training.data.vocabulary import CONCEPTS, GENERAL_NOUNS, bare, concept, plural, with_article


class Writer(Protocol):
    """Writes captions of one tile.

    Attributes:
        name: What wrote, for the data card.
    """

    name: str

    def write(self, sights: Sequence[Sight], image: bytes, count: int, rng: np.random.Generator) -> list[str]:
        """Up to `count` distinct captions that name only what is in `sights`."""
        ...


# ---- the grammar -----------------------------------------------------------------------------------------------

_NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_ROWS = (("upper left", "top", "upper right"), ("left", "middle", "right"), ("lower left", "bottom", "lower right"))
_OPENINGS = (
    "{}", "{}", "{}", "An aerial image of {}", "a satellite photo of {}", "an aerial photo showing {}", "a view of {}",
    "an overhead view of {}", "{} seen from above", "the image shows {}",
)


class GrammarWriter:
    """Varied sentences from rules; works offline, deterministic for a generator.

    Args:
        complete: The map is known to be complete: exact numbers may be said.
        names: Share of captions that may use proper names.
    """

    def __init__(self, complete: bool = False, names: float = 0.15) -> None:
        self.name = "grammar"
        self._complete, self._names = complete, names

    def write(self, sights: Sequence[Sight], image: bytes, count: int, rng: np.random.Generator) -> list[str]:
        """See `Writer`; the image is not looked at."""
        found: dict[str, str] = {}
        for _ in range(count * 8):
            if len(found) == count or not sights:
                break
            sentence = self._sentence(sights, rng)
            found.setdefault(normalise(sentence), sentence)
        return list(found.values())

    def _sentence(self, sights: Sequence[Sight], rng: np.random.Generator) -> str:
        weights = np.array([s.importance for s in sights])
        most = min(len(sights), 4)
        number = int(rng.choice(np.arange(1, most + 1), p=_falling(most)))
        chosen = list(rng.choice(len(sights), size=number, replace=False, p=weights / weights.sum()))
        chosen.sort()  # sights come in order of importance
        phrases = [self._phrase(sights[i], rng) for i in chosen]
        first = sights[chosen[0]]
        if number > 1 and rng.random() < 0.35 and first.share < 0.6:
            joint = (" near ", " next to ", " beside ", " with ")[int(rng.integers(4))]
            core = phrases[0] + joint + _listed(phrases[1:])
        elif number > 1 and first.share >= 0.6:
            core = phrases[0] + (" with ", " crossed by " if _is_line(sights[chosen[1]]) else " with ")[
                int(rng.integers(2))] + _listed(phrases[1:])
        else:
            core = _listed(phrases)
        if rng.random() < 0.3 and len(chosen) == 1:
            core += _place(first, rng)
        text = _OPENINGS[int(rng.integers(len(_OPENINGS)))].format(core)
        if rng.random() < 0.4:
            text = text[0].upper() + text[1:] + "."
        return text

    def _phrase(self, sight: Sight, rng: np.random.Generator) -> str:
        noun = self._noun(sight, rng)
        if sight.name and sight.count == 1 and rng.random() < self._names and not noun.startswith("*"):
            return f"the {bare(noun)} {sight.name}"
        if sight.share >= 0.6:
            return ("mostly {}", "a large area of {}", "{} over most of the view")[int(rng.integers(3))].format(
                bare(noun) if noun.startswith("*") else (with_article(noun) if sight.count == 1 else plural(noun)))
        if noun.startswith("*"):
            return (bare(noun), f"some {bare(noun)}")[int(rng.integers(2))]
        if sight.count == 1:
            size = "large " if sight.share > 0.25 and rng.random() < 0.5 else ""
            return with_article(size + noun)
        return f"{self._number(sight.count, rng)}{plural(noun)}"

    def _number(self, count: int, rng: np.random.Generator) -> str:
        if self._complete and count <= 12 and rng.random() < 0.6:
            return _NUMBERS[count - 2] + " "
        many = ("", "several ", "some ") if count < 10 else ("", "many ", "numerous ")
        options = ("", "some ") if count < 3 else many
        return options[int(rng.integers(len(options)))]

    @staticmethod
    def _noun(sight: Sight, rng: np.random.Generator) -> str:
        """The noun or, where the vocabulary knows it, sometimes another name of the same thing."""
        names = [n for n in _synonyms(bare(sight.noun)) if n.startswith("*") == sight.noun.startswith("*")]
        return names[int(rng.integers(len(names)))] if names and rng.random() < 0.3 else sight.noun


def _falling(n: int) -> np.ndarray:
    weights = np.array([1.0, 1.2, 0.8, 0.4][:n])
    return np.asarray(weights / weights.sum())


def _listed(phrases: Sequence[str]) -> str:
    return phrases[0] if len(phrases) == 1 else ", ".join(phrases[:-1]) + " and " + phrases[-1]


def _is_line(sight: Sight) -> bool:
    return sight.share == 0 and sight.length > 0.5


def _place(sight: Sight, rng: np.random.Generator) -> str:
    """Where it is, if it is in one place."""
    if sight.spread > 0.2 or sight.share > 0.4 or sight.length > 0.6:
        return ""
    row, col = (int(np.clip(v * 3, 0, 2)) for v in (sight.y, sight.x))
    name = _ROWS[row][col]
    if name == "middle":
        return (" in the middle", " in the centre")[int(rng.integers(2))]
    return (" in the {}", " in the {} part")[int(rng.integers(2))].format(name) if row != 1 else f" on the {name}"


_WITHOUT = ("no {}", "a place without {}", "an area without any {}", "there are no {} here",
            "an aerial image without {}", "an aerial photo of land without {}")


def without(nouns: Sequence[str], count: int, rng: np.random.Generator) -> list[str]:
    """Up to `count` distinct captions of a tile in which none of the nouns is; for complete maps."""
    found: dict[str, None] = {}
    for _ in range(count * 8 if nouns else 0):
        chosen = [plural(nouns[i]) for i in rng.choice(len(nouns), min(len(nouns), int(rng.integers(1, 3))), False)]
        found[_WITHOUT[int(rng.integers(len(_WITHOUT)))].format(" or ".join(chosen))] = None
        if len(found) == count:
            break
    return list(found)


# the nouns of a scene class that stand for the same thing on a map
_SAME = {
    "parking lot": ("car park", "parking area"), "farmland": ("*cropland", "*agricultural land"),
    "pond": ("small lake",), "forest": ("woodland",), "residential area": ("residential district", "housing area"),
    "industrial area": ("industrial zone", "industrial district"), "soccer field": ("football field", "football pitch"),
    "railway station": ("train station",), "motorway": ("highway", "freeway"), "meadow": ("grass field",),
    "shopping area": ("commercial area",), "sports pitch": ("sports field", "playing field"),
    "harbor": ("harbour", "port"), "swimming pool": ("pool",), "railway track": ("rail track",),
    "cemetery": ("graveyard",),
}  # fmt: skip


def _synonyms(noun: str) -> tuple[str, ...]:
    return _SAME.get(noun, ())


# ---- checking --------------------------------------------------------------------------------------------------

@lru_cache(maxsize=4)
def _known(mapped: tuple[str, ...]) -> re.Pattern[str]:
    """Every noun phrase that could be named, singular and plural, longest first."""
    entries = {*TAGS.values(), *BARE.values(), *GENERAL_NOUNS, *(n for v in _SAME.values() for n in v), *mapped}
    entries |= {n for c in CONCEPTS.values() for n in (*c.names, *c.also)}
    forms = {normalise(f).replace("-", " ") for e in entries for f in (bare(e), plural(e))} - _HARMLESS
    return re.compile(r"\b(" + "|".join(sorted(map(re.escape, forms), key=len, reverse=True)) + r")\b")


# words that say nothing of their own about what is there
_HARMLESS = frozenset(
    "center centre square course wall spring rapids works station field fields crops row rows cover nature greenery "
    "vegetation plants ground asphalt pavement shadows town city village countryside urban area built up area "
    "building tower parking image photo view area place land part top bottom left right middle large".split()
) | {"urban area", "urban areas", "built up area", "built up areas", "large building"}


def unsupported(caption: str, sights: Sequence[Sight], mapped: Sequence[str] = ()) -> list[str]:
    """Things that a caption names though they are not known to be in view.

    Only known things are noticed: those of OpenStreetMap's tags and of the training vocabulary, and what the map has.

    Args:
        caption: Any sentence.
        sights: What is in view; their synonyms, plurals and the words of their own names may be used.
        mapped: Nouns of the map, here or elsewhere.
    """
    allowed: set[str] = set()
    for sight in sights:
        noun = bare(sight.noun)
        for entry in (noun, sight.noun, *_synonyms(noun), *concept(noun).names, *concept(noun).also):
            allowed |= {normalise(f).replace("-", " ") for f in (bare(entry), plural(bare(entry)))}
        allowed.add(normalise(sight.name).replace("-", " "))
        allowed |= {w for w in noun.split()} | {plural(noun.split()[-1])}
    text = f" {normalise(caption).replace('-', ' ')} "
    for sight in sights:
        if sight.name:
            text = text.replace(f" {normalise(sight.name).replace('-', ' ')} ", " ")
    return [m for m in _known(tuple(mapped)).findall(text) if m not in allowed]
