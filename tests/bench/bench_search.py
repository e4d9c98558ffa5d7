"""What a query costs: exact and approximate, 10^4 vectors and more, in the worker, in LanceDB; `make bench`.

Everything is compared with what must be done in any case, within one run and taking turns: one pass of memory bandwidth
over the same vectors. Recall is measured against exact search, with real captions as
queries. Vectors are made up around real ones of the bundled model (see country.py). Results are printed, and appended
to build/bench.jsonl.

Ten million vectors, FAISS and LanceDB, one after the other (each removes its files before the next):

    python -m tests.bench.bench_search --rows 1e7 --worker 0 --lance 1e7 --folder DIR

That takes 42 GB of free disk, asked for first (21 without LanceDB), and 6 GB of memory.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rsvlm_core.index.exact import top_rows
from rsvlm_core.model.encoder import Encoder, Float32
from rsvlm_core.settings import data_dir
from tests.bench.country import Space, make_index, pieces, real_space

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "build" / "bench"
TOP, BLOCK = 50, 1 << 20
# Bytes on disk of a vector, largest at any one time: in the map and in lists; in a table with its codes, which keeps
# what was pushed beside what it joined of that.
_MAP_BYTES, _TABLE_BYTES = 4 * 384 + 384 + 8, 2 * (4 * 384 + 256) + 192


def read_pass(vectors: Float32) -> float:
    """Look at every number once, with the same library and threads as the search: what no search can be faster than."""
    flat = vectors.reshape(-1)
    blocks = (flat[s : s + BLOCK] for s in range(0, len(flat), BLOCK))
    return sum(float(np.dot(block, block)) for block in blocks)


def interleaved(works: dict[str, Callable[[], Any]], rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds, wall and processor, of works that take turns: median and least, after a round to warm up."""
    wall: dict[str, list[float]] = {name: [] for name in works}
    cpu: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(rounds + 1):
        for name, work in works.items():
            start, used = time.perf_counter(), time.process_time()
            work()
            if turn:
                wall[name].append(1e3 * (time.perf_counter() - start))
                cpu[name].append(1e3 * (time.process_time() - used))
    return {
        name: {
            "wall_ms": round(float(np.median(wall[name])), 1), "wall_least_ms": round(min(wall[name]), 1),
            "cpu_ms": round(float(np.median(cpu[name])), 1), "cpu_least_ms": round(min(cpu[name]), 1),
        }
        for name in works
    }


def recall(found: Sequence[Any], exact: Sequence[Any]) -> float:
    """Share of the exact ones that were found."""
    return float(np.mean([len(np.intersect1d(f, e)) / len(e) for f, e in zip(found, exact, strict=True)]))


def exact_and_lists(space: Space, rows: int, rounds: int, lists: bool, folder: Path) -> list[dict[str, Any]]:
    """Exact search against a pass over the same map; FAISS lists with their recall."""
    from rsvlm_core.index import approximate

    vectors = space.map(folder / f"vectors-{rows}.npy", rows)
    query = space.texts[:1]
    works: dict[str, Callable[[], Any]] = {
        "one pass": lambda: read_pass(vectors),
        "exact": lambda: top_rows(vectors, query, TOP),
        "exact, 8 texts": lambda: top_rows(vectors, space.texts[:8], TOP),
    }
    facts: dict[str, dict[str, Any]] = {}
    if lists and approximate.available():
        place = folder / f"lists-{rows}"
        place.mkdir(exist_ok=True)
        start = time.monotonic()
        made = approximate.make_lists(place, [], vectors, space.texts[len(space.texts) // 2 :])
        facts["FAISS"] = {"made_s": round(time.monotonic() - start), "lists": made.lists, "probes": made.probes}
        opened = approximate.Approximate.open(place, [])
        assert opened is not None
        asked = space.texts[: len(space.texts) // 2]  # others than those that the number of probes was chosen with
        facts["FAISS"]["recall"] = round(
            recall(opened.search(vectors, asked, TOP)[0], top_rows(vectors, asked, TOP)[0]), 4
        )
        works["FAISS"] = lambda: opened.search(vectors, query, TOP)
    times = interleaved(works, rounds)
    if "FAISS" in works:  # beside a map that fills the memory its lists are read from the disk at every turn
        times |= interleaved({"FAISS, alone": works["FAISS"]}, rounds)
    return [{"what": name, "rows": rows, **times[name], **facts.get(name, {})} for name in times]


def in_the_worker(encoder: Encoder, space: Space, rows: int, folder: Path) -> dict[str, Any]:
    """A repeated query through the worker's protocol, the process as QGIS starts it."""
    index = folder / f"index-{rows}.rsindex"
    if not index.exists():
        make_index(index, space, rows, encoder.info)
    command = [sys.executable, "-m", "rsvlm_core", "worker"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    worker = subprocess.Popen(command, cwd=ROOT, **pipes)
    assert worker.stdin is not None and worker.stdout is not None
    walls, cpus, said = [], [], []
    for turn in range(12):
        request = {"id": turn, "op": "search", "params": {"sources": [str(index)], "texts": ["a harbour"]}}
        start, used = time.perf_counter(), _cpu_of(worker.pid)
        worker.stdin.write(json.dumps(request).encode() + b"\n")
        worker.stdin.flush()
        while (answer := json.loads(worker.stdout.readline()))["type"] not in ("result", "error"):
            pass
        assert answer["type"] == "result", answer
        walls.append(1e3 * (time.perf_counter() - start))
        cpus.append(1e3 * (_cpu_of(worker.pid) - used))
        said.append(1e3 * answer["result"]["seconds_query"])
    worker.stdin.close()
    worker.wait(30)
    return {
        "what": "worker, repeated", "rows": rows, "wall_ms": round(float(np.median(walls[2:])), 1),
        "wall_least_ms": round(min(walls[2:]), 1), "cpu_ms": round(float(np.median(cpus[2:])), 1),
        "cpu_least_ms": round(min(cpus[2:]), 1), "first_ms": round(walls[0]),
    }


def _peak_mb() -> int:
    """Most memory that this process has held; unlike getrusage, without what its parent held before it began."""
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 // 10**6


def _cpu_of(pid: int) -> float:
    """Seconds of processor time of a process; to the hundredth, as Linux counts."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def in_lancedb(space: Space, rows: int, folder: Path, info: Any) -> list[dict[str, Any]]:
    """A table on disk, searched by a process of its own whose memory is watched."""
    from rsvlm_core.engines.lance import push

    place = folder / f"lance-{rows}"
    card, made = pieces(space, rows, info)
    start, used = time.monotonic(), time.process_time()
    push(str(place), card, made)  # what is there already is kept
    pushed, used = time.monotonic() - start, time.process_time() - used
    asked = space.texts[: len(space.texts) // 2]
    np.savez(folder / "queries.npz", asked=asked, exact=exact_scores(space, rows, asked))
    command = [sys.executable, "-m", "tests.bench.bench_search", "--reader", str(place), str(folder)]
    said = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    disk = sum(p.stat().st_size for p in place.rglob("*") if p.is_file())
    facts = {"made_s": round(pushed), "made_cpu_s": round(used), "disk_mb": disk // 10**6}
    return [{"what": "LanceDB", "rows": rows, **facts, **said}]


def exact_scores(space: Space, rows: int, asked: Float32) -> Float32:
    """[Q, k] the best cosines, from vectors that are made block by block and dropped."""
    best = np.full((len(asked), 0), 0, np.float32)
    for block in space.blocks(rows):
        found = np.stack(top_rows(block, asked, min(TOP, len(block)))[1])
        best = -np.sort(-np.concatenate([best, found], axis=1), axis=1)[:, :TOP]
    return best


def reader(place: str, folder: str) -> dict[str, Any]:
    """What the process that searches a table measures of itself."""
    from rsvlm_core.engines.lance import LanceEngine
    from rsvlm_core.engines.where import Where

    given, engine = np.load(Path(folder) / "queries.npz"), LanceEngine(place)
    asked = given["asked"]
    before = _peak_mb()
    times = interleaved({"query": lambda: engine.search(asked[:1], TOP, Where())}, 5)["query"]
    found = engine.search(asked, TOP, Where())
    peak = _peak_mb()
    share = recall([f.scores for f in found], list(given["exact"]))
    return {**times, "recall": round(share, 4), "peak_mb": peak, "before_mb": before}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, append."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=float, nargs="+", default=[1e4, 1e5, 1e6], help="sizes of exact search")
    parser.add_argument("--lists-from", type=float, default=1e6, help="sizes from which FAISS is measured too")
    parser.add_argument("--worker", type=float, default=1e5, help="tiles of the worker's index; 0 leaves it out")
    parser.add_argument("--lance", type=float, default=1e5, help="tiles of the LanceDB table; 0 leaves it out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="folder for vectors and tables (default: a temporary one)")
    parser.add_argument("--reader", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.reader:
        print(json.dumps(reader(*args.reader)))
        return
    shard = data_dir() / "data" / "rsicd" / "val-000.tar"
    if not shard.exists():
        print(f"search: left out, there is no {shard} (set RSVLM_DATA)")
        return
    from rsvlm_core.model.registry import load_encoder

    encoder = load_encoder(None, "cpu")
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        space, results = real_space(encoder, shard, KEPT), []

        def tell(rows: Sequence[dict[str, Any]]) -> None:
            for row in rows:
                results.append(row)
                print(json.dumps(row), flush=True)

        check_room(folder, max([0.0, *args.rows]), args.lance)
        for rows in args.rows:
            tell(exact_and_lists(space, int(rows), args.rounds, rows >= args.lists_from, folder))
            (folder / f"vectors-{int(rows)}.npy").unlink()
            shutil.rmtree(folder / f"lists-{int(rows)}", ignore_errors=True)
        if args.worker:
            tell([in_the_worker(encoder, space, int(args.worker), folder)])
        if args.lance:
            tell(in_lancedb(space, int(args.lance), folder, encoder.info))
            shutil.rmtree(folder / f"lance-{int(args.lance)}")
    _log(results)


def check_room(folder: Path, rows: float, lance: float) -> None:
    """See that the disk has room for the largest of what will be there, one at a time.

    Raises:
        SystemExit: It has not.
    """
    needed, free = 1.1 * max(rows * _MAP_BYTES, lance * _TABLE_BYTES), shutil.disk_usage(folder).free
    if free < needed:
        raise SystemExit(f"{folder} has {free / 1e9:.0f} GB free, not {needed / 1e9:.0f}; name another with --folder.")


def _log(results: Sequence[dict[str, Any]]) -> None:
    log = ROOT / "build" / "bench.jsonl"
    log.parent.mkdir(exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        for row in results:
            file.write(json.dumps({"time": stamp, "bench": "search", **row}) + "\n")


if __name__ == "__main__":
    main()
