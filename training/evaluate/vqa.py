"""Question answering on questions made from labels, in the manner of RSVQA: presence, count, rural or urban, position.

Answers follow from what is known of an image: its class and captions, box counts (lower bounds), mask shares, or the
number of separate things in a mask; comparisons follow from these, positions as `vqa_positions` says.
Presence questions with the answer no are only asked about classes that neither the class, its synonyms nor any caption
of the image names; as captions are incomplete, some of these answers are wrong. Every kind has as many questions of
one answer as of the other, so that naming the commonest answer scores about half.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from rsvlm_core.errors import DataError
from rsvlm_core.model.encoder import Encoder, UInt8
from rsvlm_core.progress import Progress, ShouldStop, check, never, silent
from training.data.captions import positives
from training.data.sentences import contains
from training.data.vocabulary import CONTENTS, bare, concept, concept_key, plural, with_article
from training.evaluate import vqa_positions
from training.evaluate.images import Item
from training.evaluate.segmentation import MaskedImage
from training.evaluate.vqa_memory import Remembering

RURAL = frozenset("farmland|cropland|forest|tree cover|meadow|grassland|shrubland|mountain|desert|bare land|"
                  "sparse residential".split("|"))
URBAN = frozenset("commercial|dense residential|medium residential|center|square|industrial|railway station|built up|"
                  "church|school|stadium|viaduct".split("|"))
Answerer = Callable[[UInt8, str], str]


@dataclass(frozen=True)
class Question:
    """A question about one image.

    Attributes:
        image: Number of the image.
        kind: presence, comparison, count, rural_urban, position or where.
        text: As a person would ask it.
        answer: "yes", "no", "rural" or "urban"; "west", "east", "north" or "south" of where.
    """

    image: int
    kind: str
    text: str
    answer: str


def questions(metas: Sequence[Mapping[str, Any]], seed: int = 0, limit: int | None = None) -> list[Question]:
    """Make balanced questions.

    Images are drawn in one order for all kinds, and asked all that is left to ask: few images answer many questions.

    Args:
        metas: One dict an image: `class`, `captions`, `boxes`, `fractions` as in training shards; `counts`, word ->
            exact number of separate things; `grids` as in `vqa_positions`.
        seed: Of the choices.
        limit: About so many in all, each kind and answer alike as far as there are any.

    Raises:
        DataError: Nothing can be asked of these images.
    """
    rng = np.random.default_rng(seed)
    classes = sorted({concept_key(str(m["class"])) for m in metas if m.get("class")})
    made: list[Question] = []
    for number, meta in enumerate(metas):
        made += _presence(number, meta, classes, rng)
        made += _comparison(number, meta, rng)
        made += _count(number, meta, rng)
        key = concept_key(str(meta.get("class") or ""))
        if key in RURAL | URBAN:
            text = ("Is this a rural or an urban area?", "Is it rural or urban?")[int(rng.integers(2))]
            made.append(Question(number, "rural_urban", text, "rural" if key in RURAL else "urban"))
        turn = sum(q.kind == "position" for q in made)
        made += [Question(number, *asked) for asked in vqa_positions.positions(meta, rng, turn)]
    balanced = _balanced(made, rng.permutation(len(metas)), limit)
    if not balanced:
        raise DataError("No questions can be made from these images.", "They need class, captions, boxes or fractions.")
    return balanced


def _presence(number: int, meta: Mapping[str, Any], classes: Sequence[str], rng: np.random.Generator) -> list[Question]:
    if not meta.get("class") or len(classes) < 2:
        return []
    own = concept_key(str(meta["class"]))
    true, told = positives(meta), [str(c) for c in meta.get("captions") or []]

    def absent(name: str) -> bool:
        names = [bare(n) for n in concept(name).names]
        return not any(n in true or plural(n) in true or contains(" ".join(told), [n, plural(n)]) for n in names)

    others = [c for c in classes if c != own and absent(c)]
    asked = [(own, "yes")] + ([(others[int(rng.integers(len(others)))], "no")] if others else [])
    return [Question(number, "presence", _is_there(concept(name).names, rng), answer) for name, answer in asked]


def _is_there(names: Sequence[str], rng: np.random.Generator) -> str:
    scenes = [n for n in names if bare(n) not in CONTENTS] or list(names)
    name = scenes[int(rng.integers(len(scenes)))]
    many = name.startswith("*") and bare(name).endswith("s")
    templates = ("Are there {} in this image?", "Are there any {} here?") if many else (
        "Is there {} in this image?", "Does this image show {}?")
    return templates[int(rng.integers(2))].format(with_article(name))


def _comparison(number: int, meta: Mapping[str, Any], rng: np.random.Generator) -> list[Question]:
    shares = {k: float(v) for k, v in (meta.get("fractions") or {}).items()}
    pairs = [(a, b, "area of ") for a in shares for b in shares if shares[a] > 1.5 * shares[b] + 0.03]
    counts = {k: len(v) for k, v in (meta.get("boxes") or {}).items()}
    pairs += [(plural(a), plural(b), "") for a in counts for b in counts if counts[a] > 3 * counts[b] + 3]
    if not pairs:
        return []
    more, less, _ = pairs[int(rng.integers(len(pairs)))]
    first, second, answer = (more, less, "yes") if rng.random() < 0.5 else (less, more, "no")
    verb = "Is" if more in shares else "Are"
    return [Question(number, "comparison", f"{verb} there more {first} than {second} in this image?", answer)]


def _count(number: int, meta: Mapping[str, Any], rng: np.random.Generator) -> list[Question]:
    made = []
    for word, boxes in (meta.get("boxes") or {}).items():
        n = len(boxes)
        if n < 2:
            continue
        # boxes are incomplete: a number far above what is boxed is the only safe no
        for least, answer in ((int(rng.integers(2, n + 1)), "yes"), (5 * n + 20, "no")):
            made.append(Question(number, "count", f"Are there at least {least} {plural(word)}?", answer))
    for word, n in (meta.get("counts") or {}).items():
        # things that touch are one in a mask: what is asked lies well below or well above the number
        for least, answer in ((max(1, n // 2), "yes"), (2 * n + 2, "no")):
            if n or answer == "no":
                made.append(Question(number, "count", f"Are there at least {least} {plural(word)}?", answer))
    return made


def _balanced(made: Sequence[Question], order: NDArray[np.int64], limit: int | None) -> list[Question]:
    """As many questions of a kind's one answer as of its others, of the first images of an order that have them."""
    groups: dict[str, dict[str, list[Question]]] = defaultdict(lambda: defaultdict(list))
    rank = np.argsort(order)
    for q in sorted(made, key=lambda q: rank[q.image]):
        groups[q.kind][q.answer].append(q)
    each = len(made) if limit is None else limit // (len(groups) or 1)
    kept: list[Question] = []
    for of_kind in groups.values():
        if len(of_kind) < 2:
            continue  # one possible answer asks nothing
        least = min(max(1, each // len(of_kind)), *map(len, of_kind.values()))
        kept += [q for asked in of_kind.values() for q in asked[:least]]
    return sorted(kept, key=lambda q: (q.image, q.kind, q.text))


class ProductAnswerer:
    """What `rsvlm ask` answers: images are put on the ground as small rasters.

    Args:
        encoder: The model.
        gsd_m: Metres per pixel of the images.
        folder: For the rasters.
        route: Of `ask`: "program" or "caption".
    """

    def __init__(self, encoder: Encoder, gsd_m: float, folder: Path, route: str = "program") -> None:
        self._route = route
        self._encoder, self._gsd, self._path = Remembering(encoder), gsd_m, folder / "asked.tif"
        self._shown: UInt8 | None = None

    def __call__(self, rgb: UInt8, question: str) -> str:
        """The answer's text."""
        from rsvlm_core.pipelines.describe import ask

        if rgb is not self._shown:
            transform = Affine(self._gsd, 0, 500000, 0, -self._gsd, 5000000)
            with rasterio.open(
                self._path, "w", driver="GTiff", width=rgb.shape[1], height=rgb.shape[0], count=3, dtype="uint8",
                crs="EPSG:32633", transform=transform,
            ) as out:
                out.write(np.moveaxis(rgb, -1, 0))
            self._shown = rgb
        return ask(str(self._path), question, self._encoder, route=self._route, evidence=False).text


def read_metas(
    items: Sequence[Item], masks: Sequence[MaskedImage] = (), words: Sequence[str] = (), counted: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """The meta data of images, with what masks say, whose values 1, 2, ... mean the words.

    Args:
        items: The images.
        masks: Their masks; `fractions` and `grids` of the words come from them.
        words: Their values' meanings.
        counted: Words of single things, whose number goes into `counts`.
    """
    metas = [item.meta() for item in items]
    of_image = {m.item.image.name: m for m in masks}
    for item, meta in zip(items, metas, strict=True):
        if item.image.name in of_image:
            truth = of_image[item.image.name].truth()
            # one word: masks are non-zero where it is
            where = {w: truth == k if len(words) > 1 else truth != 0 for k, w in enumerate(words, start=1)}
            meta["fractions"] = {word: float(mask.mean()) for word, mask in where.items()}
            meta["counts"] = {word: _separate(mask) for word, mask in where.items() if word in counted}
            meta["grids"] = {word: vqa_positions.of_mask(mask) for word, mask in where.items()}
    return metas


def _separate(mask: NDArray[np.bool_]) -> int:
    """Connected parts of a mask, without specks of less than a five-thousandth of the image."""
    from scipy import ndimage

    parts, _ = ndimage.label(mask)
    return int((np.bincount(parts.ravel())[1:] >= mask.size / 5000).sum())


def verdict(said: str, question: Question) -> bool:
    """Whether an answer is right: its first word that is one of the possible answers counts ("not" is a no).

    Of where, any word counts: what lies in the south-west lies in the south, and not in the north.
    """
    if question.kind == "where":
        return vqa_positions.right_side(said, question.answer)
    yes_or_no = {"yes": "yes", "no": "no", "not": "no"}
    options = yes_or_no if question.answer in ("yes", "no") else {"rural": "rural", "urban": "urban"}
    words = "".join(c if c.isalpha() else " " for c in said.lower()).split()
    return next((options[w] for w in words if w in options), "") == question.answer


def evaluate(
    items: Sequence[Item], asked: Sequence[Question], answer: Answerer, *, progress: Progress = silent,
    should_stop: ShouldStop = never,
) -> dict[str, Any]:
    """The JSON document: accuracy in percent overall and per kind, and of always giving the best one answer."""
    right: dict[str, list[bool]] = defaultdict(list)
    pixels: tuple[int, UInt8] | None = None
    for done, question in enumerate(asked):
        check(should_stop)
        if pixels is None or pixels[0] != question.image:
            pixels = question.image, np.array(items[question.image].pil(), dtype=np.uint8)
        right[question.kind].append(verdict(answer(pixels[1], question.text), question))
        progress(done + 1, len(asked), "questions")
    everything = [r for found in right.values() for r in found]
    return {
        "accuracy": 100.0 * float(np.mean(everything)),
        "per_kind": {k: 100.0 * float(np.mean(v)) for k, v in right.items()},
        "questions": len(asked),
        "questions_per_kind": {k: len(v) for k, v in right.items()},
        "images": len({q.image for q in asked}),
        "baselines": {"majority": {kind: _majority(asked, kind) for kind in right}},
    }


def _majority(asked: Sequence[Question], kind: str) -> float:
    counts = Counter(q.answer for q in asked if q.kind == kind)
    best = vqa_positions.best_constant(counts) if kind == "where" else max(counts.values())
    return 100.0 * best / counts.total()
