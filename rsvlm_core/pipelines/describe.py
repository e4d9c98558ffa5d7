"""Words about a place: a caption, and answers to questions with what they rest on.

Two routes lead to an answer, as in GRAFT and as in MaMMUT. The *program* looks (zero-shot classification of views) and
measures (outlines, see `program`). The *caption* route reads what the captioning pass writes about the views, and
nothing else: it is what the model would say unasked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from rsvlm_core.errors import ModelError, UsageError
from rsvlm_core.imagery.raster import Extent
from rsvlm_core.model.confidence import confidence, neutral_embeddings, rivals
from rsvlm_core.model.encoder import Encoder, Float32, UInt8
from rsvlm_core.pipelines import program
from rsvlm_core.pipelines.classify import class_embeddings
from rsvlm_core.pipelines.evidence import outlines_of, views_showing
from rsvlm_core.pipelines.questions import Question, understand
from rsvlm_core.pipelines.views import Views, look
from rsvlm_core.progress import Progress, ShouldStop, check, never, silent
from rsvlm_core.vectors import empty_frame

# What "what is here?" can be answered with: common land cover and installations that are seen from above.
VOCABULARY: tuple[str, ...] = (
    "residential area", "dense city", "industrial area", "parking lot", "road", "motorway junction", "railway",
    "airport", "harbour", "ships", "bridge", "sports field", "stadium", "school or large public building", "farmland",
    "meadow", "forest", "park", "orchard or vineyard", "greenhouses", "bare ground", "desert", "quarry or mine",
    "construction site", "beach", "river", "lake", "sea", "wetland", "mountains", "snow or ice", "storage tanks",
    "solar panels", "clouds",
)  # fmt: skip
# Views are captioned so many at a time, so that stopping does not have to wait for all of them.
_BATCH = 4
ROUTES = ("program", "caption")
_MEASURED = ("count", "least", "share", "compare", "where", "relation")
# Words for amounts in captions, and how many they mean at least.
_AMOUNTS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "some": 3, "several": 4, "rows": 8, "many": 10, "numerous": 12, "lots": 12,
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """An answer, and what it rests on.

    Attributes:
        text: The answer, one or two sentences.
        confidence: 0..1: of the presence for yes and no, of the choice among options, of the outlines where something
            was measured.
        kind: How the question was understood; see `questions.Question`.
        views: Images looked at.
        route: "program" or "caption".
        value: The number of a count, the share of "how much" (0..1), the metres of "near"; None otherwise.
        captions: What the caption route read.
        evidence: The fields of `masks` and `evidence`: "outline" of what was found, "view" of an image that shows it.
    """

    text: str
    confidence: float
    kind: str
    views: int
    route: str = "program"
    value: float | None = None
    captions: tuple[str, ...] = ()
    evidence: gpd.GeoDataFrame = field(default=None, repr=False, compare=False)


def caption(
    source: str,
    encoder: Encoder,
    *,
    extent: Extent | None = None,
    progress: Progress = silent,
    should_stop: ShouldStop = never,
) -> str:
    """One sentence about a raster, or an extent of it (in its CRS).

    Of a place too large for one image, several parts are described, and the sentence that fits all of them best is
    given.

    Raises:
        ModelError: The model cannot write.
        RasterError, UsageError: The raster or the extent cannot be used.
        Stopped: should_stop said so.
    """
    if not encoder.info.can_caption:
        raise ModelError(f"The model {encoder.info.id} cannot write captions.", "Use the bundled model.")
    return _caption(look(source, encoder.info, extent, should_stop).images, encoder, progress, should_stop)[0]


def ask(
    source: str,
    question: str,
    encoder: Encoder,
    *,
    extent: Extent | None = None,
    route: str = "program",
    evidence: bool = True,
    progress: Progress = silent,
    should_stop: ShouldStop = never,
) -> Answer:
    """Answer a question in English about a raster, or an extent of it (in its CRS).

    Yes and no come from the confidence of what is asked for against neutral prompts; "X or Y" from the better fit;
    numbers, shares, comparisons and positions from outlines (`program`); anything else ("what is here?") from
    `VOCABULARY` and the caption.

    Args:
        source: The raster.
        question: In words.
        encoder: The model.
        extent: Only there.
        route: "program", or "caption" to answer from what the model writes about the views alone.
        evidence: Also outline what a yes or no is about, which costs more than the answer.
        progress: Told of views and windows.
        should_stop: Polled.

    Raises:
        UsageError: The question is empty, the route unknown, or the extent cannot be used.
        ModelError: The caption route with a model that cannot write.
        RasterError: The raster cannot be used.
        Stopped: should_stop said so.
    """
    asked = understand(question)
    if route not in ROUTES:
        raise UsageError(f"There is no route {route!r}.", f"Choose one of {', '.join(ROUTES)}.")
    if asked.kind == "what":
        views = look(source, encoder.info, extent, should_stop)
        return _what(views, encoder, progress, should_stop)
    views = look(source, encoder.info, extent, should_stop, closely=True)
    if route == "caption":
        return _from_captions(asked, views, encoder, progress, should_stop)
    if asked.kind in _MEASURED:
        found = _measured(asked, views, extent, encoder, progress, should_stop)
        verdict = program.run(asked, found, views)
        return Answer(verdict.text, verdict.confidence, asked.kind, len(views.images), value=verdict.value,
                      evidence=found)
    vectors = encoder.encode_images(views.images)
    check(should_stop)
    answer, sure = _seen(asked, vectors, encoder)
    places = views_showing(views, sure, answer[2], encoder)
    if evidence and asked.kind == "presence" and answer[1] >= 0.5:
        found = outlines_of(views, extent, asked.subjects, encoder, progress, should_stop)
        places = found if len(found) else places
    return Answer(answer[0], answer[1], asked.kind, len(views.images), evidence=places)


def _measured(
    asked: Question, views: Views, extent: Extent | None, encoder: Encoder, progress: Progress, should_stop: ShouldStop
) -> gpd.GeoDataFrame:
    """Outlines of the subjects, drawn in competition; a relation's subject that lost every place is drawn alone.

    Whoever asks whether the bus is left of the cars has seen both: that cars fit better everywhere does not mean that
    there is no bus.
    """
    found = outlines_of(views, extent, asked.subjects, encoder, progress, should_stop)
    if asked.kind != "relation":
        return found
    for subject in asked.subjects:
        if not (found["text"] == subject).any():
            alone = outlines_of(views, extent, [subject], encoder, progress, should_stop)
            found = pd.concat([found, alone], ignore_index=True) if len(found) and len(alone) else (
                found if len(found) else alone)
    return found


def _seen(asked: Question, vectors: Float32, encoder: Encoder) -> tuple[tuple[str, float, str], Float32]:
    """Text, confidence and subject of the answer to presence, identity or choice; [N] confidence of each vector."""
    if asked.kind == "choice":
        shares = _shares(vectors, asked.subjects, encoder)
        best = int(shares.argmax())
        own = np.asarray([_shares(v[None], asked.subjects, encoder)[best] for v in vectors], np.float32)
        return (f"{_capital(asked.subjects[best])}.", float(shares[best]), asked.subjects[best]), own
    subject = asked.subjects[0]
    sure = _presence(vectors, subject, encoder)
    # something is there when one view shows it; the whole is something when the views do so on the whole
    level = float(sure.mean()) if asked.kind == "identity" else float(sure.max())
    return (_yes_or_no(subject, level), level, subject), sure


def _from_captions(
    asked: Question, views: Views, encoder: Encoder, progress: Progress, should_stop: ShouldStop
) -> Answer:
    """An answer from what the captioning pass writes about the views: words first, else what the sentences mean."""
    if not encoder.info.can_caption:
        raise ModelError(f"The model {encoder.info.id} cannot write captions.", "Ask by the program route.")
    sentences, _ = _written(views.images, encoder, progress, should_stop)
    told: dict[str, Any] = {"kind": asked.kind, "views": len(sentences), "route": "caption",
                            "captions": tuple(sentences)}
    nothing = empty_frame("masks", views.crs)
    named = [[_named(subject, s) for s in sentences] for subject in asked.subjects]
    vectors = encoder.encode_texts([s or "nothing" for s in sentences])
    if asked.kind in ("presence", "identity", "choice"):
        (text, level, subject), sure = _seen(asked, vectors, encoder)
        if asked.kind != "choice" and any(named[0]):
            sure = np.where(np.array(named[0]) > 0, 1.0, sure).astype(np.float32)
            level = float(sure.mean()) if asked.kind == "identity" else 1.0
            text = _yes_or_no(subject, level)
        return Answer(text, level, evidence=views_showing(views, sure, subject, encoder), **told)
    amounts = [float(sum(per_view)) for per_view in named]
    if asked.kind == "share":
        part = float(np.mean([n > 0 for n in named[0]]))
        text = f"{part:.0%} of the captions name {asked.subjects[0]}."
        return Answer(text, 0.5, value=part, evidence=nothing, **told)
    if asked.kind in ("count", "least"):
        verdict = f"{amounts[0]:.0f}" if asked.kind == "count" else "Yes" if amounts[0] >= asked.number else "No"
        text = f"{verdict}: the captions speak of {amounts[0]:.0f} {asked.subjects[0]} at least."
        return Answer(text, 0.5, value=amounts[0], evidence=nothing, **told)
    if asked.kind == "compare":
        if amounts[0] == amounts[1]:  # neither or both are named: what the sentences are nearer to
            shares = _shares(vectors, asked.subjects, encoder)
            amounts = [float(s) for s in shares]
        verdict = "Yes" if amounts[0] > amounts[1] else "No"
        return Answer(f"{verdict}, judging by the captions.", 0.5, evidence=nothing, **told)
    # neither a yes nor a no: sentences do not say where
    known = [s for s, n in zip(asked.subjects, named, strict=True) if any(n)]
    text = f"name {' and '.join(known)}, without places" if known else f"never speak of {' and '.join(asked.subjects)}"
    return Answer(f"Unknown: the captions {text}.", 0.5, evidence=nothing, **told)


def _named(subject: str, sentence: str) -> int:
    """How many of a subject a sentence speaks of at least; 0 where it does not name it."""
    words = [_stem(w) for w in re.findall(r"[a-z]+", subject.lower())]
    said = re.findall(r"[a-z]+", sentence.lower())
    stems = [_stem(w) for w in said]
    for at in range(len(stems) - len(words) + 1):
        if words and stems[at : at + len(words)] == words:
            amounts = [_AMOUNTS[w] for w in said[max(0, at - 3) : at] if w in _AMOUNTS]
            many = stems[at + len(words) - 1] != said[at + len(words) - 1]
            return max(amounts, default=2 if many else 1)
    return 0


def _stem(word: str) -> str:
    """A word without its plural ending, near enough to compare two words."""
    if len(word) > 3 and not word.endswith("ss"):
        for ending, instead in (("ches", "ch"), ("shes", "sh"), ("sses", "ss"), ("ies", "y"), ("s", "")):
            if word.endswith(ending):
                return word[: -len(ending)] + instead
    return word


def _written(
    images: UInt8, encoder: Encoder, progress: Progress, should_stop: ShouldStop
) -> tuple[list[str], Float32]:
    """A sentence for each image, and [N, D] vectors of the images."""
    sentences: list[str] = []
    vectors: list[Float32] = []
    for start in range(0, len(images), _BATCH):
        check(should_stop)
        part = images[start : start + _BATCH]
        sentences += [s.strip() for s in encoder.caption(part)]
        vectors.append(encoder.encode_images(part))
        progress(min(len(images), start + _BATCH), len(images), "views")
    return sentences, np.concatenate(vectors)


def _caption(
    images: UInt8, encoder: Encoder, progress: Progress, should_stop: ShouldStop
) -> tuple[str, float]:
    """The sentence, out of one for each image, that fits all images best, and its mean cosine."""
    sentences, vectors = _written(images, encoder, progress, should_stop)
    written = list(dict.fromkeys(s for s in sentences if s))
    if not written:
        raise ModelError(f"The model {encoder.info.id} wrote nothing about this place.", "Try a smaller extent.")
    fit = (vectors @ encoder.encode_texts(written).T).mean(axis=0)
    return written[int(fit.argmax())], float(fit.max())


def _what(views: Views, encoder: Encoder, progress: Progress, should_stop: ShouldStop) -> Answer:
    images = views.images
    vectors = encoder.encode_images(images)
    shares = _shares(vectors, VOCABULARY, encoder)
    order = np.argsort(-shares, kind="stable")
    # name the runners-up that are nearly as likely
    names = [VOCABULARY[i] for i in order[:3] if shares[i] >= 0.5 * shares[order[0]]]
    text, captions = f"Most likely {', '.join(names)}.", tuple[str, ...]()
    if encoder.info.can_caption:
        sentence, _ = _caption(images, encoder, progress, should_stop)
        text, captions = f"{_capital(sentence).rstrip('.')}. {text}", (sentence,)
    best = np.asarray([_shares(v[None], VOCABULARY, encoder)[order[0]] for v in vectors], np.float32)
    return Answer(text, float(shares[order[: len(names)]].sum()), "what", len(images), captions=captions,
                  evidence=views_showing(views, best, names[0], encoder))


def _presence(vectors: Float32, subject: str, encoder: Encoder) -> Float32:
    """[N] confidence of a subject in each view."""
    asked, neutral = class_embeddings([subject], encoder), neutral_embeddings(encoder)
    weights = rivals(asked, neutral)
    return confidence(vectors @ asked.T, vectors @ neutral.T, encoder.info.logit_scale, weights)[:, 0]


def _shares(vectors: Float32, names: tuple[str, ...], encoder: Encoder) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """[C] softmax over names at the model's scale, averaged over views."""
    z = (vectors @ class_embeddings(names, encoder).T).astype(np.float64) * encoder.info.logit_scale
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray((e / e.sum(axis=1, keepdims=True)).mean(axis=0), dtype=np.float64)


def _yes_or_no(subject: str, level: float) -> str:
    if level >= 0.75:
        return f"Yes: {subject}."
    if level >= 0.5:
        return f"Probably yes: {subject}."
    if level >= 0.25:
        return f"Probably not; {subject} cannot be ruled out."
    return f"No sign of {subject}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
