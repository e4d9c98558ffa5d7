"""Put what a run of the trust suites counted into docs/trust.md: `python -m tests.trust.figures`.

`build/tests/trust.json` must be of a whole run (`pytest tests/trust`, or `make soak`): one that lacks a figure that
the page states is refused.
"""

from __future__ import annotations

import json
import sys

from tests.trust import scale
from tests.trust.conftest import ROOT

PAGE = ROOT / "docs" / "trust.md"
BEGIN, END = "<!-- figures: python -m tests.trust.figures -->\n", "<!-- end of figures -->\n"
NONE = "No run has been entered yet.\n"
# What the suites count, in the order of the page.
NAMES = (
    "corpus: files", "corpus: damaged copies", "odd texts", "bad servers", "damaged index files", "kills survived",
    "kills survived (training)", "kills survived (push)", "full disks survived", "requests served",
    "requests cancelled",
)


def table(figures: dict[str, int]) -> str:
    """Markdown.

    Raises:
        KeyError: A figure is missing.
    """
    more = sorted(set(figures) - set(NAMES))
    rows = [f"| {name} | {figures[name]:,} |" for name in (*NAMES, *more)]
    return "\n".join(["| counted | in one run |", "|---|---:|", *rows]) + "\n"


def stated(page: str) -> str:
    """The table that a page has."""
    return page.partition(BEGIN)[2].partition(END)[0]


def main() -> int:
    """Rewrite the page."""
    try:
        made = table(json.loads(scale.FIGURES.read_text("utf-8")))
    except (OSError, KeyError) as error:
        print(f"{scale.FIGURES} is not of a whole run: {error}", file=sys.stderr)
        return 2
    page = PAGE.read_text("utf-8")
    PAGE.write_text(page.replace(stated(page), made), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
