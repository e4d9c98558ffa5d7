"""Differences between QGIS 3.22 and 4, tested by feature; nothing else in the plugin looks at versions."""

from __future__ import annotations

from typing import Any

import numpy as np
from qgis.core import QgsField, QgsMapLayerType, QgsRasterBlock
from qgis.PyQt.QtCore import QVariant

try:  # Qgis.LayerType since 3.30
    RASTER_LAYER = QgsMapLayerType.RasterLayer
except AttributeError:
    RASTER_LAYER = QgsMapLayerType.Raster

try:  # a QVariant type is all that 3.22 takes; QMetaType since 3.38
    from qgis.PyQt.QtCore import QMetaType

    QgsField("probe", QMetaType.Type.Double)
    INT, DOUBLE, STRING = QMetaType.Type.Int, QMetaType.Type.Double, QMetaType.Type.QString
except (ImportError, TypeError, AttributeError):
    INT, DOUBLE, STRING = QVariant.Int, QVariant.Double, QVariant.String


def number(value: Any) -> int:
    """The number of an enumeration's member, which Qt 6 does not turn into one by itself."""
    return int(getattr(value, "value", value))


def is_null(value: Any) -> bool:
    """Whether an attribute is NULL: None, or a null QVariant in old bindings."""
    return value is None or (isinstance(value, QVariant) and value.isNull())


def locator_data(result: Any) -> Any:
    """What was stored in a locator result; reading `userData` crashes QGIS 3.22."""
    return result.getUserData() if hasattr(result, "getUserData") else result.userData


def block_pixels(block: QgsRasterBlock) -> np.ndarray:
    """An ARGB32 block as uint8 [height, width, 4]: red, green, blue, alpha; premultiplied as QGIS has it."""
    packed = np.frombuffer(bytes(block.data()), dtype=np.uint8).reshape(block.height(), block.width(), 4)
    return packed[..., [2, 1, 0, 3]]  # little-endian ARGB lies as B, G, R, A
