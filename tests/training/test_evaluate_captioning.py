from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from rsvlm_core.errors import DataError
from tests.fakes import FakeEncoder
from tests.training.scenes import picture, write_tar
from training.evaluate.captioning import CiderD, best_constant, bleu4, report, words
from training.evaluate.commands import main


def test_words() -> None:
    assert words('A  "Red" roof, isn\'t-it.') == ["a", "red", "roof", "isntit"]


def test_bleu_of_copies_is_one_and_of_strangers_zero() -> None:
    refs = [["many green trees are here", "a b c d e f"], ["two red roofs near a pond"]]
    assert bleu4(["Many green trees are here.", "two red roofs near a pond"], refs) == pytest.approx(1.0)
    assert bleu4(["x y z w v", "x y z w v"], refs) == 0.0


def test_bleu_by_hand() -> None:
    # candidate of 6 words against one reference of 7: 5/6, 4/5, 3/4, 2/3 of its n-grams match
    value = bleu4(["a b c d e x"], [["a b c d e f g"]])
    assert value == pytest.approx(math.exp(1 - 7 / 6) * (5 / 6 * 4 / 5 * 3 / 4 * 2 / 3) ** 0.25)


def test_bleu_clips_to_the_reference_that_has_most_and_pools_over_the_set() -> None:
    # image 1: "the" occurs twice in the second reference: 2 of 4 unigrams match; no bigram does, but image 2's do
    value = bleu4(["the the the the", "a b c d"], [["the cat", "the dog the"], ["a b c d"]])
    p = ((2 + 4) / 8, 3 / 6, 2 / 4, 1 / 2)
    # closest lengths: 3 (of 2 and 3) and 4; candidate 8 words > 7, so no penalty
    assert value == pytest.approx(math.prod(p) ** 0.25)


def test_brevity_takes_the_shorter_of_two_equally_close_references() -> None:
    # candidate 5 words, references 4 and 6: r = 4, no penalty
    assert bleu4(["a b c d e"], [["a b c d", "a b c d e f"]]) == pytest.approx(1.0)


def test_cider_by_hand() -> None:
    # two images; every n-gram of image 1's reference occurs in one image of two: idf = ln 2
    cider = CiderD([["a b c d"], ["x y z w"]])
    assert cider.score(0, "a b c d") == pytest.approx(10.0)
    assert cider.score(0, "x y z w") == 0.0
    # "a b c e": unigrams 3 of 4 match, cosine 3/4; bigrams 2/3; trigrams 1/2; 4-grams 0; "e" has df 0: idf ln 2
    assert cider.score(0, "a b c e") == pytest.approx(10 * (3 / 4 + 2 / 3 + 1 / 2 + 0) / 4)


def test_cider_clips_repeats_and_punishes_length() -> None:
    cider = CiderD([["a b"], ["x y"]])
    ln2 = math.log(2)
    # "a a b": unigram vector (2, 1) ln 2 against (1, 1) ln 2, min gives (1, 1): 2 / (sqrt 5 sqrt 2)
    # bigrams aa, ab against ab: 1 / (sqrt 2 * 1); length differs by one
    uni, bi = 2 / math.sqrt(10), 1 / math.sqrt(2)
    assert ln2 > 0 and cider.score(0, "a a b") == pytest.approx(10 * math.exp(-1 / 72) * (uni + bi) / 4)


def test_words_of_every_image_weigh_nothing_and_references_are_averaged() -> None:
    cider = CiderD([["the a b c d", "q"], ["the x y z w"]])
    full = CiderD([["the a b c d"], ["the x y z w"]]).score(0, "the a b c d")
    assert full == pytest.approx(10.0)
    assert cider.score(0, "the a b c d") == pytest.approx(full / 2)
    assert cider.score(0, "the") == 0.0


def test_best_constant() -> None:
    refs = [["many green trees are here", "a pond"], ["many green trees are here"], ["one two three four"]]
    found = best_constant(refs)
    assert found["bleu4_caption"] == found["cider_d_caption"] == "many green trees are here"
    assert found["bleu4"] == pytest.approx(bleu4(["many green trees are here"] * 3, refs))


def test_report_and_bad_input() -> None:
    found = report(["a pond", "A pond."], [["a pond"], ["one two three four five"]])
    assert found["distinct_ratio"] == 0.5 and found["mean_length"] == 2.0 and found["references"] == 2
    with pytest.raises(DataError):
        report([], [])
    with pytest.raises(DataError):
        CiderD([["a"], []])


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_tar(tmp_path / "v.tar", {
        "1.png": picture("red"), "1.json": b'{"captions": ["a red place"]}',
        "2.png": picture("blue"), "2.json": b'{"captions": ["a blue place"]}'})
    out = tmp_path / "o.json"
    assert main(["caption", "--images", str(source), "--json", str(out), "--keep"], lambda *a: FakeEncoder()) == 0
    found = json.loads(out.read_text())
    assert found["captions"] == {"1.png": "a red place", "2.png": "a blue place"} and found["distinct_ratio"] == 1
    assert found["bleu4"] == 0.0 and found["cider_d"] > found["baselines"]["best_constant"]["cider_d"]

    class Mute(FakeEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.info = type(self.info)(**{**self.info.__dict__, "can_caption": False})

    assert main(["caption", "--images", str(source)], lambda *a: Mute()) == 2
    assert "cannot caption" in capsys.readouterr().err
