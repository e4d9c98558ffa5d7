"""What the tests of the panel do with it."""

import time

from qgis.core import QgsProject
from qgis.PyQt.QtCore import QTimer


def search(dock, until, text, seconds=90):
    dock.search.text.lineEdit().setText(text)
    dock.search.button.click()
    until(lambda: not dock._session.busy, seconds)


def results():
    return [layer for layer in QgsProject.instance().mapLayers().values() if layer.name() != "ortho"]


def shown(layer):
    return QgsProject.instance().layerTreeRoot().findLayer(layer.id()).itemVisibilityChecked()


def waited():
    """Seconds that this thread was ready to run while others had the processors."""
    try:
        with open("/proc/thread-self/schedstat") as file:
            return int(file.read().split()[1]) / 1e9
    except OSError:  # a system that does not tell
        return 0.0


def assert_it_does_not_stand_still(until, go):
    """No more than 100 ms between two ticks of a clock while `go` runs, and shortly after it.

    Time in which other programs had the processors does not count, and as they slow down disks and memory too, the
    best of some tries does: what the plugin itself does comes every time.
    """
    worst = []
    for _ in range(6):
        ticks, clock = [], QTimer()
        clock.timeout.connect(lambda ticks=ticks: ticks.append(time.monotonic() - waited()))
        clock.start(10)
        go()
        end = time.monotonic() + 0.3  # pictures come now
        until(lambda end=end: time.monotonic() > end)
        clock.stop()
        assert len(ticks) > 20
        worst.append(max(after - before for before, after in zip(ticks, ticks[1:], strict=False)))
        if worst[-1] < 0.1:
            return
    raise AssertionError(f"longest standstills: {worst}")
