"""Processes end with the demo, however it ends; those that had ended before are left alone."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from origin.demo.guard import watch

DEMO = """
import sys, time
from pathlib import Path
from origin.demo.processes import Processes
with Processes(Path(sys.argv[1])) as processes:
    for name, code in (("kind", "import time; time.sleep(60)"), ("frozen", "import time; time.sleep(60)")):
        print(processes.start(name, (sys.executable, "-c", code)).pid, flush=True)
    processes.ask("short", (sys.executable, "-c", "pass"), 20)
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        (b"", set()),
        (b"+12\n+13\n-12\n", {13}),
        (b"+12\n+1", {12}),
        (b"-7\n+7\n", {7}),
    ],
)
def test_what_is_left_when_the_pipe_closes(lines: bytes, left: set[int]) -> None:
    assert watch(io.BytesIO(lines)) == left


def test_kill_9_takes_all_along_even_one_that_is_frozen(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-c", DEMO, tmp_path], stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert demo.stdout is not None
    pids = [int(demo.stdout.readline()) for _ in range(2)]
    assert demo.stdout.readline() == "ready\n"
    assert all(_runs(pid) for pid in pids)
    os.kill(pids[1], signal.SIGSTOP)
    demo.kill()
    demo.wait(10)
    demo.stdout.close()
    deadline = time.monotonic() + 15
    while any(_runs(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_runs(pid) for pid in pids)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
