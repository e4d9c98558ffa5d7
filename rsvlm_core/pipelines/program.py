"""Questions answered by a program over outlines: counting, areas, comparison, relative position.

The question says which program runs (`questions.understand`); what it runs on are the outlines that the model's
zero-shot segmentation draws for each subject. Every number in an answer can be checked on the map.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import geopandas as gpd
import shapely
from pyproj import Geod

from rsvlm_core.imagery.projecting import LONLAT, project_one
from rsvlm_core.pipelines.questions import Question
from rsvlm_core.pipelines.views import Views

_NEAR = 0.1  # of the place's longer side: what is no further apart is near
_COMPASS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")
_OPPOSITE = {"north": "south", "south": "north", "east": "west", "west": "east"}
_MIDDLE = 0.2  # of half the place's side: this near the middle has no direction


@dataclass(frozen=True)
class Verdict:
    """What a program came to.

    Attributes:
        text: The answer in words.
        confidence: 0..1, the mean confidence of the outlines that decided; one half where there was none.
        value: A number, a share or a distance, where the question asks for one.
    """

    text: str
    confidence: float
    value: float | None = None


def run(asked: Question, found: gpd.GeoDataFrame, views: Views) -> Verdict:
    """Run the program of a question of kind count, least, share, compare, where or relation.

    Args:
        asked: The question.
        found: Outlines with `text`, `confidence` and `area_m2`, in the CRS of the views.
        views: Of the place.
    """
    own = [found[found["text"] == subject] for subject in asked.subjects]
    first, subject = own[0], asked.subjects[0]
    if asked.kind == "count":
        return Verdict(_count_text(len(first), subject), _sure(first), float(len(first)))
    if asked.kind == "least":
        verdict = "Yes" if len(first) >= asked.number else "No"
        return Verdict(f"{verdict}: {_outlines(len(first), subject)}.", _sure(first), float(len(first)))
    if asked.kind == "share":
        share = _area(first) / views.place.area
        return Verdict(_share_text(share, subject), _sure(first), share)
    if asked.kind == "where":
        return Verdict(_where_text(first, subject, views), _sure(first))
    second, other = own[1], asked.subjects[1]
    if asked.kind == "compare":
        amounts = [_area(o) if asked.relation == "area" else float(len(o)) for o in own]
        verdict = "Yes" if amounts[0] > amounts[1] else "No"
        told = " and ".join(
            f"{s}: {a / views.place.area:.0%} of the ground" if asked.relation == "area" else _outlines(int(a), s)
            for s, a in zip(asked.subjects, amounts, strict=True))
        return Verdict(f"{verdict}: {told}.", _sure(found))
    for frame, name in ((first, subject), (second, other)):
        if not len(frame):
            return Verdict(f"No: there is no sign of {name}.", 0.5)
    return _related(first, second, asked, views)


def _related(first: gpd.GeoDataFrame, second: gpd.GeoDataFrame, asked: Question, views: Views) -> Verdict:
    subject, other = asked.subjects
    sure = (_sure(first) + _sure(second)) / 2
    a, b = shapely.union_all(first.geometry.to_numpy()), shapely.union_all(second.geometry.to_numpy())
    if asked.relation == "inside":
        # within the other's outline, or closed in by it on all sides
        part = shapely.intersection(a, b.convex_hull).area / a.area
        return Verdict(f"{'Yes' if part >= 0.5 else 'No'}: {part:.0%} of {subject} lies within {other}.", sure, part)
    if asked.relation == "near":
        width, height = _sides(views)
        apart = _metres_apart(a, b, views)
        near = shapely.distance(a, b) <= _NEAR * max(width, height)
        return Verdict(f"{'Yes' if near else 'No'}: the nearest are {apart:.0f} m apart.", sure, apart)
    dx, dy = a.centroid.x - b.centroid.x, a.centroid.y - b.centroid.y
    towards = {"north": dy, "south": -dy, "east": dx, "west": -dx}[asked.relation]
    verdict = "Yes" if towards > 0 else "No"
    mainly = _compass(dx, dy)
    # a yes to "north of" may rest on a place that is mainly to the west
    also = next((w for w in (asked.relation, _OPPOSITE[asked.relation]) if w in mainly), "")
    partly = "" if also else f", a little to the {asked.relation if towards > 0 else _OPPOSITE[asked.relation]}"
    return Verdict(f"{verdict}: {subject} lies to the {mainly} of {other}{partly}.", sure)


def _sure(frame: gpd.GeoDataFrame) -> float:
    return float(frame["confidence"].mean()) if len(frame) else 0.5


def _area(frame: gpd.GeoDataFrame) -> float:
    return float(frame.geometry.area.sum())


def _sides(views: Views) -> tuple[float, float]:
    xmin, ymin, xmax, ymax = views.place.bounds
    return xmax - xmin, ymax - ymin


def _metres_apart(a: shapely.Geometry, b: shapely.Geometry, views: Views) -> float:
    """Between the nearest points of two geometries, on the ellipsoid."""
    line = project_one(shapely.shortest_line(a, b), views.crs, LONLAT)
    return float(Geod(ellps="WGS84").geometry_length(line))


def _outlines(count: int, subject: str) -> str:
    return f"{count} {'outline' if count == 1 else 'outlines'} of {subject}"


def _count_text(count: int, subject: str) -> str:
    if not count:
        return f"None: there is no sign of {subject}."
    return f"{count}: so many separate outlines of {subject}; those that touch count as one."


def _share_text(share: float, subject: str) -> str:
    if share < 0.005:
        return f"Hardly any: no {subject} to speak of."
    return f"About {max(1, round(100 * share))} % of the ground is {subject}."


def _where_text(frame: gpd.GeoDataFrame, subject: str, views: Views) -> str:
    if not len(frame):
        return f"No sign of {subject}."
    width, height = _sides(views)
    middle, largest = views.place.centroid, frame.geometry.iloc[int(frame["area_m2"].to_numpy().argmax())].centroid
    dx, dy = (largest.x - middle.x) / (width / 2), (largest.y - middle.y) / (height / 2)
    at = "in the middle" if max(abs(dx), abs(dy)) < _MIDDLE else f"in the {_compass(dx, dy)}"
    return f"{_outlines(len(frame), subject)}, the largest {at}.".capitalize()


def _compass(dx: float, dy: float) -> str:
    return _COMPASS[round(math.degrees(math.atan2(dx, dy)) / 45) % 8]
