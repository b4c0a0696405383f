"""Stock at the origin: changes become signed lists, each is kept, and all edges hear of it."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from edge.bundle import format as fmt
from edge.bundle.stock import StockList, decode_stock, stock_id
from origin import signing
from origin.server.settings import Settings
from tests.origin.world import SITE, Keys, OriginThread

pytestmark = pytest.mark.anyio


async def say(client: httpx.AsyncClient, keys: Keys, **order: Any) -> httpx.Response:
    return await client.post("stock", json={"author": "ann", **order}, headers=keys.publish)


def opened(signed: bytes, keys: Keys) -> tuple[StockList, str]:
    payload = signing.verify(fmt.decode(signed, fmt.Signed), "online", keys.edge.trust["online"])
    return decode_stock(payload, SITE), stock_id(payload)


async def test_changes_add_up_and_each_is_a_signed_list(client: httpx.AsyncClient, keys: Keys) -> None:
    ids = []
    for order, answer, out in (
        ({"out": ["dune", "alien"]}, (1, 2, 2), ("alien", "dune")),
        ({"out": ["heat"], "back": ["dune", "eva"]}, (2, 2, 2), ("alien", "heat")),
        ({"out": ["heat"]}, (2, 2, 0), ("alien", "heat")),
        ({"out": ["eva", "heat"], "replace": True}, (3, 2, 2), ("eva", "heat")),
        ({"replace": True}, (4, 0, 2), ()),
    ):
        found = (await say(client, keys, **order)).raise_for_status().json()
        assert (found["serial"], found["out"], found["changed"]) == answer
        listed, id_ = opened((await client.get("stock")).content, keys)
        assert (listed.serial, listed.out) == (answer[0], out)
        ids.append(id_)
    changes = (await client.get("stock/changes")).json()
    assert [(c["serial"], c["out"], c["back"], c["held"]) for c in changes] == [
        (4, 0, 2, 0),
        (3, 1, 1, 2),
        (2, 1, 1, 2),
        (1, 2, 0, 2),
    ]
    assert {c["id"] for c in changes} == set(ids)
    assert changes[0]["author"] == "ann"


async def test_a_list_is_answered_to_those_who_have_an_older_one(
    client: httpx.AsyncClient, keys: Keys
) -> None:
    assert (await client.get("stock")).json()["error"]["code"] == "no-stock"
    await say(client, keys, out=["dune"])
    assert (await client.get("stock?after=0")).is_success
    assert (await client.get("stock?after=1")).json()["error"]["code"] == "no-stock"
    assert (await client.get("stock?after=-1")).json()["error"]["code"] == "after"


@pytest.mark.parametrize(
    ("order", "status", "code"),
    [
        ({"out": ["dune"], "back": ["dune"]}, 422, "stock"),
        ({"out": [""]}, 422, "stock"),
        ({"out": ["x" * 257]}, 422, "stock"),
        ({"out": ["dune"], "author": " "}, 422, "author"),
        ({"out": "dune"}, 422, "json"),
        ({"sold": ["dune"]}, 422, "json"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    client: httpx.AsyncClient, keys: Keys, order: dict[str, Any], status: int, code: str
) -> None:
    answer = await say(client, keys, **order)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert (await client.get("stock/changes")).json() == []


async def test_only_publishers_say_what_is_out(client: httpx.AsyncClient, keys: Keys) -> None:
    for headers, code in (({}, "no-token"), (keys.ingest, "wrong-token")):
        answer = await client.post("stock", json={"author": "ann", "out": ["dune"]}, headers=headers)
        assert answer.json()["error"]["code"] == code


def test_news_tell_the_serial_at_once_and_on_change(settings: Settings, keys: Keys) -> None:
    quiet = OriginThread(replace(settings, heartbeat_s=60.0), keys).start()
    base = f"{quiet.url}/v1/sites/films"
    try:
        with httpx.Client(timeout=10, headers=keys.publish) as client:
            client.post(f"{base}/stock", json={"author": "ann", "out": ["dune"]}).raise_for_status()
            with client.stream("GET", f"{base}/news") as stream:
                lines = stream.iter_lines()
                assert json.loads(next(lines)) == {"stock": 1}
                client.post(f"{base}/stock", json={"author": "ann", "out": ["heat"]}).raise_for_status()
                assert json.loads(next(lines)) == {"stock": 2}
    finally:
        quiet.stop()
