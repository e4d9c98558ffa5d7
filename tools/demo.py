"""Real rasters, indexed, searched and segmented with the bundled model; run by `make demo`.

The raster is `RSVLM_DEMO_RASTER`, or the samples of `tools/samples.py`; the text is `RSVLM_DEMO_QUERY`. Everything
lands in `demo/`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from samples import Samples, fetch

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "demo"


def rsvlm(*arguments: str) -> dict[str, Any]:
    """Show a command of rsvlm, run it, and give its JSON.

    Raises:
        SystemExit: It failed; it has said why.
    """
    shown = [f'"{a}"' if " " in a else a for a in arguments]
    print("\n$ rsvlm " + " ".join(shown), flush=True)
    command = [sys.executable, "-m", "rsvlm_core", *arguments, "--json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise SystemExit(done.returncode)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def own(raster: str) -> Samples:
    """The user's raster in place of the samples."""
    return Samples((Path(raster),), "houses", "your own")


def name(path: Path) -> str:
    """A path as it is typed in the repository."""
    return os.path.relpath(path, ROOT) if path.resolve().is_relative_to(ROOT) else str(path)


def main() -> None:
    """Do it all and say what to open."""
    DEMO.mkdir(exist_ok=True)
    given = os.environ.get("RSVLM_DEMO_RASTER", "")
    samples = own(given) if given else fetch(DEMO / "sample")
    query = os.environ.get("RSVLM_DEMO_QUERY", "") or samples.query
    rasters = [name(path) for path in samples.rasters]

    index = f"demo/{samples.rasters[0].stem}.rsindex"
    manifest = ROOT / index / "collection.json"
    weights = json.loads((ROOT / "rsvlm_core" / "weights" / "config.json").read_text("utf-8"))["sha256"]
    # An index of an earlier demo, by weights that have been renewed since, is made anew.
    renewed = ["--fresh"] if manifest.is_file() and weights not in manifest.read_text("utf-8") else []
    built = rsvlm("index", *rasters, "--out", index, *renewed)
    print(f"{built['tiles']} tiles, {built['embedded']} of them new, in {built['seconds']} s")
    found = rsvlm("search", index, "--text", query, "--top", "5", "--out", "demo/hits.gpkg")
    for hit in found["hits"]:
        print(f"  {hit['rank']:>2}. confidence {hit['confidence']:.2f}, cosine {hit['score']:.3f}, {hit['source']}")
    outlined = rsvlm("segment", *rasters, "--text", query, "--out", "demo/masks.gpkg")
    print(f"{outlined['count']} outline{'' if outlined['count'] == 1 else 's'} in {outlined['seconds']} s")
    draw(found["hits"], rasters, query)

    print(f"""
Done: "{query}" in {", ".join(rasters)}  ({samples.credit})
  look at       demo/overview.png
  open in QGIS  {", ".join(rasters)}
                demo/hits.gpkg    the places that fit best, ranked; it comes with a style
                demo/masks.gpkg   outlines
  try           make demo QUERY="a ship in a harbour"
                make demo RASTER=/path/to/your.tif QUERY="houses"
""")


def draw(hits: Sequence[dict[str, Any]], rasters: Sequence[str], title: str) -> None:
    """Hits and outlines together, on the raster that the best hit lies in."""
    sys.path.insert(0, str(ROOT))
    import geopandas

    from rsvlm_core.overview import draw_overview

    os.chdir(ROOT)
    draw_overview(
        hits[0]["source"] if hits else rasters[0], DEMO / "overview.png",
        hits=geopandas.read_file("demo/hits.gpkg", layer="hits"),
        masks=geopandas.read_file("demo/masks.gpkg", layer="masks"), title=title,
    )


if __name__ == "__main__":
    main()
