"""The user's page, docs/tutorial.md, carried out command by command on a real village; what it promises is measured."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from rasterio.features import shapes

from rsvlm_core.settings import data_dir

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


WORD = "large buildings"  # what the page searches for


class Done(NamedTuple):
    """The reader's folder at the end of the page, and how commands run in it."""

    folder: Path
    env: dict[str, str]

    def run(self, command: str) -> str:
        """What a command prints; it must succeed."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout


def village(folder: Path, shared: Path) -> None:
    """`ortho.tif` and `town.gpkg` as the page describes them, of a village whose outlines were drawn by hand."""
    with rasterio.open(shared / "rasters" / "barnarp_west.tif") as source:
        profile = {
            "driver": "GTiff",
            "width": source.width,
            "height": source.height,
            "count": 3,
            "dtype": "uint8",
            "crs": source.crs,
            "transform": source.transform,
            "tiled": True,
            "compress": "jpeg",
            "photometric": "ycbcr",
        }
        with rasterio.open(folder / "ortho.tif", "w", **profile) as out:
            out.write(source.read())
    with rasterio.open(shared / "rasters" / "barnarp_west_buildings.tif") as source:
        mask = (source.read(1) > 0).astype(np.uint8)
        outlines = [shapely.geometry.shape(g) for g, v in shapes(mask, transform=source.transform) if v]
        crs = source.crs
    outlines = [o for o in outlines if o.area > 6]
    kinds = ["shed" if o.area < 45 else "house" if o.area < 300 else "large building" for o in outlines]
    gpd.GeoDataFrame({"kind": kinds}, geometry=outlines, crs=crs).to_file(folder / "town.gpkg")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """The page, read from top to bottom, with the short fine-tuning that it names."""
    if not (data_dir() / "rasters").is_dir():
        if os.environ.get("CI"):
            pytest.fail("CI must have the shared data")
        pytest.skip("no shared data")
    folder = tmp_path_factory.mktemp("reader")
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "RSVLM_CACHE": str(folder / "cache"),
        "STEPS": "40",
        "BATCH": "48",
    }
    assert "STEPS" in PAGE and "with 40 and 48" in PAGE
    village(folder, data_dir())
    reader = Done(folder, env)
    for block in BLOCKS:
        reader.run(block)
    return reader


def test_the_page_has_the_three_steps() -> None:
    joined = "\n".join(BLOCKS)
    assert len(BLOCKS) == 3 and f'--text "{WORD}"' in joined
    assert all(c in joined for c in ("training.build rs_landmarks", "training.own", "models add", "rsvlm search"))


def test_captions_of_both_sides(done: Done) -> None:
    card = json.loads((done.folder / "sets" / "town" / "card.json").read_text())
    assert (done.folder / "sets" / "town" / "card.md").is_file()
    assert card["result"]["train_samples"] > 100 and card["result"]["test_samples"] > 40
    assert {"shed", "house", "large building"} <= set(card["result"]["nouns"])
    assert card["result"]["distinct_captions"] > 200


def test_search_and_retrieval_get_better_on_ground_that_was_not_learnt(done: Done) -> None:
    found = json.loads((done.folder / "runs" / "town" / "before_after.json").read_text())
    before, after, gain = found["before"], found["after"], found["gain"]
    assert after["retrieval"]["mean_recall"] > before["retrieval"]["mean_recall"] + 1
    assert gain["mean_recall_95"][0] > 0, "the gain could be chance"
    assert after["search"]["mean_average_precision"] > before["search"]["mean_average_precision"]
    assert after["search"]["mean_average_precision"] > after["search"]["random_order"]
    large = [side["search"]["average_precision"]["large building"] for side in (before, after)]
    assert large[1] > large[0] + 5, "the word that the page searches for"
    assert after["retrieval"]["images"] == before["retrieval"]["images"] > 40


def test_the_tuned_model_is_one_to_choose(done: Done) -> None:
    listed = json.loads(done.run("rsvlm models list --json"))["models"]
    assert {"bundled", "town"} <= {m["id"] for m in listed}, listed
    assert (done.folder / "runs" / "town" / "model" / "image.onnx").is_file(), "also where there is no torch"
    hits = gpd.read_file(done.folder / "hits.gpkg", layer="hits")
    assert len(hits) == 20 and hits["rank"].tolist() == list(range(1, 21)) and set(hits["text"]) == {WORD}
    document = json.loads(done.run(f'rsvlm search ortho.tif --text "{WORD}" --model runs/town/model --top 20 --json'))
    assert [h["score"] for h in document["hits"]] == pytest.approx(hits["score"].tolist(), abs=1e-5)
