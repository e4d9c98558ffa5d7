"""Curves of a run, drawn from its metrics.jsonl."""

from __future__ import annotations

import json
from pathlib import Path


def draw_curves(folder: Path) -> None:
    """Write `curves.png` beside `metrics.jsonl`: one panel a quantity, over the steps of all stages."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    lengths: dict[int, int] = {}
    for r in records:
        lengths[r["stage"]] = max(lengths.get(r["stage"], 0), r["step"])
    start = {s: sum(n for t, n in lengths.items() if t < s) for s in lengths}
    series: dict[str, tuple[list[int], list[float]]] = {}
    for r in records:
        for key, value in r.items():
            if isinstance(value, float) and key not in ("lr", "pairs_per_s"):
                xs, ys = series.setdefault(key, ([], []))
                xs.append(start[r["stage"]] + r["step"])
                ys.append(value)
    if not series:
        return
    columns = 3
    rows = -(-len(series) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(4 * columns, 2.6 * rows), squeeze=False)
    for axis, (key, (xs, ys)) in zip(axes.flat, series.items(), strict=False):
        axis.plot(xs, ys, marker="." if len(xs) < 40 else "", linewidth=1)
        axis.set_title(key, fontsize=9)
        axis.grid(alpha=0.3)
        for s in start.values():
            axis.axvline(s, color="grey", linewidth=0.5)
    for axis in axes.flat[len(series) :]:
        axis.axis("off")
    figure.tight_layout()
    figure.savefig(folder / "curves.png", dpi=110)
    plt.close(figure)
