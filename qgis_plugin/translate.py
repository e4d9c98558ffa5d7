"""One place for translated text: one context, so that translators see one list."""

from qgis.PyQt.QtCore import QCoreApplication

CONTEXT = "SearchImageryByText"


def tr(text: str) -> str:
    """`text` in the user's language."""
    return QCoreApplication.translate(CONTEXT, text)
