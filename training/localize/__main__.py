"""`python -m training.localize`."""

from __future__ import annotations

import sys

from training.localize.rounds import main

if __name__ == "__main__":
    sys.exit(main())
