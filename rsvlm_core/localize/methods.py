"""Names of the ways to score places, in one list for the command line, the worker and the evaluation.

No heavy imports: arguments are checked before a model is loaded.
"""

from __future__ import annotations

from typing import NamedTuple

from rsvlm_core.errors import UsageError

REFINEMENTS = ("none", "edges", "sam")

# Of any of our models; "dense" where it has a pixel-aligned head.
OWN = ("auto", "smooth", "attention", "dense", "tiles")
# Other sources of maps: the decoder's cross-attention (models that write captions); mixing of tokens that look alike
# (convolutional trunks).
MAPS = ("cross", "affinity")
# Edits of a vision transformer's last attention layer, `localize.attention_edits`.
EDITS = ("tokens", "pooling", "maskclip", "sclip", "clearclip", "naclip", "segearth")
METHODS = (*OWN, *MAPS, *EDITS)
BIAS = "+bias"  # after any method that gives features: the image-level score is taken out (SegEarth-OV)

METHOD_HELP = (
    f"where scores come from: {', '.join(OWN)} (default: auto); to compare: {', '.join((*MAPS, *EDITS))}; with {BIAS} "
    "the image's own score is taken out"
)


class Method(NamedTuple):
    """A method and whether the image-level score is taken out of its maps."""

    name: str
    bias: bool


def parse_method(text: str) -> Method:
    """Read a method such as `smooth` or `clearclip+bias`.

    Raises:
        UsageError: There is none of this name, or one that has no image-level score to take out.
    """
    name = text.removesuffix(BIAS)
    if name not in METHODS:
        raise UsageError(
            f"There is no method {text!r}.", f"Choose one of {', '.join(METHODS)}; most may end in {BIAS}."
        )
    if name != text and name in ("tiles", "cross"):
        raise UsageError(f"The method {name} has no map of features to subtract from.", f"Leave {BIAS} out.")
    return Method(name, name != text)
