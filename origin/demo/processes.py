"""Starts the demo's processes, waits for them, and takes them along when it goes."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx

STOP_TIMEOUT_S: Final = 15.0
POLL_S: Final = 0.05
TAIL_LINES: Final = 25
LOOPBACK: Final = "127.0.0.1"


class DemoError(Exception):
    """A part of the demo failed; the message is for the person in front of it."""


class Process:
    """One process of the demo; its output goes to its log."""

    def __init__(
        self, name: str, arguments: Sequence[str], log: Path, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as file:
            # A group of its own: Ctrl-C reaches the demo alone, which stops its processes in order.
            self._process = subprocess.Popen(  # noqa: S603  (our own programs)
                list(arguments),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                process_group=0,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def check(self) -> None:
        """Raise `DemoError`, with the end of its log, if it runs no more."""
        status = self._process.poll()
        if status is not None:
            raise DemoError(f"{self.name} ended with status {status}.\n{self.tail()}")

    def finish(self, timeout_s: float) -> int:
        """Wait until it ended by itself; its status.

        Raises
        ------
        DemoError
            It took longer.
        """
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise DemoError(f"{self.name} took over {timeout_s:.0f} s.\n{self.tail()}") from None

    def ask_to_stop(self) -> None:
        """Tell it to stop; it may take its time."""
        if self._process.poll() is None:
            self._process.terminate()

    def thaw(self) -> None:
        """Let it run if somebody froze it, to see what happens: it would not hear that it is to stop."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it and whatever it has left in its group."""
        self.ask_to_stop()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_TIMEOUT_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def tail(self) -> str:
        """The end of its log, and where the rest is."""
        lines = self.log.read_text("utf-8", "replace").splitlines()[-TAIL_LINES:]
        body = "\n".join(f"  {line}" for line in lines) or "  (it wrote nothing)"
        return f"The end of {self.log}:\n{body}"


class Guard:
    """A process that ends the others if this one is killed: it sees our end of a pipe close."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  (our own module)
            python_module("origin.demo.guard"), stdin=subprocess.PIPE, process_group=0
        )

    def holds(self, process: Process) -> None:
        """`process` is to end with us."""
        self._tell(f"+{process.pid}\n")

    def lets_go(self, process: Process) -> None:
        """`process` has ended."""
        self._tell(f"-{process.pid}\n")

    def close(self) -> None:
        """Let it go, once there is nothing left to guard."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        # Somebody ended the guard: the demo goes on without.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()


class Processes:
    """All processes of the demo; leaving the context stops them, the last one first."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: list[Process] = []
        self._guard = Guard()
        # Settings of another edge or origin of this user are not the demo's.
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("NEARSIDE_EDGE_", "NEARSIDE_ORIGIN_"))
        } | {"PYTHONUNBUFFERED": "1"}

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            process.thaw()
        for process in reversed(self._running):
            process.stop()
            self._guard.lets_go(process)
        self._guard.close()

    def start(self, name: str, arguments: Sequence[str]) -> Process:
        """Start a process that serves until it is stopped."""
        process = Process(name, arguments, self._logs / f"{name}.log", self._environment)
        self._running.append(process)
        self._guard.holds(process)
        return process

    def ask(self, name: str, arguments: Sequence[str], timeout_s: float) -> tuple[int, str]:
        """Run a command to its end; its status, and what it wrote."""
        process = self.start(name, arguments)
        status = process.finish(timeout_s)
        self._forget(process)
        return status, process.log.read_text("utf-8", "replace")

    def stop(self, process: Process) -> None:
        """Stop one of them now."""
        process.stop()
        self._forget(process)

    def _forget(self, process: Process) -> None:
        self._running.remove(process)
        self._guard.lets_go(process)

    def check(self) -> None:
        """Raise `DemoError` if one of them runs no more."""
        for process in self._running:
            process.check()

    def wait(self, what: str, done: Callable[[], bool], timeout_s: float) -> None:
        """Wait until something holds, while all processes live.

        Raises
        ------
        DemoError
            A process ended, or it took longer.
        """
        deadline = time.monotonic() + timeout_s
        while not done():
            self.check()
            if time.monotonic() > deadline:
                logs = "\n".join(process.tail() for process in self._running)
                raise DemoError(f"{what}: not within {timeout_s:.0f} s.\n{logs}")
            time.sleep(POLL_S)


def answers(url: str) -> bool:
    """Whether a URL answers with success."""
    try:
        return httpx.get(url, timeout=2.0).is_success
    except httpx.TransportError:
        return False


def program(name: str) -> str:
    """The path of one of our commands, as installed beside this Python.

    Raises
    ------
    DemoError
        It is not installed.
    """
    path = Path(sysconfig.get_path("scripts")) / name
    if not path.is_file():
        raise DemoError(f"There is no {path}: install Nearside with its origin extra, or run `make demo`.")
    return str(path)


def python_module(name: str) -> tuple[str, ...]:
    """The command line that runs one of our modules."""
    return (sys.executable, "-m", name)


class Ports:
    """Free ports of this machine: the wanted ones where they are free, or any.

    `any_will_do` where nobody is told which they are: two that start at once then don't ask for the same.
    """

    def __init__(self, *, any_will_do: bool = False) -> None:
        self._given: set[int] = set()
        self._any_will_do = any_will_do

    def take(self, wanted: int) -> int:
        """A port that nothing listens on, and that was not given out before."""
        port = 0 if self._any_will_do or wanted in self._given or not _is_free(wanted) else wanted
        while not port or port in self._given:
            with socket.socket() as listener:
                listener.bind((LOOPBACK, 0))
                port = listener.getsockname()[1]
        self._given.add(port)
        return port


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
