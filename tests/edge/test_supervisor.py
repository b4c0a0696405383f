"""What dies is started again, and nothing outlives the supervisor."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

CHILD = """
import asyncio, os, signal, sys
from edge.lifeline import read_inherited, watch

inherited, (name, log) = read_inherited(sys.argv[1:])

def note(what):
    with open(log, "a") as file:
        file.write(f"{name} {what} {os.getpid()}\\n")

async def main():
    stop = asyncio.Event()
    watch(inherited.alive_fd, lambda: (note("orphan"), stop.set()))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: (note("term"), stop.set()))
    note("start")
    await stop.wait()
    note("end")

if name == "crash":
    note("start")
    sys.exit(3)
elif name == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note("start")
    os.read(inherited.alive_fd, 1)
else:
    asyncio.run(main())
"""

SUPERVISOR = """
import sys
from edge import log, supervisor
from edge.supervisor import Command, Supervisor

child, log_file, stop_timeout_s, *names = sys.argv[1:]
supervisor.STOP_TIMEOUT_S = float(stop_timeout_s)
supervisor.ROLL_PAUSE_S = 1.5
log.configure("error", "supervisor")
commands = [
    Command(name, (sys.executable, child, name, log_file), stops_last=name == "agent") for name in names
]
sys.exit(Supervisor(commands).run())
"""


class Yard:
    """A supervisor in a process of its own, over children that write down what happens to them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.log = folder / "log"
        self.log.touch()
        (folder / "child.py").write_text(CHILD)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *names: str, stop_timeout_s: float = 5) -> None:
        arguments = [str(self._folder / "child.py"), str(self.log), str(stop_timeout_s), *names]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen([sys.executable, "-c", SUPERVISOR, *arguments], env=environment)

    def events(self, name: str = "") -> list[tuple[str, str, int]]:
        """(name, what, pid) in the order they happened."""
        rows = [line.split() for line in self.log.read_text().splitlines()]
        return [(n, what, int(pid)) for n, what, pid in rows if name in {"", n}]

    def pids(self, name: str) -> list[int]:
        """The process ids under which a child was started, in order."""
        return [pid for _, what, pid in self.events(name) if what == "start"]

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self) -> int:
        assert self.process is not None
        return self.process.wait(10)

    def clean(self) -> None:
        """Leave no process behind."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        until(lambda: not any(runs(pid) for _, what, pid in self.events() if what == "start"))


def until(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    yard = Yard(tmp_path)
    yield yard
    yard.clean()


def test_what_is_killed_is_started_again_and_the_others_stay(yard: Yard) -> None:
    yard.start("agent", "worker-0", "worker-1")
    until(lambda: len(yard.events()) == 3)
    os.kill(yard.pids("worker-0")[0], signal.SIGKILL)
    until(lambda: len(yard.pids("worker-0")) == 2)
    os.kill(yard.pids("agent")[0], signal.SIGKILL)
    until(lambda: len(yard.pids("agent")) == 2)
    assert len(yard.pids("worker-1")) == 1
    assert all(runs(yard.pids(name)[-1]) for name in ("agent", "worker-0", "worker-1"))


def test_the_children_go_with_a_killed_supervisor(yard: Yard) -> None:
    yard.start("agent", "worker-0")
    until(lambda: len(yard.events()) == 2)
    yard.signal(signal.SIGKILL)
    until(lambda: not any(runs(pid) for _, _, pid in yard.events()))
    assert {what for _, what, _ in yard.events()} == {"start", "orphan", "end"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_workers_and_then_the_agent(yard: Yard, number: int) -> None:
    yard.start("agent", "worker-0", "worker-1")
    until(lambda: len(yard.events()) == 3)
    yard.signal(number)
    assert yard.wait() == 0
    ends = [name for name, what, _ in yard.events() if what == "end"]
    assert sorted(ends[:2]) == ["worker-0", "worker-1"]
    assert ends[2:] == ["agent"]
    assert not [row for row in yard.events() if row[1] == "orphan"]


def test_a_child_that_does_not_stop_is_killed(yard: Yard) -> None:
    yard.start("deaf", stop_timeout_s=0.3)
    until(lambda: len(yard.events()) == 1)
    yard.signal(signal.SIGTERM)
    assert yard.wait() == 0
    assert not runs(yard.pids("deaf")[0])


def test_a_child_that_keeps_dying_is_started_less_and_less_often(yard: Yard) -> None:
    yard.start("crash", "worker-0")
    until(lambda: len(yard.pids("crash")) >= 3)
    began, before = time.monotonic(), len(yard.pids("crash"))
    time.sleep(1)
    # From 0.1 s on, doubling: a handful in a second, not dozens.
    assert len(yard.pids("crash")) - before <= 4 * (time.monotonic() - began)
    assert len(yard.pids("worker-0")) == 1


def test_a_hangup_restarts_the_children_one_by_one(yard: Yard) -> None:
    yard.start("agent", "worker-0", "worker-1")
    until(lambda: len(yard.events()) == 3)
    yard.signal(signal.SIGHUP)
    until(lambda: all(len(yard.pids(name)) == 2 for name in ("agent", "worker-0", "worker-1")))
    down = 0
    for _, what, _ in yard.events()[3:]:
        down += {"end": 1, "start": -1}.get(what, 0)
        assert down <= 1
