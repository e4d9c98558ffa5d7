"""Standard streams as they ought to be, whatever a shell, a service or a scheduler left of them."""

from __future__ import annotations

import io
import os
import sys


def mend_streams() -> None:
    """Open those that are closed, to nowhere, and let no letter that their encoding lacks cost a result."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # the next file that is opened would take its place, and get what is printed
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for the whole process
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")
