"""What people type, as requests."""

import pytest


def test_texts_are_split_at_semicolons_and_lines_and_doubles_removed(jobs):
    assert jobs.split_texts(" houses ; forest\nhouses;; a red, big roof ") == ["houses", "forest", "a red, big roof"]
    assert jobs.split_classes("forest, houses; water") == ["forest", "houses", "water"]


def test_sizes(jobs):
    assert jobs.split_sizes("0.3, 0.6;1.2 2") == [0.3, 0.6, 1.2, 2.0]
    assert jobs.split_sizes(" ") is None


@pytest.mark.parametrize("text", ["fine", "0", "-1", "nan", "inf", "0.3,x"])
def test_sizes_that_are_none_are_refused(jobs, protocol, text):
    with pytest.raises(protocol.BackendError, match="metres per pixel"):
        jobs.split_sizes(text)


def test_bands(jobs, protocol):
    assert jobs.split_bands("4,3,2") == [4, 3, 2]
    assert jobs.split_bands("") is None
    for text in ("1,2", "1,2,0", "a,b,c", "1,2,3,4"):
        with pytest.raises(protocol.BackendError):
            jobs.split_bands(text)


def test_threshold(jobs, protocol):
    assert jobs.threshold(" Auto") == "auto" and jobs.threshold("") == "auto" and jobs.threshold("0.25") == 0.25
    with pytest.raises(protocol.BackendError):
        jobs.threshold("high")


def test_options_that_are_not_given_are_not_sent(jobs):
    request = jobs.search(["/a.tif"], ["x"], "/o.gpkg", 5, extent=None, model="", min_score=0.0)
    assert request.op == "search"
    assert request.params == {"sources": ["/a.tif"], "texts": ["x"], "out": "/o.gpkg", "top": 5, "min_score": 0.0}


def test_nothing_to_look_for_is_refused(jobs, protocol):
    with pytest.raises(protocol.BackendError, match="no text"):
        jobs.search(["/a.tif"], [], "/o.gpkg")
    with pytest.raises(protocol.BackendError, match="no text"):
        jobs.ask("/a.tif", "  ")
    with pytest.raises(protocol.BackendError, match="two classes"):
        jobs.classify("/a.tif", ["one"], "/o.gpkg")


def test_requests_fit_the_engine(jobs):
    """Every parameter that the plugin may send is one that the engine's job knows."""
    pytest.importorskip("rsvlm_core.jobs")
    from rsvlm_core import jobs as engine

    where = {"extent": [0.0, 0.0, 1.0, 1.0], "model": "bundled", "device": "cpu"}
    tiles = {"gsds": [0.5], "bands": [1, 2, 3]}
    sources = [__file__]
    requests = [
        jobs.check(),
        jobs.build_index(sources, "x.rsindex", fresh=True, **where, **tiles),
        jobs.search(sources, ["a"], "o.gpkg", 5, like="l", unlike="u", within="w", min_score=0.1, **where, **tiles),
        jobs.heatmap(sources[0], "a", "o.tif", **where, **tiles),
        jobs.segment(sources, ["a"], "o.gpkg", threshold=0.2, refine="edges", min_area_m2=4.0, mask_raster="m.tif",
                     scores="s.tif", bands=[1, 2, 3], within="w", **where),
        jobs.only_finished(jobs.segment(sources, ["a"], "o.gpkg", scores="s.tif", cosines="c.tif")),
        jobs.polygons("s.tif", "c.tif", [0.2], "o.gpkg", min_area_m2=4.0, within="w"),
        jobs.classify(sources[0], ["a", "b"], "o.gpkg", **where, **tiles),
        jobs.caption(sources[0], **where),
        jobs.ask(sources[0], "is it?", **where),
    ]

    class Reached(Exception):
        """The engine took every parameter and would begin its work."""

    class Params(engine.Params):
        def done(self):
            super().done()
            raise Reached

    for request in requests:
        with pytest.raises(Reached):
            engine.job(request.op)(Params(request.params), engine.Context())
