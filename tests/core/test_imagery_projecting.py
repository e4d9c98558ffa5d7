from __future__ import annotations

import numpy as np
import pytest
import shapely
from pyproj import CRS

from rsvlm_core.imagery.projecting import LONLAT, project, project_one

UTM = CRS.from_epsg(32633)


@pytest.mark.parametrize(
    "shape",
    [
        shapely.LineString([(500000, 5400000), (500000, 5400000)]),  # what the shortest line between touching shapes is
        shapely.Point(500000, 5400000),
        shapely.Polygon(),
    ],
)
def test_shapes_without_extent_need_no_points_between(shape: shapely.Geometry) -> None:
    moved = project_one(shape, UTM, LONLAT)
    assert moved.geom_type == shape.geom_type
    assert len(shapely.get_coordinates(moved)) == len(shapely.get_coordinates(shape))


def test_long_edges_get_points_and_the_given_shapes_stay() -> None:
    shapes = np.array([shapely.box(200000, 5400000, 800000, 5401000), shapely.Point(500000, 5400000)], dtype=object)
    before = [g.wkb for g in shapes]
    moved = project(shapes, UTM, LONLAT, densify=True)
    assert len(shapely.get_coordinates(moved[0])) > 60 and [g.wkb for g in shapes] == before
    corners = project(shapes, UTM, LONLAT)[0]
    assert moved[0].bounds[3] > corners.bounds[3] + 0.05, "the edge bulges north between its corners"
