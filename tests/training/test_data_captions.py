from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsvlm_core.errors import DataError
from training.data import vocabulary
from training.data.augment import drop_clause, drop_words, swap_synonyms
from training.data.captions import (
    PLAIN,
    Style,
    all_sentences,
    caption,
    draw,
    general_phrases,
    is_directional,
    normalise,
    positive_matrix,
    positives,
)
from training.data.shards import read_samples
from training.data.vocabulary import concept, concept_key, plural, with_article

RSICD_CLASSES = (
    "airport, bare land, baseball field, beach, bridge, center, church, commercial, dense residential, desert, "
    "farmland, forest, industrial, meadow, medium residential, mountain, park, parking, playfields, playground, pond, "
    "port, railway station, resort, river, school, sparse residential, square, stadium, storage tanks, viaduct"
).split(", ")
WORLDCOVER = ("Bare / sparse vegetation", "Built-up", "Cropland", "Grassland", "Herbaceous wetland",
              "Permanent water bodies", "Shrubland", "Tree cover")


def test_normalise() -> None:
    assert normalise('  Many "Green"  trees, a semi-circle; (pond). ') == "many green trees a semi-circle pond"
    assert normalise("--- ... !") == ""


@pytest.mark.parametrize("sentence, expected", [
    ("A road on the left of a pond", True), ("Cars in the upper part", True), ("a horizontal road", True),
    ("the northern bank", True), ("houses seen from above", False), ("two roads cross at a right angle", False),
    ("a topaz roof", False), ("boats in a port", False), ("a road right next to a lake", False),
])
def test_direction_words(sentence: str, expected: bool) -> None:
    assert is_directional(sentence) is expected


def test_every_class_of_the_shards_has_many_names() -> None:
    for name in (*RSICD_CLASSES, *WORLDCOVER, "flooded or damaged building", "undamaged building"):
        assert concept_key(name) in vocabulary.CONCEPTS, name
        assert len(concept(name).names) >= 5, name
    assert concept("SparseResidential") == concept("sparse_residential") == concept("sparse residential")
    assert concept("solar farm").names == ("solar farm",) and concept("StorageSheds").names == ("*storage sheds",)


def test_grammar_of_noun_phrases() -> None:
    assert with_article("airport") == "an airport" and with_article("university campus") == "a university campus"
    assert with_article("*farmland") == "farmland"
    assert [plural(w) for w in ("church", "factory", "bus", "body of water", "*cars", "aircraft", "highway")] == [
        "churches", "factories", "buses", "bodies of water", "cars", "aircraft", "highways"]


METAS = (
    {"captions": ["Many planes are parked, while a road is near the terminal.", "A plane is here"], "class": "airport"},
    {"captions": ["One house"]},
    {"class": "Cropland", "gsd_m": 10},
    {"class": "undamaged building"},
    {"class": "helipad"},
    {"fractions": {"road": 0.12, "water": 0.3, "park": 0.05}},
    {"fractions": {"road": 0.0, "water": 0.0, "park": 0.0}},
    {"fractions": {"vineyard": 0.4}},
    {"boxes": {"airplane": [[0, 0, 1, 1]] * 23, "truck": [[0, 0, 1, 1]]}},
    {"boxes": {}},
)


@settings(max_examples=150, deadline=None)
@given(meta=st.sampled_from(METAS), seed=st.integers(0, 2**31))
def test_every_drawn_caption_is_true_of_its_own_sample(meta: dict[str, object], seed: int) -> None:
    drawn = draw(meta, np.random.default_rng(seed))
    assert drawn.text.strip() and "{" not in drawn.text and "*" not in drawn.text
    assert set(drawn.facts) <= positives(meta)
    assert drawn == draw(meta, np.random.default_rng(seed))


def test_counts_are_lower_bounds() -> None:
    meta = {"boxes": {"airplane": [[0, 0, 1, 1]] * 4}}
    rng = np.random.default_rng(0)
    texts = {caption(meta, rng) for _ in range(300)}
    assert any("at least four" in t for t in texts) and any("at least 4" in t for t in texts)
    assert not any(t.lower().startswith(("four", "4")) or "exactly" in t or "many" in t for t in texts)
    assert ">=4 airplane" in positives(meta) and ">=5 airplane" not in positives(meta)


def test_sentinel_captions_name_the_resolution_and_synonyms() -> None:
    rng = np.random.default_rng(0)
    texts = [caption({"class": "Cropland", "gsd_m": 10}, rng) for _ in range(400)]
    assert 0.1 < np.mean(["Sentinel-2" in t or "10 m" in t or "resolution" in t or "space" in t for t in texts]) < 0.6
    assert any("agricultural fields" in t for t in texts) and any("farmland" in t for t in texts)
    fine = [caption({"class": "farmland"}, rng) for _ in range(400)]
    assert not any("Sentinel" in t or "10 m" in t for t in fine)


def test_prefixes_come_as_often_as_the_style_says() -> None:
    rng = np.random.default_rng(1)
    prefixed = [caption({"class": "helipad"}, rng, Style(prefix_class=2 / 3)) for _ in range(900)]
    marked = ("image", "photo", "view", "above", "from the air")
    share = np.mean([any(m in t for m in marked) for t in prefixed])
    assert 0.66 < share < 0.78  # two thirds, and those sentences that say "view" or "image" themselves
    assert any(t.startswith("An aerial image of") for t in prefixed)
    assert {caption({"class": "helipad"}, rng, PLAIN) for _ in range(50)} <= {"helipad", "a helipad", "helipads"}


def test_plain_style_returns_the_sentences_as_written() -> None:
    rng = np.random.default_rng(1)
    meta = {"captions": ["A b c.", "a B c", "D e"], "class": "pond"}
    assert {caption(meta, rng, PLAIN) for _ in range(50)} == {"A b c", "D e"}
    assert all_sentences(meta)[:2] == ["a b c", "d e"]


def test_positive_matrix_by_hand() -> None:
    port = {"class": "port"}
    boat = {"captions": ["A boat"], "class": "port"}
    pond = {"captions": ["A boat", "A pond"]}
    rng = np.random.default_rng(0)
    own = draw(boat, rng, Style(class_share=0, prefix_sentence=1.0))
    joined = draw(pond, rng, Style(join=1.0))
    harbour = draw(port, rng)
    matrix = positive_matrix([harbour, own, joined], [positives(m) for m in (port, boat, pond)])
    assert set(joined.facts) == {"a boat", "a pond"} and "boat" in own.text
    #       harbour boat  boat+pond
    assert matrix.tolist() == [
        [True, "a boat" in positives(port), False],
        [True, True, False],
        [False, True, True],
    ]


def test_larger_amounts_imply_smaller_ones() -> None:
    much, little = positives({"fractions": {"water": 0.8}}), positives({"fractions": {"water": 0.05}})
    assert {"mostly water", "clearly water", "water"} <= much and "mostly water" not in little and "water" in little
    assert not {f for f in positives({"fractions": {"water": 0.01}}) if "water" in f}


def test_class_phrases_of_one_concept_are_positives_of_each_other() -> None:
    assert "cropland" in positives({"class": "farmland"}) and "farmland" in positives({"class": "Cropland"})
    assert "houses" in positives({"class": "dense residential"})


def test_augmentations() -> None:
    rng = np.random.default_rng(0)
    text = "Many planes are parked, with a road near the terminal"
    assert {drop_clause(text, rng) for _ in range(40)} == {
        "Many planes are parked near the terminal", "Many planes are parked, with a road"}
    assert drop_clause("Two trees", rng) == "Two trees"
    assert swap_synonyms(text, rng, 0.0) == text
    swapped = {swap_synonyms("A viaduct near a port", rng, 1.0) for _ in range(60)}
    assert "An overpass near a harbor" not in swapped  # "near" has synonyms too and is always swapped at p = 1
    assert any(s.startswith("An overpass") for s in swapped) and not any("A overpass" in s for s in swapped)
    assert drop_words("one", rng, 1.0) == "one"
    assert len(drop_words("a " * 400, rng, 0.5).split()) < 300


def test_general_phrases_are_distinct_and_general() -> None:
    phrases = general_phrases(1500, seed=3)
    assert len(phrases) == len(set(phrases)) == 1500 and phrases == general_phrases(1500, seed=3)
    for word in ("solar farm", "roundabout", "orchard"):
        assert any(word in p for p in phrases)


@pytest.mark.parametrize("meta", [{}, {"source": "x"}, {"captions": []}, {"captions": "one string"},
                                  {"captions": [1, 2]}])
def test_samples_that_say_nothing_are_refused(meta: dict[str, object]) -> None:
    with pytest.raises(DataError):
        draw(meta, np.random.default_rng(0))


@pytest.mark.parametrize("shard", ["rsicd/train-000", "maps/train-000", "sentinel2/train-000", "harvey/train-000",
                                   "boxes/airplane-train", "boxes/vehicle-train"])
def test_real_samples(shared_data: Path, shard: str) -> None:
    rng = np.random.default_rng(0)
    for n, sample in enumerate(read_samples([shared_data / "data" / f"{shard}.tar"])):
        if n % 7 == 0:
            assert set(draw(sample.meta, rng).facts) <= positives(sample.meta)
