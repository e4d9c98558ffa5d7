"""Parameters of a job, checked one by one: a wrong one is named, a misspelt one is not ignored."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence

from rsvlm_core.errors import RasterError, UsageError

Extent = tuple[float, float, float, float]


class Params:
    """Reads named values out of a JSON object or the command line's arguments.

    A value of None counts as not given. Every getter raises `UsageError` where the value is of another kind.

    Args:
        given: Name to value, as JSON has them.
    """

    def __init__(self, given: Mapping[str, object]) -> None:
        self._given = {name: value for name, value in given.items() if value is not None}
        self._known: set[str] = set()

    def _take(self, name: str) -> object:
        self._known.add(name)
        return self._given.get(name)

    def text(self, name: str, default: str | None = None) -> str | None:
        """A non-empty string, or the default where it is not given."""
        value = self._take(name)
        if value is None:
            return default
        if not isinstance(value, str) or not value.strip():
            raise UsageError(f"{name} must be a text, not {_shown(value)}.", f"Give {name} something not empty.")
        return _encodable(name, value)

    def required_text(self, name: str) -> str:
        """A non-empty string that has to be there."""
        value = self.text(name)
        if value is None:
            raise UsageError(f"{name} is missing.", f"Give {name}.")
        return value

    def texts(self, name: str) -> list[str] | None:
        """A list of non-empty strings, or None; a lone string is a list of one."""
        value = self._take(name)
        if value is None:
            return None
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, Sequence) or not items or any(not isinstance(i, str) for i in items):
            raise UsageError(f"{name} must be a list of texts, not {_shown(value)}.", f"Give {name} at least one text.")
        if any(not i.strip() for i in items):
            raise UsageError(f"{name} has an empty text.", "Type what to look for.")
        return [_encodable(name, str(i)) for i in items]

    def required_texts(self, name: str) -> list[str]:
        """A list of non-empty strings that has to be there."""
        value = self.texts(name)
        if value is None:
            raise UsageError(f"{name} is missing.", f"Give {name} at least one text.")
        return value

    def number(self, name: str, low: float = -math.inf, high: float = math.inf) -> float | None:
        """A finite number between low and high, both allowed; None where it is not given."""
        value = self._take(name)
        if value is None:
            return None
        try:
            number = math.nan if isinstance(value, bool) or not isinstance(value, (int, float)) else float(value)
        except OverflowError:  # a whole number of hundreds of digits
            number = math.inf
        if not math.isfinite(number):
            raise UsageError(f"{name} must be a number, not {_shown(value)}.", f"Give {name} a finite number.")
        value = number
        if not low <= value <= high:
            limits = f"at least {low:g}" if high == math.inf else f"between {low:g} and {high:g}"
            raise UsageError(f"{name} is {value:g}.", f"It must be {limits}.")
        return value

    def integer(self, name: str, default: int, low: int, high: float = math.inf) -> int:
        """A whole number between low and high, both allowed."""
        value = self.number(name, low, high)
        if value is None:
            return default
        if value != int(value):
            raise UsageError(f"{name} must be a whole number, not {value:g}.", "Give one without a fraction.")
        return int(value)

    def flag(self, name: str) -> bool:
        """True or false; false where it is not given."""
        value = self._take(name)
        if not isinstance(value, (bool, type(None))):
            raise UsageError(f"{name} must be true or false, not {_shown(value)}.", "Give one, or leave it out.")
        return bool(value)

    def choice(self, name: str, options: Sequence[str]) -> str:
        """One of the options; the first where it is not given."""
        value = self.text(name) or options[0]
        if value not in options:
            raise UsageError(f"{name} cannot be {value!r}.", f"Choose one of {', '.join(options)}.")
        return value

    def numbers(
        self, name: str, count: int | None = None, low: float = -math.inf, high: float = math.inf
    ) -> tuple[float, ...] | None:
        """A list of finite numbers in a range, `count` of them where that is fixed; None where not given."""
        value = self._take(name)
        if value is None:
            return None
        items = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        checked = [Params({name: item}).number(name, low, high) for item in items]
        if not checked or any(item is None for item in checked) or (count is not None and len(checked) != count):
            how_many = "numbers" if count is None else f"{count} numbers"
            raise UsageError(f"{name} must be {how_many}, not {_shown(value)}.", f"Give {name} {how_many}.")
        return tuple(item for item in checked if item is not None)

    def gsds(self, name: str = "gsds") -> tuple[float, ...] | None:
        """Metres per pixel, no finer than a micrometre and no coarser than the Earth is wide; None where not given."""
        return self.numbers(name, low=1e-6, high=1e7)

    def extent(self, name: str = "extent") -> Extent | None:
        """xmin, ymin, xmax, ymax in the raster's CRS, with an area; None where not given."""
        box = self.numbers(name, 4)
        if box is None:
            return None
        xmin, ymin, xmax, ymax = box
        if xmin >= xmax or ymin >= ymax:
            raise UsageError(
                f"{name} {xmin:g},{ymin:g},{xmax:g},{ymax:g} is empty.",
                "Give xmin,ymin,xmax,ymax in the raster's coordinates, each minimum below its maximum.",
            )
        return xmin, ymin, xmax, ymax

    def bands(self, name: str = "bands") -> tuple[int, int, int] | None:
        """Band numbers for red, green and blue, counted from 1; None where not given."""
        given = self.numbers(name, 3, low=1)
        if given is None:
            return None
        if any(b != int(b) for b in given):
            raise UsageError(f"{name} must be whole numbers.", "Give three band numbers such as 4,3,2.")
        return int(given[0]), int(given[1]), int(given[2])

    def source(self) -> str:
        """`source`: a raster or an index; a local path that does not exist is told before any work starts."""
        return _existing(self.required_text("source"))

    def sources(self) -> list[str]:
        """`sources`: rasters, or an index."""
        return [_existing(source) for source in self.required_texts("sources")]

    def model(self) -> tuple[str | None, str, str | None]:
        """`model`, `device` and `runtime`, as `Encoders.get` takes them."""
        return self.text("model"), self.text("device", "auto") or "auto", self.text("runtime")

    def done(self) -> None:
        """Say so when something was given that no getter asked for."""
        unknown = sorted(set(self._given) - self._known)
        if unknown:
            raise UsageError(
                f"Unknown parameter: {', '.join(unknown)}.", f"This operation knows {', '.join(sorted(self._known))}."
            )


def _shown(value: object) -> str:
    """A value in a message: enough to recognise it, never a megabyte."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _encodable(name: str, value: str) -> str:
    """The value itself; what no file and no message could hold is refused."""
    if "\0" in value:
        raise UsageError(f"{name} holds a NUL character.", "Leave it out.")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        what = f"{name} {_shown(value)} is not valid Unicode."
        raise UsageError(what, "Rename the file, or type it again.") from None
    return value


def _existing(source: str) -> str:
    """The source itself. URLs and GDAL's `DRIVER:...` and `/vsi...` names are left to the raster reader."""
    if ":" not in source[2:] and not source.startswith("/vsi") and not os.path.exists(source):
        raise RasterError(f"There is no file {source}.", "Check its name and folder.")
    return source
