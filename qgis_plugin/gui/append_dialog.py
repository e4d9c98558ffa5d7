"""Copying outlines into a polygon layer of the user's own, field by field."""

from __future__ import annotations

from qgis.core import (
    QgsCoordinateTransform,
    QgsCsException,
    QgsExpression,
    QgsExpressionContext,
    QgsExpressionContextUtils,
    QgsFeature,
    QgsFeatureRequest,
    QgsGeometry,
    QgsMapLayerProxyModel,
    QgsProject,
    QgsVectorLayer,
    QgsVectorLayerUtils,
)
from qgis.gui import QgsFieldMappingWidget, QgsMapLayerComboBox
from qgis.PyQt.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QFormLayout, QLabel, QVBoxLayout, QWidget

from .. import layers
from ..translate import tr


class AppendDialog(QDialog):
    """Chooses the layer and what goes into each of its fields."""

    def __init__(self, source: QgsVectorLayer, accepted: list[int], selected: list[int],
                 parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Append outlines to a layer"))
        self.resize(680, 440)
        self._source = source
        self.which = QComboBox()
        self.which.setAccessibleName(tr("Which outlines"))
        for words, ids in ((tr("Accepted ({})"), accepted), (tr("All ({})"), []), (tr("Selected ({})"), selected)):
            if ids or words == tr("All ({})"):
                self.which.addItem(words.format(len(ids) or source.featureCount()), ids)
        self.target = QgsMapLayerComboBox()
        self.target.setFilters(
            QgsMapLayerProxyModel.Filter.PolygonLayer | QgsMapLayerProxyModel.Filter.WritableLayer)
        self.target.setAccessibleName(tr("Layer to append to"))
        self.target.setExceptedLayerList(
            [layer for layer in QgsProject.instance().mapLayers().values() if layer is source or layers.is_ours(layer)])
        self.target.layerChanged.connect(self._fields)
        self.mapping = QgsFieldMappingWidget(self)
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self._append)
        self.buttons.rejected.connect(self.reject)
        form = QFormLayout()
        form.addRow(tr("Outlines"), self.which)
        form.addRow(tr("Append to"), self.target)
        self.words = QLabel()
        self.words.setWordWrap(True)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(self.words)
        column.addWidget(self.mapping, 1)
        column.addWidget(self.buttons)
        self._fields()

    def _fields(self) -> None:
        target = self.target.currentLayer()
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(target is not None)
        self.words.setText(
            tr("There is no polygon layer of your own in the project that can be edited. Add one, or make one.")
            if target is None else
            tr("What each field of the layer gets. Edits stay open there: save them, or undo them in one step."))
        if target is not None:
            own = {field.name() for field in self._source.fields()} - {"fid"}
            expressions = {  # NULL keeps the widget from guessing by type
                field.name(): f'"{field.name()}"' if field.name() in own else "NULL" for field in target.fields()}
            self.mapping.setSourceLayer(self._source)
            self.mapping.setSourceFields(self._source.fields())
            self.mapping.setDestinationFields(target.fields(), expressions)

    def _append(self) -> None:
        target = self.target.currentLayer()
        if target is None:
            return
        try:
            fault = append(self._source, self.which.currentData() or [], target, self._expressions())
        except QgsCsException:
            fault = tr("The outlines have no place in the coordinate system of that layer.")
        if fault:
            self.words.setText(fault)
        else:
            self.accept()

    def _expressions(self) -> dict[str, str]:
        return {entry.field.name(): entry.expression for entry in self.mapping.mapping()
                if entry.expression not in ("", "NULL")}


def append(source: QgsVectorLayer, marked: list[int], target: QgsVectorLayer, expressions: dict[str, str]) -> str:
    """Copy features as one step of the target's undo; the target is left in edit mode for the user to save.

    Args:
        source: Outlines.
        marked: Ids of the features to copy; all when empty.
        target: Polygon layer.
        expressions: Target field to expression over the source's fields.

    Returns:
        Why the target did not take them, or an empty string.

    Raises:
        QgsCsException: They have no place in the target's CRS.
    """
    if not target.isEditable() and not target.startEditing():
        return tr("That layer cannot be edited.")
    change = QgsCoordinateTransform(source.crs(), target.crs(), QgsProject.instance())
    context = QgsExpressionContext(QgsExpressionContextUtils.globalProjectLayerScopes(source))
    prepared = {}
    for name, text in expressions.items():
        expression = QgsExpression(text)
        expression.prepare(context)
        prepared[target.fields().indexOf(name)] = expression
    request = QgsFeatureRequest(marked) if marked else QgsFeatureRequest()
    made: list[QgsFeature] = []
    for feature in source.getFeatures(request):
        context.setFeature(feature)
        shape = QgsGeometry(feature.geometry())
        shape.transform(change)
        values = {index: expression.evaluate(context) for index, expression in prepared.items() if index >= 0}
        copy = QgsVectorLayerUtils.createFeature(target, shape, values, context)
        made += QgsVectorLayerUtils.makeFeatureCompatible(copy, target)
    target.beginEditCommand(tr("Append outlines"))
    if not target.addFeatures(made):
        target.destroyEditCommand()
        return tr("That layer does not take the outlines.")
    target.endEditCommand()
    target.triggerRepaint()
    return ""
