"""What the backend can read: from a QGIS layer, extent or selection to plain paths and numbers. Main thread only."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsFeature,
    QgsGeometry,
    QgsMultiBandColorRenderer,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorFileWriter,
    QgsVectorLayer,
)

from . import placing
from .protocol import BackendError
from .translate import tr

# how names begin that GDAL opens over a network: databases, services, object stores
OVER_A_NETWORK = ("PG:", "WCS:", "WMS:", "WMTS:", "OGCAPI:", "STACIT:", "STACTA:", "EEDAI:", "http:", "https:",
                  "/vsicurl", "/vsis3", "/vsigs", "/vsiaz", "/vsiadls", "/vsioss", "/vsiswift", "/vsiwebhdfs",
                  "/vsihdfs", "<GDAL_WMS>", "<WCS_GDAL>")
NO_FILES = (*OVER_A_NETWORK, "/vsimem/", "<VRTDataset")  # and what lies in memory
# styles that make a picture of numbers: what is searched is what is seen
PAINTED = ("singlebandpseudocolor", "hillshade", "contour")


def is_file(layer: Any) -> bool:
    """Whether the backend can read the layer by itself: a GDAL raster on disk."""
    if not isinstance(layer, QgsRasterLayer) or layer.providerType() != "gdal":
        return False
    source = layer.source().split("|")[0]
    return os.path.exists(source) or os.path.exists(_inner_path(source))


def _inner_path(source: str) -> str:
    """The file in a name such as `NETCDF:"/a/b.nc":band` or `/vsizip//a/b.zip/c.tif`."""
    if source.startswith("/vsizip/"):
        inner = source[len("/vsizip/"):]
        return inner[: inner.lower().find(".zip") + 4] if ".zip" in inner.lower() else inner
    quoted = source.split('"')
    return quoted[1] if len(quoted) == 3 else source.split(":", 1)[-1]


def raster_source(layer: Any) -> str:
    """The name by which the backend opens the layer.

    Raises:
        BackendError: It is no file, is gone, or has no place on the ground.
    """
    if not isinstance(layer, QgsRasterLayer):
        raise BackendError(tr("There is no raster layer to search."), tr("Add one and choose it."), "raster")
    source = layer.source().split("|")[0]
    if layer.providerType() != "gdal":
        raise BackendError(
            tr("“{}” is not a file ({}).").format(layer.name(), layer.providerType()),
            tr("Save it as a GeoTIFF (Export › Save As…) and search that."), "raster",
        )
    if not is_file(layer):
        raise BackendError(
            tr("The file of “{}” is gone: {}.").format(layer.name(), source),
            tr("Repair the layer’s data source, or add the raster again."), "raster",
        )
    if not layer.isValid():
        raise BackendError(
            tr("“{}” cannot be read.").format(layer.name()), tr("Add the raster again."), "raster"
        )
    if not layer.crs().isValid():
        raise BackendError(
            tr("“{}” has no coordinate system.").format(layer.name()),
            tr("Choose the one that it was made in."), "crs",
        )
    own = layer.dataProvider().crs()
    if own != layer.crs():  # the user has said where it lies, and is right
        return placing.placed_copy(layer)
    return source


def in_crs(box: QgsRectangle, crs: QgsCoordinateReferenceSystem, to: QgsCoordinateReferenceSystem) -> QgsRectangle:
    """The smallest upright rectangle in `to` that covers `box` given in `crs`; edges are densified.

    Raises:
        BackendError: It has no place in `to`.
    """
    if not crs.isValid() or not to.isValid() or crs == to:
        return QgsRectangle(box)
    try:
        return QgsCoordinateTransform(crs, to, QgsProject.instance()).transformBoundingBox(box)
    except QgsCsException:
        raise BackendError(
            tr("The extent cannot be placed on the layer."), tr("Zoom to the layer and choose again."), "usage"
        ) from None


def shape_in_crs(
    shape: QgsGeometry, crs: QgsCoordinateReferenceSystem, to: QgsCoordinateReferenceSystem
) -> QgsGeometry:
    """A copy of `shape` given in `crs`, in `to`.

    Raises:
        BackendError: It has no place in `to`.
    """
    moved = QgsGeometry(shape)
    if crs.isValid() and to.isValid() and crs != to:
        try:
            moved.transform(QgsCoordinateTransform(crs, to, QgsProject.instance()))
        except QgsCsException:
            raise BackendError(
                tr("A place cannot be shown on this map."), tr("Choose another CRS for the project."), "usage"
            ) from None
    return moved


def extent_of(
    layer: QgsRasterLayer,
    box: QgsRectangle | None,
    crs: QgsCoordinateReferenceSystem,
    others: Sequence[QgsRasterLayer] = (),
) -> list[float] | None:
    """The part of the layer that a rectangle covers, for a request; None means all of it.

    Args:
        layer: The raster.
        box: Rectangle in `crs`; None or empty means the whole layer.
        crs: Of `box`.
        others: Further rasters, whose extents count too.

    Raises:
        BackendError: It meets none of them.
    """
    if box is None or box.isNull() or box.isEmpty():
        return None
    wanted = in_crs(box, crs, layer.crs())
    covered = layer.extent()
    for other in others:
        covered.combineExtentWith(in_crs(other.extent(), other.crs(), layer.crs()))
    both = wanted.intersect(covered)
    if both.isEmpty():
        raise BackendError(
            tr("The extent {} lies outside “{}”, which covers {}.").format(
                wanted.toString(2), layer.name(), covered.toString(2)
            ),
            tr("Zoom to the layer, or choose the whole layer."), "usage",
        )
    if both.contains(covered):
        return None
    return [both.xMinimum(), both.yMinimum(), both.xMaximum(), both.yMaximum()]


def write_polygons(
    geometries: Sequence[QgsGeometry], crs: QgsCoordinateReferenceSystem, path: str
) -> str:
    """Write polygons to a GeoPackage for the parameters `within`, `like` and `unlike`; returns `path`.

    Raises:
        BackendError: The file cannot be written.
    """
    memory = QgsVectorLayer("MultiPolygon?crs={}".format(crs.authid() or "EPSG:4326"), "polygons", "memory")
    if not crs.authid():
        memory.setCrs(crs)
    features = []
    for geometry in geometries:
        feature = QgsFeature()
        whole = QgsGeometry(geometry)
        whole.convertToMultiType()
        feature.setGeometry(whole)
        features.append(feature)
    memory.dataProvider().addFeatures(features)
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName = "GPKG"
    options.datasourceOptions = ["VERSION=1.2"]
    written = QgsVectorFileWriter.writeAsVectorFormatV3(memory, path, QgsProject.instance().transformContext(), options)
    if written[0] != QgsVectorFileWriter.WriterError.NoError:
        raise BackendError(tr("The polygons cannot be written to {}.").format(path), str(written[1]), "output")
    return path


def needs_export(layer: Any) -> bool:
    """Whether the layer has to be drawn first: a service, a database, in memory, or coloured only by its style.

    So has one that is placed by points and was given a coordinate system by hand.
    """
    if not isinstance(layer, QgsRasterLayer) or not layer.isValid():
        return False
    if layer.providerType() != "gdal" or layer.source().startswith(NO_FILES):
        return True
    if not is_file(layer):
        return False  # it is gone, which `raster_source` says
    if layer.crs().isValid() and layer.dataProvider().crs() != layer.crs() and placing.grid(layer) is None:
        return True
    return layer.renderer() is not None and layer.renderer().type() in PAINTED


def renderer_bands(layer: Any) -> list[int] | None:
    """The bands that the layer shows as red, green and blue, where they are not simply the first three."""
    renderer = layer.renderer() if isinstance(layer, QgsRasterLayer) else None
    if not isinstance(renderer, QgsMultiBandColorRenderer):
        return None
    shown = [renderer.redBand(), renderer.greenBand(), renderer.blueBand()]
    return shown if all(1 <= band <= layer.bandCount() for band in shown) and shown != [1, 2, 3] else None
