from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsvlm_core.errors import DataError
from tests.fakes import FakeEncoder
from tests.training.scenes import COLOURS, picture, write_folder, write_tar
from training.evaluate.commands import main
from training.evaluate.retrieval import Outcome, from_csv, from_shards, outcome, ranks, report


def test_ranks_by_hand() -> None:
    # images 0, 1; captions a, b of 0 and c, d of 1
    scores = np.array([[0.1, 0.7, 0.9, 0.2],
                       [0.8, 0.3, 0.4, 0.5]], dtype=np.float32)
    i2t, t2i = ranks(scores, np.array([0, 0, 1, 1]))
    # image 0: best own 0.7, ahead c; image 1: best own 0.5, ahead a
    assert i2t.tolist() == [1, 1]
    # a: own .1, image 1 has .8 ahead; b: .7 first; c: own .4, image 0 ahead; d: .5 first
    assert t2i.tolist() == [1, 0, 1, 0]


def test_ties_go_to_the_smaller_index_and_own_captions_do_not_count() -> None:
    scores = np.array([[0.5, 0.5, 0.5],
                       [0.5, 0.5, 0.5],
                       [0.5, 0.5, 0.5]], dtype=np.float32)
    i2t, t2i = ranks(scores, np.array([0, 1, 2]))
    assert i2t.tolist() == [0, 1, 2] and t2i.tolist() == [0, 1, 2]
    # the first of the equal best own captions counts: index 0, so nothing is ahead
    i2t, _ = ranks(np.array([[0.5, 0.5, 0.5], [0.1, 0.1, 0.1]], dtype=np.float32), np.array([0, 1, 0]))
    assert i2t.tolist() == [0, 1]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 6), extra=st.integers(0, 8), levels=st.integers(1, 6))
def test_ranks_equal_a_stable_descending_sort(seed: int, n: int, extra: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    owner = rng.permutation(np.concatenate([np.arange(n), rng.integers(n, size=extra)]))
    scores = rng.integers(levels, size=(n, len(owner))).astype(np.float32)
    i2t, t2i = ranks(scores, owner)
    for i in range(n):
        order = np.argsort(-scores[i], kind="stable")
        own = [p for p, j in enumerate(order) if owner[j] == i][0]
        assert i2t[i] == sum(owner[j] != i for j in order[:own])
    for j, i in enumerate(owner):
        assert t2i[j] == np.argsort(-scores[:, j], kind="stable").tolist().index(i)


def test_recalls_by_hand() -> None:
    found = Outcome(np.array([0, 4, 5, 10]), np.array([0, 0, 1, 9]), np.arange(4)).recalls()
    assert [found[k] for k in ("i2t_r1", "i2t_r5", "i2t_r10")] == [25.0, 50.0, 75.0]
    assert [found[k] for k in ("t2i_r1", "t2i_r5", "t2i_r10")] == [50.0, 75.0, 100.0]
    assert found["mean_recall"] == pytest.approx((25 + 50 + 75 + 50 + 75 + 100) / 6)


def test_interval_covers_the_value_and_a_model_does_not_differ_from_itself() -> None:
    rng = np.random.default_rng(0)
    a = Outcome(rng.integers(20, size=200), rng.integers(20, size=600), np.repeat(np.arange(200), 3))
    low, high = a.interval(resamples=300)
    assert low < a.recalls()["mean_recall"] < high and high - low > 2
    assert a.interval(a, resamples=50) == (0.0, 0.0)
    better = Outcome(np.maximum(a.image_to_text - 5, 0), np.maximum(a.text_to_image - 5, 0), a.owner)
    assert better.interval(a, resamples=200)[0] > 0


class Counting(FakeEncoder):
    """Counts the texts it encodes, and answers later copies of a text a little differently."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def encode_texts(self, texts):  # type: ignore[no-untyped-def]
        self.seen += texts
        return super().encode_texts(texts)


def test_distinct_sentences_are_encoded_once_and_score_bit_equal(tmp_path: Path) -> None:
    write_folder(tmp_path / "i", {"1.png": picture("red"), "2.png": picture("blue"), "3.png": picture("red")})
    table = tmp_path / "c.csv"
    table.write_text("filename,caption\n" + "".join(f"{i}.png,{t}\n" for i in (1, 2, 3) for t in
                                                    ("a red roof", "a red roof", "blue sea" if i == 2 else "red")))
    encoder = Counting()
    data = from_csv([tmp_path / "i"], table)
    found = outcome(encoder, data)
    assert encoder.seen == ["a red roof", "red", "blue sea"]
    # image 3 ties with image 1 on everything: two of the three own captions of image 1 that say red are ahead of it
    assert found.image_to_text.tolist() == [0, 0, 5]
    assert report(found, data, 10)["captions"] == 9


def test_command_with_a_folder_and_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(tmp_path / "i", {
        "a/1.png": picture("red", (60, 40)), "2.png": picture("blue"), "unused.png": picture("grey"),
        "3.png": picture("yellow")})
    table = tmp_path / "c.csv"
    table.write_text('filename,caption\na/1.png,"red, with roofs"\n2.png,blue\n3.png,yellow\n1.png,something red\n')
    out = tmp_path / "deep" / "out.json"
    assert main(["retrieval", "--images", str(folder), "--captions", str(table), "--json", str(out),
                 "--against", "other", "--resamples", "20"], lambda name, device: FakeEncoder(name=name or "fake")) == 0
    found = json.loads(out.read_text())
    wanted = "i2t_r1,i2t_r5,i2t_r10,t2i_r1,t2i_r5,t2i_r10,mean_recall".split(",")
    assert [found[k] for k in wanted] == [100.0] * 7
    assert found["images"] == 3 and found["captions"] == 4 and found["model"]["id"] == "fake"
    assert found["difference"]["mean_recall"] == 0 and found["against"]["model"]["id"] == "other"
    printed = capsys.readouterr()
    assert printed.out == "" and "mean_recall" in printed.err


def test_shards_repeat_sentences_up_to_five(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "v.tar", {
        "1.png": picture("red"), "1.json": b'{"captions": ["Red.", "a red"]}',
        "2.png": picture("blue"), "2.json": b'{"captions": ["blue"]}',
        "3.png": picture("grey"), "3.json": b'{"class": "pond"}'})
    data = from_shards([path])
    assert data.captions == ["Red.", "a red", "Red.", "a red", "Red."] + ["blue"] * 5
    assert data.owner.tolist() == [0] * 5 + [1] * 5
    assert from_shards([path], 0).captions == ["Red.", "a red", "blue"]


@pytest.mark.parametrize("text, said", [
    ("name,text\n1.png,red\n", "filename,caption"),
    ("filename,caption\n", "no captions"),
    ("filename,caption\n1.png,\n", "line 2"),
    ("filename,caption\n9.png,red\n8.png,red\n", "2 images"),
])
def test_bad_tables_are_said(tmp_path: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(tmp_path / "i", {"1.png": picture("red")})
    table = tmp_path / "c.csv"
    table.write_text(text)
    assert main(["retrieval", "--images", str(folder), "--captions", str(table)], lambda *a: FakeEncoder()) == 2
    assert said in capsys.readouterr().err


def test_missing_and_broken_sources_are_said(tmp_path: Path) -> None:
    table = tmp_path / "c.csv"
    table.write_text("filename,caption\n1.png,red\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.tar").write_bytes(b"no tar")
    for source, said in (("none", "none"), ("empty", "no images"), ("x.tar", "x.tar")):
        with pytest.raises(DataError, match=said):
            from_csv([tmp_path / source], table)
    broken = write_folder(tmp_path / "b", {"1.png": picture("red")[:50]})
    with pytest.raises(DataError, match=r"1\.png"):
        outcome(FakeEncoder(), from_csv([broken], table))


def test_ambiguous_file_names_need_their_folder(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "i", {"a/1.png": picture("red"), "b/1.png": picture("blue")})
    table = tmp_path / "c.csv"
    table.write_text("filename,caption\n1.png,red\n")
    with pytest.raises(DataError, match=r"1\.png"):
        from_csv([folder], table)


def test_real_shards(shared_data: Path) -> None:
    data = from_shards([shared_data / "data" / "rsicd" / "val-000.tar"])
    assert len(data.items) == 1094 and len(data.captions) == 5470


def test_pictures_show_the_best_and_the_worst(tmp_path: Path) -> None:
    from training.evaluate.pictures import draw_retrievals

    names = list(COLOURS)[:4]
    files = {f"{n}.png": picture(n) for n in names}
    files |= {f"{n}.json": json.dumps({"captions": [f"a {n} field"]}).encode() for n in names}
    data = from_shards([write_tar(tmp_path / "s.tar", files)], 1)
    scores = np.eye(4, dtype=np.float32)
    scores[3] = [0.9, 0.9, 0.9, -1.0]
    found = Outcome(*ranks(scores, data.owner), data.owner, scores)
    made = draw_retrievals(data, found, tmp_path / "pictures")
    assert [p.name for p in made] == ["best.png", "worst.png"] and all(p.stat().st_size > 5000 for p in made)
