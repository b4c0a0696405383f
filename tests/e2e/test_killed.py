"""Processes killed without warning: pages go on, and what was acknowledged arrives once."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.e2e.browsers import Books, Load, check_exactly_once, connections_of
from tests.e2e.stack import Stack, alive, running, until
from tests.workspaces.make import make_bundle

BROWSERS = 8


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("killed")
    with running(folder / "pop") as stack:
        stack.wait_revision(stack.publish(make_bundle(folder / "first")).number)
        yield stack


@pytest.fixture(scope="module")
def books() -> Books:
    """One for all tests of the module: the lake is theirs together."""
    return Books()


def test_pages_go_on_and_records_wait_while_the_origin_is_dead(stack: Stack, books: Books) -> None:
    with Load(stack, books, BROWSERS) as load:
        load.more(200)
        stack.kill("origin")
        load.more(500)
        until("the origin is missed", lambda: not stack.status()["origin"]["reachable"])
        waiting = until("records wait", lambda: stack.status()["spool"]["waiting_bytes"])
        load.more(100)
        until("more records wait", lambda: stack.status()["spool"]["waiting_bytes"] > waiting)
        stack.start_origin()
        stack.wait_origin()
        load.more(200)
    assert (books.failed, books.refused, books.plain) == ([], [], [])
    check_exactly_once(stack, books)
    until("the origin answers again", lambda: stack.status()["origin"]["reachable"])


@pytest.mark.parametrize("time", ["once", "again"])
def test_a_killed_worker_takes_along_only_what_was_in_its_hands(
    stack: Stack, books: Books, time: str
) -> None:
    before = len(books.failed)
    with Load(stack, books, BROWSERS) as load:
        load.more(300)
        # The system spreads connections as it likes; of two, this one has some.
        pid = max(stack.worker_pids(), key=lambda worker: len(connections_of(worker, stack.port)))
        held = connections_of(pid, stack.port)
        os.kill(pid, signal.SIGKILL)
        load.more(300)
        until("the worker is back", lambda: len(stack.status()["workers"]) == 2 and not alive(pid))
        load.more(100)
    failed = [port for port, _ in books.failed[before:]]
    assert failed, time
    assert set(failed) <= held
    assert len(failed) == len(set(failed))  # one request on each connection
    assert (books.failed_again, books.refused, books.plain) == (0, [], [])
    assert pid not in stack.worker_pids()
    stack.wait_revision(1)
    check_exactly_once(stack, books)


def test_a_killed_agent_is_not_missed_by_anybody(stack: Stack, books: Books) -> None:
    pid, workers, before = stack.agent_pid(), stack.worker_pids(), len(books.failed)
    with Load(stack, books, BROWSERS) as load:
        load.more(300)
        os.kill(pid, signal.SIGKILL)
        load.more(300)
        until("the agent is back", lambda: stack.agent_pid() != pid)
        stack.wait_connected()
        load.more(100)
    assert books.failed[before:] == []
    assert (books.refused, books.plain) == ([], [])
    assert stack.worker_pids() == workers
    check_exactly_once(stack, books)


def test_the_children_go_with_a_killed_supervisor_and_nothing_is_lost(stack: Stack, books: Books) -> None:
    with Load(stack, books, BROWSERS) as load:
        load.more(300)
    children = [stack.agent_pid(), *stack.worker_pids()]
    stack.kill("edge")
    until("the children are gone", lambda: not any(map(alive, children)))
    stack.start_edge()
    stack.wait_revision(1)
    with Load(stack, books, BROWSERS) as load:
        load.more(50)
    assert (books.refused, books.plain) == ([], [])
    check_exactly_once(stack, books)
