"""Copying outlines into a polygon layer of the user's own, field by field."""

from __future__ import annotations

from qgis.core import (
    QgsCoordinateTransform,
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
from qgis.PyQt.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QLabel, QVBoxLayout, QWidget

from ..translate import tr


class AppendDialog(QDialog):
    """Chooses the layer and what goes into each of its fields."""

    def __init__(self, source: QgsVectorLayer, marked: list[int], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Append outlines to a layer"))
        self.resize(640, 420)
        self._source, self._marked = source, marked
        self.target = QgsMapLayerComboBox()
        self.target.setFilters(
            QgsMapLayerProxyModel.Filter.PolygonLayer | QgsMapLayerProxyModel.Filter.WritableLayer)
        self.target.setExceptedLayerList([source])
        self.target.layerChanged.connect(self._fields)
        self.mapping = QgsFieldMappingWidget(self)
        count = len(marked) or source.featureCount()
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self._append)
        self.buttons.rejected.connect(self.reject)
        form = QFormLayout()
        form.addRow(tr("Layer"), self.target)
        column = QVBoxLayout(self)
        column.addWidget(QLabel(tr("{} outlines are copied; Undo in the layer takes them out again.").format(count)))
        column.addLayout(form)
        column.addWidget(self.mapping, 1)
        column.addWidget(self.buttons)
        self._fields()

    def _fields(self) -> None:
        target = self.target.currentLayer()
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(target is not None)
        if target is not None:
            own = {field.name() for field in self._source.fields()} - {"fid"}
            expressions = {  # NULL keeps the widget from guessing by type
                field.name(): f'"{field.name()}"' if field.name() in own else "NULL" for field in target.fields()}
            self.mapping.setSourceLayer(self._source)
            self.mapping.setSourceFields(self._source.fields())
            self.mapping.setDestinationFields(target.fields(), expressions)

    def _append(self) -> None:
        target = self.target.currentLayer()
        if target is not None and append(self._source, self._marked, target, self._expressions()):
            self.accept()

    def _expressions(self) -> dict[str, str]:
        return {entry.field.name(): entry.expression for entry in self.mapping.mapping()
                if entry.expression not in ("", "NULL")}


def append(source: QgsVectorLayer, marked: list[int], target: QgsVectorLayer, expressions: dict[str, str]) -> bool:
    """Copy features as one step of the target's undo; the target is left in edit mode for the user to save.

    Args:
        source: Outlines.
        marked: Ids of the features to copy; all when empty.
        target: Polygon layer.
        expressions: Target field to expression over the source's fields.

    Returns:
        Whether the target took them.
    """
    if not target.isEditable() and not target.startEditing():
        return False
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
        return False
    target.endEditCommand()
    target.triggerRepaint()
    return True
