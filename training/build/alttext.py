"""Alt-texts of the web turned into captions, or refused with a reason."""

from __future__ import annotations

import html
import re
import unicodedata

MIN_WORDS, MAX_WORDS = 3, 60

_TAG = re.compile(r"<[^>]{1,200}>")
_URL = re.compile(r"\b(?:https?://|www\.)\S+|\b\S+\.(?:com|org|net|de|io|co\.uk)\b\S*|\S+@\S+\.\w+", re.I)
_FILE = re.compile(r"\b[\w\-]+\.(?:jpe?g|png|gif|webp|tiff?|bmp|svg)\b", re.I)
_CAMERA = re.compile(r"\b(?:img|dsc[fn]?|dji|gopr|pict?|image|photo|screenshot)[ _\-]?\d{2,}\b", re.I)
# who took or owns it: names of people and agencies are no content
_CREDIT = re.compile(
    r"(?:©|\(c\)|\bcopyright\b|\bphoto(?:graph)?(?:ed)? by\b|\bimage by\b|\bpicture by\b|\bcredits?:|"
    r"\bcourtesy(?: of)?\b|\bsource:|\bvia (?=[A-Z@]))[^.;|]*", re.I)
_HANDLE = re.compile(r"(?<!\w)[@]\w+")
_HONORIFIC = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|Prof|Sir)\.? [A-Z]\w+(?: [A-Z]\w+)?")
_BOILERPLATE = re.compile(
    r"\b(?:royalty[- ]free|stock (?:photos?|images?|pictures?|footage|illustrations?|vectors?)|free download|"
    r"click (?:here|to \w+)|download (?:now|this|free)|buy now|add to cart|sign up|log ?in|read more|see more|"
    r"getty images|istock(?:photo)?|shutterstock|alamy|adobe stock|dreamstime|depositphotos|unsplash|pixabay|"
    r"pexels|flickr|hd wallpapers?|desktop wallpapers?|wallpapers?|image \d+ of \d+|photo \d+ of \d+|thumbnail|"
    r"file photo|all rights reserved|creative commons|cc[- ]by[\w\- .]*|4k|1080p|uhd|"
    r"\d{3,5} ?[x×] ?\d{3,5}(?: ?px| pixels)?)\b", re.I)
_SITE = re.compile(
    r"\s+[|»•]\s+[^|»•]*$|\s+[-–—]\s+(?:[A-Z]\w+ ?){1,3}(?:News|Times|Blog|Magazine|Daily|Post|Wiki\w*|Maps)\s*$")
_HASHTAG = re.compile(r"#(\w+)")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")

_STOPWORDS = {
    "en": "the of and in a an with on from at to by for is are over near view aerial its this that as into",
    "de": "der die das und mit von im ist auf den ein eine einer aus dem des für luftbild blick über am zum zur",
    "fr": "le la les et des du une un dans avec sur vue pour aux par est au aérienne de près en",
    "es": "el la los las y del una un con en por para desde vista aérea al es sobre su de",
    "it": "il lo gli e della del una un con nel dal vista per di dall aerea sulla dei delle",
    "pt": "o os as e da do uma um com em por para vista aérea ao dos das na no de",
    "nl": "de het een van en op met voor in luchtfoto uit bij zicht over",
}
_STOP = {language: frozenset(words.split()) for language, words in _STOPWORDS.items()}


def clean(text: str) -> tuple[str, str]:
    """An alt-text as a caption.

    Args:
        text: As found in the page.

    Returns:
        The caption and an empty reason; or an empty caption and why there is none: "empty", "other script",
        "other language", "too short", "only boilerplate", "repetitive", "list of keywords".
    """
    if not text or not text.strip():
        return "", "empty"
    text = unicodedata.normalize("NFKC", html.unescape(html.unescape(text)))
    text = "".join(c if c.isprintable() else " " for c in text)
    before = len(_WORD.findall(text))
    for pattern in (_TAG, _URL, _FILE, _CAMERA, _SITE):
        text = pattern.sub(" ", text)
    for pattern in (_CREDIT, _HANDLE, _HONORIFIC, _BOILERPLATE):
        text = pattern.sub(" ", text)
    text = _HASHTAG.sub(r"\1", text)
    text = re.sub(r"[\s_]+", " ", text)
    text = re.sub(r"([!?.,;:\-])(?:\s*\1)+", r"\1", text)
    text = re.sub(r"\(\s*\)|\[\s*\]|\"\s*\"", " ", text)
    text = re.sub(r"\s+([.,;:!?])", r"\1", " ".join(text.split())).strip(" ,;:|-–—•»\"'")
    letters = [c for c in text if c.isalpha()]
    if not letters:
        return "", "only boilerplate" if before else "empty"
    if sum("LATIN" in unicodedata.name(c, "") for c in letters) < 0.8 * len(letters):
        return "", "other script"
    words = _WORD.findall(text)
    if len(words) < MIN_WORDS:
        return "", "only boilerplate" if before >= MIN_WORDS else "too short"
    if language(words) not in ("en", ""):
        return "", "other language"
    lowered = [w.lower() for w in words]
    if len(words) >= 6 and len(set(lowered)) < 0.5 * len(words):
        return "", "repetitive"
    if text.count(",") >= 5 and text.count(",") > 0.45 * len(words):
        return "", "list of keywords"
    if len(words) > MAX_WORDS:
        text = _shorten(text)
    return text, ""


def language(words: list[str]) -> str:
    """The language whose small words occur most; empty when none occur (short noun phrases are let pass)."""
    lowered = [w.lower() for w in words]
    counts = {name: sum(w in stop for w in lowered) for name, stop in _STOP.items()}
    best = max(counts, key=lambda name: (counts[name], name == "en"))
    return best if counts[best] else ""


def _shorten(text: str) -> str:
    """Whole sentences up to the limit, or the first words."""
    kept: list[str] = []
    for sentence in re.split(r"(?<=[.!?])\s+", text):
        if kept and len(" ".join([*kept, sentence]).split()) > MAX_WORDS:
            break
        kept.append(sentence)
    return " ".join(" ".join(kept).split()[:MAX_WORDS])
