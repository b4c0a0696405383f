"""Whoever asks, and however: what is sold out is in no answer, and every record says under which list."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge.decide.engine import Engine
from edge.decide.stock import Stock
from edge.decide.types import Context
from tests.edge.worker.beside.test_client_page import Client
from tests.edge.worker.chromium import AGENT
from tests.edge.worker.conftest import HTML, PAGE, Answer, Said, Worker
from tests.edge.worker.turn.test_signals import Cms

ASK = {"accept": "text/html", "cookie": "consent=full", "user-agent": AGENT}


class Rendering(Cms):
    """A worker whose site renders the list itself."""

    names = ("recommended",)


def page(worker: Worker) -> bytes:
    return worker.get("/", ASK).body


def app(worker: Worker) -> bytes:
    return worker.post("/_nearside/decide", {"placements": ["recommended"], "tier": "full"}).body


def browser(worker: Worker) -> bytes:
    assert isinstance(worker, Client)
    return worker.asks().body


def flags(worker: Worker) -> bytes:
    body = json.dumps({"context": {"targetingKey": "somebody", "consent.tier": "full"}}).encode()
    fields = {"content-length": str(len(body))}
    return worker.get("/ofrep/v1/evaluate/flags", fields, method="POST", body=[body]).body


def own_page(worker: Worker) -> bytes:
    return worker.get("/_nearside/me", {**ASK, "host": "films.example"}).body


def told_site(worker: Worker) -> bytes:
    page(worker)
    return b"".join(worker.site.heard[-1].values(b"nearside-signals"))


@pytest.mark.parametrize(
    ("kind", "asks"),
    [
        (Worker, page),
        (Worker, app),
        (Client, browser),
        (Worker, flags),
        (Worker, own_page),
        (Rendering, told_site),
    ],
)
def test_no_answer_has_it_and_the_record_says_under_which_list(
    kind: type[Worker], asks: Callable[[Worker], bytes], tmp_path: Path, engine: Engine
) -> None:
    worker = kind(tmp_path, engine)
    worker.site.says[b"/"] = Said(PAGE, (HTML,))
    (slot,) = engine.decide(Context(0, 0, "full", {}, (), ("recommended",))).slots
    first = slot.items[0]
    assert first.encode() in asks(worker)
    stock = Stock("5" * 32, 5, frozenset(engine.items.positions((first,))))
    worker.holder.active = replace(worker.holder.active, stock=stock)
    answer = asks(worker)
    assert first.encode() not in answer
    assert slot.items[1].encode() in answer
    if asks is not own_page:  # which decides for a look
        before, after = worker.decisions()
        assert (before.stock, after.stock) == ("", stock.id)
        assert engine.decide(after.context, stock=stock).slots == after.slots


def test_where_everything_is_sold_out_the_sites_default_stands(tmp_path: Path, engine: Engine) -> None:
    worker = Worker(tmp_path, engine)
    before: Answer = worker.get("/", ASK)
    everything = Stock("6" * 32, 6, frozenset(range(len(engine.items))))
    worker.holder.active = replace(worker.holder.active, stock=everything)
    after = worker.get("/", ASK)
    assert b'class="card"' in before.body
    # Nothing is left to list: the site's default stands there.
    assert b'class="card"' not in after.body
    assert after.status == 200
