from __future__ import annotations

import io
import json
import sys
import tarfile
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rsvlm_core.errors import DataError, Stopped, UsageError
from tests.training.scenes import write_folder, write_tar
from training.build import webli
from training.build.card import Tally
from training.build.commands import main
from training.build.hashing import HashIndex
from training.build.parts import PartWriter
from training.build.records import Trouble, Unit, list_units, read_unit
from training.build.webli import Filter, Merge, build, merge, unit_part
from training.data.shards import read_samples
from training.evaluate.images import list_images


class Green:
    """Stands for the classifier: what is more green than red is an overhead view."""

    facts = {"stand-in": True}

    def __call__(self, images):  # type: ignore[no-untyped-def]
        means = np.array([np.asarray(i, dtype=float).mean(axis=(0, 1)) for i in images])
        return (means[:, 1] > means[:, 0]).astype(float)


@pytest.fixture(autouse=True)
def classifier(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "real" not in request.node.name:
        monkeypatch.setattr(webli.OverheadClassifier, "load", lambda *a: Green())


def picture(seed: int, overhead: bool = True, size: tuple[int, int] = (160, 160)) -> Image.Image:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 160, (9, 9, 3), dtype=np.uint8)
    coarse[..., 1 if overhead else 0] += 80
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def jpeg(image: Image.Image, quality: int = 92) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


TEXTS = ("Aerial view of green fields", "A forest seen from above", "Rows of trees near a river")


def web_shard(path: Path, first: int = 0) -> Path:
    files: dict[str, bytes] = {}

    def add(key: str, image: bytes | None, text: str) -> None:
        if image is not None:
            files[f"{key}.jpg"] = image
        files[f"{key}.txt"] = text.encode()
        files[f"{key}.json"] = json.dumps({"caption": text, "url": f"https://example.org/{key}"}).encode()

    for k, text in enumerate(TEXTS):
        add(f"{first}good{k}", jpeg(picture(first + k)), f"{text} | Getty Images")
    add(f"{first}ground", jpeg(picture(first + 50, overhead=False)), "A dog on the grass")
    add(f"{first}turned", jpeg(picture(first).rotate(90), 60), "The same fields again, turned")
    add(f"{first}german", jpeg(picture(first + 51)), "Luftbild von der Stadt und dem Hafen")
    add(f"{first}broken", b"\xff\xd8 not a jpeg", "An aerial view of a town")
    add(f"{first}small", jpeg(picture(first + 52, size=(40, 40))), "An aerial view of a town")
    add(f"{first}flat", jpeg(Image.new("RGB", (160, 160), (10, 90, 10))), "An aerial view of a town")
    add(f"{first}failed", None, "An aerial view of a town")
    add(f"{first}unsafe", jpeg(picture(first + 53)), "Nude beach seen from above")
    return write_tar(path, files)


def flow(card: dict, step: str) -> dict:  # type: ignore[type-arg]
    return next(row for row in card["flow"] if row["step"] == step)


def test_end_to_end_counts_every_record(tmp_path: Path) -> None:
    shard = web_shard(tmp_path / "web" / "00000.tar") if (tmp_path / "web").mkdir() is None else None
    card = build([shard], tmp_path / "out")
    assert flow(card, "read") ["in"] == 11 and flow(card, "read")["dropped"] == {"no image": 1}
    assert flow(card, "text")["dropped"] == {"other language": 1}
    assert flow(card, "decode")["dropped"] == {"broken image": 1}
    assert flow(card, "quality")["dropped"] == {"too small": 1, "low quality": 1}
    assert flow(card, "safety")["dropped"] == {"unsafe": 1}
    assert flow(card, "overhead view")["dropped"] == {"not an overhead view": 1}
    assert flow(card, "duplicates")["dropped"] == {"near-duplicate picture": 1}
    assert card["result"]["samples"] == 3 and card["slowest_step"] and card["records_per_second_and_core"] > 0
    steps = {row["step"] for row in card["flow"]}
    assert {"read", "compress", "read again"} <= steps and card["slowest_step"] in steps
    assert f"{card['records_per_second_and_core']} pictures with a text a second and core" in (
        tmp_path / "out" / "card.md").read_text()
    dropped = sum(n for row in card["flow"] for n in row["dropped"].values())
    assert dropped + card["result"]["samples"] == 11
    samples = list(read_samples([tmp_path / "out" / "rs_webli-00000.tar"]))
    assert sorted(s.meta["captions"][0] for s in samples) == sorted(TEXTS)
    assert samples[0].meta["url"].startswith("https://") and samples[0].array().shape == (160, 160, 3)
    assert "| duplicates |" in (tmp_path / "out" / "card.md").read_text()


def test_evaluation_pictures_stay_out_and_are_reported(tmp_path: Path) -> None:
    shard = web_shard(tmp_path / "00000.tar")
    evaluation = write_folder(tmp_path / "eval", {"a/1.jpg": jpeg(picture(1).rotate(180).resize((99, 99)))})
    card = build([shard], tmp_path / "out", against=[evaluation])
    assert card["result"]["contamination"] == {"eval": 1} and card["result"]["samples"] == 2
    assert flow(card, "duplicates")["dropped"]["in an evaluation set"] == 1


def test_repeated_sentences_are_capped(tmp_path: Path) -> None:
    files = {name: data for k in range(12) for name, data in (
        (f"{k:04}.jpg", jpeg(picture(200 + k))), (f"{k:04}.txt", b"Aerial view of a farm"))}
    card = build([write_tar(tmp_path / "x.tar", files)], tmp_path / "out", merging=Merge(same_text=5, per_shard=2))
    assert card["result"]["samples"] == 5 and card["result"]["shards"] == 3
    assert flow(card, "duplicates")["dropped"] == {"sentence repeats": 7}


def test_ten_thousand_pictures_with_one_sentence(tmp_path: Path) -> None:
    """An alt-text that a shop puts under everything: 20 of 10,000 stay, and every one of the others is counted."""
    unit = Unit(str(tmp_path / "shop.tar"))
    hashes = np.random.default_rng(0).integers(0, 2**63, 10_000)
    rows = [{"caption": "Aerial view of a town", "hashes": [f"{h:016x}"], "key": str(k)} for k, h in enumerate(hashes)]
    with PartWriter(tmp_path / "parts", unit_part(unit), {"rows": rows}) as part:
        for _ in rows:
            part.add({"webp": b"", "json": b"{}"})
    tally = Tally()
    found = merge([unit], tmp_path / "parts", tmp_path / "out", Merge(), HashIndex(), tally)
    assert found["samples"] == 20 and tally.dropped[("duplicates", "sentence repeats")] == 9980
    assert found["distinct_sentences"] == 1 and tally.steps["duplicates"] == 10_000


def test_a_stopped_build_goes_on_and_does_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shards = [web_shard(tmp_path / f"{k}.tar", 1000 * k) for k in range(3)]
    calls: list[str] = []
    real = webli.read_unit
    monkeypatch.setattr(webli, "read_unit", lambda unit: (calls.append(unit.name), real(unit))[1])
    with pytest.raises(Stopped):
        build(shards, tmp_path / "out", should_stop=lambda: len(calls) == 2)
    first = build(shards, tmp_path / "out")
    assert calls == ["0.tar", "1.tar", "2.tar"] and first["result"]["samples"] == 9
    bytes_before = (tmp_path / "out" / "rs_webli-00000.tar").read_bytes()
    again = build(shards, tmp_path / "out")
    assert calls == ["0.tar", "1.tar", "2.tar"] and again["result"] == first["result"]
    assert (tmp_path / "out" / "rs_webli-00000.tar").read_bytes() == bytes_before
    with pytest.raises(UsageError, match="other settings"):
        build(shards, tmp_path / "out", filters=Filter(quality=0.9))


def test_a_crash_in_the_middle_of_a_unit_leaves_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = web_shard(tmp_path / "0.tar")
    real = webli._write

    def failing(part, kept):  # type: ignore[no-untyped-def]
        if part.samples == 1:
            raise RuntimeError("killed")
        return real(part, kept)

    monkeypatch.setattr(webli, "_write", failing)
    with pytest.raises(RuntimeError):
        build([shard], tmp_path / "out")
    assert not list((tmp_path / "out" / "parts").glob("*.tar")) and not (tmp_path / "out" / "card.json").exists()
    monkeypatch.setattr(webli, "_write", real)
    assert build([shard], tmp_path / "out")["result"]["samples"] == 3


def test_a_damaged_shard_gives_what_it_still_has(tmp_path: Path) -> None:
    whole = web_shard(tmp_path / "whole.tar")
    cut = tmp_path / "cut.tar"
    with tarfile.open(whole) as tar:
        end = tar.getmember("0good2.jpg").offset_data + 100
    cut.write_bytes(whole.read_bytes()[:end])
    card = build([cut], tmp_path / "out")
    assert flow(card, "read")["dropped"]["damaged shard"] == 1 and card["result"]["samples"] == 2


def test_parquet_lists_with_bytes_and_with_paths(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    images = {f"{k}.jpg": jpeg(picture(k)) for k in range(3)}
    write_folder(tmp_path / "pictures", images)
    named = zip([*images, "gone.jpg"], [*TEXTS, TEXTS[0]], strict=True)
    rows = [{"filename": n, "alt_text": t, "url": "u"} for n, t in named]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "list.parquet", row_group_size=2)
    units = list_units([tmp_path / "list.parquet"], tmp_path / "pictures")
    assert len(units) == 2
    found = [r for u in units for r in read_unit(u)]
    assert [getattr(r, "text", "") for r in found] == [*TEXTS, ""] and found[3] == Trouble("gone.jpg", "no image")
    inside = [{"image": {"bytes": images["0.jpg"]}, "caption": TEXTS[0]}, {"image": None, "caption": "x"}]
    pq.write_table(pa.Table.from_pylist(inside), tmp_path / "inside.parquet")
    card = build([tmp_path / "inside.parquet"], tmp_path / "out")
    assert card["result"]["samples"] == 1 and flow(card, "read")["dropped"] == {"no image": 1}


def test_units_of_the_ray_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in with Ray's interface shows what is sent to a cluster; Ray itself runs below."""
    started: list[str | None] = []

    class Dataset:
        def __init__(self, items):  # type: ignore[no-untyped-def]
            self.items = items

        def map(self, function):  # type: ignore[no-untyped-def]
            return Dataset([function(json.loads(json.dumps(i))) for i in self.items])

        def iter_rows(self):  # type: ignore[no-untyped-def]
            return iter(self.items)

    ray = types.ModuleType("ray")

    def init(address: str | None, ignore_reinit_error: bool, include_dashboard: bool | None) -> None:
        if address is None:
            raise Exception(f"timed out, with a dashboard: {include_dashboard}")
        started.append(address)

    ray.init = init  # type: ignore[attr-defined]
    ray.is_initialized = lambda: False  # type: ignore[attr-defined]
    ray.shutdown = lambda: started.append("shut down")  # type: ignore[attr-defined]
    data = types.ModuleType("ray.data")
    data.from_items = lambda items, override_num_blocks: Dataset(items)  # type: ignore[attr-defined]
    ray.data = data  # type: ignore[attr-defined]
    shards = [web_shard(tmp_path / f"{k}.tar", 1000 * k) for k in range(2)]
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match="not installed"):
        build(shards, tmp_path / "none", engine="ray")
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray.data", data)
    card = build(shards, tmp_path / "out", engine="ray", address="head:6379")
    assert started == ["head:6379", "shut down"] and card["result"]["samples"] == 6
    with pytest.raises(UsageError, match="no Ray at this machine: timed out, with a dashboard: False"):
        build(shards, tmp_path / "here", engine="ray")


def web_of_real_images(shared_data: Path, folder: Path) -> Path:
    """Two img2dataset shards of three real images each."""
    items = list_images([shared_data / "data" / "rsicd" / "val-000.tar"])[:6]
    folder.mkdir()
    for k in range(2):
        write_tar(folder / f"{k}.tar", {name: data for item in items[3 * k : 3 * k + 3] for name, data in (
            (f"{item.key}.webp", item.image.read()), (f"{item.key}.txt", item.meta()["captions"][0].encode()))})
    return folder


def same_as_one_process(web: Path, folder: Path, other: dict) -> None:  # type: ignore[type-arg]
    """What another engine built into `folder/other` is, byte for byte, what this process builds."""
    one = build([web], folder / "one")
    built = [[p.read_bytes() for p in sorted((folder / n).glob("*.tar"))] for n in ("one", "other")]
    assert built[0] == built[1] and len(built[0]) == 1
    assert other["result"] == one["result"] and one["result"]["samples"] >= 4


def test_real_processes_give_the_same_bytes(shared_data: Path, tmp_path: Path) -> None:
    web = web_of_real_images(shared_data, tmp_path / "web")
    seen: list[int] = []
    other = build([web], tmp_path / "other", workers=2, progress=lambda d, t, u: seen.append(d))
    assert seen[:3] == [0, 1, 2]
    same_as_one_process(web, tmp_path, other)


def test_real_ray_gives_the_same_bytes(shared_data: Path, tmp_path: Path) -> None:
    """Ray Data itself, with the processes that it starts on this machine."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'ray[data]'")
    web = web_of_real_images(shared_data, tmp_path / "web")
    same_as_one_process(web, tmp_path, build([web], tmp_path / "other", engine="ray"))


def test_real_pictures_and_the_real_classifier(shared_data: Path, tmp_path: Path) -> None:
    """Real overhead images and real ground photographs that the classifier was not trained on."""
    import skimage

    overhead = list_images([shared_data / "data" / "rsicd" / "val-000.tar"])[:8]
    evaluation = list_images([shared_data / "data" / "maps" / "dev.tar"])[:3]
    photographs = Path(skimage.__file__).parent / "data"
    files: dict[str, bytes] = {}
    for number, item in enumerate([*overhead, *evaluation]):
        told = item.meta().get("captions", ["Streets and houses of a city from above"])[0]
        files |= {f"{number:02}.webp": item.image.read(), f"{number:02}.txt": told.encode()}
    for name in ("astronaut", "chelsea", "coffee", "rocket", "motorcycle_left"):
        path = next(photographs.glob(f"{name}.*"))
        files |= {f"{name}{path.suffix}": path.read_bytes(), f"{name}.txt": b"A nice picture of something"}
    source = write_tar(tmp_path / "web.tar", files)
    held_out = write_folder(tmp_path / "maps-dev", {f"{k}.webp": e.image.read() for k, e in enumerate(evaluation)})
    card = build([source], tmp_path / "out", against=[held_out])
    kept = {s.meta["captions"][0] for s in read_samples(sorted((tmp_path / "out").glob("rs_webli-*.tar")))}
    assert card["result"]["contamination"] == {"maps-dev": 3}
    assert len(kept) >= 6 and "A nice picture of something" not in kept
    assert card["result"]["overhead_classifier"]["test"]["recall"] > 0.9


def test_bad_sources_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.parquet").write_bytes(b"no")
    for source, said in (("empty", "holds no"), ("none.tar", "none.tar"), ("bad.parquet", "parquet")):
        assert main(["rs_webli", str(tmp_path / source), "--out", str(tmp_path / "o")]) == 2
        assert said in capsys.readouterr().err
    with pytest.raises(DataError):
        list_units([tmp_path / "empty"])
