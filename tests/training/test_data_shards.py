from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rsvlm_core.errors import DataError
from training.data.shards import Sample, ShardStream, index_shard, read_samples, split_key


def png(colour: tuple[int, int, int] = (10, 20, 30), size: int = 4) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(out, "PNG")
    return out.getvalue()


def write_tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def make_shards(folder: Path, sizes: list[int]) -> list[Path]:
    image = png()
    return [
        write_tar(folder / f"s-{i:03}.tar", {
            name: data for k in range(n)
            for name, data in ((f"{i}_{k}.png", image), (f"{i}_{k}.json", json.dumps({"n": k}).encode()))
        })
        for i, n in enumerate(sizes)
    ]


def test_key_ends_at_the_first_dot_of_the_file_name() -> None:
    assert split_key("a.b/42.label.png") == ("a.b/42", "label.png")
    assert split_key("damage_-95p5_29p7.webp") == ("damage_-95p5_29p7", "webp")


def test_sample_has_image_meta_and_palette_label(tmp_path: Path) -> None:
    label = Image.fromarray(np.array([[0, 1], [2, 3]], dtype=np.uint8), "P")
    label.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200, 9, 9, 9])
    out = io.BytesIO()
    label.save(out, "PNG")
    path = write_tar(tmp_path / "x.tar", {
        "k.png": png((1, 2, 3)), "k.label.png": out.getvalue(), "k.json": b'{"class": "pond"}',
        "t.png": png(), "t.txt": b" a pond \n",
    })
    first, second = read_samples([path])
    assert first.key == "k" and first.meta == {"class": "pond"} and first.shard == path
    assert first.array().shape == (4, 4, 3) and tuple(first.array()[0, 0]) == (1, 2, 3)
    assert first.label_array().tolist() == [[0, 1], [2, 3]]
    assert second.meta == {"captions": ["a pond"]} and second.label_array() is None


@pytest.mark.parametrize("files, said", [
    ({"k.json": b"{}"}, "Sample k"),
    ({"k.png": b"", "k.json": b"[1]"}, "k.json"),
    ({"k.png": b"", "k.json": b"{"}, "k.json"),
])
def test_bad_samples_are_named(tmp_path: Path, files: dict[str, bytes], said: str) -> None:
    path = write_tar(tmp_path / "bad.tar", files)
    with pytest.raises(DataError) as e:
        list(read_samples([path]))
    assert said in str(e.value) and "bad.tar" in str(e.value)


def test_damaged_missing_empty_and_cut_shards_are_named(tmp_path: Path) -> None:
    good = make_shards(tmp_path, [3])[0]
    (tmp_path / "noise.tar").write_bytes(b"not a tar" * 200)
    (tmp_path / "cut.tar").write_bytes(good.read_bytes()[:1800])
    (tmp_path / "empty.tar").write_bytes(b"")
    for name in ("noise.tar", "cut.tar", "empty.tar", "none.tar"):
        with pytest.raises(DataError, match=name):
            index_shard(tmp_path / name)


def test_damaged_image_is_found_when_decoded() -> None:
    with pytest.raises(DataError, match="k cannot be decoded"):
        Sample("k", png()[:40], {}).pil()


def test_an_epoch_has_every_sample_once_in_an_order_of_its_own(tmp_path: Path) -> None:
    paths = make_shards(tmp_path, [5, 3, 4])
    stream = ShardStream(paths, seed=1, window=2, epochs=2)
    keys = [s.key for s in stream]
    assert sorted(keys[:12]) == sorted(keys[12:]) == sorted(s.key for s in read_samples(paths))
    assert keys[:12] != keys[12:]
    assert keys == [s.key for s in ShardStream(reversed(paths), seed=1, window=2, epochs=2)]
    assert keys != [s.key for s in ShardStream(paths, seed=2, window=2, epochs=2)]
    plain = [s.key for s in ShardStream(paths, shuffle=False, epochs=1)]
    assert plain == [s.key for s in read_samples(paths)]


@settings(max_examples=25, deadline=None)
@given(stop=st.integers(0, 24), window=st.integers(1, 4), seed=st.integers(0, 3))
def test_a_restored_stream_gives_the_very_next_sample(
    tmp_path_factory: pytest.TempPathFactory, stop: int, window: int, seed: int,
) -> None:
    paths = make_shards(tmp_path_factory.mktemp("s"), [5, 3, 4])
    whole = [s.key for s in ShardStream(paths, seed=seed, window=window, epochs=2)]
    second = ShardStream(paths, seed=seed, window=window, epochs=2)
    reader = iter(second)
    taken = [next(reader).key for _ in range(stop)]
    third = ShardStream(paths, seed=seed, window=window, epochs=2)
    third.restore(json.loads(json.dumps(second.state())))
    assert taken + [s.key for s in third] == whole


def test_ranks_share_the_common_order_evenly(tmp_path: Path) -> None:
    paths = make_shards(tmp_path, [5, 3, 4])
    whole = [s.key for s in ShardStream(paths, seed=3, window=3, epochs=1)]
    parts = [[s.key for s in ShardStream(paths, seed=3, window=3, epochs=1, rank=r, world=5)] for r in range(5)]
    assert [len(p) for p in parts] == [2] * 5
    assert [k for turn in zip(*parts, strict=True) for k in turn] == whole[:10]


def test_state_of_another_stream_is_refused(tmp_path: Path) -> None:
    paths = make_shards(tmp_path, [2])
    with pytest.raises(DataError, match="seed 1, now it is 2"):
        ShardStream(paths, seed=2).restore(ShardStream(paths, seed=1).state())
    with pytest.raises(DataError, match="No shards"):
        ShardStream([])


@pytest.mark.parametrize("shard, samples", [("rsicd/val-000.tar", 1094), ("boxes/airplane-train.tar", 259)])
def test_real_shards(shared_data: Path, shard: str, samples: int) -> None:
    found = list(read_samples([shared_data / "data" / shard]))
    assert len(found) == samples and len({s.key for s in found}) == samples
    assert found[0].array().ndim == 3
