"""Workers told to stop under load, one after the other: no request fails, and nothing is lost."""

import os
import signal
from pathlib import Path

from tests.e2e.browsers import Books, Load, check_exactly_once
from tests.e2e.stack import Stack, running, until
from tests.workspaces.make import make_bundle

BROWSERS = 8


def test_no_request_fails_while_workers_are_restarted(tmp_path: Path) -> None:
    books = Books()
    with running(tmp_path / "pop") as stack:
        stack.wait_revision(stack.publish(make_bundle(tmp_path / "first")).number)
        with Load(stack, books, BROWSERS) as load:
            load.more(100)
            for pid in stack.worker_pids():
                os.kill(pid, signal.SIGTERM)
                until("another worker is in its place", lambda pid=pid: _is_another(pid, stack))  # type: ignore[misc]
                load.more(200)
        stack.wait_revision(1)
        assert (books.failed, books.refused, books.plain) == ([], [], [])
        check_exactly_once(stack, books)


def _is_another(pid: int, stack: Stack) -> bool:
    now = stack.worker_pids()
    return len(now) == stack.workers and pid not in now
