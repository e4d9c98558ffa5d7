"""The index of a raster, from the panel."""

import os

from driving import search


def test_the_index_of_a_raster_is_built_used_goes_stale_and_is_deleted(dock, until, monkeypatch, raster_file, tmp_path):
    from search_imagery_by_text import settings

    monkeypatch.setattr(settings, "data_folder", lambda: str(tmp_path / "data"))
    sent = []
    run = dock._session.run
    monkeypatch.setattr(dock._session, "run", lambda request: (sent.append(request), run(request)))
    assert "none" in dock.search.index.words.text()
    dock.search.index.build.trigger()
    until(lambda: not dock._session.busy)
    assert "1234 tiles" in dock.search.index.words.text()
    folder = sent[0].params["out"]
    assert folder.endswith(".rsindex")

    # the fake engine reads rasters only: what matters is what it is asked
    search(dock, until, "houses")
    assert sent[-1].params["sources"] == [folder] and "gsds" not in sent[-1].params
    dock.search.sizes.setText("0.5")
    search(dock, until, "houses")
    assert sent[-1].params["sources"] == [str(raster_file)]
    dock.search.sizes.setText("")

    os.utime(raster_file, (1, 1))
    dock._show_index()
    assert "out of date" in dock.search.index.words.text()
    search(dock, until, "houses")
    assert sent[-1].params["sources"] == [str(raster_file)]
    dock.search.index.delete.trigger()
    assert "none" in dock.search.index.words.text() and not os.path.exists(folder)


def test_an_index_whose_building_was_stopped_is_continued(dock, until, monkeypatch, tmp_path):
    from search_imagery_by_text import indexes, settings

    monkeypatch.setattr(settings, "data_folder", lambda: str(tmp_path / "data"))
    folder = indexes.folder_of(dock.layer.currentLayer().source())
    os.makedirs(folder)
    with open(os.path.join(folder, "collection.json"), "w") as file:
        file.write("{}")
    dock._show_index()
    assert "unfinished" in dock.search.index.words.text() and dock.search.index.build.text() == "Continue"
