"""Engines behind one interface: each finds in a table what exact search finds in the folder it was pushed from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely

from rsvlm_core.cli import main
from rsvlm_core.engines.engine import Engine, Found, refined
from rsvlm_core.engines.folder import FolderEngine
from rsvlm_core.engines.opening import open_engine, push_index
from rsvlm_core.engines.where import Where
from rsvlm_core.errors import OutputError, RsvlmError, SearchIndexError, Stopped, UsageError
from rsvlm_core.imagery.raster import Raster
from rsvlm_core.index.store import open_index
from rsvlm_core.model import registry
from rsvlm_core.pipelines.search import search
from rsvlm_core.pipelines.served import search_served
from tests.core.indexes import Make, build
from tests.fakes import FakeEncoder

KINDS = ("lancedb", "qdrant")
pytestmark = pytest.mark.usefixtures("small_parts")


@pytest.fixture
def index(scene: str, make_raster: Make, tmp_path: Path) -> Path:
    """Two rasters beside each other."""
    noise = np.random.default_rng(3).integers(1, 255, (3, 100, 100)).astype(np.uint8)
    build([scene, str(make_raster(noise, "o'ther.tif"))], tmp_path / "x.rsindex")
    return tmp_path / "x.rsindex"


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    pytest.importorskip({"lancedb": "lancedb", "qdrant": "qdrant_client"}[request.param])
    return f"{request.param}:{tmp_path / 'db'}" + ("/tiles" if request.param == "qdrant" else "")


def _opened(place: str) -> Engine:
    return open_engine(place, FakeEncoder().info)


def _close(engine: Engine) -> None:
    getattr(engine, "close", lambda: None)()


def _content(place: str, index: Path) -> list[tuple[object, ...]]:
    """Every tile, as one search for all of them gives it."""
    engine = _opened(place)
    (found,) = engine.search(FakeEncoder().encode_texts(["red"]), len(engine) + 5, Where())
    _close(engine)
    assert found.exhausted
    return [
        (s, float(g), float(c), o.wkb, v.tobytes())
        for s, g, c, o, v in zip(found.sources, found.gsds, found.scores, found.outlines, found.vectors, strict=True)
    ]


def _wheres(index: Path) -> list[Where]:
    opened = open_index(index, None)
    first, second = (s.source for s in opened.manifest.sources)
    with Raster.open(first) as raster:
        xmin, ymin, xmax, ymax = raster.bounds
    corner = shapely.box(xmin, ymax - 40, xmin + 60, ymax)
    slanted = shapely.Polygon([(xmin, ymin), (xmax, ymin), (xmin, ymax)])
    crs = opened.manifest.crs
    return [
        Where(), Where(corner, crs), Where(slanted, crs), Where(slanted, crs, (second,)), Where(sources=(first,)),
        Where(sources=()), Where(corner.buffer(-19), crs),
    ]


def test_a_table_gives_what_its_folder_gives(place: str, index: Path) -> None:
    tiles, added, removed = push_index(index, place)
    folder = FolderEngine(open_index(index, None))
    engine = _opened(place)
    assert tiles == added == len(folder) == len(engine) and removed == 0
    assert engine.crs == folder.crs
    queries = FakeEncoder().encode_texts(["red", "blue"])
    for where in _wheres(index):
        for k in (1, 7, 500):
            for exact, found in zip(
                folder.search(queries, k, where), engine.search(queries, k, where), strict=True
            ):
                assert found.scores.tolist() == exact.scores.tolist()
                assert found.sources.tolist() == exact.sources.tolist() and (found.gsds == exact.gsds).all()
                assert shapely.equals(found.outlines, exact.outlines).all()
                assert (found.vectors == exact.vectors).all()
                assert found.exhausted or not exact.exhausted
        assert folder.count(where) <= engine.count(where) <= len(folder)
    _close(engine)


def test_pushing_again_follows_the_index(place: str, index: Path, make_raster: Make) -> None:
    push_index(index, place)
    before = _content(place, index)
    assert push_index(index, place)[1:] == (0, 0) and _content(place, index) == before
    other = make_raster(np.full((3, 100, 100), 77, np.uint8), "o'ther.tif")
    report = build([str(other)], index)
    tiles, added, removed = push_index(index, place)
    assert added == report.embedded > 0 and removed > 0 and tiles == len(open_index(index, None))
    fresh = place.replace("/db", "/fresh")
    push_index(index, fresh)
    assert _content(place, index) == _content(fresh, index) != before


def _writes(kind: str) -> tuple[type, tuple[str, ...]]:
    if kind == "lancedb":
        from lancedb.table import LanceTable

        return LanceTable, ("add", "delete", "optimize")
    from qdrant_client import QdrantClient

    return QdrantClient, ("create_collection", "upsert", "delete")


@pytest.mark.parametrize("after", [False, True])
def test_killed_around_any_write(
    place: str, index: Path, make_raster: Make, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    from rsvlm_core.engines import lance, qdrant

    monkeypatch.setattr(lance, "_TOGETHER", 40)
    monkeypatch.setattr(qdrant, "_TOGETHER", 40)
    kind = place.partition(":")[0]
    owner, names = _writes(kind)
    push_index(index, place.replace("/db", "/whole"))
    whole = _content(place.replace("/db", "/whole"), index)
    left = 0

    def dying(real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **options: object) -> object:
            nonlocal left
            left -= 1
            if left == 0 and not after:
                raise KeyboardInterrupt
            result = real(*args, **options)
            if left == 0:
                raise KeyboardInterrupt
            return result

        return call

    for operation in range(1, 99):
        at, left = place.replace("/db", f"/{operation}"), operation
        with monkeypatch.context() as patched:
            for name in names:
                patched.setattr(owner, name, dying(getattr(owner, name)))
            try:
                push_index(index, at)
                break
            except KeyboardInterrupt:
                pass
        push_index(index, at)
        assert _content(at, index) == whole
    assert operation >= 4


def test_stopped_keeps_what_was_pushed(place: str, index: Path) -> None:
    calls = iter([False, True])
    from rsvlm_core.engines import lance

    lance_together, lance._TOGETHER = lance._TOGETHER, 20
    try:
        with pytest.raises(Stopped, match="continue"):
            push_index(index, place, should_stop=lambda: next(calls))
    finally:
        lance._TOGETHER = lance_together
    tiles, added, _ = push_index(index, place)
    assert 0 < added < tiles


def test_another_model_is_refused(place: str, index: Path, scene: str, tmp_path: Path) -> None:
    push_index(index, place)
    other = FakeEncoder(name="newer")
    other.info = replace(other.info, sha256="1" * 64)
    with pytest.raises(SearchIndexError, match="vectors of the model fake"):
        open_engine(place, other.info)
    build(scene, tmp_path / "y.rsindex", other)
    with pytest.raises(SearchIndexError, match="vectors of the model fake"):
        push_index(tmp_path / "y.rsindex", place)
    assert len(_content(place, index)) == len(open_index(index, None))


def test_what_is_no_table(place: str, tmp_path: Path, index: Path) -> None:
    with pytest.raises(SearchIndexError):
        _opened(place)
    with pytest.raises(UsageError, match="not a place to push to"):
        push_index(index, str(tmp_path / "z"))
    with pytest.raises(UsageError, match="names no collection"):
        push_index(index, "qdrant:tiles")
    with pytest.raises(SearchIndexError, match="no such folder"):
        push_index(tmp_path / "gone.rsindex", place)
    (tmp_path / "file").write_text("x")
    with pytest.raises(RsvlmError) as caught:
        push_index(index, place.replace("/db", "/file/db"))
    assert isinstance(caught.value, (OutputError, SearchIndexError))


def test_hits_are_those_of_a_search_of_the_index(
    place: str, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(registry, "load_encoder", lambda name=None, device="auto": FakeEncoder())
    assert main(["serve-index", "push", str(index), "--to", place]) == 0
    assert "of them new, 0 removed" in capsys.readouterr().out
    box = _wheres(index)[1].region.bounds
    extent = ",".join(map(str, box))
    for source in (place, str(index)):
        for limits, wishes in (([], {}), (["--extent", extent], {"extent": box})):
            exact = search([str(index)], ["red", "blue"], FakeEncoder(), top=9, **wishes)
            served = search_served(source, ["red", "blue"], FakeEncoder(), top=9, **wishes)
            assert served.hits.equals(exact.hits)
            command = ["serve-index", "search", source, "--text", "red", "--text", "blue", "--top", "9", *limits]
            assert main([*command, "--json", "--out", str(tmp_path / "hits.gpkg")]) == 0
            document = json.loads(capsys.readouterr().out)
            assert [h["score"] for h in document["hits"]] == [round(float(s), 6) for s in exact.hits["score"]]
    assert (tmp_path / "hits.gpkg").exists()
    assert main(["serve-index", "search", place, "--text", "red"]) == 0
    assert "hits among" in capsys.readouterr().out
    assert main(["serve-index", "push", str(index), "--to", place, "--option", "x"]) == 2
    assert "KEY=VALUE" in capsys.readouterr().err


def test_lists_of_lancedb_find_nearly_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("lancedb")
    from rsvlm_core.engines import lance
    from tests.bench.country import Space, make_index

    monkeypatch.setattr(lance, "LISTS_FROM", 2000)
    rng, width = np.random.default_rng(0), 32
    images, texts = (
        (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
        for x in (rng.normal(size=(50, width)), rng.normal(size=(6, width)))
    )
    info = replace(FakeEncoder().info, embed_dim=width)
    make_index(tmp_path / "x.rsindex", Space(images, texts), 3000, info)
    push_index(tmp_path / "x.rsindex", f"lancedb:{tmp_path / 'db'}")
    engine = open_engine(f"lancedb:{tmp_path / 'db'}", info)
    folder = FolderEngine(open_index(tmp_path / "x.rsindex", info))
    assert engine._partitions > 1  # type: ignore[attr-defined]
    west, south, east, north = shapely.total_bounds(folder.index.places.outlines(np.arange(3000)))
    for where in (Where(), Where(shapely.box(west, south, (west + east) / 2, north))):
        pairs = zip(folder.search(texts, 50, where), engine.search(texts, 50, where), strict=True)
        recall = [np.isin(exact.scores, found.scores).mean() for exact, found in pairs]
        assert np.mean(recall) >= 0.9 and all(len(f) == 50 for f in engine.search(texts, 50, where))


def test_looking_further_where_the_bounds_are_not_enough() -> None:
    asked = []
    middle = shapely.Point(0, 0).buffer(1)

    def look(k: int) -> Found:
        asked.append(k)
        n = min(k, 100)
        x = np.where(np.arange(n) % 10 == 9, 0.0, 5.0)  # one of ten lies inside
        return Found(
            shapely.box(x, 0, x + 0.1, 0.1), np.array(["a"] * n, dtype=object), np.ones(n),
            np.linspace(1, 0, 100)[:n].astype(np.float32), np.zeros((n, 4), np.float32), n < k,
        )

    found = refined(look, 5, Where(middle))
    assert len(found) == 5 and asked == [5, 20, 80] and not found.exhausted
    assert len(refined(look, 50, Where(middle))) == 10
    assert refined(look, 50, Where(middle)).exhausted
