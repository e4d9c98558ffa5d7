"""What the tests of the panel do with it."""

import time
from contextlib import contextmanager

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


class Watch:
    """Notes how long the window stood still in each step of a work, by a clock that should tick every 10 ms.

    Between two ticks there is time, less that in which other programs had the processors, and there is what this thread
    computed. Other programs slow down disks and memory too, so a step is judged by the best of the times that it was
    done: what the plugin itself does comes every time.
    """

    def __init__(self):
        self.steps = {}

    @contextmanager
    def step(self, name):
        ticks, clock = [], QTimer()

        def tick():
            ticks.append((time.monotonic() - waited(), time.thread_time()))

        tick()
        clock.timeout.connect(tick)
        clock.start(10)
        yield
        clock.stop()
        tick()
        pairs = list(zip(ticks, ticks[1:], strict=False))
        self.steps.setdefault(name, []).append(tuple(
            max(after[kind] - before[kind] for before, after in pairs) for kind in (0, 1)))

    def best(self, name):
        """Seconds of the longest standstill of a step, and of the longest computation, each the least of all times."""
        stood, computed = zip(*self.steps[name], strict=True)
        return min(stood), min(computed)

    def too_long(self):
        """Steps that stood still for 100 ms or more each time, with their times.

        On a machine that has no time for this one, computations are still held to that; waiting for files and for
        other threads, which get no time either, may take a second: who waits for a process waits longer.
        """
        still = 1.0 if starved() else 0.1
        return {name: times for name, times in self.steps.items()
                if self.best(name)[0] >= still or self.best(name)[1] >= 0.1}


def starved():
    """Whether other programs have the processors so much that a clock would measure them."""
    wall, own = time.monotonic(), time.thread_time()
    while time.monotonic() - wall < 0.3:
        pass
    return time.thread_time() - own < 0.15


def assert_it_does_not_stand_still(until, go):
    """No more than 100 ms between two ticks of a clock while `go` runs, and shortly after it."""
    watch = Watch()
    for _ in range(6):
        with watch.step("it"):
            go()
            end = time.monotonic() + 0.3  # pictures come now
            until(lambda end=end: time.monotonic() > end)
        if not watch.too_long():
            return
    raise AssertionError(f"longest standstills: {watch.steps}")
