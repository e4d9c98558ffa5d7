"""Captions, and answers to questions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from rsvlm_core.errors import ModelError, RasterError, Stopped, UsageError
from rsvlm_core.imagery.raster import Raster
from rsvlm_core.index.builder import build_index
from rsvlm_core.pipelines.describe import VOCABULARY, ask, caption
from rsvlm_core.pipelines.questions import Question, understand
from rsvlm_core.pipelines.views import MOST_VIEWS, look
from tests.fakes import COLOURS, FakeEncoder

Make = Callable[..., Path]


@pytest.fixture
def scene(make_raster: Make) -> str:
    """Three quarters green, one quarter blue."""
    picture = np.empty((256, 256, 3), np.uint8)
    picture[:] = COLOURS["green"]
    picture[128:, 128:] = COLOURS["blue"]
    return str(make_raster(picture, "scene.tif"))


def test_a_caption_says_what_most_of_it_is(scene: str) -> None:
    assert caption(scene, FakeEncoder()) == "a green place"
    assert caption(scene, FakeEncoder(), extent=(500066, 5399874, 500126, 5399934)) == "a blue place"


def test_a_large_place_is_described_in_parts(make_raster: Make) -> None:
    picture = np.empty((256, 256, 3), np.uint8)
    picture[:], picture[:128, :128] = COLOURS["red"], COLOURS["white"]
    path = str(make_raster(picture, gsd=5.0))
    images = look(path, FakeEncoder().info)
    assert images.shape == (MOST_VIEWS, 32, 32, 3)
    assert caption(path, FakeEncoder()) == "a red place"
    with pytest.raises(Stopped):
        caption(path, FakeEncoder(), should_stop=lambda: True)


def test_views_are_square_on_the_ground_and_filled(make_raster: Make) -> None:
    path = str(make_raster(np.full((3, 40, 160), 90, np.uint8)))
    images = look(path, FakeEncoder().info)
    assert images.shape == (1, 32, 32, 3) and (images == 90).all(), "what sticks out is not black"
    close = look(path, FakeEncoder().info, closely=True)
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
        ("Are there more green fields than blue lakes?", "compare", "Yes"),
        ("Are there more blue lakes than green fields?", "compare", "No"),
        ("How much of the area is covered by blue?", "share", "About 20 %"),
        ("What percentage of the image is red?", "share", "Hardly any"),
        ("How many blue lakes are there?", "count", "I cannot count single objects. There seem to be some"),
        ("How many red cars can you see?", "count", "I cannot count single objects. There is no sign"),
        ("Where is the blue lake?", "where", "Yes: blue lake. A search"),
        ("What is here?", "what", "A green place. Most likely"),
    ],
)
def test_answers(scene: str, question: str, kind: str, begins: str) -> None:
    answer = ask(scene, question, FakeEncoder())
    assert (answer.kind, answer.text[: len(begins)]) == (kind, begins), answer
    assert 0 <= answer.confidence <= 1.0001 and answer.views == (1 if kind == "what" else 16)
    assert set(asdict(answer)) == {"text", "confidence", "kind", "views"}


def test_what_without_a_writer(scene: str) -> None:
    silent = FakeEncoder()
    silent.info = replace(silent.info, can_caption=False)
    answer = ask(scene, "what do you see", silent)
    assert answer.text.startswith("Most likely ") and any(word in answer.text for word in VOCABULARY)


def test_too_small_for_a_share(scene: str) -> None:
    answer = ask(scene, "how much blue is there?", FakeEncoder(), extent=(500066, 5399880, 500076, 5399890))
    assert "too small" in answer.text and answer.views == 1


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
        ("what is this?", "what", ()),
        ("describe it", "what", ()),
    ],
)
def test_questions_are_understood(question: str, kind: str, subjects: tuple[str, ...]) -> None:
    assert understand(question) == Question(kind, subjects)  # type: ignore[arg-type]


def test_an_empty_question(scene: str) -> None:
    for question in ("", "  ", "?"):
        with pytest.raises(UsageError, match="question is empty"):
            ask(scene, question, FakeEncoder())
