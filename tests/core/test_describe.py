"""Captions, and answers to questions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely

from rsvlm_core.errors import ModelError, RasterError, Stopped, UsageError
from rsvlm_core.imagery.raster import Raster
from rsvlm_core.index.builder import build_index
from rsvlm_core.pipelines.describe import VOCABULARY, _named, ask, caption
from rsvlm_core.pipelines.questions import Question, understand
from rsvlm_core.pipelines.views import MOST_VIEWS, look
from rsvlm_core.vectors import FIELDS
from tests.fakes import COLOURS, FakeEncoder

Make = Callable[..., Path]


@pytest.fixture
def scene(make_raster: Make) -> str:
    """Green, with a blue quarter and a small blue square apart from it."""
    picture = np.empty((256, 256, 3), np.uint8)
    picture[:] = COLOURS["green"]
    picture[136:248, 136:248] = COLOURS["blue"]
    picture[16:48, 200:232] = COLOURS["blue"]
    return str(make_raster(picture, "scene.tif"))


def test_a_caption_says_what_most_of_it_is(scene: str) -> None:
    assert caption(scene, FakeEncoder()) == "a green place"
    assert caption(scene, FakeEncoder(), extent=(500066, 5399874, 500126, 5399934)) == "a blue place"


def test_a_large_place_is_described_in_parts(make_raster: Make) -> None:
    picture = np.empty((256, 256, 3), np.uint8)
    picture[:], picture[:128, :128] = COLOURS["red"], COLOURS["white"]
    path = str(make_raster(picture, gsd=5.0))
    views = look(path, FakeEncoder().info)
    assert views.images.shape == (MOST_VIEWS, 32, 32, 3) and len(views.outlines) == MOST_VIEWS
    assert all(views.place.covers(o) for o in views.outlines)
    assert views.outlines[0].area == pytest.approx((views.gsd_m * 32) ** 2, rel=0.01)
    assert caption(path, FakeEncoder()) == "a red place"
    with pytest.raises(Stopped):
        caption(path, FakeEncoder(), should_stop=lambda: True)


def test_views_are_square_on_the_ground_and_filled(make_raster: Make) -> None:
    path = str(make_raster(np.full((3, 40, 160), 90, np.uint8)))
    images = look(path, FakeEncoder().info).images
    assert images.shape == (1, 32, 32, 3) and (images == 90).all(), "what sticks out is not black"
    close = look(path, FakeEncoder().info, closely=True).images
    assert len(close) == 4 and (close == 90).all()


def test_what_cannot_be_described(scene: str, tmp_path: Path, make_raster: Make) -> None:
    silent = FakeEncoder()
    silent.info = replace(silent.info, can_caption=False)
    with pytest.raises(ModelError, match="cannot write captions"):
        caption(scene, silent)
    with pytest.raises(UsageError, match="lies outside"):
        caption(scene, FakeEncoder(), extent=(0, 0, 1, 1))
    with pytest.raises(RasterError, match="no such file"):
        caption(str(tmp_path / "gone.tif"), FakeEncoder())
    build_index([scene], tmp_path / "x.rsindex", FakeEncoder())
    with pytest.raises(UsageError, match="is an index"):
        caption(str(tmp_path / "x.rsindex"), FakeEncoder())
    values = np.zeros((3, 64, 64), np.uint8)
    values[:, 40:] = 5
    with pytest.raises(UsageError, match="no valid pixels"):
        caption(str(make_raster(values, "n.tif", nodata=0)), FakeEncoder(), extent=(500000, 5399990, 500005, 5400000))


def test_unreadable_everywhere(scene: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Raster, *_: object) -> None:
        raise RasterError("it is broken.", "")

    monkeypatch.setattr(Raster, "read", broken)
    with pytest.raises(RasterError, match="broken"):
        caption(scene, FakeEncoder())


@pytest.mark.parametrize(
    ("question", "kind", "begins"),
    [
        ("Is there anything blue here?", "presence", "Yes"),
        ("Can you see a red roof?", "presence", "No sign of red roof"),
        ("is this green", "identity", "Yes"),
        ("Is this red?", "identity", "No"),
        ("Is it a green or a red area?", "choice", "Green area."),
        ("Is the image blue or green?", "choice", "Green."),
        ("Are there more green fields than blue lakes?", "compare", "No: 1 outline of green fields and 2 outlines"),
        ("Is there more green than blue?", "compare", "Yes: green: 7"),
        ("Is the area of blue larger than that of green?", "compare", "No: blue: 22% of the ground and green: 77%"),
        ("How much of the area is covered by blue?", "share", "About 22 % of the ground"),
        ("What percentage of the image is red?", "share", "Hardly any"),
        ("How many blue lakes are there?", "count", "2: so many separate outlines of blue lakes"),
        ("How many red cars can you see?", "count", "None: there is no sign of red cars."),
        ("Are there at least two blue lakes?", "least", "Yes: 2 outlines"),
        ("Are there more than 2 blue lakes?", "least", "No: 2 outlines"),
        ("Where is the blue lake?", "where", "2 outlines of blue lake, the largest in the south-east."),
        ("Where is the red car?", "where", "No sign of red car."),
        ("Is the blue lake to the south of the green field?", "relation", "Yes: blue lake lies to the south"),
        ("Is there a blue lake left of the green field?", "relation", "No: blue lake lies to the"),
        ("Is there a blue lake near the green field?", "relation", "Yes: the nearest are "),
        ("Is the blue lake within the green field?", "relation", "Yes: 65% of blue lake"),
        ("Is the green field above the blue lake?", "relation", "Yes: green field lies to the north-west of bl"),
        ("Is the blue sea near the blue lake?", "relation", "Yes: the nearest are 0 m apart."),
        ("Is the red car near the blue lake?", "relation", "No: there is no sign of red car."),
        ("Is the blue lake next to a red car?", "relation", "No: there is no sign of red car."),
        ("What is here?", "what", "A green place. Most likely"),
    ],
)
def test_answers(scene: str, question: str, kind: str, begins: str) -> None:
    answer = ask(scene, question, FakeEncoder())
    assert (answer.kind, answer.text[: len(begins)]) == (kind, begins), answer
    assert 0 <= answer.confidence <= 1.0001 and answer.views == (1 if kind == "what" else 16)
    assert {*FIELDS["masks"], "evidence"} < set(answer.evidence.columns) and answer.evidence.crs is not None


def test_answers_show_what_they_rest_on(scene: str) -> None:
    counted = ask(scene, "how many blue lakes are there?", FakeEncoder())
    assert counted.value == 2 and set(counted.evidence["evidence"]) == {"outline"}
    squares = [(500068, 5399876, 500124, 5399932), (500100, 5399976, 500116, 5399992)]
    blue = shapely.union_all([shapely.box(*s) for s in squares])
    drawn = shapely.union_all(counted.evidence.geometry.to_numpy())
    assert drawn.intersection(blue).area > 0.8 * drawn.union(blue).area
    share = ask(scene, "how much blue is there?", FakeEncoder())
    assert share.value == pytest.approx((112**2 + 32**2) / 256**2, rel=0.15)
    there = ask(scene, "is there a blue lake?", FakeEncoder())
    assert set(there.evidence["evidence"]) == {"outline"} and set(there.evidence["text"]) == {"blue lake"}
    cheap = ask(scene, "is there a blue lake?", FakeEncoder(), evidence=False)
    assert set(cheap.evidence["evidence"]) == {"view"} and 0 < len(cheap.evidence) < 16
    assert (cheap.text, cheap.confidence) == (there.text, there.confidence)
    assert not len(ask(scene, "is there a red car?", FakeEncoder()).evidence)
    south = (500000, 5399872, 500128, 5399936)
    apart = ask(scene, "is the blue lake near the green field?", FakeEncoder(), extent=south)
    assert apart.value == 0, "outlines that share a border are no metre apart"
    assert apart.evidence.geometry.total_bounds[3] <= 5399936.01


@pytest.mark.parametrize(
    ("question", "begins"),
    [
        ("Is there a green place?", "Yes: green place"),
        ("Is there a red place?", "No sign of red place"),
        ("Is it green or red?", "Green."),
        ("How many green places are there?", "12: the captions"),
        ("Are there at least 5 blue places?", "No: the captions speak of 4"),
        ("Are there more green places than blue places?", "Yes, judging"),
        ("Is there more blue than green?", "No, judging"),
        ("How much of the image is green?", "75% of the captions"),
        ("Is the green place north of the blue place?", "Unknown: the captions name green place and blue place, w"),
        ("Where is the red place?", "Unknown: the captions never speak of red place."),
    ],
)
def test_answers_from_captions_alone(scene: str, question: str, begins: str) -> None:
    answer = ask(scene, question, FakeEncoder(), route="caption")
    assert answer.text.startswith(begins) and answer.route == "caption" and len(answer.captions) == answer.views
    silent = FakeEncoder()
    silent.info = replace(silent.info, can_caption=False)
    with pytest.raises(ModelError, match="cannot write captions"):
        ask(scene, question, silent, route="caption")


def test_a_relation_says_what_a_yes_rests_on(make_raster: Make) -> None:
    """What lies mainly to the west lies a little to the north as well: a yes to "above" says so."""
    picture = np.empty((256, 256, 3), np.uint8)
    picture[:] = COLOURS["grey"]
    picture[96:160, 16:80], picture[112:176, 160:224] = COLOURS["red"], COLOURS["blue"]
    path = str(make_raster(picture, "two.tif"))
    above = ask(path, "Is the red roof above the blue lake?", FakeEncoder())
    assert above.text == "Yes: red roof lies to the west of blue lake, a little to the north."
    below = ask(path, "Is the red roof below the blue lake?", FakeEncoder())
    assert below.text == "No: red roof lies to the west of blue lake, a little to the north."
    assert ask(path, "Is the red roof left of the blue lake?", FakeEncoder()).text == (
        "Yes: red roof lies to the west of blue lake.")


def test_a_relation_of_what_competes_for_the_same_places(scene: str) -> None:
    """Two names of one thing: the one that fits no better is outlined alone, not said to be missing."""
    answer = ask(scene, "Is the blue sea near the blue lake?", FakeEncoder())
    assert answer.value == 0 and set(answer.evidence["text"]) == {"blue sea", "blue lake"}


def test_a_route_that_is_none(scene: str) -> None:
    with pytest.raises(UsageError, match="no route"):
        ask(scene, "is it green?", FakeEncoder(), route="guess")


def test_words_are_found_in_captions() -> None:
    assert _named("parking lots", "many cars in a parking lot near two churches") == 1
    assert _named("church", "many cars in a parking lot near two churches") == 2
    assert _named("cars", "many cars in a parking lot") == 10 and _named("cars", "cars") == 2
    assert _named("car", "a careful carpenter") == 0 and _named("grass", "some grass") == 3


def test_what_without_a_writer(scene: str) -> None:
    silent = FakeEncoder()
    silent.info = replace(silent.info, can_caption=False)
    answer = ask(scene, "what do you see", silent)
    assert answer.text.startswith("Most likely ") and any(word in answer.text for word in VOCABULARY)


@pytest.mark.parametrize(
    ("question", "kind", "subjects"),
    [
        ("Is there a harbour?", "presence", ("harbour",)),
        ("are there any small boats visible in the image?", "presence", ("small boats",)),
        ("Does this image contain buildings?", "presence", ("buildings",)),
        ("is a bridge visible in the picture", "presence", ("bridge",)),
        ("How many cars are there in the picture?", "count", ("cars",)),
        ("What is the number of roads?", "count", ("roads",)),
        ("how much water is there?", "share", ("water",)),
        ("Is it a rural or an urban area?", "choice", ("rural area", "urban area")),
        ("Is this a park?", "identity", ("park",)),
        ("Where are the storage tanks?", "where", ("storage tanks",)),
        ("Are there ships in the harbour?", "presence", ("ships in the harbour",)),
        ("what is this?", "what", ()),
        ("describe it", "what", ()),
    ],
)
def test_questions_are_understood(question: str, kind: str, subjects: tuple[str, ...]) -> None:
    assert understand(question) == Question(kind, subjects)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("Are there at least 5 cars?", Question("least", ("cars",), "", 5)),
        ("are there more than three ships in the image?", Question("least", ("ships",), "", 4)),
        ("Is there more area of water than park in this image?", Question("compare", ("water", "park"), "area")),
        ("Are there more cars than trucks in this image?", Question("compare", ("cars", "trucks"), "count")),
        ("Is the area of a lake larger than the area of the forest?", Question("compare", ("lake", "forest"), "area")),
        ("Is the church to the left of the river?", Question("relation", ("church", "river"), "west")),
        ("Is there a church above the river?", Question("relation", ("church", "river"), "north")),
        ("Are the houses close to a road here?", Question("relation", ("houses", "road"), "near")),
        ("Is the pond surrounded by trees?", Question("relation", ("pond", "trees"), "inside")),
    ],
)
def test_numbers_and_relations_are_understood(question: str, wanted: Question) -> None:
    assert understand(question) == wanted


def test_an_empty_question(scene: str) -> None:
    for question in ("", "  ", "?"):
        with pytest.raises(UsageError, match="question is empty"):
            ask(scene, question, FakeEncoder())
