"""What can be asked of the backend, as requests. Panel and Processing algorithms both ask through here.

Parameters carry the names of the command line's options. Extents are `[xmin, ymin, xmax, ymax]` in the CRS of the
first raster; paths are absolute.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .engine_words import spoken
from .protocol import BackendError, Request
from .translate import tr

# what these have looked at when they are stopped lies in an index, and the same again goes on from there
CONTINUED = ("build_index", "search", "heatmap", "classify")


def stopped(op: str, finished: float | None = None) -> BackendError:
    """The answer to a request that the user has stopped: what is kept of it.

    Args:
        op: Of the request.
        finished: What the engine said is finished of it, where it keeps that.
    """
    kept = (tr("What was looked at is kept; the same again goes on from there.")
            if op in CONTINUED or finished is not None else tr("Nothing was written."))
    if percent(finished):
        kept = tr("{} % of the area is finished.").format(percent(finished)) + " " + kept
    return BackendError(tr("Stopped."), kept, "stopped", finished=finished)


def percent(share: Any) -> int:
    """A share that is finished in whole percent, rounded down: what is not whole is not called so."""
    return int(100 * float(share or 0.0) + 1e-6)


def only_finished(request: Request) -> Request:
    """The same request for what is finished of it, after it was stopped."""
    return Request(request.op, {**request.params, "finished": True})


def shortfalls(result: Mapping[str, Any]) -> list[str]:
    """What a result lacks though it came, in sentences for people: tiles that failed and why, indexes out of date."""
    said = []
    failed = result.get("failed") or []
    if isinstance(failed, list):
        reasons = list(dict.fromkeys(reason_of(str(one)) for one in failed))
        if reasons:
            said.append(tr("{} tiles could not be read and are missing from the result: {}").format(
                len(failed), " ".join(reasons[:2])))
    elif int(failed):
        said.append(tr("{} tiles could not be read and are missing from the result.").format(failed))
    said += [" ".join(spoken(str(one), "")).strip() for one in result.get("changed") or []]
    if is_partial(result):
        said.append(tr(
            "Only {} % of the area was finished: the rest is missing, and an automatic threshold was chosen from the "
            "finished part alone.").format(percent(result["finished"])))
    return said


def is_partial(result: Mapping[str, Any]) -> bool:
    """Whether a result is only of a part that was finished when the user stopped it."""
    return float(result.get("finished", 1.0)) < 1.0


def reason_of(failed: str) -> str:
    """Why a tile failed, from `tile: reason` as the engine lists it."""
    _, _, reason = failed.partition(": ")
    return spoken(reason or failed, "")[0]


def split_texts(text: str) -> list[str]:
    """Prompts as people type several of them in one box: separated by `;` or line breaks, doubles removed."""
    found = [part.strip() for part in re.split(r"[;\n]", text or "")]
    return list(dict.fromkeys(part for part in found if part))


def split_classes(text: str) -> list[str]:
    """Class names, which people also separate by commas."""
    return split_texts((text or "").replace(",", ";"))


def split_sizes(text: str) -> list[float] | None:
    """Metres per pixel such as `0.3, 0.6`; None where the box is empty, so that the backend chooses.

    Raises:
        BackendError: Something in it is not a positive number.
    """
    parts = [part for part in re.split(r"[;,\s]+", text or "") if part]
    try:
        sizes = [float(part) for part in parts]
    except ValueError:
        sizes = [0.0]
    if any(not 0 < size < 1e5 for size in sizes):
        raise BackendError(
            tr("“{}” is not a list of pixel sizes.").format(text),
            tr("Give metres per pixel separated by commas, such as 0.3, 0.6."),
            "usage",
        )
    return sizes or None


def split_bands(text: str) -> list[int] | None:
    """Three band numbers such as `4,3,2`; None where the box is empty.

    Raises:
        BackendError: It is neither empty nor three positive whole numbers.
    """
    parts = [part for part in re.split(r"[;,\s]+", text or "") if part]
    if not parts:
        return None
    if len(parts) != 3 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise BackendError(
            tr("“{}” does not name three bands.").format(text),
            tr("Give red, green and blue as band numbers, such as 4,3,2."),
            "usage",
        )
    return [int(part) for part in parts]


def threshold(text: str) -> Any:
    """The threshold as the backend takes it: `"auto"` or a float.

    Raises:
        BackendError: It is neither.
    """
    word = (text or "auto").strip().lower()
    if word == "auto":
        return "auto"
    try:
        return float(word)
    except ValueError:
        raise BackendError(
            tr("“{}” is not a threshold.").format(text), tr("Give a number, or auto."), "usage") from None


def _texts(texts: Sequence[str]) -> list[str]:
    if not texts:
        raise BackendError(tr("There is no text to look for."), tr("Type what you are looking for."), "usage")
    return list(texts)


def _request(op: str, **params: Any) -> Request:
    return Request(op, {name: value for name, value in params.items() if value is not None and value != ""})


def check() -> Request:
    """A report on the environment."""
    return Request("check")


def build_index(sources: Sequence[str], out: str, **options: Any) -> Request:
    """An index folder; options `gsds bands extent fresh model device`."""
    return _request("build_index", sources=list(sources), out=out, **options)


def search(sources: Sequence[str], texts: Sequence[str], out: str, top: int = 50, **options: Any) -> Request:
    """Ranked tiles as polygons in `out`; options `like unlike min_score extent within gsds bands model device`."""
    if texts or not options.get("like"):  # examples may stand alone
        options["texts"] = _texts(texts)
    return _request("search", sources=list(sources), out=out, top=top, **options)


def heatmap(source: str, text: str, out: str, **options: Any) -> Request:
    """A float score raster in `out`; options `extent gsds bands model device`."""
    return _request("heatmap", source=source, text=_texts(split_texts(text))[0], out=out, **options)


def segment(sources: Sequence[str], texts: Sequence[str], out: str, **options: Any) -> Request:
    """Outlines in `out`; options of all, `threshold refine within min_area_m2 mask_raster scores cosines finished`."""
    return _request("segment", sources=list(sources), texts=_texts(texts), out=out, **options)


def polygons(scores: str, cosines: str, thresholds: Sequence[float], out: str, **options: Any) -> Request:
    """Outlines in `out` from what an earlier `segment` kept, each text with its threshold; `min_area_m2 within`."""
    return _request("polygons", scores=scores, cosines=cosines, threshold=list(thresholds), out=out, **options)


def classify(source: str, classes: Sequence[str], out: str, **options: Any) -> Request:
    """The best class of each tile as polygons in `out`; options `extent gsds bands model device`."""
    if len(classes) < 2:
        raise BackendError(tr("One class gives nothing to choose from."), tr("Name at least two classes."), "usage")
    return _request("classify", source=source, classes=list(classes), out=out, **options)


def caption(source: str, **options: Any) -> Request:
    """A sentence on what an extent shows; options `extent model device`."""
    return _request("caption", source=source, **options)


def ask(source: str, question: str, **options: Any) -> Request:
    """An answer to a question about an extent; options `out` (what it rests on) `extent model device`."""
    return _request("ask", source=source, question=_texts([question.strip()] if question.strip() else [])[0], **options)


def models(action: str, name: str = "", target: str = "") -> Request:
    """The models there are (`list`), or one more under a name of the user's own (`add`)."""
    return _request("models", action=action, name=name, target=target)
