"""What a question in plain English asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from rsvlm_core.errors import UsageError

Kind = Literal["presence", "identity", "choice", "compare", "share", "count", "where", "what"]

_IMAGE = r"(?:(?:the|this|that) )?(?:image|picture|photo|scene|area|place|map|raster|extent|view)"
_THIS = rf"(?:this|it|these|that|{_IMAGE})"
_ARTICLE = r"(?:(?:an?|the|any|some|one or more) )?"
# words after the subject that add nothing to it
_HERE = (
    rf"(?: (?:here|there|visible|present|in|on|(?:in|on|of) {_IMAGE}|"
    r"(?:can|do|could) (?:you|i|we) (?:see|find|spot)(?: .*)?|(?:are|is) there(?: .*)?|(?:are|is) (?:in|on) .*))*"
)
_X = rf"{_ARTICLE}(?P<x>.+?)"
_COVERED = r"(?: (?:covered|occupied|taken up) (?:by|with))?"

# tried in this order
_PATTERNS: tuple[tuple[Kind, str], ...] = (
    ("count", rf"(?:how many|what(?: is|'s) the (?:number|amount|count) of|count) {_X}{_HERE}"),
    ("share", rf"how much of {_IMAGE} is{_COVERED} {_X}{_HERE}"),
    (
        "share",
        rf"what (?:share|fraction|percentage|part|proportion|percent)(?: of {_IMAGE})? is{_COVERED} {_X}{_HERE}",
    ),
    ("share", rf"(?:how much|what(?: is|'s) the (?:share|fraction|percentage|proportion) of) {_X}{_HERE}"),
    ("compare", rf"(?:is|are) there more (?P<x>.+?) than (?P<y>.+?){_HERE}"),
    (
        "choice",
        rf"(?:is|are) (?:{_THIS}|there)(?: mostly| mainly| more)? {_X} or {_ARTICLE}(?P<y>.+?)"
        rf"(?P<noun> area| scene| region)?{_HERE}",
    ),
    ("presence", rf"(?:is|are|was|were) there {_X}{_HERE}"),
    ("presence", rf"(?:can|could|do) (?:you|i|we|one) (?:see|find|spot|recogni[sz]e) {_X}{_HERE}"),
    ("presence", rf"(?:does|do) {_IMAGE} (?:show|contain|include|have|depict) {_X}{_HERE}"),
    ("identity", rf"(?:is|are) {_THIS}(?: mostly| mainly)? {_X}{_HERE}"),
    ("presence", rf"(?:is|are) {_X} (?:visible|present|here|(?:in|on) {_IMAGE}){_HERE}"),
    ("where", rf"where (?:is|are|can i find|do you see) {_X}{_HERE}"),
)
_COMPILED = tuple((kind, re.compile(f"^{pattern}$", re.IGNORECASE)) for kind, pattern in _PATTERNS)


@dataclass(frozen=True)
class Question:
    """A question, taken apart.

    Attributes:
        kind: "presence" (is there X), "identity" (is this X), "choice" (X or Y), "compare" (more X than Y),
            "share" (how much X), "count" (how many X), "where" (where is X), or "what" (anything else).
        subjects: What it is about; empty for "what".
    """

    kind: Kind
    subjects: tuple[str, ...] = ()


def understand(question: str) -> Question:
    """Take a question apart.

    Raises:
        UsageError: It is empty.
    """
    text = re.sub(r"\s+", " ", question).strip().rstrip("?.! ").strip()
    if not text:
        raise UsageError("The question is empty.", "Ask for instance: is there a harbour?")
    for kind, pattern in _COMPILED:
        match = pattern.match(text)
        if match is None:
            continue
        noun = (match.groupdict().get("noun") or "").strip()
        subjects = [match["x"], *([match["y"]] if "y" in match.groupdict() else [])]
        return Question(kind, tuple(f"{s.strip()} {noun}".strip() if noun not in s else s.strip() for s in subjects))
    return Question("what")
