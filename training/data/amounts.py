"""Amounts as words: label fractions ("a small park, roads") and box counts ("at least three planes").

A clause is a (phrase, fact) pair; the facts of a sample are all that its clauses may state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from training.data.sentences import normalise
from training.data.vocabulary import bare, plural, with_article

# word -> least share at which it is worth saying, then phrases by amount: a little, clearly, mostly
_AMOUNTS: dict[str, tuple[float, tuple[tuple[str, ...], ...]]] = {
    "road": (
        0.02,
        (
            ("a road", "a few roads", "some roads", "a street", "roads"),
            ("roads", "streets", "a network of streets", "several roads", "a street grid", "city streets"),
            ("wide roads", "many roads", "big roads and intersections", "a dense network of roads"),
        ),
    ),
    "water": (
        0.02,
        (
            ("some water", "a little water", "a small body of water", "water", "a stretch of water"),
            ("water", "a river or a lake", "a body of water", "open water", "a waterfront", "a waterway"),
            ("mostly water", "a large body of water", "open water", "a wide river or the sea", "a big water surface"),
        ),
    ),
    "park": (
        0.03,
        (
            ("a small park", "some green space", "a bit of park", "a small green area", "a patch of park"),
            ("a park", "green space", "a public park", "park land", "a green area with grass and trees", "parkland"),
            ("a large park", "mostly park", "a big green park", "extensive green space", "a wide park landscape"),
        ),
    ),
}
# phrases that hold at every amount
_ALWAYS = {"road": ("road", "roads", "a road"), "water": ("water",), "park": ("park", "a park", "green space")}
_STEPS = ("some", "clearly", "mostly")
_LIMITS = {"road": (0.12, 0.22)}  # roads cover little even where they dominate
_DEFAULT_LIMITS = (0.12, 0.5)
_SHARES = ((0.08, 0.12, "a tenth"), (0.18, 0.22, "a fifth"), (0.22, 0.28, "a quarter"), (0.30, 0.37, "a third"),
           (0.45, 0.55, "half"), (0.62, 0.71, "two thirds"), (0.72, 0.78, "three quarters"))


def _amount(word: str, share: float) -> int:
    """0, 1, 2 for a little, clearly, mostly; -1 for not worth saying."""
    if share < (_AMOUNTS[word][0] if word in _AMOUNTS else 0.03):
        return -1
    low, high = _LIMITS.get(word, _DEFAULT_LIMITS)
    return int(share >= low) + int(share >= high)


def fraction_clauses(fractions: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(phrase, fact) pairs to draw from; a phrase that holds at every amount is its own fact."""
    clauses = []
    for word, value in fractions.items():
        share = float(value)
        step = _amount(word, share)
        if step < 0:
            continue
        known = _AMOUNTS.get(word)
        options = known[1][step] if known else (word, f"{('some', 'a good deal of', 'mostly')[step]} {word}")
        for phrase in options:
            clauses.append((phrase, phrase if phrase in _ALWAYS.get(word, ()) else f"{_STEPS[step]} {word}"))
        for low, high, name in _SHARES:
            if low <= share <= high and word != "road":
                clauses.append((f"{word} on about {name} of the view", f"{name} {word}"))
        clauses.append((word, word))
    return clauses


def fraction_facts(fractions: Mapping[str, Any]) -> set[str]:
    """What holds: its amount, the weaker amounts that it implies, and what holds at every amount."""
    facts = {"the ground"}
    for word, value in fractions.items():
        step = _amount(word, float(value))
        if step >= 0:
            facts.update({word, f"{_STEPS[step]} {word}", *_ALWAYS.get(word, ())})
        if step == 2:
            facts.add(f"{_STEPS[1]} {word}")
    facts.update(fact for _, fact in fraction_clauses(fractions))
    return facts


_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_OBJECTS: dict[str, tuple[str, ...]] = {
    "airplane": ("airplane", "plane", "aeroplane", "parked airplane", "passenger plane", "jet"),
    "car": ("car", "vehicle", "automobile", "passenger car"),
    "truck": ("truck", "lorry", "heavy vehicle"),
    "bus": ("bus", "coach"),
    "minibus": ("minibus", "van"),
    "ship": ("ship", "boat", "vessel"),
}


def count_clauses(boxes: Mapping[str, Any], rng: np.random.Generator | None) -> list[tuple[str, str]]:
    """(phrase, fact) per object word: counts are lower bounds. Without a generator, the plainest phrase."""
    clauses = []
    for word, found in boxes.items():
        n = len(found)
        if n == 0:
            continue
        name = word if rng is None else _pick(_OBJECTS.get(word, (word,)), rng)
        many = plural(name)
        exact = _NUMBERS[n] if n < len(_NUMBERS) else str(n)
        if n == 1:
            options = [(with_article(name), 0), (f"at least one {name}", 1)]
        else:
            options = [(f"at least {exact} {many}", n), (many, 0), (f"at least {n} {many}", n)]
            if n >= 3:
                options += [(f"several {many}", 3), (f"a group of {many}", 3)]
            if n >= 10:
                options += [(f"many {many}", 10), (f"ten or more {many}", 10), (f"a lot of {many}", 10)]
            if n >= 20:
                options += [(f"dozens of {many}", 20), (f"rows of {many}", 20)]
        phrase, least = options[0] if rng is None else options[int(rng.integers(len(options)))]
        clauses.append((phrase, f">={least} {word}" if least else normalise(phrase)))
    return clauses


def box_facts(boxes: Mapping[str, Any]) -> set[str]:
    """What holds of boxes: `>=n WORD` for every n up to their number, and the word's names."""
    facts = {"the ground"}
    for word, found in boxes.items():
        facts.update(f">={n} {word}" for n in range(1, len(found) + 1))
        for name in _OBJECTS.get(word, (word,)) if found else ():
            facts.update(normalise(form(name)) for form in (bare, with_article, plural))
    return facts


def _pick(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]
