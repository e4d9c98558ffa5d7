"""`python -m rsvlm_core.worker`."""

from rsvlm_core.worker import main

if __name__ == "__main__":
    raise SystemExit(main())
