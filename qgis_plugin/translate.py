"""One place for translated text: one context, so that translators see one list."""

try:
    from qgis.PyQt.QtCore import QCoreApplication
except ImportError:  # the modules without Qt are tested without QGIS too
    QCoreApplication = None

CONTEXT = "SearchImageryByText"


def mark(text: str) -> str:
    """`text` itself: notes it for translators where it stands, while `tr` is called where it is shown."""
    return text


def tr(text: str) -> str:
    """`text` in the user's language."""
    return text if QCoreApplication is None else QCoreApplication.translate(CONTEXT, text)


UNITS = {"tiles": mark("tiles"), "windows": mark("windows"), "blocks": mark("blocks"), "parts": mark("parts")}


def unit_name(unit: str) -> str:
    """What the engine counts, in the user's language; a unit that is not known stays as it is."""
    return tr(UNITS[unit]) if unit in UNITS else unit
