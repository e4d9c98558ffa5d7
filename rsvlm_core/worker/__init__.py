"""The server that QGIS talks to: JSON objects, one a line, over stdin and stdout.

    python -E -s -u -X utf8 -m rsvlm_core.worker        (or: rsvlm worker)

docs/worker_protocol.md describes the messages; `protocol` reads and writes them, `server` runs the jobs.
"""

from __future__ import annotations


def main() -> int:
    """Serve the process's own stdin and stdout until end of file or `shutdown`; the exit status."""
    from rsvlm_core.worker.process import serve_process

    return serve_process()
