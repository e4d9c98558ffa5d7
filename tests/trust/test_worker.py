"""The worker as a fortress: no way in but its lines, bounded whatever they hold, alone when its parent is gone."""

from __future__ import annotations

import ast
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tests.trust import scale
from tests.trust.conftest import ROOT
from tests.trust.content import content
from tests.trust.scene import write

CODE = """
import sys
from rsvlm_core.model import registry
from tests.fakes import FakeEncoder
registry.load_encoder = lambda name=None, device="auto": FakeEncoder()
from rsvlm_core.worker import main
sys.exit(main())
"""


class Worker:
    """The real process, with the colour encoder."""

    def __init__(self, cache: Path) -> None:
        env = {**os.environ, "OMP_NUM_THREADS": "1", "RSVLM_CACHE": str(cache)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", CODE], cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.number = 0
        # A worker that nobody listens to waits, and whoever goes on writing to it waits too.
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(b"")

    def line(self) -> bytes:
        """The next that it says; nothing at its end."""
        return self._lines.get(timeout=300)

    def raw(self, line: bytes) -> None:
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def send(self, op: str, **params: object) -> int:
        self.number += 1
        self.raw(json.dumps({"id": self.number, "op": op, "params": params}).encode())
        return self.number

    def answer(self, to: object) -> dict:
        """The result or error of a request."""
        while True:
            line = self.line()
            assert line, f"the worker died: {self.process.poll()}"
            message = json.loads(line)
            if message["type"] in ("result", "error", "hello") and message["id"] == to:
                return message

    def ask(self, op: str, **params: object) -> dict:
        return self.answer(self.send(op, **params))

    def state(self) -> tuple[int, int, int]:
        """Resident memory in bytes, open handles, threads."""
        own = Path(f"/proc/{self.process.pid}")
        pages = int((own / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE"), len(os.listdir(own / "fd")), len(os.listdir(own / "task"))

    def close(self) -> None:
        self.process.stdin.close()
        assert self.process.wait(20) == 0
        while self.line():
            pass
        self.process.stdout.close()


@pytest.fixture
def worker(tmp_path):
    made = Worker(tmp_path / "cache")
    yield made
    if made.process.poll() is None:
        made.close()


linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")


@linux
def test_it_has_no_socket_and_no_port(worker, tmp_path):
    assert worker.ask("search", sources=[str(write(tmp_path / "r.tif"))], texts=["red"])["type"] == "result"
    links = [os.readlink(f"/proc/{worker.process.pid}/fd/{n}") for n in os.listdir(f"/proc/{worker.process.pid}/fd")]
    assert not [link for link in links if link.startswith("socket:")]


@linux
def test_a_parent_that_is_killed_takes_it_along(tmp_path):
    """The parent gets SIGKILL and closes nothing itself; the end of its pipe is what the worker sees."""
    code = (
        "import subprocess, sys, time\n"
        f"p = subprocess.Popen([sys.executable, '-c', {CODE!r}], cwd={str(ROOT)!r}, stdin=subprocess.PIPE)\n"
        "p.stdin.write(b'{\"id\": 1, \"op\": \"hello\"}\\n'); p.stdin.flush()\n"
        "print(p.pid, flush=True, file=sys.stderr); time.sleep(100)\n"
    )
    env = {**os.environ, "RSVLM_CACHE": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
    child = int(parent.stderr.readline())
    assert b"hello" in parent.stdout.readline()
    parent.kill()
    parent.wait()
    until = time.monotonic() + 30
    while _alive(child) and time.monotonic() < until:
        time.sleep(0.1)
    parent.stdout.close()
    parent.stderr.close()
    assert not _alive(child)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


@linux
def test_floods_and_rubbish(worker, tmp_path):
    """Lines that are no requests, megabytes of them, and more requests than fit: answered, and memory stays."""
    raster = str(write(tmp_path / "r.tif"))
    assert worker.ask("search", sources=[raster], texts=["red"])["type"] == "result"
    before = worker.state()
    rng = np.random.default_rng(5)
    worker.process.stdin.write(b"x" * 30_000_000 + b"\n")
    for _ in range(scale.pick(100, 20_000)):
        worker.raw(rng.bytes(int(rng.integers(1, 200))).replace(b"\n", b""))
    many = [worker.send("search", sources=["gone.tif"], texts=["red"]) for _ in range(scale.pick(300, 5000))]
    assert worker.answer(many[-1])["code"] in ("busy", "raster")
    assert worker.ask("hello")["type"] == "hello"
    again = worker.ask("search", sources=[raster], texts=["red"])
    while again["type"] == "error" and again["code"] == "busy":
        time.sleep(0.2)
        again = worker.ask("search", sources=[raster], texts=["red"])
    assert again["type"] == "result"
    after = worker.state()
    assert after[0] - before[0] < 60_000_000 and after[1] <= before[1] + 2 and after[2] <= before[2] + 4


@pytest.mark.parametrize("params", [
    {"out": "/proc/self/mem.gpkg"}, {"out": "a/../../../../../proc/x.gpkg"},
    {"out": "\0.gpkg"}, {"out": "/etc"}, {"out": "x.sh"},
    {"overview": "/dev/null"}, {"overview": "x.py"}, {"out": ["a.gpkg"]},
    {"out": "~/nowhere/x.gpkg"},
])  # fmt: skip
def test_it_writes_only_results_where_it_was_told(worker, params, tmp_path):
    answer = worker.ask("search", sources=[str(write(tmp_path / "r.tif"))], texts=["red"], **params)
    assert answer["type"] == "error" and answer["code"] in ("usage", "output"), answer
    assert answer["remedy"] and not answer["traceback"]


def test_an_existing_file_of_another_kind_is_not_mistaken_for_an_index(worker, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.txt").write_text("three years of work")
    for fresh in (False, True):
        answer = worker.ask("build_index", sources=[str(write(tmp_path / "r.tif"))], out=str(home), fresh=fresh)
        assert answer["type"] == "error" and answer["code"] == "output"
    assert [p.name for p in home.iterdir()] == ["thesis.txt"]


@linux
def test_soak(worker, tmp_path):
    """Mixed requests, some wrong, some cancelled: flat memory, handles and threads, equal results at the end."""
    raster, other = str(write(tmp_path / "r.tif")), str(write(tmp_path / "o.tif"))
    index = str(tmp_path / "x.rsindex")
    assert worker.ask("build_index", sources=[raster, other], out=index)["type"] == "result"
    search = {"sources": [index], "texts": ["red", "green"], "top": 5}
    kinds = [
        ("search", {**search, "out": str(tmp_path / "h.gpkg")}), ("search", search), ("search", search),
        ("segment", {"sources": [raster], "texts": ["red"], "out": str(tmp_path / "m.gpkg")}),
        ("heatmap", {"source": index, "text": "red", "out": str(tmp_path / "heat.tif")}),
        ("classify", {"source": index, "classes": ["red", "green"], "out": str(tmp_path / "c.gpkg")}),
        ("caption", {"source": raster}), ("ask", {"source": raster, "question": "is it red?"}),
        ("build_index", {"sources": [raster], "out": index}), ("search", {"sources": ["gone.tif"], "texts": ["x"]}),
        ("search", {"sources": [index], "texts": [""]}), ("models", {"action": "list"}),
    ]

    def results() -> list:
        assert worker.ask(*kinds[0][:1], **kinds[0][1])["type"] == "result"
        told = worker.ask("search", **search)["result"]["hits"]
        return [told, content(tmp_path / "h.gpkg")]

    first, served, cancelled = results(), 0, 0
    rng = np.random.default_rng(1)
    for op, params in kinds:  # once through, so that everything is loaded
        worker.ask(op, **params)
    warm, until = worker.state(), time.monotonic() + scale.seconds(8, 1.0)
    least = scale.pick(60, 1000)
    while time.monotonic() < until or served < least:
        op, params = kinds[int(rng.integers(len(kinds)))]
        number = worker.send(op, **params)
        if rng.random() < 0.25:  # a storm: cancelled at once, twice, and something that is not there
            for target in (number, number, 10**9):
                worker.send("cancel", id=target)
            cancelled += 1
        answer = worker.answer(number)
        assert answer["type"] == "result" or answer["code"] in ("stopped", "raster", "usage"), answer
        served += 1
        if served > 20 * least and not scale.LONG:
            break
    after = worker.state()
    print(f"{served} requests; memory {warm[0] / 1e6:.0f} -> {after[0] / 1e6:.0f} MB, handles {warm[1]} -> {after[1]},"
          f" threads {warm[2]} -> {after[2]}")  # fmt: skip
    scale.count("requests served", served)
    scale.count("requests cancelled", cancelled)
    assert results() == first
    assert after[0] - warm[0] < 80_000_000, f"memory grew from {warm[0] / 1e6:.0f} to {after[0] / 1e6:.0f} MB"
    assert after[1] <= warm[1] + 4 and after[2] <= warm[2] + 4, (warm, after)


@linux
def test_the_same_search_again_and_again(worker, tmp_path):
    """A thousand times in `make soak`: the same hits every time, and nothing grows."""
    index, times = str(tmp_path / "x.rsindex"), scale.pick(60, 1000)
    assert worker.ask("build_index", sources=[str(write(tmp_path / "r.tif"))], out=index)["type"] == "result"
    search = {"sources": [index], "texts": ["red"], "top": 5}
    first = [worker.ask("search", **search) for _ in range(10)][0]["result"]["hits"]
    warm = worker.state()
    for _ in range(times):
        assert worker.ask("search", **search)["result"]["hits"] == first
    after = worker.state()
    print(f"{times} searches; memory {warm[0] / 1e6:.0f} -> {after[0] / 1e6:.0f} MB, handles {warm[1]} -> {after[1]},"
          f" threads {warm[2]} -> {after[2]}")  # fmt: skip
    scale.count("searches in a row", times)
    assert after[0] - warm[0] < 30_000_000 and after[1] <= warm[1] + 2 and after[2] <= warm[2] + 2, (warm, after)


MOSAIC = (
    '<VRTDataset rasterXSize="128" rasterYSize="128"><SRS>EPSG:32633</SRS><GeoTransform>500000,0.5,0,5400000,0,-0.5'
    '</GeoTransform><VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename>/vsistdin/</SourceFilename>'
    "</SimpleSource></VRTRasterBand></VRTDataset>"
)


def test_a_mosaic_that_names_the_workers_own_input(worker, tmp_path):
    """GDAL would read what the client says next, or wait for it; it finds nothing there, and the next is answered."""
    (tmp_path / "m.vrt").write_text(MOSAIC)
    first = worker.send("search", sources=[str(tmp_path / "m.vrt")], texts=["red"])
    second = worker.send("search", sources=[str(write(tmp_path / "r.tif"))], texts=["red"])
    assert worker.answer(first)["type"] == "error" and worker.answer(second)["type"] == "result"


def test_messages_nested_to_any_depth_and_unknown_methods(worker):
    """Python reads JSON a little deeper than it writes it: the thread that reads must not end over it."""
    for depth in (10, 40, 500, *range(900, 1000, 9), 5000):
        for op in ("hello", "cancel", "search"):
            deep = b"[" * depth + b"]" * depth
            worker.raw(b'{"id": 7, "op": "%s", "params": {"protocol": %s, "id": %s, "texts": %s}}'
                       % (op.encode(), deep, deep, deep))  # fmt: skip
            answer = json.loads(worker.line())
            assert answer["type"] in ("error", "result") and answer.get("code") != "internal", answer
    for op in ("eval", "__import__", "", "search ", "os.system", "\x00", "x" * 100_000):
        answer = worker.ask(op)
        assert answer["type"] == "error" and answer["code"] == "protocol"
    assert worker.ask("hello")["type"] == "hello"


def test_it_survives_signals_that_a_terminal_sends(worker):
    assert worker.ask("hello")["type"] == "hello"
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(20) in (0, -signal.SIGTERM)


# what the program never does, whatever it is asked


def modules():
    """Every module that runs on a user's machine."""
    return sorted([*(ROOT / "rsvlm_core").rglob("*.py"), *(ROOT / "training").rglob("*.py")])


def calls(tree: ast.AST):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_that_runs_strangers_code(path):
    tree = ast.parse(path.read_text("utf-8"))
    for node, name in calls(tree):
        words = {k.arg: ast.unparse(k.value) for k in node.keywords}
        where = f"{path.name}:{node.lineno} {name}"
        assert name not in ("eval", "exec", "os.system", "os.popen", "pickle.load", "pickle.loads", "yaml.load",
                            "marshal.loads", "joblib.load", "__import__", "torch.jit.load"), where  # fmt: skip
        assert not name.endswith((".extractall", ".extract")) or words.get("filter") == "'data'", where
        assert name != "torch.load" or words.get("weights_only") == "True", where
        assert words.get("shell", "False") == "False", where
        assert words.get("allow_pickle", "False") == "False", where
        assert words.get("trust_remote_code", "False") == "False", where
        assert name not in ("snapshot_download", "hf_hub_download") or "revision" in words, where
        assert name not in ("socket.socket", "socketserver.TCPServer", "http.server.HTTPServer"), where
        assert name != "tempfile.mktemp", where
