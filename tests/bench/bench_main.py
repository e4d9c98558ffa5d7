"""What everything costs, side by side in one run; `make bench`. Nothing is asserted.

    python -m tests.bench.bench_main [SECTION …]

Sections are `towers`, `work`, `cold`, `memory` and `search`; each runs in a process of its own. Results are printed as
tables and appended to build/bench.jsonl. The numbers that count are ratios of things that took turns within one run;
docs/benchmarks.md says what they were.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
Rows = list[dict[str, Any]]


def towers() -> Rows:
    """The image tower in every runtime against open_clip's ViT-B/32."""
    from tests.bench.towers import measure

    return measure()


def work() -> Rows:
    """Indexing and segmenting against the tower alone, and how indexing grows."""
    from tests.bench.work import measure

    return measure()


def cold() -> Rows:
    """From launching a search on a raster never seen before to its hits."""
    from tests.bench.commands import cold_start

    return cold_start()


def memory() -> Rows:
    """Peak memory for rasters of 1 GB and of 100 GB."""
    from tests.bench.commands import memory_by_size

    return memory_by_size()


def search() -> Rows:
    """Queries; prints and logs for itself."""
    from tests.bench.bench_search import main as bench

    bench([])
    return []


SECTIONS: dict[str, Callable[[], Rows]] = {f.__name__: f for f in (memory, cold, work, towers, search)}


def table(rows: Rows) -> str:
    """Rows of like keys as Markdown."""
    keys = list(dict.fromkeys(k for row in rows for k in row))
    lines = [" | ".join(keys), " | ".join("---" for _ in keys)]
    lines += [" | ".join(str(row.get(k, "")) for k in keys) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def main() -> None:
    """Run sections, each in a process of its own: peak memory of one must not show in the next."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    unknown = set(args.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"there is no section {', '.join(sorted(unknown))}")
    for name in args.sections or SECTIONS:
        if not args.here:
            subprocess.run([sys.executable, "-m", "tests.bench.bench_main", "--here", name], cwd=ROOT, check=True)
            continue
        rows = SECTIONS[name]()
        if not rows:
            continue
        machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        print(f"\n{SECTIONS[name].__doc__}\n{machine}, load {os.getloadavg()[0]:.1f}\n\n{table(rows)}", flush=True)
        log = ROOT / "build" / "bench.jsonl"
        log.parent.mkdir(exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            for row in rows:
                file.write(json.dumps({"time": stamp, "section": name, "machine": machine, **row}) + "\n")


if __name__ == "__main__":
    main()
