"""Work beside the window: where it runs, how it ends, and that QGIS says nothing of it."""

import threading
import time


def test_work_runs_in_another_thread_and_its_end_comes_in_this_one(engine, until):
    from search_imagery_by_text import background

    told = []
    good, bad = background.Call(threading.get_ident), background.Call(lambda: 1 / 0)
    for call in (good, bad):
        call.completed.connect(lambda call=call: told.append((call, threading.get_ident())))
        call.start()
    until(lambda: len(told) == 2)
    here = threading.get_ident()
    assert good.found != here and all(thread == here for _, thread in told)
    assert isinstance(bad.found, ZeroDivisionError) and not background._going


def test_work_that_raises_still_ends(engine, until):
    from search_imagery_by_text.background import Background

    class Wrong(Background):
        def run(self):
            raise ValueError("x")

    told, wrong = [], Wrong()
    wrong.completed.connect(lambda: told.append(wrong.raised))
    wrong.start()
    until(lambda: told)
    assert isinstance(told[0], ValueError) and wrong.wait(0)


def test_the_end_of_qgis_cancels_what_is_under_way_and_waits_for_it(engine, until):
    from search_imagery_by_text import background

    class Long(background.Background):
        def run(self):
            while not self.cancelled():
                time.sleep(0.01)

    long = Long()
    long.start()
    assert not long.wait(0.1)
    background._quit()
    assert long.wait(0)
    until(lambda: not background._going)


def test_qgis_is_told_of_no_task_so_that_it_says_nothing_when_one_took_long(engine, window, until, monkeypatch):
    """QGIS 3.22 says "Task complete" of each that took more than five seconds."""
    from qgis.core import QgsApplication
    from search_imagery_by_text import backend, environment
    from search_imagery_by_text.gui.model_box import ModelBox
    from search_imagery_by_text.gui.report_dialog import ReportDialog
    from search_imagery_by_text.session import Session

    added, looked = [], []
    QgsApplication.taskManager().taskAdded.connect(added.append)
    session, box, dialog = Session(), ModelBox(), ReportDialog()
    session.looked.connect(looked.append)
    session.look()
    box.fill()
    environment.look(lambda: 1, looked.append)
    until(lambda: len(looked) == 2 and box._task is None and dialog._task is None)
    QgsApplication.taskManager().taskAdded.disconnect(added.append)
    session.close()
    dialog.done(0)
    assert not added and box.box.count() > 1 and backend.folder()
