"""Servers that misbehave, on the loopback interface: an answer in bounded time, in words."""

from __future__ import annotations

import socket
import struct
import threading
import time

import pytest

from rsvlm_core.imagery import opening
from tests.trust import scale

PATIENCE = {"GDAL_HTTP_CONNECTTIMEOUT": "1", "GDAL_HTTP_TIMEOUT": "1", "GDAL_HTTP_MAX_RETRY": "0"}


def _stalls(connection: socket.socket, ended: threading.Event) -> None:
    connection.recv(1000)
    ended.wait(20)


def _stalls_in_the_middle(connection: socket.socket, ended: threading.Event) -> None:
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\nContent-Type: image/tiff\r\n\r\nII*\x00")
    ended.wait(20)


def _html(connection: socket.socket, ended: threading.Event) -> None:
    connection.recv(1000)
    page = b"<html><body>Please log in</body></html>"
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(page) + page)


def _resets(connection: socket.socket, ended: threading.Event) -> None:
    connection.recv(1000)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _forbids(connection: socket.socket, ended: threading.Event) -> None:
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")


def _sends_back(connection: socket.socket, ended: threading.Event) -> None:
    """Redirects to itself without end."""
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /again.tif\r\nContent-Length: 0\r\n\r\n")


def _babbles(connection: socket.socket, ended: threading.Event) -> None:
    connection.recv(1000)
    connection.sendall(bytes(range(256)) * 64)


@pytest.fixture
def server():
    """Starts servers that treat every connection alike; gives their address."""
    ended, sockets = threading.Event(), []

    def start(behave) -> str:
        listening = socket.create_server(("127.0.0.1", 0))
        sockets.append(listening)

        def one(connection: socket.socket) -> None:
            with connection:
                try:
                    behave(connection, ended)
                except OSError:
                    pass

        def serve() -> None:
            while not ended.is_set():
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}/ortho.tif"

    yield start
    ended.set()
    for listening in sockets:
        listening.close()


@pytest.mark.parametrize(
    "behave", [_stalls, _stalls_in_the_middle, _html, _resets, _forbids, _sends_back, _babbles],
    ids=lambda f: f.__name__.strip("_"),
)
def test_a_server_that(behave, server, must_refuse, tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "_ENVIRONMENT", {**opening._ENVIRONMENT, **PATIENCE})
    url, began = server(behave), time.monotonic()
    must_refuse("search", url, "--text", "red", "--out", tmp_path / "h.gpkg", names=url)
    assert time.monotonic() - began < 60, "it waits longer than the limits that it sets"
    assert not (tmp_path / "h.gpkg").exists()
    scale.count("bad servers", 1)


def test_a_port_where_nobody_listens(must_refuse, tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "_ENVIRONMENT", {**opening._ENVIRONMENT, **PATIENCE})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url = f"http://127.0.0.1:{port}/ortho.tif"
    must_refuse("search", url, "--text", "red", "--out", tmp_path / "h.gpkg", names=url)


def test_waiting_is_bounded_by_default():
    limits = opening._ENVIRONMENT
    assert 0 < int(limits["GDAL_HTTP_CONNECTTIMEOUT"]) <= 60 and 0 < int(limits["GDAL_HTTP_TIMEOUT"]) <= 300
    assert int(limits["GDAL_HTTP_MAX_RETRY"]) <= 5
