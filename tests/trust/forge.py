"""A process that has everything imported and forks a child for each command, so that hundreds can be killed.

    python -m tests.trust.forge [torch]

It reads a job a line (JSON) from stdin and answers with what came of it. A child is killed with SIGKILL after some
time (`kill_after_s`), before its n-th operation on files below a folder (`kill_at`, `watch`), when so many files lie
below a folder (`kill_with_files`, for libraries whose operations Python does not see), or lives with a limit on the
size of its files (`file_limit`): the same failure as a disk that is full, which a test without rights to mount one can
have; or with one on what it may add to its memory (`memory_limit`). `set` gives names of modules other values, such as
limits that only large inputs reach.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import Any

# What changes files, as Python announces it before it happens. What C libraries do in between, the clock must hit.
_OPERATIONS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.utime", "sqlite3.connect"}


def _fake_models(slow_s: float) -> None:
    from rsvlm_core.model import registry
    from tests.fakes import FakeEncoder

    class Slow(FakeEncoder):
        """Takes its time, so that the clock has something to hit."""

        def encode_images(self, images: Any) -> Any:
            time.sleep(slow_s)
            return super().encode_images(images)

    registry.load_encoder = lambda name=None, device="auto": Slow()


def _watch(folder: str, kill_at: int | None) -> list[int]:
    """Counts operations on files below a folder; dies before the n-th."""
    seen = [0]

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event not in _OPERATIONS or not args or not isinstance(args[0], (str, bytes, os.PathLike)):
            return
        if event == "open" and not (isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
            return
        if os.fsdecode(args[0]).startswith(folder):
            if seen[0] == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            seen[0] += 1

    sys.addaudithook(hook)
    return seen


def _main_of(program: str) -> Any:
    if program == "rsvlm":
        from rsvlm_core.cli import main
    elif program == "pretrain":
        from training.pretrain import main  # type: ignore[assignment]
    else:
        from training.build.commands import main  # type: ignore[assignment]
    return main


def _child(job: dict[str, Any], out: int, err: int, count: int) -> None:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.environ.update(job.get("env", {}))
    os.chdir(job.get("cwd", "/"))
    status = 70
    try:
        main = _main_of(job["program"])
        if job["program"] == "rsvlm":
            _fake_models(job.get("slow_s", 0.0))
        for name, value in job.get("set", {}).items():
            module, _, attribute = name.rpartition(".")
            setattr(importlib.import_module(module), attribute, value)
        if job.get("file_limit") is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (job["file_limit"], job["file_limit"]))
        if job.get("memory_limit") is not None:
            used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
            resource.setrlimit(resource.RLIMIT_AS, (used + job["memory_limit"], used + job["memory_limit"]))
        seen = _watch(job["watch"], job.get("kill_at")) if job.get("watch") else [0]
        status = int(main(job["argv"]))
        os.write(count, str(seen[0]).encode())
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 2
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _wait_for_files(folder: str, number: int, pid: int) -> None:
    """Kill a child as soon as a folder holds so many files; nothing where it ends before."""
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if files_below(folder) >= number:
            os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.001)


def files_below(folder: str | os.PathLike[str]) -> int:
    """How many files a folder holds at any depth."""
    return sum(len(names) for _, _, names in os.walk(folder))


def _run(job: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        read, write = os.pipe()
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            _child(job, out.fileno(), err.fileno(), write)
        os.close(write)
        timer = None
        if job.get("kill_with_files") is not None:
            _wait_for_files(job["watch"], job["kill_with_files"], pid)
        if job.get("kill_after_s") is not None:
            timer = threading.Timer(job["kill_after_s"], lambda: os.kill(pid, signal.SIGKILL))
            timer.start()
        _, status = os.waitpid(pid, 0)
        took = time.monotonic() - began
        if timer is not None:
            timer.cancel()
            timer.join()
        counted = os.read(read, 20)
        os.close(read)
        said = []
        for stream in (out, err):
            stream.seek(0)
            said.append(stream.read().decode("utf-8", "replace")[-4000:])
    return {
        "status": os.waitstatus_to_exitcode(status), "out": said[0], "err": said[1], "seconds": took,
        "operations": int(counted or b"0"),
    }


def main() -> None:
    """Import what children need, then serve."""
    names = ["rsvlm_core.cli.run", "rsvlm_core.pipelines.search", "rsvlm_core.pipelines.segment",
             "rsvlm_core.pipelines.heatmap", "rsvlm_core.vectors", "rsvlm_core.overview", "tests.fakes",
             *(f"rsvlm_core.jobs.{n}" for n in ("index", "search", "segment", "heatmap", "classify"))]
    if "torch" in sys.argv[1:]:
        names += ["training.pretrain", "training.build.commands", "training.build.rs_landmarks"]
    for name in names:
        importlib.import_module(name)
    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    print("{}", file=lines, flush=True)
    for line in sys.stdin:
        print(json.dumps(_run(json.loads(line))), file=lines, flush=True)


if __name__ == "__main__":
    main()
