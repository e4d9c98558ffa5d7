"""Runs inside the QGIS program (`qgis --code`): goes through the panel as a user would, and takes pictures.

Environment: RSVLM_DRIVE_RASTER, RSVLM_DRIVE_OUT (folder for pictures and `done.json`), RSVLM_DRIVE_TEXTS,
RSVLM_DRIVE_OUTLINE. Each `yield` of a scenario waits until a condition holds.
"""

import json
import os
import sys
import time
import traceback
from collections import Counter

import qgis.utils
from qgis.core import QgsApplication, QgsProject, QgsRasterLayer, QgsRectangle
from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import QApplication, QDialog, QDockWidget
from qgis.utils import iface

OUT = os.environ["RSVLM_DRIVE_OUT"]
LIMIT_S = float(os.environ.get("RSVLM_DRIVE_LIMIT", "240"))
facts = {"pictures": []}


def picture(name, widget=None):
    path = os.path.join(OUT, name + ".png")
    (widget or iface.mainWindow()).grab().save(path)
    facts["pictures"].append(path)


def light(colour):
    """Relative luminance, as WCAG defines it."""
    parts = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4
             for part in (colour.redF(), colour.greenF(), colour.blueF())]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrasts(dock):
    """Of the words of some parts: between their ground, the most frequent colour, and what differs most from it."""
    found = {}
    for name, widget in (("summary", dock.search.summary), ("index", dock.search.index.words),
                         ("button", dock.search.button), ("confidence", dock.search.confidence_words)):
        image = widget.grab().toImage()
        seen = Counter(image.pixel(x, y) for x in range(3, image.width() - 3) for y in range(3, image.height() - 3))
        ground = light(QColor(seen.most_common(1)[0][0]))
        found[name] = max((max(one, ground) + 0.05) / (min(one, ground) + 0.05)
                          for one in (light(QColor(value)) for value in seen))
        facts["darkness"] = light(dock.palette().window().color())
    return found


def after(seconds):
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def settled(view=None):
    """The map is drawn, and so are the pictures in sight of a list."""
    quiet = after(1)

    def is_so():
        pictures = view is None or (view.thumbnails._job is None and not view.thumbnails._waiting)
        return quiet() and pictures and not iface.mapCanvas().isDrawing()

    return is_so


def clicks():
    """The scenario with real mouse and keys."""
    sys.path.insert(0, os.environ["RSVLM_DRIVE_FOLDER"])
    import desktop_clicks

    return desktop_clicks.scenario(facts, picture, after)


def scenario():
    window = iface.mainWindow()
    window.resize(1440, 900)
    plugin = qgis.utils.plugins["search_imagery_by_text"]
    dock, session = plugin.dock, plugin._session
    for other in window.findChildren(QDockWidget):
        if other.objectName() == "Browser":
            other.hide()
    layer = QgsRasterLayer(os.environ["RSVLM_DRIVE_RASTER"], "orthophoto")
    QgsProject.instance().addMapLayer(layer)
    iface.setActiveLayer(layer)
    iface.zoomToActiveLayer()
    plugin._actions[0].trigger()
    yield lambda: dock.isVisible()
    window.resizeDocks([dock], [420], 1)
    yield lambda: session._task is None
    facts["welcome"], facts["title"] = dock.welcome.isVisible(), dock.windowTitle()

    if os.environ.get("RSVLM_DRIVE_WELCOME"):
        yield after(1)
        picture("welcome")
        QTimer.singleShot(1500, lambda: (picture("set_up", QApplication.activeModalWidget()),
                                         QApplication.activeModalWidget().reject()))
        dock.set_up()
        return

    if os.environ.get("RSVLM_DRIVE_WORK") == "index":
        dock.search.index.build.trigger()
    else:
        dock.search.text.lineEdit().setText(os.environ.get("RSVLM_DRIVE_TEXTS", "houses; dense forest"))
        dock.search.button.click()
    if os.environ.get("RSVLM_DRIVE_LEAVE"):
        yield lambda: dock.progress.bar.value() > 3
        facts["child"] = session._worker.process.processId()
        if os.environ["RSVLM_DRIVE_LEAVE"] == "reload":
            qgis.utils.reloadPlugin("search_imagery_by_text")
            yield after(1)
            facts["panels"] = len([one for one in window.findChildren(QDockWidget) if one.objectName() == "rsvlmPanel"])
        return  # and QGIS is quit in the middle
    yield lambda: dock.progress.bar.maximum() > 0
    yield after(0.2)
    picture("searching")
    yield lambda: not session.busy
    yield settled(dock.search.view)
    facts["hits"] = dock.search.view.model().rowCount()
    facts["words"] = iface.messageBar().currentItem().text() if iface.messageBar().currentItem() else ""
    picture("places")
    facts["ratio"], facts["picture_side"] = dock.devicePixelRatioF(), dock.search.view.thumbnails._side
    facts["contrasts"] = contrasts(dock)
    dock.search.confidence.setValue(85)
    first = dock.search.view.model().index(0, 0)
    dock.search.view.setCurrentIndex(first)
    if first.isValid():
        dock.search.view.visited.emit(first.data(257))
    yield settled(dock.search.view)
    facts["hits_filtered"] = dock.search.view.model().rowCount()
    picture("place")
    dock.search.confidence.setValue(0)
    dock.search.add_examples("like")
    yield lambda: not session.busy
    yield after(2)
    facts["hits_like"] = dock.search.view.model().rowCount()
    dock.search.examples.undo.click()
    yield lambda: not session.busy
    iface.setActiveLayer(layer)
    iface.zoomToActiveLayer()
    dock.search.heatmap.click()
    yield lambda: not session.busy
    yield settled(dock.search.view)
    picture("heatmap")
    dock.search.heatmap.click()

    dock.tabs.setCurrentWidget(dock.outline)
    box = layer.extent()
    part = min(0.9, max(0.25, 200 / box.width()))  # a few hundred metres
    dock.where.set_rectangle(
        QgsRectangle.fromCenterAndSize(box.center(), part * box.width(), part * box.height()), layer.crs())
    dock.outline.text.setText(os.environ.get("RSVLM_DRIVE_OUTLINE", "building; road"))
    dock.outline.button.click()
    yield lambda: not session.busy
    part *= 1.1
    iface.mapCanvas().setExtent(
        QgsRectangle.fromCenterAndSize(box.center(), part * box.width(), part * box.height()))
    iface.mapCanvas().refresh()
    yield settled(dock.outline.view)
    facts["outlines"] = dock.outline.view.model().rowCount()
    picture("outlines")
    dock.outline.threshold.setValue(45)
    yield settled(dock.outline.view)
    picture("threshold")
    dock.outline.button.click()
    yield lambda: not session.busy
    facts["outlines_again"] = dock.outline.view.model().rowCount()
    dock.outline.automatic.setChecked(True)

    dock.tabs.setCurrentWidget(dock.describe)
    dock.where._drawn(QgsRectangle.fromCenterAndSize(box.center(), 0.4 * part * box.width(), 0.4 * part * box.height()))
    yield lambda: not session.busy
    dock.describe.question.setText("Are there buildings?")
    dock.describe.ask.click()
    yield lambda: not session.busy
    yield settled()
    facts["described"] = dock.describe.answers.toPlainText()
    picture("describe")

    QTimer.singleShot(2500, lambda: shoot_dialog("options"))
    iface.showOptionsDialog(window, dock.windowTitle())
    yield after(0.5)
    dock.welcome.reason.setText("")
    facts["layers"] = sorted(layer.name() for layer in QgsProject.instance().mapLayers().values())


def shoot_dialog(name):
    dialog = QApplication.activeModalWidget()
    if isinstance(dialog, QDialog):
        picture(name, dialog)
        dialog.reject()


class Driver:
    """Steps through the scenario from the event loop, so that QGIS lives meanwhile."""

    def __init__(self):
        self.steps = clicks() if os.environ.get("RSVLM_DRIVE_WHEELS") else scenario()
        self.condition = after(1)
        self.end = time.monotonic() + LIMIT_S
        self.clock = QTimer()
        self.clock.timeout.connect(self.tick)
        self.clock.start(50)
        self.busy = False

    def tick(self):
        if self.busy:  # a dialog runs its own event loop inside a step
            return
        self.busy = True
        try:
            if time.monotonic() > self.end:
                raise TimeoutError("the scenario does not go on")
            if self.condition():
                self.condition = next(self.steps)
        except StopIteration:
            self.finish()
        except Exception:
            facts["error"] = traceback.format_exc()
            picture("error")
            self.finish()
        finally:
            self.busy = False

    def finish(self):
        self.clock.stop()
        with open(os.path.join(OUT, "done.json"), "w") as file:
            json.dump(facts, file, indent=1)
        if not os.environ.get("RSVLM_DRIVE_LEAVE"):
            QgsProject.instance().clear()
        QTimer.singleShot(500, QgsApplication.instance().quit)


QTimer.singleShot(1000, lambda: globals().update(driver=Driver()))
