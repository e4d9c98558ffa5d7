"""What a question in plain English asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from rsvlm_core.errors import UsageError

Kind = Literal["presence", "identity", "choice", "compare", "share", "count", "least", "relation", "where", "what"]

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

_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_LEAST = r"(?P<rel>at least|no fewer than|more than|over)"
_BESIDE = (
    r"(?P<rel>(?:to the )?(?:north|south|east|west|left|right) of|above|below|next to|near|close to|beside|by|"
    r"inside|within|surrounded by)"
)

# tried in this order
_PATTERNS: tuple[tuple[Kind, str], ...] = (
    ("least", rf"(?:is|are) there {_LEAST} (?P<n>\d+|{'|'.join(_NUMBERS)}) (?P<x>.+?){_HERE}"),
    ("count", rf"(?:how many|what(?: is|'s) the (?:number|amount|count) of|count) {_X}{_HERE}"),
    ("share", rf"how much of {_IMAGE} is{_COVERED} {_X}{_HERE}"),
    (
        "share",
        rf"what (?:share|fraction|percentage|part|proportion|percent)(?: of {_IMAGE})? is{_COVERED} {_X}{_HERE}",
    ),
    ("share", rf"(?:how much|what(?: is|'s) the (?:share|fraction|percentage|proportion) of) {_X}{_HERE}"),
    ("compare", rf"(?P<rel>is|are) there more (?:area of )?(?P<x>.+?) than (?:area of )?(?P<y>.+?){_HERE}"),
    ("compare", rf"(?P<rel>is) the area of {_X} (?:larger|greater|bigger) than (?:the area of |that of )?"
                rf"{_ARTICLE}(?P<y>.+?){_HERE}"),
    ("relation", rf"(?:is|are) (?:there )?{_X} {_BESIDE} {_ARTICLE}(?P<y>.+?){_HERE}"),
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
            "share" (how much X), "count" (how many X), "least" (at least N of X), "relation" (is X north of Y),
            "where" (where is X), or "what" (anything else).
        subjects: What it is about; empty for "what".
        relation: Of "relation": north, south, east, west, near or inside; of "compare": "area" or "count".
        number: Of "least".
    """

    kind: Kind
    subjects: tuple[str, ...] = ()
    relation: str = ""
    number: int = 0


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
        found = match.groupdict()
        noun = (found.get("noun") or "").strip()
        subjects = [match["x"], *([match["y"]] if "y" in found else [])]
        named = tuple(f"{s.strip()} {noun}".strip() if noun not in s else s.strip() for s in subjects)
        relation = _relation(kind, (found.get("rel") or "").lower())
        number = _number(found["n"], relation) if found.get("n") else 0
        return Question(kind, named, "" if kind == "least" else relation, number)
    return Question("what")


def _relation(kind: Kind, said: str) -> str:
    if kind == "compare":
        return "area" if said == "is" else "count"
    if kind == "least":
        return "more" if said in ("more than", "over") else ""
    if kind != "relation":
        return ""
    directions = {"north": "north", "above": "north", "south": "south", "below": "south", "east": "east",
                  "right": "east", "west": "west", "left": "west", "inside": "inside", "within": "inside",
                  "surrounded": "inside"}
    return next((to for word, to in directions.items() if word in said.split()), "near")


def _number(said: str, relation: str) -> int:
    value = int(said) if said.isdigit() else _NUMBERS.index(said.lower()) + 1
    return value + 1 if relation == "more" else value
