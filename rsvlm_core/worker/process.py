"""The process around the server: its streams, its log, and its end."""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from rsvlm_core.worker.server import Server

GRACE_S = 2.0


class _LogLines(logging.Handler):
    """Passes log records on as messages."""

    def __init__(self, server: Server) -> None:
        super().__init__(logging.INFO)
        self._server = server

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._server.log(record.levelname.lower(), self.format(record))
        except (ValueError, TypeError):  # a record that cannot be formatted is not worth a job
            self.handleError(record)


def private_stdout() -> BinaryIO:
    """Take the real stdout for the protocol and point file descriptor 1 at stderr.

    Whatever any library prints afterwards, from Python or from C, cannot corrupt a line.
    """
    sys.stdout.flush()
    lines = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return lines


def private_stdin() -> BinaryIO:
    """Take the real stdin for the protocol and leave an empty one: a mosaic may name it as a file of its own."""
    lines = os.fdopen(os.dup(0), "rb")
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return lines


def serve_process() -> int:
    """Serve this process's stdin and stdout; returns the exit status."""
    from rsvlm_core.worker.protocol import Channel
    from rsvlm_core.worker.server import Server

    channel = Channel(private_stdout())
    server = Server(private_stdin(), channel)
    logging.getLogger().addHandler(_LogLines(server))
    logging.getLogger("rsvlm_core").setLevel(logging.INFO)
    logging.captureWarnings(True)

    def on_end() -> None:
        # A job may be in one long call and not see the stop flag: the client is gone, nothing must outlive it.
        # Parts and outputs appear by rename, so leaving at any moment loses no finished work.
        timer = threading.Timer(GRACE_S, os._exit, (0,))
        timer.daemon = True
        timer.start()

    try:
        server.serve(on_end)
    except KeyboardInterrupt:
        os._exit(3)
    return 0
