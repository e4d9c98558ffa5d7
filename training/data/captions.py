"""Captions from what a sample says of itself: sentences, a class, label fractions, boxes.

What the trainer needs, all pure functions of (meta, generator):

    caption(meta, rng)         -> str       one varied caption
    draw(meta, rng, style)     -> Caption   the same with the facts it states
    all_sentences(meta)        -> list[str] distinct normalised sentences that are true of the sample
    positives(meta)            -> frozenset of facts; compute once per sample
    positive_matrix(captions, positives_per_image) -> bool [B, B]   P of METHODS 2.2
    is_directional(sentence), normalise(sentence)

A fact is a normalised sentence or noun phrase, or a count such as `>=3 airplane`. A caption is a positive of an image
when every fact it states is among the image's positives: so "an aerial photo of a harbour" is not a negative for
another port, and equal sentences of two images are positives of both, whatever was added around them.

`meta` keys understood: `captions` (list of sentences), `class`, `gsd_m` (>= 5 adds phrases of coarse imagery),
`fractions` ({"road", "water", "park"} or any word -> share of the image), `boxes` (word -> list of boxes: counts are
lower bounds, boxes are incomplete).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsvlm_core.errors import DataError
from training.data import vocabulary
from training.data.amounts import box_facts, count_clauses, fraction_clauses, fraction_facts
from training.data.augment import drop_clause, swap_synonyms
from training.data.sentences import contains, is_directional, normalise
from training.data.vocabulary import Concept, bare, concept, plural, with_article

__all__ = [
    "PLAIN", "Caption", "Meta", "Style", "all_sentences", "caption", "class_phrases", "draw", "general_phrases",
    "is_directional", "normalise", "positive_matrix", "positives", "sentences",
]

Meta = Mapping[str, Any]


@dataclass(frozen=True)
class Style:
    """Probabilities of METHODS 6.5.

    Attributes:
        class_share: A sample with sentences and a class: share of draws that use the class.
        join: Join a second distinct sentence.
        clause_drop: Drop one clause of a sentence.
        synonym: Swap each word that has synonyms.
        prefix_class: A noun phrase gets a prefix such as `An aerial image of`.
        prefix_sentence: A human sentence gets one; low, because most of them are full sentences.
        banned: Words and phrases that no caption may contain (classes held out of training).
    """

    class_share: float = 0.25
    join: float = 0.2
    clause_drop: float = 0.1
    synonym: float = 0.15
    prefix_class: float = 2 / 3
    prefix_sentence: float = 0.15
    banned: tuple[str, ...] = ()


GROUND = "the ground"
PLAIN = Style(class_share=0.0, join=0.0, clause_drop=0.0, synonym=0.0, prefix_class=0.0, prefix_sentence=0.0)


@dataclass(frozen=True)
class Caption:
    """A caption and the facts it states.

    Attributes:
        text: As the model reads it.
        facts: Normalised; the caption holds for an image whose `positives` contain all of them.
        directional: It names a direction: do not rotate or flip the image that it goes with.
    """

    text: str
    facts: tuple[str, ...]
    directional: bool = False


def sentences(meta: Meta) -> list[str]:
    """The sample's own sentences, distinct after normalisation, as written, in order.

    Raises:
        DataError: `captions` is no list of texts.
    """
    found: dict[str, str] = {}
    raw = meta.get("captions") or []
    if isinstance(raw, str) or not all(isinstance(s, str) for s in raw):
        raise DataError(f"captions is {raw!r}, not a list of sentences.", "Write it as a JSON list of strings.")
    for sentence in raw:
        text = " ".join(sentence.split())
        if normalise(text):
            found.setdefault(normalise(text), text)
    return list(found.values())


def class_phrases(class_name: str) -> list[str]:
    """Every normalised noun phrase that is true of a class: names, views and what is too unspecific to be drawn."""
    known = concept(class_name)
    phrases: dict[str, None] = {}
    for entry in (*known.names, *known.also):
        for form in (bare(entry), with_article(entry), plural(entry)):
            phrases[normalise(form)] = None
    for view in known.views:
        phrases[normalise(view)] = None
    return list(phrases)


def positives(meta: Meta) -> frozenset[str]:
    """All facts that are true of the sample."""
    facts: set[str] = {normalise(s) for s in sentences(meta)}
    if meta.get("class"):
        facts.update(class_phrases(str(meta["class"])))
    if meta.get("fractions"):
        facts.update(fraction_facts(meta["fractions"]))
    if "boxes" in meta:
        facts.update(box_facts(meta["boxes"]))
    return frozenset(facts)


def all_sentences(meta: Meta) -> list[str]:
    """Distinct normalised sentences that are true of the sample: its own, then its class's, then amounts and counts."""
    own = [normalise(s) for s in sentences(meta)]
    others = class_phrases(str(meta["class"])) if meta.get("class") else []
    clauses = [normalise(c) for c, _ in fraction_clauses(meta.get("fractions") or {})]
    counts = [normalise(c) for c, _ in count_clauses(meta.get("boxes") or {}, None)]
    return list(dict.fromkeys([*own, *others, *clauses, *counts]))


def positive_matrix(captions: Sequence[Caption], of_images: Sequence[frozenset[str]]) -> NDArray[np.bool_]:
    """P[i, j]: caption j is true of image i. [len(of_images), len(captions)] bool; the diagonal is set where square."""
    matrix = np.array([[all(f in true for f in c.facts) for c in captions] for true in of_images], dtype=np.bool_)
    if matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1]:
        np.fill_diagonal(matrix, True)
    return matrix


def caption(meta: Meta, rng: np.random.Generator, style: Style | None = None) -> str:
    """One caption; see `draw`."""
    return draw(meta, rng, style).text


def draw(meta: Meta, rng: np.random.Generator, style: Style | None = None) -> Caption:
    """Draw one caption of a sample.

    Raises:
        DataError: The sample says nothing of itself, or, after many attempts, nothing without a banned word.
    """
    style = style or Style()
    if not style.banned:
        return _draw(meta, rng, style)
    for _ in range(64):
        drawn = _draw(meta, rng, style)
        if not contains(drawn.text, style.banned):
            return drawn
    if "fractions" in meta or "boxes" in meta:
        return _finish(GROUND, (GROUND,), rng, style, 0.0)
    raise DataError(f"Every caption of class {meta.get('class')} has a banned word.", "Leave such samples out.")


def _draw(meta: Meta, rng: np.random.Generator, style: Style) -> Caption:
    own = sentences(meta)
    if own and not (meta.get("class") and rng.random() < style.class_share):
        return _from_sentences(own, rng, style)
    makers = []
    if meta.get("class"):
        makers.append(lambda: _from_class(str(meta["class"]), float(meta.get("gsd_m") or 0.0), rng, style))
    if fraction_clauses(meta.get("fractions") or {}):
        makers.append(lambda: _from_fractions(meta["fractions"], rng, style))
    if any((meta.get("boxes") or {}).values()):
        makers.append(lambda: _from_boxes(meta["boxes"], rng, style))
    if makers:
        return makers[int(rng.integers(len(makers)))]()
    if own:
        return _from_sentences(own, rng, style)
    if "fractions" in meta or "boxes" in meta:
        return _finish(GROUND, (GROUND,), rng, style, 0.0)
    raise DataError(
        f"A sample has no captions, class, fractions or boxes (it has: {', '.join(sorted(meta)) or 'nothing'}).",
        "Add one of them to its KEY.json.",
    )


def general_phrases(limit: int = 2000, seed: int = 0, banned: Sequence[str] = ()) -> list[str]:
    """Distinct phrases without images, for the text anchor: class names and general nouns in varied templates.

    Args:
        limit: How many.
        seed: Of the templates.
        banned: Words and phrases that none may contain (classes held out of training).
    """
    rng = np.random.default_rng(seed)
    entries = [n for c in vocabulary.CONCEPTS.values() for n in (*c.names, *c.also)] + list(vocabulary.GENERAL_NOUNS)
    entries = [e for e in dict.fromkeys(entries) if not contains(plural(e), banned) and not contains(bare(e), banned)]
    phrases: dict[str, None] = dict.fromkeys(with_article(e) for e in entries)
    while len(phrases) < limit:
        entry = entries[int(rng.integers(len(entries)))]
        if rng.random() < 0.3:
            other = entries[int(rng.integers(len(entries)))]
            joint = ("near", "and", "next to", "with", "surrounded by")[int(rng.integers(5))]
            core = f"{_form(entry, rng)} {joint} {_form(other, rng)}"
        else:
            core = _form(entry, rng)
        phrases[_prefixed(core, rng, 0.0) if rng.random() < 0.6 else core] = None
    return list(phrases)[:limit]


# ---- sentences -------------------------------------------------------------------------------------------------

_OPENERS = re.compile(
    r"^(there (is|are)|here (is|are)|it is|this is|these are|it s|it's|we can see|you can see|we can find)\s+", re.I)


def _from_sentences(own: list[str], rng: np.random.Generator, style: Style) -> Caption:
    first = int(rng.integers(len(own)))
    chosen = [own[first]]
    if len(own) > 1 and rng.random() < style.join:
        second = int(rng.integers(len(own) - 1))
        chosen.append(own[second + (second >= first)])
    facts = tuple(normalise(s) for s in chosen)
    texts = []
    for text in chosen:
        if rng.random() < style.clause_drop:
            text = drop_clause(text, rng)
        texts.append(swap_synonyms(text, rng, style.synonym))
    text = ". ".join(t.rstrip(" .") for t in texts)
    if len(texts) == 1 and rng.random() < style.prefix_sentence:
        core = _OPENERS.sub("", text)
        text = _prefixed(core[:1].lower() + core[1:], rng, 0.0)
    return Caption(text, facts, any(is_directional(t) for t in texts))


# ---- classes ---------------------------------------------------------------------------------------------------

_PREFIXES = (
    "An aerial image of {}", "An aerial image of {}.", "an aerial image of {}", "a satellite photo of {}",
    "a satellite image of {}", "an aerial photo of {}", "an overhead view of {}", "a bird's-eye view of {}",
    "{} seen from above", "a top-down view of {}", "an aerial photograph showing {}", "remote sensing image of {}",
    "a satellite photo of {}.", "{} from the air",
)
_PREFIX_WEIGHTS = np.array([4, 4, 2, 3, 2, 2, 1.5, 1, 1.5, 1, 1, 1, 2, 0.5])
_COARSE = (
    "a Sentinel-2 image of {}", "a medium resolution satellite image of {}", "{} in a Sentinel-2 image",
    "a satellite image of {} at 10 m resolution", "a coarse satellite image of {}", "{} seen from space",
    "a centered satellite photo of {}",
)
_SENTENCES = ("{} can be seen", "the image shows {}", "a view of {}", "a scene with {}", "it looks like {}",
              "{} in the picture", "we see {} here", "a place with {}")


def _pick(options: Sequence[str], rng: np.random.Generator, weights: NDArray[Any] | None = None) -> str:
    p = None if weights is None else weights / weights.sum()
    return options[int(rng.choice(len(options), p=p))]


def _prefixed(core: str, rng: np.random.Generator, coarse: float) -> str:
    if coarse and rng.random() < coarse:
        return _pick(_COARSE, rng).format(core)
    return _pick(_PREFIXES, rng, _PREFIX_WEIGHTS).format(core)


def _form(entry: str, rng: np.random.Generator) -> str:
    return (bare, with_article, plural)[int(rng.choice(3, p=(0.45, 0.4, 0.15)))](entry)


def _class_core(known: Concept, rng: np.random.Generator) -> tuple[str, tuple[str, ...]]:
    if known.views and rng.random() < 0.2:
        view = _pick(known.views, rng)
        return view, (normalise(view),)
    if len(known.names) > 1 and rng.random() < 0.1:
        # "a river or a stream": queries and class lists are often worded as alternatives
        a, b = (known.names[i] for i in rng.choice(len(known.names), 2, replace=False))
        form = bare if rng.random() < 0.6 else with_article
        joint = " or " if rng.random() < 0.8 else " and "
        return form(a) + joint + form(b), (normalise(form(a)), normalise(form(b)))
    # the first names are the commonest words: they come up more often
    weights = np.linspace(1.5, 0.75, len(known.names))
    core = _form(_pick(known.names, rng, weights), rng)
    return core, (normalise(core),)


def _from_class(class_name: str, gsd_m: float, rng: np.random.Generator, style: Style) -> Caption:
    core, facts = _class_core(concept(class_name), rng)
    return _finish(core, facts, rng, style, 0.5 if gsd_m >= 5 else 0.0)


def _finish(
    core: str, facts: tuple[str, ...], rng: np.random.Generator, style: Style, coarse: float,
) -> Caption:
    if rng.random() < style.prefix_class:
        return Caption(_prefixed(core, rng, coarse), facts)
    if style.prefix_class and rng.random() < 0.25:
        return Caption(_pick(_SENTENCES, rng).format(core), facts)
    return Caption(core, facts)


def _joined(parts: list[str], rng: np.random.Generator) -> str:
    if len(parts) == 1:
        return parts[0]
    last = _pick((" and ", " with ", " next to ", " beside ") if len(parts) == 2 else (" and ",), rng)
    return ", ".join(parts[:-1]) + last + parts[-1]


def _from_fractions(fractions: Mapping[str, Any], rng: np.random.Generator, style: Style) -> Caption:
    by_word = {w: c for w in fractions if (c := fraction_clauses({w: fractions[w]}))}
    words = list(by_word)
    # name all that is in view, or, a third of the time, only one thing
    keep = words if rng.random() < 0.67 else [words[int(rng.integers(len(words)))]]
    order = [keep[i] for i in rng.permutation(len(keep))]
    chosen = [by_word[w][int(rng.integers(len(by_word[w])))] for w in order]
    return _finish(_joined([p for p, _ in chosen], rng), tuple(f for _, f in chosen), rng, style, 0.0)


_PLACES = ("", "", "", " on the ground", " parked on the ground", " seen from above")


def _from_boxes(boxes: Mapping[str, Any], rng: np.random.Generator, style: Style) -> Caption:
    clauses = count_clauses(boxes, rng)
    if len(clauses) > 1 and rng.random() < 0.4:
        clauses = [clauses[int(rng.integers(len(clauses)))]]
    clauses = [clauses[i] for i in rng.permutation(len(clauses))]
    core = _joined([p for p, _ in clauses], rng).replace(" next to ", " and ").replace(" beside ", " and ")
    place = _pick(_PLACES, rng)
    return _finish(core + place, tuple(f for _, f in clauses), rng, style, 0.0)
