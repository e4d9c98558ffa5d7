"""Which three bands a model that knows RGB should see."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rasterio.enums import ColorInterp

from rsvlm_core.errors import UsageError

Bands = tuple[int, int, int]

_SENTINEL2 = re.compile(r"^B(0?[1-9]|8A|1[0-2])$", re.IGNORECASE)


def choose_bands(dataset: Any, wanted: Sequence[int] | None = None) -> Bands:
    """Three 1-based band numbers to show as red, green, blue.

    Declared colours come first, then band names (`red`, or Sentinel-2's `B4`, `B3`, `B2`), then the first
    three bands that are not alpha (four-band NAIP with undeclared colours is red, green, blue, near infrared).
    With fewer than three, the first band is repeated.

    Args:
        dataset: An open rasterio dataset with at least one band.
        wanted: The user's choice: three bands, or one to be repeated.

    Raises:
        UsageError: A wanted band does not exist, or their number is neither one nor three.
    """
    if wanted is not None:
        return _checked(dataset, wanted)
    colours = list(dataset.colorinterp)
    if {ColorInterp.red, ColorInterp.green, ColorInterp.blue} <= set(colours):
        red, green, blue = (colours.index(c) + 1 for c in (ColorInterp.red, ColorInterp.green, ColorInterp.blue))
        return red, green, blue
    if colours[0] == ColorInterp.palette:
        return 1, 1, 1
    named = _by_name(dataset.descriptions)
    if named is not None:
        return named
    plain = [i for i, colour in enumerate(colours, start=1) if colour != ColorInterp.alpha]
    if len(plain) >= 3:
        return plain[0], plain[1], plain[2]
    first = plain[0] if plain else 1
    return first, first, first


def _checked(dataset: Any, wanted: Sequence[int]) -> Bands:
    if len(wanted) not in (1, 3):
        raise UsageError(
            f"{len(wanted)} bands were given for {dataset.name}.", "Give three, such as 3,2,1, or one to be repeated."
        )
    for band in wanted:
        if not 1 <= band <= dataset.count:
            raise UsageError(
                f"{dataset.name} has no band {band}.", f"Its bands are numbered 1 to {dataset.count}."
            )
    return wanted[0], wanted[len(wanted) // 2], wanted[-1]


def _by_name(descriptions: Sequence[str | None]) -> Bands | None:
    names = [(d or "").strip().lower() for d in descriptions]
    if all(c in names for c in ("red", "green", "blue")):
        return names.index("red") + 1, names.index("green") + 1, names.index("blue") + 1
    # Landsat 5 and 7 call other wavelengths B2 to B4, so the names must be Sentinel-2's beyond doubt
    short = [re.sub(r"^b0", "b", n) for n in names]
    certain = any(n in ("b8a", "b11", "b12") for n in short) or "b02" in names
    if certain and all(_SENTINEL2.match(n) for n in names if n) and all(b in short for b in ("b4", "b3", "b2")):
        return short.index("b4") + 1, short.index("b3") + 1, short.index("b2") + 1
    return None
