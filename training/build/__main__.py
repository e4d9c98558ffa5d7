"""`python -m training.build COMMAND ...`."""

from __future__ import annotations

import sys

from training.build.commands import main

if __name__ == "__main__":
    sys.exit(main())
