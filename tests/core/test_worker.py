import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rsvlm_core import jobs
from rsvlm_core.errors import RasterError
from rsvlm_core.progress import check
from rsvlm_core.worker.protocol import MAX_LINE, Channel
from rsvlm_core.worker.server import Server

ROOT = Path(__file__).resolve().parents[2]


class Client:
    """A server in this process, behind two pipes."""

    def __init__(self, heartbeat_s=60.0):
        ours, theirs = os.pipe(), os.pipe()
        self.down, self._lines = os.fdopen(ours[1], "wb", buffering=0), queue.Queue()
        threading.Thread(target=self._drain, args=(os.fdopen(theirs[0], "rb"),), daemon=True).start()
        self.ended = threading.Event()
        self._end = os.fdopen(theirs[1], "wb")
        server = Server(os.fdopen(ours[0], "rb"), Channel(self._end), heartbeat_s)
        self.thread = threading.Thread(target=server.serve, args=(self.ended.set,), daemon=True)
        self.thread.start()

    def send(self, to, op, **params):
        self.raw(json.dumps({"id": to, "op": op, "params": params}).encode())

    def raw(self, line):
        self.down.write(line + b"\n")

    def _drain(self, stream):
        for line in stream:
            self._lines.put(line)

    def read(self):
        return json.loads(self._lines.get(timeout=10))

    def until(self, *kinds):
        while (message := self.read())["type"] not in kinds:
            pass
        return message

    def close(self):
        self.down.close()
        self.thread.join(5)
        assert not self.thread.is_alive()


@pytest.fixture
def client():
    client = Client()
    yield client
    client.close()


@pytest.fixture
def install(monkeypatch):
    """Puts functions in the place of jobs."""
    places = {}
    monkeypatch.setattr(jobs, "job", places.__getitem__)
    return places.update


def wait_until_stopped(params, context):
    context.progress(0, 10, "tiles")
    for _ in range(500):
        check(context.should_stop, "Three parts are kept.")
        time.sleep(0.01)
    return {"ended": "by itself"}


def test_hello_names_versions_and_operations(client):
    client.send(1, "hello", protocol="1.7")
    hello = client.read()
    assert (hello["type"], hello["id"]) == ("hello", 1)
    assert hello["protocol"].startswith("1.")
    assert {"build_index", "search", "segment", "cancel"} <= set(hello["ops"])
    assert hello["packages"]["numpy"]


def test_another_major_protocol_is_refused_in_words(client):
    client.send(1, "hello", protocol="2.0")
    error = client.read()
    assert (error["type"], error["code"]) == ("error", "protocol")
    assert "2.0" in error["message"] and error["remedy"]


def test_a_job_reports_progress_finished_files_and_its_result(client, install):
    def job(params, context):
        context.progress(10, 10, "tiles")
        context.finished("hits", Path("hits.gpkg"))
        return {"text": params.text("text"), "nan": float("nan")}

    install(search=job)
    client.send("a", "search", text="häuser")
    progress, partial, result = client.read(), client.read(), client.read()
    assert progress == {"type": "progress", "id": "a", "done": 10, "total": 10, "unit": "tiles"}
    assert partial == {"type": "partial", "id": "a", "kind": "hits", "path": "hits.gpkg"}
    assert result == {"type": "result", "id": "a", "op": "search", "result": {"text": "häuser", "nan": None}}


def test_progress_is_thinned_but_its_end_always_told(client, install):
    def job(params, context):
        for done in range(1, 10001):
            context.progress(done, 10000, "tiles")
        return {}

    install(search=job)
    client.send(1, "search")
    messages = []
    while (message := client.read())["type"] != "result":
        messages.append(message)
    assert len(messages) < 100
    assert messages[-1]["done"] == 10000


@pytest.mark.parametrize("line", [
    b"nonsense", b"[1]", b"7", b'{"id": 1}', b'{"id": [1], "op": "hello"}', b'{"op": "search", "id": true}',
    b'{"id": 1, "op": "search", "params": [1]}', b'{"id": 1, "op": "dance"}', b'{"op": "search"}', b"\xff\xfe",
    b"[" * 100_000,
])  # fmt: skip
def test_a_line_that_is_no_request_is_answered_and_the_worker_goes_on(client, line):
    client.raw(line)
    error = client.read()
    assert (error["type"], error["code"]) == ("error", "protocol")
    assert error["message"] and error["remedy"]
    client.send(2, "hello")
    assert client.read()["type"] == "hello"


def test_a_line_without_end_is_refused_without_holding_it(client):
    for _ in range(3):
        client.down.write(b"x" * MAX_LINE)
    client.raw(b"")
    assert "longer" in client.read()["message"]
    client.send(2, "hello")
    assert client.read()["id"] == 2


def test_a_line_of_exactly_the_limit_is_read(client):
    start, end = b'{"id": 5, "op": "hello", "params": {"x": "', b'"}}'
    client.raw(start + b"x" * (MAX_LINE - len(start) - len(end)) + end)
    assert client.read()["id"] == 5


def test_blank_lines_say_nothing(client):
    client.raw(b"")
    client.raw(b"  ")
    client.send(3, "hello")
    assert client.read()["id"] == 3


def test_cancel_stops_the_running_job_and_says_what_is_kept(client, install):
    install(search=wait_until_stopped)
    client.send(1, "search")
    client.until("progress")
    start = time.monotonic()
    client.send(2, "cancel", id=1)
    answers = {m["id"]: m for m in (client.until("result", "error"), client.until("result", "error"))}
    assert time.monotonic() - start < 1.0
    assert answers[2]["result"] == {"cancelled": True}
    assert answers[1]["code"] == "stopped"
    assert answers[1]["remedy"] == "Three parts are kept."


def test_cancel_of_a_waiting_job_leaves_the_running_one_alone(client, install):
    go = threading.Event()
    install(caption=wait_until_stopped)
    install(search=lambda params, context: {"stopped": not go.wait(5) or context.should_stop()})
    client.send(1, "search")
    client.send(2, "caption")
    client.send(3, "cancel", id=2)
    assert client.until("result")["result"] == {"cancelled": True}
    go.set()
    assert client.until("result")["result"] == {"stopped": False}
    error = client.until("error")
    assert (error["id"], error["code"]) == (2, "stopped")


def test_cancel_of_something_long_gone_harms_nothing(client, install):
    install(search=lambda params, context: {"stopped": context.should_stop()})
    client.send(1, "cancel", id=99)
    assert client.read()["result"] == {"cancelled": False}
    client.send(99, "search")
    assert client.read()["result"] == {"stopped": False}


def test_the_job_after_a_cancelled_one_runs(client, install):
    install(search=wait_until_stopped, ask=lambda params, context: {"stopped": context.should_stop()})
    client.send(1, "search")
    client.until("progress")
    client.send(2, "cancel")
    client.send(3, "ask")
    answers = {m["id"]: m for m in (client.until("result", "error") for _ in range(3))}
    assert answers[1]["code"] == "stopped"
    assert answers[3]["result"] == {"stopped": False}


def test_errors_for_people_come_without_a_traceback_and_faults_with_one(client, install):
    def bad_raster(params, context):
        raise RasterError("x.tif has no CRS.", "Assign one.")

    def fault(params, context):
        return {}["key"]

    install(search=bad_raster, segment=fault)
    client.send(1, "search")
    client.send(2, "segment")
    raster, internal = client.read(), client.read()
    assert raster == {
        "type": "error", "id": 1, "code": "raster", "message": "x.tif has no CRS.", "remedy": "Assign one.",
        "traceback": "",
    }
    assert internal["code"] == "internal"
    assert "KeyError" in internal["message"] and "in fault" in internal["traceback"]


def test_an_id_cannot_be_used_twice_at_a_time(client, install):
    install(search=wait_until_stopped)
    client.send(1, "search")
    client.until("progress")
    client.send(1, "search")
    assert client.until("error")["code"] == "protocol"
    client.send(2, "cancel", id=1)
    assert client.until("error")["code"] == "stopped"


def test_heartbeats_come_while_a_job_computes_without_reporting(install):
    install(search=lambda params, context: time.sleep(0.5) or {})
    client = Client(heartbeat_s=0.05)
    client.send(1, "search")
    beats = []
    while (message := client.read())["type"] != "result":
        beats.append(message)
    client.close()
    busy = [b for b in beats if b == {"type": "heartbeat", "id": 1, "busy": True}]
    assert 5 <= len(busy) <= 15


def test_the_model_stays_between_requests(client, install, monkeypatch):
    from rsvlm_core.model import registry
    from tests.fakes import FakeEncoder

    loaded = []

    def load(name=None, device="auto"):
        loaded.append((name, device))
        return FakeEncoder()

    monkeypatch.setattr(registry, "load_encoder", load)
    install(search=lambda params, context: {"id": context.encoders.get(*params.model()).info.id})
    for number, model in enumerate((None, None, "other", None)):
        client.send(number, "search", model=model)
        assert client.until("result", "error")["type"] == "result"
    assert loaded == [(None, "auto"), ("other", "auto"), (None, "auto")]


def test_end_of_input_stops_the_running_job(install):
    seen = threading.Event()

    def job(params, context):
        while not context.should_stop():
            time.sleep(0.01)
        seen.set()
        return {}

    install(search=job)
    client = Client()
    client.send(1, "search")
    time.sleep(0.1)
    client.close()
    assert seen.is_set() and client.ended.is_set()


def test_shutdown_is_answered(install):
    client = Client()
    client.send(1, "shutdown")
    assert client.read()["op"] == "shutdown"
    client.thread.join(5)
    assert not client.thread.is_alive()


# the real process


def start_process(*options, code=None):
    # the way that QGIS starts it: no user site, no PYTHON* variables, from the folder that holds the package
    command = [sys.executable, "-E", "-s", "-u", "-X", "utf8", *(["-c", code] if code else ["-m", "rsvlm_core.worker"])]
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )


def test_the_process_greets_before_anything_heavy_is_imported():
    code = """
import sys, threading
from rsvlm_core.worker import server, main
greeting = server.greeting
heavy = {"torch", "rasterio", "geopandas", "numpy"}
server.greeting = lambda: {**greeting(), "heavy": sorted(heavy & set(sys.modules))}
sys.exit(main())
"""
    process = start_process(code=code)
    out, _ = process.communicate(b'{"id": 1, "op": "hello"}\n', timeout=30)
    assert process.returncode == 0
    assert json.loads(out)["heavy"] == []


def test_stray_prints_from_python_and_c_do_not_touch_the_protocol():
    code = """
import ctypes, os, sys
from rsvlm_core import jobs
from rsvlm_core.worker import main
def noisy(params, context):
    print("from python")
    os.write(1, b"from file descriptor 1\\n")
    ctypes.CDLL(None).puts(b"from C")
    ctypes.CDLL(None).fflush(None)
    return {}
jobs.job = lambda op: noisy
sys.exit(main())
"""
    process = start_process(code=code)
    process.stdin.write(b'{"id": 1, "op": "search"}\n')
    process.stdin.flush()
    line = process.stdout.readline()
    out, err = process.communicate(timeout=30)
    assert json.loads(line) == {"type": "result", "id": 1, "op": "search", "result": {}}
    assert out == b""
    for text in (b"from python", b"from file descriptor 1", b"from C"):
        assert text in err


def test_a_job_that_never_looks_up_does_not_outlive_its_client():
    code = """
import sys, time
from rsvlm_core import jobs
from rsvlm_core.worker import main, process
process.GRACE_S = 0.3
jobs.job = lambda op: lambda params, context: context.progress(0, 1, "x") or time.sleep(60)
sys.exit(main())
"""
    process = start_process(code=code)
    process.stdin.write(b'{"id": 1, "op": "search"}\n')
    process.stdin.flush()
    process.stdout.readline()
    start = time.monotonic()
    process.stdin.close()
    assert process.wait(10) == 0
    assert time.monotonic() - start < 5
    process.stdout.close()
    process.stderr.close()


def test_logging_and_warnings_become_log_messages():
    code = """
import logging, sys, warnings
from rsvlm_core import jobs
from rsvlm_core.worker import main
def job(params, context):
    logging.getLogger("rsvlm_core.x").info("three tiles failed")
    warnings.warn("old thing")
    return {}
jobs.job = lambda op: job
sys.exit(main())
"""
    process = start_process(code=code)
    process.stdin.write(b'{"id": 1, "op": "search"}\n')
    process.stdin.flush()
    messages = [json.loads(process.stdout.readline()) for _ in range(3)]
    process.communicate(timeout=30)
    assert [m["type"] for m in messages] == ["log", "log", "result"]
    assert messages[0] == {"type": "log", "id": 1, "level": "info", "text": "three tiles failed"}
    assert "old thing" in messages[1]["text"] and messages[1]["level"] == "warning"
