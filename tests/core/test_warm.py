"""What a second search finds open, and what makes it look again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from rsvlm_core.errors import SearchIndexError
from rsvlm_core.index.builder import build_index
from rsvlm_core.model.encoder import Float32
from rsvlm_core.pipelines import corpus, warm
from rsvlm_core.pipelines.search import search
from rsvlm_core.pipelines.warm import Warm
from tests.fakes import FakeEncoder

Make = Callable[..., Path]


class Counting(FakeEncoder):
    """Counts embedded texts."""

    def __init__(self) -> None:
        super().__init__()
        self.texts_seen = 0

    def encode_texts(self, texts: Sequence[str]) -> Float32:
        self.texts_seen += len(texts)
        return super().encode_texts(texts)


@pytest.fixture
def scene(make_raster: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("RSVLM_CACHE", str(tmp_path / "cache"))
    noise = np.random.default_rng(1).integers(1, 255, (3, 160, 200)).astype(np.uint8)
    return str(make_raster(noise, "scene.tif"))


def test_a_repeated_search_opens_and_embeds_nothing(
    scene: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, kept = Counting(), Warm()
    build_index([scene], tmp_path / "x.rsindex", encoder)
    for source in (str(tmp_path / "x.rsindex"), scene):
        first = search([source], ["red", "blue"], encoder, warm=kept)
        texts, images = encoder.texts_seen, encoder.images_seen
        with monkeypatch.context() as patched:
            for module, name in ((warm, "open_index"), (corpus, "build_index"), (corpus, "_prune")):
                patched.setattr(module, name, lambda *a, name=name, **k: pytest.fail(f"{name} was called"))
            again = search([source], ["red", "blue"], encoder, warm=kept)
        assert again.hits.equals(first.hits) and (encoder.texts_seen, encoder.images_seen) == (texts, images)
        assert again.hits.equals(search([source], ["red", "blue"], encoder).hits), "as without a memory"
    search([scene], ["red", "green"], encoder, warm=kept)
    assert encoder.texts_seen == texts + 12 + 1, "only the new text, after a search without a memory"


def test_a_longer_index_is_noticed(scene: str, make_raster: Make, tmp_path: Path) -> None:
    out, kept, encoder = tmp_path / "x.rsindex", Warm(), FakeEncoder()
    build_index([scene], out, encoder)
    before = search([str(out)], ["red"], encoder, warm=kept).tiles_searched
    other = str(make_raster(np.full((3, 100, 100), 99, np.uint8), "other.tif"))
    report = build_index([other], out, encoder)
    assert search([str(out)], ["red"], encoder, warm=kept).tiles_searched == before + report.embedded


def test_a_changed_raster_and_another_extent_are_noticed(scene: str, make_raster: Make) -> None:
    kept, encoder = Warm(), FakeEncoder()
    part = search([scene], ["red"], encoder, extent=(500000, 5399980, 500020, 5400000), warm=kept)
    whole = search([scene], ["red"], encoder, warm=kept)
    assert 0 < part.tiles_searched < whole.tiles_searched
    make_raster(np.full((3, 160, 200), 128, np.uint8), "scene.tif")
    seen = encoder.images_seen
    assert search([scene], ["red"], encoder, warm=kept).hits["score"].nunique() == 1 and encoder.images_seen > seen


def test_another_model_is_refused_though_the_index_is_open(scene: str, tmp_path: Path) -> None:
    from dataclasses import replace

    out, kept, other = tmp_path / "x.rsindex", Warm(), FakeEncoder(name="newer")
    other.info = replace(other.info, sha256="1" * 64)
    build_index([scene], out, FakeEncoder())
    search([str(out)], ["red"], FakeEncoder(), warm=kept)
    with pytest.raises(SearchIndexError, match="made with the model fake"):
        search([str(out)], ["red"], other, warm=kept)


def test_it_does_not_grow_without_end(scene: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "TEXTS", 3)
    monkeypatch.setattr(warm, "INDEXES", 1)
    kept, encoder = Warm(), Counting()
    for texts in (["a", "b"], ["c", "d"], ["d", "c"], ["a"]):
        assert kept.encode(encoder, texts).shape == (len(texts), 4)
    assert encoder.texts_seen == 5, "c and d were kept, a was not"
    for name in ("x.rsindex", "y.rsindex"):
        build_index([scene], tmp_path / name, encoder)
    first = kept.engine(tmp_path / "x.rsindex", None)
    assert kept.engine(tmp_path / "x.rsindex", encoder.info) is first
    kept.engine(tmp_path / "y.rsindex", None)
    assert kept.engine(tmp_path / "x.rsindex", None) is not first
