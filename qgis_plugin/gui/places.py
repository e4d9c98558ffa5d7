"""What can be done with a place on the map."""

from __future__ import annotations

from qgis.core import QgsCoordinateReferenceSystem, QgsGeometry
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtGui import QColor, QGuiApplication

from .. import sources


def zoom_to(canvas: QgsMapCanvas, shape: QgsGeometry, crs: QgsCoordinateReferenceSystem) -> None:
    """Bring a shape given in `crs` into the middle of the map and flash it."""
    wanted = canvas.mapSettings().destinationCrs()
    there = sources.shape_in_crs(shape, crs, wanted)
    box = there.boundingBox()
    box.scale(2.5)
    canvas.setExtent(box)
    canvas.refresh()
    canvas.flashGeometries([there], wanted, QColor(255, 200, 0, 150), QColor(255, 200, 0, 0))  # the place stays seen


def coordinates(shapes: list[QgsGeometry], crs: QgsCoordinateReferenceSystem) -> str:
    """Latitude and longitude of each shape's middle, one a line."""
    middles = [
        sources.shape_in_crs(shape.centroid(), crs, QgsCoordinateReferenceSystem("EPSG:4326")).asPoint()
        for shape in shapes
    ]
    return "\n".join(f"{middle.y():.6f}, {middle.x():.6f}" for middle in middles)


def copy_coordinates(shapes: list[QgsGeometry], crs: QgsCoordinateReferenceSystem) -> None:
    """Put them on the clipboard."""
    QGuiApplication.clipboard().setText(coordinates(shapes, crs))
