"""Starts an edge's processes, restarts what dies, and takes them along when it goes."""

import logging
import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Final

from edge.backoff import Backoff

log = logging.getLogger(__name__)

RESTART_FIRST_S: Final = 0.1
RESTART_MOST_S: Final = 5.0
STEADY_S: Final = 10.0
STOP_TIMEOUT_S: Final = 10.0
ROLL_PAUSE_S: Final = 3.0
POLL_S: Final = 0.5


@dataclass(frozen=True)
class Command:
    """A child's name, its command line, and the descriptors that it inherits.

    One that `stops_last` is told to stop once the others are gone: the agent
    then finds all that they leave.
    """

    name: str
    arguments: tuple[str, ...]
    descriptors: tuple[int, ...] = ()
    stops_last: bool = False


class Child:
    """One child, started again after each death, later each time while it does not hold."""

    def __init__(self, command: Command, alive_fd: int) -> None:
        self.command = command
        self._alive_fd = alive_fd
        self._process: subprocess.Popen[bytes] | None = None
        self._backoff = Backoff(RESTART_FIRST_S, RESTART_MOST_S)
        self._started = 0.0
        self.due = 0.0

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process else None

    def age_s(self, now: float) -> float:
        """For how long it has run."""
        return now - self._started if self._process else 0.0

    def step(self, now: float) -> None:
        """Notice that it died; start it when it is time."""
        if self._process is not None and self._process.poll() is not None:
            self._died(self._process.returncode, now)
        if self._process is None and now >= self.due:
            self._start(now)

    def signal(self, number: int) -> None:
        """Send a signal, if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def gone(self) -> bool:
        """Whether it runs no more; it is not started again here."""
        return self._process is None or self._process.poll() is not None

    def _start(self, now: float) -> None:
        arguments = [*self.command.arguments, f"--alive-fd={self._alive_fd}"]
        descriptors = (*self.command.descriptors, self._alive_fd)
        # A group of its own: Ctrl-C reaches the supervisor alone, who stops the children in order.
        self._process = subprocess.Popen(  # noqa: S603  (our own modules)
            arguments, pass_fds=descriptors, process_group=0
        )
        self._started = now
        log.info("%s runs as %d", self.command.name, self._process.pid)

    def _died(self, status: int, now: float) -> None:
        if self.age_s(now) > STEADY_S:
            self._backoff.reset()
        delay_s = self._backoff.next_s()
        log.warning("%s ended with status %d; again in %.1f s", self.command.name, status, delay_s)
        self._process = None
        self.due = now + delay_s


class Supervisor:
    """Runs the commands until SIGTERM or SIGINT; SIGHUP starts them anew, one by one.

    Each child inherits the read end of a pipe. Its write end is held here
    only: however this process ends, the children see the pipe close.
    """

    def __init__(self, commands: Sequence[Command]) -> None:
        self._alive_read, self._alive_write = os.pipe()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        os.set_blocking(self._wake_read, False)
        self.children = [Child(command, self._alive_read) for command in commands]
        self._stopping = False
        self._to_restart: list[Child] = []

    def run(self) -> int:
        """Supervise until told to stop; the exit status."""
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, self._on_signal)
        while not self._stopping:
            now = time.monotonic()
            for child in self.children:
                child.step(now)
            self._roll(now)
            self._wait()
        return self._stop()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number in {signal.SIGTERM, signal.SIGINT}:
            self._stopping = True
        elif number == signal.SIGHUP:
            self._to_restart = list(self.children)

    def _roll(self, now: float) -> None:
        """Restart the next child, once all have run for a while."""
        if self._to_restart and all(child.age_s(now) > ROLL_PAUSE_S for child in self.children):
            self._to_restart.pop(0).signal(signal.SIGTERM)

    def _wait(self) -> None:
        """Sleep until a signal comes or a child is due."""
        due = [child.due for child in self.children if child.pid is None]
        pause_s = max(0.0, min([POLL_S, *(at - time.monotonic() for at in due)]))
        self._sleep(pause_s)

    def _sleep(self, pause_s: float) -> None:
        """Sleep, less long when a signal comes: a child's end is one."""
        if select.select([self._wake_read], [], [], pause_s)[0]:
            os.read(self._wake_read, 4096)

    def _stop(self) -> int:
        log.info("stopping")
        for last in (False, True):
            self._stop_all([child for child in self.children if child.command.stops_last is last])
        return 0

    def _stop_all(self, children: list[Child]) -> None:
        for child in children:
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while not all(child.gone() for child in children):
            if time.monotonic() > deadline:
                for child in children:
                    child.signal(signal.SIGKILL)
            self._sleep(POLL_S)
