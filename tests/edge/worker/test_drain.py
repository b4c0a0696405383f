"""A worker that is told to stop: who is connected is told so, who is answered is answered whole."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.worker.attacked import LOOPBACK, LiveWorker, live


@pytest.fixture
def worker(tmp_path: Path, bundle_folder: Path) -> Iterator[LiveWorker]:
    with live(tmp_path, bundle_folder) as worker:
        yield worker


def head(path: bytes = b"/") -> bytes:
    return b"GET %s HTTP/1.1\r\nhost: films.example\r\naccept: text/html\r\n\r\n" % path


def answer(connection: socket.socket) -> bytes:
    """What comes until the connection is closed."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def test_who_is_connected_is_told_with_the_next_answer_that_it_was_the_last(worker: LiveWorker) -> None:
    with socket.create_connection((LOOPBACK, worker.port), 10) as used:
        used.sendall(head())
        first = b""
        while not first.endswith(b"</main>"):
            first += used.recv(65536)
        assert b"connection: close" not in first
        os.kill(worker.process.pid, signal.SIGTERM)
        time.sleep(0.2)
        used.sendall(head())
        last = answer(used)
    assert last.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nconnection: close\r\n" in last
    assert last.endswith(b"</main>")
    assert worker.process.wait(10) == 0


def test_what_is_in_flight_is_answered_whole(worker: LiveWorker) -> None:
    with socket.create_connection((LOOPBACK, worker.port), 10) as asking:
        asking.sendall(head(b"/late"))
        worker.wait_for(lambda: any(b" /late " in heard for heard in worker.site.heard))
        os.kill(worker.process.pid, signal.SIGTERM)
        whole = answer(asking)
    assert whole.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nconnection: close\r\n" in whole
    assert whole.endswith(b"</main>")


def test_who_says_nothing_holds_nobody_up(worker: LiveWorker) -> None:
    with socket.create_connection((LOOPBACK, worker.port), 10):
        worker.counts()
        begun = time.monotonic()
        os.kill(worker.process.pid, signal.SIGTERM)
        assert worker.process.wait(10) == 0
    assert time.monotonic() - begun < 5
