"""The classifier that tells overhead views from the rest: trained and measured on real pictures, by its command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rsvlm_core.errors import DataError
from training.build.commands import main
from training.build.hashing import HashIndex
from training.build.overhead import BUNDLED, OverheadClassifier, distinct, fit, measure
from training.data.shards import decode_image
from training.evaluate.images import list_images

LEARNT = ("astronaut", "coffee", "motorcycle_left", "clock_motion", "text", "page", "horse", "color")
TESTED = ("chelsea", "rocket", "camera", "coins", "hubble_deep_field", "retina")


def pictures(names: tuple[str, ...], folder: Path) -> Path:
    """Photographs and graphics that scikit-image comes with."""
    import skimage

    folder.mkdir()
    for name in names:
        path = next((Path(skimage.__file__).parent / "data").glob(f"{name}.*"))
        shutil.copy(path, folder / path.name)
    return folder


def test_trained_and_measured_on_other_sources(shared_data: Path, tmp_path: Path) -> None:
    """A few dozen real pictures are enough to see that it learns; what is tested is in no source of training."""
    data, out, result = shared_data / "data", tmp_path / "o.safetensors", tmp_path / "o.json"
    learnt, tested = pictures(LEARNT, tmp_path / "learnt"), pictures(TESTED, tmp_path / "tested")
    shutil.copy(learnt / "coffee.png", tested / "again.png")
    given = ["--overhead", str(data / "rsicd" / "train-000.tar"), "--other", str(learnt),
             "--test-overhead", str(data / "rsicd" / "val-000.tar"), str(data / "maps" / "dev.tar"),
             "--test-other", str(tested), "--limit", "16", "--crops", "6"]
    assert main(["overhead", *given, "--out", str(out), "--json", str(result)]) == 0
    facts = {k: v for k, v in json.loads(result.read_text()).items() if k != "seconds"}
    assert facts["trained_images"] == {"overhead": 16, "other": len(LEARNT)}
    assert facts["tested_on"]["overhead"] == {"rsicd/val-000.tar": 16, "maps/dev.tar": 16}
    assert facts["tested_on"]["other"] == {f"{tmp_path.name}/tested": len(TESTED)}, "what was learnt is not tested"
    assert facts["test"]["recall"] > 0.8 and facts["test"]["precision"] > 0.85
    assert set(facts["called_overhead"]) == {"rsicd/val-000.tar", "maps/dev.tar", f"{tmp_path.name}/tested"}
    again = OverheadClassifier.load(out)
    assert again.facts == facts
    shown = [Image.open(p).convert("RGB") for p in sorted(tested.iterdir())]
    assert len(shown) == len(TESTED) + 1 and ((again(shown) >= 0.5).mean() < 0.5)


def test_the_one_that_comes_along_knows_what_it_was_measured_on(shared_data: Path) -> None:
    found = OverheadClassifier.load(BUNDLED)
    known = {k: set(v) for k, v in found.facts["trained_on"].items()}
    assert not known["overhead"] & set(found.facts["tested_on"]["overhead"])
    assert not known["other"] & set(found.facts["tested_on"]["other"])
    items = list_images([shared_data / "data" / "rsicd" / "val-000.tar"])[:12]
    assert (found([decode_image(i.image.read(), i.key) for i in items]) >= 0.5).mean() > 0.8


def test_precision_and_recall() -> None:
    found = measure(np.array([0.9, 0.8, 0.4, 0.6]), np.array([0.7, 0.1]))
    assert found["recall"] == 0.75 and found["false_positive_rate"] == 0.5 and found["precision"] == 0.75
    assert found["precision_balanced"] == pytest.approx(0.6)
    none = measure(np.zeros(3), np.zeros(2))
    assert none["precision"] == none["precision_balanced"] == none["recall"] == 0


def test_one_picture_in_many_sizes_counts_once_and_broken_ones_do_not() -> None:
    def broken() -> Image.Image:
        raise DataError("broken")

    rng = np.random.default_rng(0)
    wide = Image.fromarray(rng.integers(0, 255, (9, 16, 3), dtype=np.uint8)).resize((1600, 900), 3)
    other = Image.fromarray(rng.integers(0, 255, (9, 16, 3), dtype=np.uint8)).resize((800, 450), 3)
    seen = HashIndex()
    given = [("a", lambda: wide), ("b", broken), ("c", lambda: wide.resize((320, 180))), ("d", lambda: other)]
    assert [name for name, _ in distinct(given, 9, seen)] == ["a", "d"]
    assert distinct(given, 9, seen) == [], "they were seen"


def test_two_heaps_of_features_are_told_apart(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    above, other = (rng.normal(m, 1, (40, 8)).astype(np.float32) for m in (1, -1))
    found = fit(above, other)
    assert (found.probability(above) > 0.5).mean() > 0.95 and (found.probability(other) < 0.5).mean() > 0.95
    (tmp_path / "no.safetensors").write_bytes(b"no")
    for missing in ("no.safetensors", "gone.safetensors"):
        with pytest.raises(DataError, match="not an overhead classifier"):
            OverheadClassifier.load(tmp_path / missing)
