"""A disk that fills up at any size: one line that says so, the old output whole, and a rerun that ends as it should."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from rsvlm_core import vectors
from rsvlm_core.errors import OutputError
from tests.trust import scale
from tests.trust.content import content
from tests.trust.scene import write
from tests.trust.test_kill import COMMANDS, env_of

ROOM = 600_000  # bytes; more than any output of the scene needs, with the index


@pytest.fixture
def sources(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    write(folder / "r.tif")
    return folder


@pytest.fixture
def small_disk(tmp_path):
    """Mounts file systems of a given size; skips where that is not allowed."""
    place, mounted = tmp_path / "disk", []

    def mount(size: int) -> Path:
        unmount()
        place.mkdir(exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", place], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            pytest.skip(f"no small disk can be mounted here ({done.stderr.strip()}); the limit on files stands for it")
        mounted.append(place)
        return place

    def unmount() -> None:
        while mounted:
            subprocess.run(["umount", "-l", mounted.pop()], check=True)

    yield mount
    unmount()


def sizes(number: int) -> list[int]:
    """Sizes from almost nothing to more than enough, closer together where they are small."""
    return [int(4096 + (ROOM - 4096) * (i / (number - 1)) ** 1.5) for i in range(number)]


def said_so(result: dict, name: str) -> None:
    assert result["status"] == 2, result
    lines = [line for line in result["err"].splitlines() if line.startswith("rsvlm")]
    assert len(lines) == 1 and "Traceback" not in result["err"], result["err"]
    assert "space" in lines[0] or "room" in lines[0] or "Free" in lines[0], lines[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_small_disk(name, forge, sources, small_disk, tmp_path):
    """Output, cache and temporary files on a disk of every size."""
    argv, outputs = COMMANDS[name]
    argv = [str(sources / "r.tif") if word == "r.tif" else word for word in argv]
    full = tmp_path / "enough"
    full.mkdir()
    assert forge("rsvlm", argv, cwd=str(full), env=env_of(full))["status"] == 0
    right = {n: content(full / n) for n in outputs}
    refused = done = 0
    for size in scale.within(0.015, sizes(scale.pick(7, 120))):
        disk = small_disk(size)
        earlier = disk / outputs[0]
        if name != "index":
            earlier.write_bytes(b"an earlier result")
        env = {**env_of(disk), "TMPDIR": str(disk)}
        result = forge("rsvlm", argv, cwd=str(disk), env=env)
        if result["status"] == 0:
            assert {n: content(disk / n) for n in outputs} == right, size
            done += 1
            continue
        said_so(result, name)
        refused += 1
        if name != "index":
            assert earlier.read_bytes() == b"an earlier result"
        # with room again, the same command ends as if nothing had been
        subprocess.run(["mount", "-o", f"remount,size={ROOM * 4}", disk], check=True)
        assert forge("rsvlm", argv, cwd=str(disk), env=env)["status"] == 0
        assert {n: content(disk / n) for n in outputs} == right, size
        assert not [p.name for p in disk.iterdir() if p.name.startswith(".")], "litter"
    scale.count("full disks survived", refused)
    assert refused and done


@pytest.mark.parametrize("name", COMMANDS)
def test_files_that_may_not_grow(name, forge, sources, tmp_path):
    """The same through a limit on the size of files, which needs no rights; every write may be the one that fails."""
    argv, outputs = COMMANDS[name]
    argv = [str(sources / "r.tif") if word == "r.tif" else word for word in argv]
    full = tmp_path / "enough"
    full.mkdir()
    assert forge("rsvlm", argv, cwd=str(full), env=env_of(full))["status"] == 0
    right = {n: content(full / n) for n in outputs}
    refused = done = 0
    for i, size in enumerate(scale.within(0.015, sizes(scale.pick(6, 120)))):
        place = tmp_path / f"d{i}"
        place.mkdir()
        if name != "index":
            (place / outputs[0]).write_bytes(b"an earlier result")
        result = forge("rsvlm", argv, cwd=str(place), env=env_of(place), file_limit=size)
        if result["status"] == 0:
            assert {n: content(place / n) for n in outputs} == right, size
            done += 1
        else:
            said_so(result, name)
            refused += 1
            if name != "index":
                assert (place / outputs[0]).read_bytes() == b"an earlier result"
            assert forge("rsvlm", argv, cwd=str(place), env=env_of(place))["status"] == 0
            assert {n: content(place / n) for n in outputs} == right, size
        shutil.rmtree(place)
    scale.count("full disks survived", refused)
    assert done >= 1


@pytest.mark.parametrize("suffix", vectors.SUFFIXES)
def test_room_for_all_of_a_result_but_its_end(suffix, small_disk, tmp_path):
    """Where the last page finds no room, GDAL's GeoJSON driver says nothing: every size around that of the file."""
    squares = [shapely.box(x, 5400000, x + 50, 5400050) for x in range(500000, 560000, 200)]
    masks = gpd.GeoDataFrame(
        {"rank": range(1, 301), "score": 0.3, "confidence": 0.9, "text": "lake", "source": "r.tif", "model": "fake",
         "gsd_m": 0.5, "area_m2": 2500.0, "mean_score": 0.2},
        geometry=squares, crs="EPSG:32633",
    )  # fmt: skip
    whole = vectors.write_vector(masks, tmp_path / f"m{suffix}", "masks", {})
    right, pages = content(whole), -(-whole.stat().st_size // 4096)
    refused = 0
    for number in range(max(1, pages - 4), pages + 4):
        disk = small_disk(number * 4096)
        try:
            assert content(vectors.write_vector(masks, disk / whole.name, "masks", {})) == right, number
        except OutputError:
            refused += 1
            assert not (disk / whole.name).exists()
    scale.count("full disks survived", refused)
    assert refused
