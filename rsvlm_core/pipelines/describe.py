"""Words about a place: a caption, and answers to questions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rsvlm_core.errors import ModelError
from rsvlm_core.imagery.raster import Extent
from rsvlm_core.model.confidence import confidence, neutral_embeddings
from rsvlm_core.model.encoder import Encoder, Float32, UInt8
from rsvlm_core.pipelines.classify import class_embeddings
from rsvlm_core.pipelines.questions import understand
from rsvlm_core.pipelines.views import look
from rsvlm_core.progress import Progress, ShouldStop, check, never, silent

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


@dataclass(frozen=True)
class Answer:
    """An answer, and what it rests on.

    Attributes:
        text: The answer, one or two sentences.
        confidence: 0..1: of the presence for yes and no, of the choice among options otherwise.
        kind: How the question was understood; see `questions.Question`.
        views: Images looked at.
    """

    text: str
    confidence: float
    kind: str
    views: int


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
    return _caption(look(source, encoder.info, extent, should_stop), encoder, progress, should_stop)[0]


def ask(
    source: str,
    question: str,
    encoder: Encoder,
    *,
    extent: Extent | None = None,
    progress: Progress = silent,
    should_stop: ShouldStop = never,
) -> Answer:
    """Answer a question in English about a raster, or an extent of it (in its CRS).

    Yes and no come from the confidence of what is asked for against neutral prompts; "X or Y" from the better fit;
    "how much" from the share of views that show it; anything else ("what is here?") from `VOCABULARY` and the caption.
    Single objects are not counted, and the answer says so.

    Raises:
        UsageError: The question is empty, or the extent cannot be used.
        RasterError: The raster cannot be used.
        Stopped: should_stop said so.
    """
    asked = understand(question)
    if asked.kind == "what":
        return _what(look(source, encoder.info, extent, should_stop), encoder, progress, should_stop)
    images = look(source, encoder.info, extent, should_stop, closely=True)
    vectors = encoder.encode_images(images)
    check(should_stop)
    if asked.kind == "choice":
        shares = _shares(vectors, asked.subjects, encoder)
        best = int(shares.argmax())
        return Answer(f"{_capital(asked.subjects[best])}.", float(shares[best]), asked.kind, len(images))
    subject = asked.subjects[0]
    sure = _presence(vectors, subject, encoder)
    part = float((sure >= 0.5).mean())
    if asked.kind == "compare":
        other = asked.subjects[1]
        shares = _shares(vectors, asked.subjects, encoder)
        verdict = "Yes" if shares[0] > shares[1] else "No"
        text = f"{verdict}, judging by the ground that shows {subject} or {other}; I cannot count single objects."
        return Answer(text, float(shares.max()), asked.kind, len(images))
    if asked.kind == "share":
        return Answer(_share_text(subject, part, len(images)), float(sure.mean()), asked.kind, len(images))
    # something is there when one view shows it; the whole is something when the views do so on the whole
    level = float(sure.mean()) if asked.kind == "identity" else float(sure.max())
    if asked.kind == "count":
        seen = (
            f"There seem to be some: {subject} show in {int((sure >= 0.5).sum())} of {len(images)} views."
            if level >= 0.5 else f"There is no sign of {subject}."
        )
        return Answer(f"I cannot count single objects. {seen}", level, asked.kind, len(images))
    if asked.kind == "where":
        text = f"{_yes_or_no(subject, level)} A search for it shows the places on the map."
        return Answer(text, level, asked.kind, len(images))
    return Answer(_yes_or_no(subject, level), level, asked.kind, len(images))


def _caption(
    images: UInt8, encoder: Encoder, progress: Progress, should_stop: ShouldStop
) -> tuple[str, float]:
    """The sentence, out of one for each image, that fits all images best, and its mean cosine."""
    sentences: list[str] = []
    vectors: list[Float32] = []
    for start in range(0, len(images), _BATCH):
        check(should_stop)
        part = images[start : start + _BATCH]
        sentences += [s.strip() for s in encoder.caption(part)]
        vectors.append(encoder.encode_images(part))
        progress(min(len(images), start + _BATCH), len(images), "views")
    written = list(dict.fromkeys(s for s in sentences if s))
    if not written:
        raise ModelError(f"The model {encoder.info.id} wrote nothing about this place.", "Try a smaller extent.")
    fit = (np.concatenate(vectors) @ encoder.encode_texts(written).T).mean(axis=0)
    return written[int(fit.argmax())], float(fit.max())


def _what(images: UInt8, encoder: Encoder, progress: Progress, should_stop: ShouldStop) -> Answer:
    shares = _shares(encoder.encode_images(images), VOCABULARY, encoder)
    order = np.argsort(-shares, kind="stable")
    # name the runners-up that are nearly as likely
    names = [VOCABULARY[i] for i in order[:3] if shares[i] >= 0.5 * shares[order[0]]]
    text = f"Most likely {', '.join(names)}."
    if encoder.info.can_caption:
        sentence, _ = _caption(images, encoder, progress, should_stop)
        text = f"{_capital(sentence).rstrip('.')}. {text}"
    return Answer(text, float(shares[order[: len(names)]].sum()), "what", len(images))


def _presence(vectors: Float32, subject: str, encoder: Encoder) -> Float32:
    """[N] confidence of a subject in each view."""
    cosines = vectors @ class_embeddings([subject], encoder).T
    return confidence(cosines, vectors @ neutral_embeddings(encoder).T, encoder.info.logit_scale)[:, 0]


def _shares(vectors: Float32, names: tuple[str, ...], encoder: Encoder) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """[C] softmax over names at the model's scale, averaged over views."""
    z = (vectors @ class_embeddings(names, encoder).T).astype(np.float64) * encoder.info.logit_scale
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray((e / e.sum(axis=1, keepdims=True)).mean(axis=0), dtype=np.float64)


def _share_text(subject: str, part: float, views: int) -> str:
    if views < 4:
        seen = "shows" if part >= 0.5 else "does not show"
        return f"The place is too small to tell a share; it {seen} {subject}."
    if part == 0:
        return f"Hardly any: no view shows {subject} clearly."
    return f"About {round(part * 100, -1):.0f} % of the views show {subject}."


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
