"""SIGKILL at any moment: what was there is old or new and whole, and a rerun ends like a run that was never killed."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.trust import scale
from tests.trust.content import content
from tests.trust.scene import write

KILLED = -9


@pytest.fixture
def place(tmp_path):
    """A raster, an index of it, and a folder for outputs."""
    folder = tmp_path / "w"
    folder.mkdir()
    write(folder / "r.tif")
    return folder


def moments(forge, program: str, argv: Sequence[object], watch: Path, tries: int, **job) -> list[dict[str, float]]:
    """Moments to kill a command at: around its operations on files below `watch`, and by the clock."""
    whole = forge(program, argv, watch=str(watch), **job)
    assert whole["status"] == 0, whole
    assert whole["operations"] > 0
    chance = random.Random(7)
    named = list(range(whole["operations"]))
    if len(named) > tries:
        named = sorted(chance.sample(named, tries))
    clock = [chance.uniform(0.0, whole["seconds"]) for _ in range(max(2, tries // 3))]
    return [*({"kill_at": n} for n in named), *({"kill_after_s": s} for s in clock)]


def env_of(folder: Path) -> dict[str, str]:
    return {"RSVLM_CACHE": str(folder / "cache")}


COMMANDS = {
    "index": (["index", "r.tif", "--out", "x.rsindex"], ["x.rsindex"]),
    "search": (["search", "r.tif", "--text", "red", "--out", "h.gpkg"], ["h.gpkg"]),
    "search-geojson": (["search", "r.tif", "--text", "red", "--out", "h.geojson"], ["h.geojson"]),
    "segment": (
        ["segment", "r.tif", "--text", "red", "--out", "m.gpkg", "--mask-raster", "m.tif", "--scores", "s.tif"],
        ["m.gpkg", "m.tif", "s.tif"],
    ),
    "heatmap": (["heatmap", "r.tif", "--text", "red", "--out", "heat.tif"], ["heat.tif"]),
    "classify": (["classify", "r.tif", "--classes", "red,green", "--out", "c.parquet"], ["c.parquet"]),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_killed_at_any_moment(name, forge, place):
    argv, outputs = COMMANDS[name]
    job = {"cwd": str(place), "env": env_of(place), "slow_s": 0.01}
    old_argv = ["green" if word == "red" else word for word in argv]
    first = forge("rsvlm", old_argv, **job)
    assert first["status"] == 0, first
    old = {n: content(place / n) for n in outputs}
    kept = {n: place / f"kept-{n}" for n in outputs}
    for n in outputs:
        _copy(place / n, kept[n])
    new: dict[str, object] = {}
    kills = tried = 0
    todo = moments(forge, "rsvlm", argv, place, scale.pick(14, 400), **job)
    new = {n: content(place / n) for n in outputs}
    for moment in scale.within(0.03, todo):
        tried += 1
        fresh = chance_of_fresh(kills)
        shutil.rmtree(place / "cache", ignore_errors=True)
        for n in outputs:
            _remove(place / n)
            if not fresh:
                _copy(kept[n], place / n)
        result = forge("rsvlm", argv, **job, **moment, **({"watch": str(place)} if "kill_at" in moment else {}))
        assert result["status"] in (KILLED, 0), result
        kills += result["status"] == KILLED
        for n in outputs:
            if name != "index":
                assert not (place / n).exists() and fresh or content(place / n) in (old[n], new[n]), (n, moment)
        again = forge("rsvlm", argv, **job)
        assert again["status"] == 0, (moment, again)
        assert {n: content(place / n) for n in outputs} == new, moment
    scale.count("kills survived", kills)
    assert kills >= tried / 3
    litter = [p.name for p in place.iterdir() if p.name.startswith(".")]
    assert not litter, "killed runs left files that no later run took away"


def chance_of_fresh(n: int) -> bool:
    """Every second time there was no output before."""
    return n % 2 == 1


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
