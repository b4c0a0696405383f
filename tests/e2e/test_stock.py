"""Stock through real processes: said at the origin, out of all pages in seconds, replayed from records."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from edge.bundle.stock import stock_path
from origin.lake import reader as lake
from origin.lake.replay import replay_files
from tests.e2e.stack import SCRIPTS, SITE, Stack, running, until
from tests.workspaces.make import make_bundle

SECONDS = 5.0


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("stock"))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("stack") / "pop") as stack:
        stack.publish(bundle)
        stack.wait_revision(1)
        yield stack


def nearside(stack: Stack, *arguments: str) -> str:
    keys = str(stack.folder / "keys/publisher.json")
    command = (str(SCRIPTS / "nearside"), *arguments, "--origin", stack.origin_url, "--keys", keys)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def lists(page: httpx.Response, item: str) -> bool:
    return f'data-item="{item}"' in page.text


def none_lists(stack: Stack, item: str) -> bool:
    return not any(lists(page, item) for page in stack.on_both_workers(requests=8))


def taken(stack: Stack, serial: int) -> bool:
    return all((worker["stock"] or {}).get("serial") == serial for worker in stack.status()["workers"])


def test_what_is_sold_out_leaves_all_pages_in_seconds(stack: Stack, bundle: Path) -> None:
    before = stack.on_both_workers(requests=4)
    first = before[0].text.partition('data-item="')[2].partition('"')[0]
    assert all(lists(page, first) for page in before)
    assert stack.status()["stock"]["serial"] == 0

    assert "stock 1: 1 changed, 1 out" in nearside(
        stack, "stock", "set", "--item", first, "--available", "no"
    )
    began_s = time.monotonic()
    until("pages without it", lambda: none_lists(stack, first), SECONDS)
    assert time.monotonic() - began_s < SECONDS
    until("all workers say so", lambda: taken(stack, 1))

    told = nearside(stack, "stock", "set", "--item", "nowhere", "--item", first, "--available", "yes")
    assert "stock 2: 1 changed, 0 out" in told
    until("pages with it", lambda: all(lists(page, first) for page in stack.on_both_workers(requests=8)))

    (stack.folder / "shop.csv").write_text(f"item,stock\n{first},0\nnowhere,0\n")
    told = nearside(stack, "stock", "feed", str(stack.folder / "shop.csv"), "--replace")
    assert "stock 3: 2 changed, 2 out" in told
    assert "no catalog in force has an item 'nowhere'" in told
    until("pages without it", lambda: none_lists(stack, first), SECONDS)
    assert [worker["stock"]["unknown"] for worker in stack.status()["workers"]] == [1, 1]
    assert first in nearside(stack, "stock", "show")

    until("all events in the lake", stack.all_committed)
    stocks = {record.stock for record in lake.decisions(stack.data, SITE)}
    assert len(stocks) >= 3
    own = replay_files(bundle, stack.data).own
    assert own.decided > 20
    assert (own.different, dict(own.unstocked)) == (0, {})
    # Spool segments alone don't say what was out.
    alone = replay_files(bundle, stack.state / "spool").own
    assert alone.different == 0
    assert replay_files(bundle, stack.state / "spool", data=stack.data).own.unstocked == {}


def test_a_damaged_list_leaves_the_last_good_one_and_is_told(stack: Stack) -> None:
    serial = stack.status()["stock"]["serial"] + 1
    nearside(stack, "stock", "set", "--item", "alien", "--available", "no")
    until("all workers say so", lambda: taken(stack, serial))
    stock_path(stack.state).write_bytes(b"damaged")
    stack.roll_out(kill=["welcome"])  # which has workers look again
    refused = 'nearside_worker_refused_total{code="stock"}'
    until("both workers refuse it", lambda: stack.metric(refused) >= 2)
    assert {worker["stock"]["refused"] for worker in stack.status()["workers"]} == {"stock"}
    assert none_lists(stack, "alien")

    stack.stop("edge")
    stack.start_edge()
    stack.wait_connected()
    until("it was fetched again", lambda: taken(stack, serial))
    until("pages without it", lambda: none_lists(stack, "alien"))
