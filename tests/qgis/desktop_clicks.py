"""Real mouse and keys, by xdotool, on the whole of QGIS: from nothing to a saved layer. Loaded by `desktop_drive`."""

import os
import time

from qgis.core import QgsProject, QgsRasterLayer
from qgis.gui import QgsCollapsibleGroupBox
from qgis.PyQt.QtCore import QPoint, QProcess
from qgis.PyQt.QtWidgets import QApplication, QDialog, QMenu, QPushButton
from qgis.utils import iface, plugins


def xdotool(*words):
    """Started beside QGIS, whose event loop has to take the events."""
    QProcess.startDetached("xdotool", [str(word) for word in words])


def click(widget, at=None, button=1, times=1):
    """Press a mouse button on a widget, in its middle or at a point of it."""
    place = widget.mapToGlobal(at or widget.rect().center())
    xdotool("mousemove", place.x(), place.y(), "click", "--repeat", times, "--delay", 60, button)


def click_tab(tabs, page):
    bar = tabs.tabBar()
    click(bar, bar.tabRect(tabs.indexOf(page)).center())


def click_hit(view, row, **options):
    """A picture of a list."""
    click(view.viewport(), view.visualRect(view.model().index(row, 0)).center(), **options)


def keys(*names):
    xdotool("key", "--delay", 60, *names)


def write(text):
    xdotool("type", "--delay", 15, text)


def megabytes():
    """What the environment that was made takes on disk."""
    from search_imagery_by_text import settings

    made = settings.environment_folder()
    files = (os.path.join(folder, name) for folder, _, names in os.walk(made) for name in names)
    return sum(os.lstat(path).st_size for path in files) / 1e6


def button(parent, words):
    return next(one for one in parent.findChildren(QPushButton) if one.text() == words)


def scenario(facts, picture, after):
    window, plugin = iface.mainWindow(), plugins["search_imagery_by_text"]
    dock, session = plugin.dock, plugin._session
    window.move(0, 0)
    window.resize(1440, 900)
    layer = QgsRasterLayer(os.environ["RSVLM_DRIVE_RASTER"], "orthophoto")
    QgsProject.instance().addMapLayer(layer)
    iface.setActiveLayer(layer)
    iface.zoomToActiveLayer()
    plugin._actions[0].trigger()
    yield lambda: dock.isVisible()
    window.resizeDocks([dock], [420], 1)
    yield lambda: dock.welcome.isVisible()

    # set up from nothing, with a folder of wheels
    yield after(1)
    click(button(dock.welcome, "Set up…"))
    yield lambda: isinstance(QApplication.activeModalWidget(), QDialog)
    dialog = QApplication.activeModalWidget()
    yield after(1)
    group = dialog.findChild(QgsCollapsibleGroupBox)
    click(group, QPoint(10, 8))
    yield lambda: dialog.wheelhouse.isVisible()
    yield after(0.5)
    click(dialog.wheelhouse.lineEdit())
    yield after(0.5)
    write(os.environ["RSVLM_DRIVE_WHEELS"])
    yield lambda: dialog.wheelhouse.filePath() == os.environ["RSVLM_DRIVE_WHEELS"]
    begun = time.monotonic()
    click(dialog.start)
    yield lambda: dialog.changed or "Cannot" in dialog.step.text()
    yield after(0.5)
    picture("set_up_done", dialog)
    facts["set_up"], facts["log"] = dialog.step.text(), dialog.log.toPlainText()
    facts["set_up_s"], facts["environment_mb"] = time.monotonic() - begun, megabytes()
    click(dialog.stop)
    yield lambda: QApplication.activeModalWidget() is None
    yield lambda: not dock.welcome.isVisible() and dock.tabs.isEnabled()

    # search, look, more like this
    yield after(0.5)
    click(dock.search.text.lineEdit())
    yield after(0.5)
    write("houses")
    yield lambda: dock.search.text.currentText() == "houses"
    keys("Return")
    yield lambda: session.busy
    yield lambda: not session.busy
    yield after(1)
    facts["hits"] = dock.search.view.model().rowCount()
    hit = dock.search.view.model().index(0, 0).data(257)
    yield lambda: dock.search.view.thumbnails.picture(hit.fid, hit.square()) is not None
    small = dock.search.view.thumbnails.picture(hit.fid, hit.square())
    facts["colours"] = len({small.pixel(x, y) for x in range(0, small.width(), 3) for y in range(0, small.height(), 3)})
    before = iface.mapCanvas().extent().width()
    click_hit(dock.search.view, 1)
    yield lambda: iface.mapCanvas().extent().width() < before
    yield after(1)
    picture("clicked_place")
    click_hit(dock.search.view, 1, button=3)
    yield lambda: isinstance(QApplication.activePopupWidget(), QMenu)
    yield after(0.5)
    picture("clicked_menu", QApplication.activePopupWidget())
    keys("Down", "Return")
    yield lambda: session.busy
    yield lambda: not session.busy
    facts["examples"] = dock.search.examples.words.text()
    yield after(0.5)
    click(dock.search.heatmap, QPoint(8, dock.search.heatmap.height() // 2))
    yield lambda: session.busy
    yield lambda: not session.busy
    facts["heatmap"] = dock.search.heatmap.isChecked()
    yield after(3)
    picture("clicked_heatmap")

    # outline what the map shows, discard, undo, discard, save
    click(dock.where.choice)
    yield after(1)
    keys("Down", "Return")
    yield lambda: dock.where.choice.currentIndex() == 1
    click_tab(dock.tabs, dock.outline)
    yield lambda: dock.outline.isVisible()
    yield after(0.5)
    click(dock.outline.text)
    yield after(0.5)
    write("building")
    yield lambda: dock.outline.text.text() == "building"
    click(dock.outline.button)
    yield lambda: session.busy
    yield lambda: not session.busy
    yield after(1)
    facts["outlines"] = dock.outline.view.model().rowCount()
    for step in (dock.outline.discard_button, dock.outline.undo, dock.outline.discard_button, dock.outline.save):
        if step is dock.outline.discard_button:
            click_hit(dock.outline.view, 0)
            yield lambda: dock.outline.view.selected()
            yield after(0.5)
        click(step)
        yield after(1)
    facts["saved"], facts["editing"] = dock.outline._layer.featureCount(), dock.outline._layer.isEditable()
    facts["file"] = dock.outline._layer.source().split("|")[0]
    picture("clicked_saved")
