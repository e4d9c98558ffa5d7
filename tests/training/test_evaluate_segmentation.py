from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rsvlm_core.errors import DataError
from tests.fakes import COLOURS, FakeEncoder
from tests.training.scenes import encode, write_folder, write_tar
from training.evaluate.commands import main
from training.evaluate.images import list_images
from training.evaluate.segmentation import LOOKS, Prediction, product, read_masked, segment


def mask(array: list[list[int]]) -> bytes:
    return encode(np.array(array, dtype=np.uint8))


def blank(height: int, width: int) -> bytes:
    return encode(np.full((height, width, 3), 128, dtype=np.uint8))


def halves(left: str, right: str, size: int = 64) -> bytes:
    image = np.empty((size, size, 3), dtype=np.uint8)
    image[:, : size // 2], image[:, size // 2 :] = COLOURS[left], COLOURS[right]
    return encode(image)


def test_one_text_by_hand(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, {
        "images/a.png": blank(1, 4), "masks/a.png": mask([[255, 255, 0, 0]]),
        "images/b.png": blank(1, 2), "masks/b.png": mask([[0, 0]])})
    said = {4: ([[1, 0, 1, 0]], [[0.9, 0.4, 0.6, 0.1]]), 2: ([[0, 1]], [[0.2, 0.8]])}

    def predict(rgb: np.ndarray, gsd: float | None) -> Prediction:
        labels, scores = said[rgb.shape[1]]
        return Prediction(np.array(labels, np.uint8), np.array(scores, np.float32)[..., None])

    found = segment(FakeEncoder(), read_masked([folder]), ["roof"], predict)
    # tp 1, fp 1 + 1, fn 1 over both images
    assert found["iou"] == pytest.approx(1 / 4) and found["precision"] == pytest.approx(1 / 3)
    assert found["recall"] == pytest.approx(1 / 2) and found["f1"] == pytest.approx(2 / 5) and found["images"] == 2
    # pooled order: .9 T, .8 F, .6 F, .4 T, .2 F, .1 F
    assert found["average_precision"] == pytest.approx((1 + 2 / 4) / 2)
    assert found["oracle_iou"] == pytest.approx(0.5)
    everything = found["baselines"]["all_foreground"]
    assert everything["iou"] == everything["average_precision"] == pytest.approx(2 / 6) and everything["recall"] == 1
    assert found["baselines"]["raw_patches"]["average_precision"] == pytest.approx(2 / 6)  # all pictures are grey


def test_several_texts_take_mask_values_in_order(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, {"images/a.png": blank(1, 6), "masks/a.png": mask([[1, 1, 2, 0, 0, 9]])})

    def predict(rgb: np.ndarray, gsd: float | None) -> Prediction:
        return Prediction(np.array([[1, 2, 2, 0, 2, 1]], np.uint8), np.zeros((1, 6, 3), np.float32))

    found = segment(FakeEncoder(), read_masked([folder]), ["road", "water", "park"], predict, ignore=9)
    assert found["iou_per_text"] == {"road": pytest.approx(1 / 2), "water": pytest.approx(1 / 3), "park": 0.0}
    # the ignored pixel does not count, and park is in neither truth nor prediction
    assert found["miou"] == pytest.approx((1 / 2 + 1 / 3) / 2)
    with pytest.raises(DataError, match="value 9"):
        segment(FakeEncoder(), read_masked([folder]), ["road", "water"], predict)


def test_predictions_of_another_size_are_brought_to_the_truth(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, {"images/a.png": blank(2, 2), "masks/a.png": mask([[1, 1, 0, 0]] * 4)})

    def predict(rgb: np.ndarray, gsd: float | None) -> Prediction:
        return Prediction(np.array([[1, 0], [1, 0]], np.uint8), np.array([[1, 0], [1, 0]], np.float32)[..., None])

    found = segment(FakeEncoder(), read_masked([folder]), ["x"], predict)
    assert found["iou"] == 1.0 and found["average_precision"] == pytest.approx(1.0)


def test_ground_resolution_of_the_image_wins(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, {
        "images/a.png": blank(1, 2), "images/a.json": b'{"gsd_m": 0.3}', "masks/a.png": mask([[1, 0]]),
        "images/b.png": blank(1, 3), "masks/b.png": mask([[1, 0, 0]])})
    told = []

    def predict(rgb: np.ndarray, gsd: float | None) -> Prediction:
        told.append(gsd)
        return Prediction(np.zeros(rgb.shape[:2], np.uint8), np.zeros((*rgb.shape[:2], 1), np.float32))

    segment(FakeEncoder(), read_masked([folder]), ["x"], predict, gsd_m=1.5)
    assert told == [0.3, 1.5]


def test_imagery_of_unknown_resolution_is_looked_at_at_several_scales(monkeypatch: pytest.MonkeyPatch) -> None:
    from rsvlm_core.pipelines import segment as pipeline

    looks: list[object] = []
    real = pipeline.segment_array

    def noted(*args: object, gsd: object = None, **more: object) -> object:
        looks.append(gsd)
        return real(*args, gsd=gsd, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "segment_array", noted)
    encoder, rgb = FakeEncoder(), np.zeros((64, 64, 3), np.uint8)
    low, high = encoder.info.gsd_m
    usual = min(max(1.0, low), high)
    for at, known in ((None, None), (None, 2.0), (0.5, None), (0.5, 2.0)):
        product(encoder, ["red"], at_gsd_m=at)(rgb, known)
    assert looks == [pytest.approx([usual * f for f in LOOKS]), None, 0.5, 0.5]


@pytest.mark.parametrize("tar", [False, True])
def test_command_uses_the_product(tmp_path: Path, tar: bool) -> None:
    truth = np.zeros((64, 64), np.uint8)
    truth[:, :32] = 255
    files = {"dev/images/1.png": halves("red", "grey"), "dev/masks/1.png": encode(truth),
             "dev/images/2.png": halves("red", "blue"), "dev/masks/2.png": encode(truth)}
    source = write_tar(tmp_path / "s.tar", files) if tar else write_folder(tmp_path / "s", files)
    out = tmp_path / "o.json"
    assert main(["segment", "--images", str(source), "--text", "red", "--json", str(out), "--gsd", "0.5"],
                lambda *a: FakeEncoder()) == 0
    found = json.loads(out.read_text())
    assert {"iou", "precision", "recall", "f1", "average_precision", "images"} <= set(found)
    assert found["iou"] > 0.8 and found["average_precision"] > 0.95 > found["baselines"]["all_foreground"]["iou"]
    assert found["settings"]["gsd"] == 0.5 and found["images"] == 2


def test_command_with_several_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = np.full((64, 64), 2, np.uint8)
    truth[:, :32] = 1
    source = write_folder(tmp_path / "s", {"images/1.png": halves("red", "blue"), "masks/1.png": encode(truth)})
    out = tmp_path / "o.json"
    base = ["segment", "--images", str(source), "--json", str(out), "--text", "red"]
    assert main([*base, "--text", "blue"], lambda *a: FakeEncoder()) == 0
    found = json.loads(out.read_text())
    assert found["miou"] > 0.8 and set(found["iou_per_text"]) == {"red", "blue"}
    assert main([*base, "--text", "red"], lambda *a: FakeEncoder()) == 2
    assert "twice" in capsys.readouterr().err


@pytest.mark.parametrize("files, said", [
    ({"images/1.png": blank(1, 1), "masks/2.png": mask([[0]])}, "no mask"),
    ({"a/1.png": blank(1, 1), "b/1.png": mask([[0]])}, "images/KEY"),
    ({"images/1.png": blank(1, 1), "masks/1.png": b"broken"}, "masks/1.png"),
])
def test_bad_sets_are_said(
    tmp_path: Path, files: dict[str, bytes], said: str, capsys: pytest.CaptureFixture[str],
) -> None:
    source = write_folder(tmp_path / "s", files)
    assert main(["segment", "--images", str(source), "--text", "x"], lambda *a: FakeEncoder()) == 2
    assert said in capsys.readouterr().err


def test_masks_beside_images_are_no_images(tmp_path: Path) -> None:
    files = {"dev/images/1.png": blank(1, 1), "dev/masks/1.png": mask([[0]])}
    for source in (write_tar(tmp_path / "s.tar", files), write_folder(tmp_path / "s", files)):
        assert [i.image.name for i in list_images([source])] == ["dev/images/1.png"]
    assert len(list_images([write_folder(tmp_path / "m", {"masks/1.png": mask([[0]])})])) == 1


def test_real_masks(shared_data: Path) -> None:
    found = read_masked([shared_data / "data" / "maps" / "dev.tar"])
    assert len(found) == 120 and int(found[0].truth().max()) <= 3
    assert len(read_masked([shared_data / "data" / "seg_roads" / "dev.tar"])) == 50
