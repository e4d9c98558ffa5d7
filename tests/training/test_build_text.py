from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rsvlm_core.errors import UsageError
from training.build.alttext import MAX_WORDS, clean
from training.build.card import Tally
from training.build.hashing import HashIndex, all_orientations, distance, perceptual_hash
from training.build.quality import load_safety, measure, words_only


@pytest.mark.parametrize("text, caption", [
    ("Aerial view of the old harbour &amp; marina", "Aerial view of the old harbour & marina"),
    ("Aerial view of a vineyard - Stock Photo", "Aerial view of a vineyard"),
    ("A river delta seen from space. Photo by Jane Doe", "A river delta seen from space."),
    ("<b>Solar farm</b> in the desert IMG_2034.JPG 1920x1080", "Solar farm in the desert"),
    ("Farmland near a lake | Getty Images", "Farmland near a lake"),
    ("#aerial shot of rice terraces @someone https://x.org/a?b=1", "aerial shot of rice terraces"),
    ("Fields   of\nlavender,,, from above!!!", "Fields of lavender, from above!"),
    ("Satellite image of Paris © CNES 2019", "Satellite image of Paris"),
])
def test_captions_are_freed_of_boilerplate(text: str, caption: str) -> None:
    assert clean(text) == (caption, "")


@pytest.mark.parametrize("text, reason", [
    ("", "empty"), ("   ", "empty"), ("12 / 34", "empty"), ("IMG_1234.jpg", "only boilerplate"),
    ("DSC00123", "only boilerplate"),
    ("stock photo", "only boilerplate"), ("royalty free stock images download now", "only boilerplate"),
    ("aerial", "too short"), ("从空中俯瞰城市的景色 农田 道路", "other script"),
    ("Вид на город с высоты птичьего полета", "other script"),
    ("Luftbild von der Stadt und dem Hafen im Norden", "other language"),
    ("vue aérienne de la ville et du port", "other language"),
    ("drone drone drone drone drone drone drone", "repetitive"),
    ("drone, city, road, car, house, tree, field", "list of keywords"),
])
def test_what_is_no_caption_is_refused_with_a_reason(text: str, reason: str) -> None:
    assert clean(text) == ("", reason)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_cleaning_gives_a_caption_or_a_reason(text: str) -> None:
    caption, reason = clean(text)
    assert bool(caption) != bool(reason) and len(caption.split()) <= MAX_WORDS + 1


def test_long_texts_are_cut_at_a_sentence() -> None:
    sentences = [" ".join("abcdefghij"[i] + c * 3 for c in "klmnopqrst") + "." for i in range(10)]
    caption, _ = clean(" ".join(sentences))
    assert caption == " ".join(sentences[:6]) and len(caption.split()) <= MAX_WORDS


def noise(seed: int, size: int = 96) -> Image.Image:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (7, 7, 3), dtype=np.uint8))
    return coarse.resize((size, size), Image.Resampling.BICUBIC)


def test_hash_survives_size_and_recompression_and_tells_pictures_apart(tmp_path) -> None:  # type: ignore[no-untyped-def]
    for seed in range(8):
        image = noise(seed)
        image.resize((61, 61)).save(tmp_path / "x.jpg", quality=50)
        again = Image.open(tmp_path / "x.jpg")
        assert distance(perceptual_hash(image), perceptual_hash(again)) <= 6
        assert distance(perceptual_hash(image), perceptual_hash(noise(seed + 100))) > 12


def test_turned_and_mirrored_pictures_are_found() -> None:
    image = noise(3)
    index = HashIndex()
    index.add(perceptual_hash(image), "first")
    for turned in (image.rotate(90), image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).rotate(270)):
        assert index.find(all_orientations(turned)) == "first"
    assert index.find(all_orientations(noise(4))) is None and len(index) == 1


@settings(max_examples=60, deadline=None)
@given(value=st.integers(0, 2**64 - 1), flips=st.sets(st.integers(0, 63), max_size=12), near=st.integers(0, 8))
def test_the_index_finds_exactly_what_is_near(value: int, flips: set[int], near: int) -> None:
    index = HashIndex(near)
    index.add(value, "x")
    other = value
    for bit in flips:
        other ^= 1 << bit
    assert (index.find([other]) == "x") is (len(flips) <= near)


def test_quality_tells_sharp_from_flat() -> None:
    good = measure(noise(0, 256))
    flat = measure(Image.new("RGB", (256, 256), (90, 120, 90)))
    thin = measure(noise(0, 256).resize((1000, 100)))
    assert good.score > 0.5 > thin.score > flat.score == 0.0 and thin.aspect == 10


def test_safety_hook() -> None:
    assert words_only(noise(0), "a harbour") and not words_only(noise(0), "Nude beach")
    assert load_safety("training.build.quality:words_only") is words_only and load_safety(None) is words_only
    for wrong in ("no.such.module:f", "training.build.quality:nothing", "training.build.quality:Safe thing", "json"):
        with pytest.raises(UsageError):
            load_safety(wrong)


def test_tallies_add_up_and_survive_json() -> None:
    a, b = Tally(), Tally()
    for tally, drops in ((a, 1), (b, 2)):
        for k in range(3):
            with tally.step("read"):
                if k < drops:
                    tally.drop("read", "bad", f"example {k}")
    a.add(Tally.from_json(b.to_json()))
    row = a.flow()[0]
    assert row["in"] == 6 and row["out"] == 3 and row["dropped"] == {"bad": 3} and a.slowest() == "read"
    assert a.examples["bad"] == ["example 0", "example 0", "example 1"]
