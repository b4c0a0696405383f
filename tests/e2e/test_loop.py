"""The whole loop through real processes: publish, serve, report, replay, roll back, kill."""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from edge.bundle.reader import open_bundle
from origin.lake import reader as lake
from origin.lake.replay import replay_files
from tests.e2e.browsers import connections_of, shown_on
from tests.e2e.stack import SCRIPTS, SITE, Stack, running, until
from tests.workspaces.make import FILES, make_bundle

GREETING = "Welcome to <em>our</em> films"
NEW_GREETING = "Films for <em>tonight</em>"
PHONE = {"user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148"}
SECONDS = 5.0

Clients = Mapping[int, httpx.Client]


class World:
    """A stack and the two bundles that are published to it."""

    def __init__(self, stack: Stack, first: Path, second: Path) -> None:
        self.stack, self.first, self.second = stack, first, second


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("loop")
    first = make_bundle(folder / "one")
    second = make_bundle(folder / "two", {"content/welcome.html": f"<p>{NEW_GREETING}</p>\n"})
    with running(folder / "pop") as stack:
        yield World(stack, first, second)


@contextlib.contextmanager
def client_of_each_worker(stack: Stack) -> Iterator[Clients]:
    """For each worker, a client whose one connection that worker has accepted."""
    pids = stack.worker_pids()
    with contextlib.ExitStack() as clients:
        found = {}
        for pid in pids:
            client = clients.enter_context(
                httpx.Client(base_url=stack.edge_url, headers={"cookie": "consent=full"})
            )
            # The others can't accept it while they are stopped.
            others = [other for other in pids if other != pid]
            for other in others:
                os.kill(other, signal.SIGSTOP)
            try:
                client.get("/")
            finally:
                for other in others:
                    os.kill(other, signal.SIGCONT)
            found[pid] = client
        yield found
        for pid in pids:
            assert connections_of(pid, stack.port), "a worker closed its connection"


def pages(clients: Clients, path: str = "/", headers: Mapping[str, str] | None = None) -> list[str]:
    return [client.get(path, headers=headers).raise_for_status().text for client in clients.values()]


def test_without_a_bundle_the_page_is_the_sites_own(world: World) -> None:
    with client_of_each_worker(world.stack) as clients:
        for client in clients.values():
            answer = client.get("/")
            assert answer.content == world.stack.page
            assert "set-cookie" not in answer.headers
    ready = httpx.get(world.stack.admin_url + "/ready")
    assert ready.status_code == 503
    assert "no bundle is active" in ready.text


def test_what_is_published_is_served_and_what_visitors_do_arrives_once(world: World) -> None:
    stack = world.stack
    stack.wait_revision(stack.publish(world.first).number)
    with httpx.Client(base_url=stack.edge_url, headers={"cookie": "consent=full", **PHONE}) as visitor:
        page = visitor.get("/film/dune")
        assert "Take films along" in page.text
        (token,) = re.findall(r'data-nearside="([^"]+)"', page.text)
        shown = shown_on(stack, page.text)
        item = dict(shown.slots)["recommended"][0]
        click = {"kind": "click", "item": item, "placement": "recommended", "n": 0}
        answer = visitor.post("/_nearside/events", json={"token": token, "events": [click]})
        assert answer.status_code == 204
    until("the click is in the lake", lambda: [e for e in lake.events(stack.data, SITE) if e.kind == "click"])
    events = [(e.decision, e.kind, e.item) for e in lake.events(stack.data, SITE)]
    assert sorted(events) == sorted([(shown.decision, "view", "dune"), (shown.decision, "click", item)])
    (decision,) = lake.decisions(stack.data, SITE)
    assert decision.id == shown.decision
    assert decision.context.attributes["device.type"] == "mobile"
    assert decision.bundle == open_bundle(world.first, SITE).id


def test_a_rollback_changes_the_pages_of_both_workers_in_seconds(world: World) -> None:
    stack = world.stack
    with client_of_each_worker(stack) as clients:
        assert all(GREETING in page for page in pages(clients))
        stack.publish(world.second)
        until("the new greeting", lambda: all(NEW_GREETING in page for page in pages(clients)), SECONDS)
        stack.roll_to(1)
        until("the old greeting", lambda: all(GREETING in page for page in pages(clients)), SECONDS)
        stack.roll_to(2)
        until("the new greeting", lambda: all(NEW_GREETING in page for page in pages(clients)), SECONDS)
    assert stack.metric("nearside_revision") == 2


def test_a_killed_campaign_is_gone_in_seconds_until_it_is_revived(world: World) -> None:
    stack = world.stack
    with client_of_each_worker(stack) as clients:

        def shown(text: str) -> bool:
            return all(text in page for page in pages(clients, headers=PHONE))

        assert shown("Take films along")
        stack.roll_out(kill=["mobile-hero"])
        until("the next best campaign", lambda: shown(NEW_GREETING), SECONDS)
        stack.roll_out(kill=["mobile-hero", "welcome"])
        until("the site's own", lambda: shown("<h1>Films</h1>"), SECONDS)
        stack.roll_out(kill=[])
        until("the killed one again", lambda: shown("Take films along"), SECONDS)


def test_every_logged_decision_is_made_again_and_another_bundle_says_what_it_would_change(
    world: World, tmp_path: Path
) -> None:
    stack = world.stack
    with client_of_each_worker(stack) as clients:
        last = {shown_on(stack, page).decision for page in pages(clients)}
    until("the last one", lambda: last <= {record.id for record in lake.decisions(stack.data, SITE)})
    log = list(lake.decisions(stack.data, SITE))
    assert len({record.bundle for record in log}) == 2
    assert len({record.killed for record in log}) > 2
    own = replay_files(stack.state / "bundles", stack.data)
    assert (own.own.decided, own.own.different, dict(own.own.others)) == (len(log), 0, {})
    rules = FILES["rules/campaigns.yaml"].replace(
        "placement: hero\n    priority: 10", "placement: hero\n    priority: -1"
    )
    other = make_bundle(tmp_path, {"rules/campaigns.yaml": rules})
    against = replay_files(stack.state / "bundles", stack.data, other).against
    assert against is not None
    changed = [r for r in log for slot in r.slots if slot.policy == "mobile-hero"]
    assert changed
    assert against.by_placement["hero", "mobile-hero", "welcome"] == len(changed)
    assert set(against.by_placement) <= {("hero", "mobile-hero", "welcome"), ("hero", "", "welcome")}


def test_the_command_says_that_all_decisions_are_identical(world: World) -> None:
    command = [SCRIPTS / "nearside", "replay", world.stack.state / "bundles", world.stack.data]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "identical" in done.stdout
