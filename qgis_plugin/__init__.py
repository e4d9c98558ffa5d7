"""Search imagery by text: the window of rsvlm in QGIS. The engine runs in a process and a Python of its own."""


def classFactory(iface):  # noqa: N802  the name QGIS calls
    """Make the plugin for `iface` (None under qgis_process)."""
    from .plugin import SearchImageryByText

    return SearchImageryByText(iface)
