"""German and Spanish, as QGIS loads them."""

import pytest
from qgis.core import QgsSettings
from qgis.PyQt.QtCore import QCoreApplication, QTranslator


@pytest.mark.parametrize(
    "language, words", [("de", "Bilder mit Text durchsuchen"), ("es", "Buscar en imágenes con texto")])
def test_the_plugin_speaks_the_language_of_qgis_and_stops_when_it_goes(engine, language, words):
    from search_imagery_by_text.translate import tr

    before = QgsSettings().value("locale/userLocale")
    QgsSettings().setValue("locale/userLocale", language + "_XX")
    try:
        plugin = engine.classFactory(None)
        plugin.initProcessing()
        assert tr("Search imagery by text") == words
        assert plugin.provider.name() == words
        plugin.unload()
    finally:
        QgsSettings().setValue("locale/userLocale", before)
    assert tr("Search imagery by text") == "Search imagery by text"


def test_every_text_is_found_in_the_compiled_file(plugins, qgis_app):
    import importlib.util

    from conftest import ROOT

    spec = importlib.util.spec_from_file_location("translations", ROOT / "tools" / "translations.py")
    translations = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(translations)
    translator = QTranslator()
    assert translator.load(str(plugins / "search_imagery_by_text" / "i18n" / "search_imagery_by_text_de.qm"))
    QCoreApplication.installTranslator(translator)
    try:
        known = translations.read(translations.FOLDER / "search_imagery_by_text_de.ts")
        for text, words in known.items():
            assert QCoreApplication.translate(translations.CONTEXT, text) == words
    finally:
        QCoreApplication.removeTranslator(translator)
