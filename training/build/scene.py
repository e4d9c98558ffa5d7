"""What lies in view of a tile: landmarks with count, size, place in the picture and importance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from affine import Affine
from shapely.strtree import STRtree

from rsvlm_core.imagery.patch import Window
from training.build.landmarks import Landmark

_LEAST_PX = 3.0  # smaller than this nothing can be told apart
_POINT_GSD_M = 1.0  # points have no size: what they stand for is seen at finer resolutions only


@dataclass(frozen=True)
class Sight:
    """All landmarks of one noun in one tile.

    Attributes:
        noun: As in `training.data.vocabulary`.
        count: How many; maps are incomplete, so a lower bound.
        share: Of the tile's area, 0..1; 0 for lines and points.
        length: Of lines, in tile sides.
        x, y: Centre in the picture, 0..1 from the upper left.
        spread: Largest distance of a landmark's centre from it, in tile sides.
        name: Proper name, where one landmark has the noun and a name.
        importance: 0..1, what a person would mention first.
    """

    noun: str
    count: int
    share: float
    length: float
    x: float
    y: float
    spread: float
    name: str
    importance: float

    def to_json(self) -> dict[str, Any]:
        """For the sample's meta data."""
        return {"noun": self.noun.lstrip("*"), "count": self.count, "share": round(self.share, 4),
                "x": round(self.x, 3), "y": round(self.y, 3), **({"name": self.name} if self.name else {})}


class Surroundings:
    """Landmarks of one raster, found by place.

    Args:
        landmarks: In the raster's CRS.
        transform: Pixel to CRS.
    """

    def __init__(self, landmarks: Sequence[Landmark], transform: Affine) -> None:
        self._landmarks = list(landmarks)
        self._tree = STRtree([m.geometry for m in self._landmarks])
        self._inverse = ~transform

    def look(self, outline: shapely.Polygon, window: Window, gsd_m: float, size_px: int) -> list[Sight]:
        """What a tile shows, most important first.

        Args:
            outline: The tile in the CRS.
            window: The same in pixels of the raster.
            gsd_m: Metres per pixel of the tile.
            size_px: Side of the tile in pixels.
        """
        groups: dict[str, list[_Part]] = {}
        for number in sorted(self._tree.query(outline, predicate="intersects")):
            landmark = self._landmarks[number]
            part = self._part(shapely.intersection(landmark.geometry, outline), window, gsd_m, size_px, landmark.name)
            if part is not None:
                groups.setdefault(landmark.noun, []).append(part)
        sights = [_sight(noun, parts) for noun, parts in groups.items()]
        return sorted(sights, key=lambda s: (-s.importance, s.noun))

    def _part(self, seen: Any, window: Window, gsd_m: float, size_px: int, name: str) -> _Part | None:
        if seen.is_empty:
            return None
        a, b, c, d, e, f = self._inverse[:6]

        def to_tile(xy: np.ndarray) -> np.ndarray:
            col, row = a * xy[:, 0] + b * xy[:, 1] + c, d * xy[:, 0] + e * xy[:, 1] + f
            return np.column_stack([(col - window.col) / window.width, (row - window.row) / window.height])

        placed = shapely.transform(seen, to_tile)
        least = _LEAST_PX / size_px
        share, length = float(placed.area), 0.0
        if share == 0:
            length = float(placed.length)
            if length == 0:
                if gsd_m > _POINT_GSD_M:
                    return None
            elif length < 4 * least:
                return None
        elif share < least * least:
            return None
        centre = placed.representative_point() if share == 0 else placed.centroid
        return _Part(min(1.0, share), length, float(centre.x), float(centre.y), name)


@dataclass(frozen=True)
class _Part:
    share: float
    length: float
    x: float
    y: float
    name: str


def _sight(noun: str, parts: Sequence[_Part]) -> Sight:
    weight = np.array([p.share + 0.05 * p.length + 1e-3 for p in parts])
    xy = np.array([[p.x, p.y] for p in parts])
    centre = (weight[:, None] * xy).sum(axis=0) / weight.sum()
    share, length = min(1.0, sum(p.share for p in parts)), sum(p.length for p in parts)
    middle = 1.0 - float(np.abs(xy - 0.5).max(axis=1).min())  # something in the middle is what the picture is of
    # area counts by its root: a swimming pool in a garden is worth a word
    importance = min(1.0, 0.6 * share**0.5 + 0.12 * min(2.0, length) + 0.04 * min(5, len(parts)) + 0.15 * middle)
    named = {p.name for p in parts if p.name}
    return Sight(
        noun, len(parts), share, length, float(centre[0]), float(centre[1]),
        float(np.abs(xy - centre).max()), named.pop() if len(named) == 1 else "", importance,
    )
