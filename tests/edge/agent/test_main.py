"""The agent as a process: answers without an origin, goes when it shall, survives kill -9."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from edge.bundle.active import Active, control_path, spool_root, write_active
from edge.events.spool import SpoolWriter
from edge.settings import Settings, to_arguments
from tests.edge.origin_sim import OriginSim


class Process:
    """`python -m edge.agent`, as the supervisor starts it."""

    def __init__(self, folder: Path) -> None:
        keys = folder / "edge.json"
        keys.write_bytes(msgspec.json.encode(OriginSim().keys()))
        self.state_dir = folder / "state"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._settings = Settings(
            # Nobody answers there.
            origin="http://127.0.0.1:9",
            upstream="http://127.0.0.1:9",
            keys=str(keys),
            state_dir=str(self.state_dir),
        )
        self.alive_read, self.alive_write = os.pipe()
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        fd = self._listener.fileno()
        arguments = [*to_arguments(self._settings), f"--fd={fd}", f"--alive-fd={self.alive_read}"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edge.agent", *arguments],
            pass_fds=(fd, self.alive_read),
            stderr=subprocess.PIPE,
            text=True,
        )

    def get(self, path: str) -> Any:
        return httpx.get(self.url + path, timeout=10).json()

    def end(self, number: int | None = None) -> tuple[int, str]:
        """Send a signal, or only wait; the exit status and what was logged."""
        assert self.process is not None
        if number is not None:
            self.process.send_signal(number)
        _, log = self.process.communicate(timeout=10)
        return self.process.returncode, log

    def clean(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.end(signal.SIGKILL)
        self._listener.close()
        os.close(self.alive_read)
        if self.alive_write >= 0:
            os.close(self.alive_write)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path)
    yield process
    process.clean()


def until_control(agent: Process) -> socket.socket:
    """A worker's connection to the agent."""
    for _ in range(200):
        worker = socket.socket(socket.AF_UNIX)
        try:
            worker.connect(str(control_path(agent.state_dir)))
        except OSError:
            worker.close()
            time.sleep(0.05)
        else:
            return worker
    raise AssertionError("no control socket")


def test_it_answers_without_an_origin_and_goes_on_a_signal(agent: Process) -> None:
    agent.start()
    status = agent.get("/status")
    assert status["active"] is None
    assert not status["origin"]["reachable"]
    assert status["agent"]["rss_bytes"] < 120 << 20
    began = time.monotonic()
    code, log = agent.end(signal.SIGTERM)
    assert (code, time.monotonic() - began < 3) == (0, True)
    assert "Traceback" not in log
    # Said once, however often it was tried.
    assert log.count("gives no news") == 1


def test_it_goes_when_its_supervisor_is_gone(agent: Process) -> None:
    agent.start()
    agent.get("/status")
    os.close(agent.alive_write)
    agent.alive_write = -1
    assert agent.end()[0] == 0


def test_after_kill_9_it_carries_on_beside_the_workers(agent: Process) -> None:
    agent.start()
    agent.get("/status")
    agent.end(signal.SIGKILL)
    write_active(agent.state_dir, Active(3, "b" * 32, 7, ("hero",)))
    writer = SpoolWriter(spool_root(agent.state_dir))
    agent.start()
    with until_control(agent) as worker:
        hello = {"pid": os.getpid(), "worker": 0, "spool": writer.id}
        worker.sendall(msgspec.json.encode({"hello": hello}) + b"\n")
        assert worker.recv(100) == b'{"activate":true}\n'
        assert agent.get("/ready") == {"ready": True, "reasons": []}
        status = agent.get("/status")
        assert status["active"]["revision"] == 3
        assert status["rollout_serial"] == 7
        assert status["workers"][0]["spool"] == writer.id
        assert "Traceback" not in agent.end(signal.SIGTERM)[1]
    writer.close()


def test_a_keys_file_that_is_wrong_ends_it_with_a_reason(agent: Process, tmp_path: Path) -> None:
    (tmp_path / "edge.json").write_bytes(b'{"site": "\xff"}')
    agent.start()
    code, log = agent.end()
    assert code == 2
    assert "edge.json" in log
    assert "Traceback" not in log
