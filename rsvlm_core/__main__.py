"""`python -m rsvlm_core`."""

from rsvlm_core.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
