"""`python -m training.evaluate COMMAND ...`."""

from __future__ import annotations

import sys

from training.evaluate.commands import main

if __name__ == "__main__":
    sys.exit(main())
