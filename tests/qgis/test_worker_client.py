"""The polled client against a child that misbehaves."""

import threading
import time

import pytest


@pytest.fixture
def ask(engine, raster_file, tmp_path):
    """Runs a search for a text; returns the result, and everything that was reported."""
    from search_imagery_by_text import jobs, worker_client

    def run(text, stop_after=None, limit=30.0):
        seen = {"progress": [], "log": []}
        begun = time.monotonic()

        def should_stop():
            assert time.monotonic() - begun < limit, "the client does not come back"
            return stop_after is not None and time.monotonic() - begun > stop_after

        request = jobs.search([str(raster_file)], [text], str(tmp_path / "hits.gpkg"), 5)
        try:
            seen["result"] = worker_client.run(
                request, lambda *words: seen["progress"].append(words), lambda *words: seen["log"].append(words),
                should_stop)
        finally:
            seen["seconds"] = time.monotonic() - begun
            run.seen = seen
        return seen

    return run


@pytest.fixture(autouse=True)
def no_child_is_left(children):
    before = set(children())
    yield
    for _ in range(50):
        if not set(children()) - before:
            return
        time.sleep(0.1)
    raise AssertionError(f"children left: {set(children()) - before}")


def test_a_search_reports_progress_and_brings_hits(ask):
    seen = ask("houses")
    assert len(seen["result"]["hits"]) == 5
    assert seen["progress"][-1] == (5, 5, "tiles")


def test_garbage_on_stdout_does_not_disturb(ask):
    assert len(ask("garbage houses")["result"]["hits"]) == 5


@pytest.mark.parametrize("text, code, words", [
    ("crash", "died", "crashed"), ("exit", "died", "exit status 7"), ("huge", "protocol", "without end"),
    ("error", "raster", "no CRS"), ("bug", "internal", "ValueError"),
])
def test_each_fault_is_one_error_with_a_code(ask, text, code, words):
    from search_imagery_by_text.protocol import BackendError

    with pytest.raises(BackendError, match=words) as raised:
        ask(text)
    assert raised.value.code == code


def test_the_last_words_of_a_crash_are_kept(ask):
    from search_imagery_by_text.protocol import BackendError

    with pytest.raises(BackendError) as raised:
        ask("crash")
    assert "last words of the engine" in raised.value.details


def test_cancel_comes_back_within_a_second(ask):
    from search_imagery_by_text.protocol import BackendError

    with pytest.raises(BackendError) as raised:
        ask("slow", stop_after=1.0)
    assert raised.value.code == "stopped"
    assert ask.seen["seconds"] < 2.5


def test_a_child_that_does_not_stop_is_ended(ask):
    from search_imagery_by_text.protocol import BackendError

    with pytest.raises(BackendError) as raised:
        ask("stubborn", stop_after=0.5)
    assert raised.value.code == "stopped"
    assert ask.seen["seconds"] < 5


def test_silence_is_told_and_the_run_goes_on_until_the_user_stops_it(ask, monkeypatch):
    from search_imagery_by_text import worker_client
    from search_imagery_by_text.protocol import BackendError

    monkeypatch.setattr(worker_client, "SILENCE_S", 1.0)
    with pytest.raises(BackendError) as raised:
        ask("silent", stop_after=2.5)
    assert raised.value.code == "stopped"
    assert [level for level, text in ask.seen["log"]] == ["warning"]


def test_another_protocol_is_refused(ask, monkeypatch):
    from search_imagery_by_text.protocol import BackendError

    monkeypatch.setenv("RSVLM_FAKE", "oldprotocol")
    with pytest.raises(BackendError, match="protocol 9"):
        ask("houses")


def test_it_runs_in_a_thread_without_event_loop(ask):
    found = []
    thread = threading.Thread(target=lambda: found.append(ask("houses")))
    thread.start()
    thread.join(30)
    assert len(found[0]["result"]["hits"]) == 5


def test_an_interpreter_that_does_not_start_is_an_error(engine, tmp_path):
    from search_imagery_by_text import backend, jobs, worker_client
    from search_imagery_by_text.protocol import BackendError

    launch = backend.Launch(str(tmp_path / "no" / "python"), (), str(tmp_path), {})
    with pytest.raises(BackendError, match="does not start"):
        worker_client.run(jobs.check(), lambda *a: None, lambda *a: None, lambda: False, launch)
