"""Ends the demo's processes when the demo itself was killed and could not."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable
from typing import BinaryIO, Final

GRACE_S: Final = 10.0
POLL_S: Final = 0.1


def watch(lines: BinaryIO) -> set[int]:
    """Read ``+PID`` and ``-PID`` lines until the demo is gone; the processes that it has left."""
    left: set[int] = set()
    for line in lines:
        # A demo that is killed while it writes leaves half a line.
        if line.endswith(b"\n"):
            change = left.add if line.startswith(b"+") else left.discard
            change(int(line[1:]))
    return left


def end(leaders: Iterable[int]) -> None:
    """End process groups: ask their leaders, and kill what is left of them after a while."""
    groups = set(leaders)
    waiting = set(groups)
    for pid in waiting:
        _signal(pid, signal.SIGTERM)
        _signal(pid, signal.SIGCONT)
    deadline = time.monotonic() + GRACE_S
    while waiting and time.monotonic() < deadline:
        waiting = {pid for pid in waiting if _signal(pid, 0)}
        time.sleep(POLL_S)
    for pid in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _signal(pid: int, number: int) -> bool:
    """Whether there was a process to signal."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def main() -> None:
    """Watch standard input: a pipe whose write end only the demo holds."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    end(watch(sys.stdin.buffer))


if __name__ == "__main__":
    main()
