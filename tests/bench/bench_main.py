"""Seconds and peak memory of the main job on a real orthophoto; `make bench`. Nothing is asserted.

Every command runs as a user runs it, in a process of its own, start-up and model loading included. Results are
printed and appended to build/bench.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Measured:
    """One command.

    Attributes:
        name: Of the step.
        seconds: Wall time, start-up included.
        cpu_seconds: Processor time of all its threads: what it costs on a machine that has other work too.
        peak_mb: Largest resident memory of its process, MB (10^6 bytes).
        said: What its --json said of its own time.
    """

    name: str
    seconds: float
    cpu_seconds: float
    peak_mb: float
    said: dict[str, object]


def measure(name: str, *arguments: str) -> Measured:
    """Run a command of rsvlm and watch it.

    Raises:
        SystemExit: It failed.
    """
    command = [sys.executable, "-m", "rsvlm_core", *arguments, "--json"]
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}: {out}")
    scale = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB on Linux
    kept = {k: v for k, v in json.loads(out).items() if k.startswith("seconds") or k in ("tiles", "embedded", "count")}
    cpu = usage.ru_utime + usage.ru_stime
    return Measured(name, round(seconds, 2), round(cpu, 2), round(usage.ru_maxrss * scale / 1e6), kept)


def main() -> None:
    """Measure index, search and segmentation."""
    from rsvlm_core.settings import data_dir

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("raster", nargs="?", default=str(data_dir() / "rasters" / "barnarp_west.tif"))
    parser.add_argument("--segment", action="store_true", help="also segment, which takes longer")
    args = parser.parse_args()
    if not Path(args.raster).exists():
        raise SystemExit(f"There is no {args.raster}; set RSVLM_DATA, or name a raster.")
    with tempfile.TemporaryDirectory() as folder:
        index = f"{folder}/x.rsindex"
        steps = [
            ("index", ("index", args.raster, "--out", index)),
            ("index again", ("index", args.raster, "--out", index)),
            ("search", ("search", index, "--text", "houses", "--out", f"{folder}/hits.gpkg")),
        ]
        if args.segment:
            steps.append(("segment", ("segment", args.raster, "--text", "building", "--out", f"{folder}/masks.gpkg")))
        results = [measure(name, *arguments) for name, arguments in steps]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{Path(args.raster).name} on {machine}\n")
    print("| step | wall s | CPU s | peak MB | of it |\n|---|---|---|---|---|")
    for r in results:
        said = ", ".join(f"{k} {v}" for k, v in r.said.items())
        print(f"| {r.name} | {r.seconds:.1f} | {r.cpu_seconds:.1f} | {r.peak_mb:.0f} | {said} |")
    log = ROOT / "build" / "bench.jsonl"
    log.parent.mkdir(exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        for r in results:
            row = {"time": stamp, "raster": Path(args.raster).name, "machine": machine, **asdict(r)}
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
