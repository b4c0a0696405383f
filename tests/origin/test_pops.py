"""PoPs: only a PoP's own credential speaks for it, revoked at once; who listens and when they were heard."""

import asyncio
from typing import Any

import httpx
import pytest

from edge.decide.types import Event
from edge.events import spool
from origin.keys import load_origin, new_keys
from origin.server.settings import Settings
from tests.origin.world import Keys, Parts, make_keys, running

pytestmark = pytest.mark.anyio

BODY = spool.frame(Event("d" * 32, "click", "f1", 0, "hero", "v1", 1_700_000_000_500))


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def ship(client: httpx.AsyncClient, pop: str, headers: dict[str, str]) -> tuple[int, str]:
    answer = await client.post(f"events/{pop}/0123/1?offset=0", content=BODY, headers=headers)
    read = await client.get(f"events/{pop}/0123/1", headers=headers)
    assert read.status_code == answer.status_code
    return answer.status_code, "" if answer.is_success else answer.json()["error"]["code"]


async def add(client: httpx.AsyncClient, keys: Keys, name: str, **more: Any) -> httpx.Response:
    body = {"name": name, "author": "ann", "reason": "new machine", **more}
    return await client.post("pops", json=body, headers=keys.publish)


async def revoke(client: httpx.AsyncClient, keys: Keys, name: str) -> httpx.Response:
    body = {"author": "bob", "reason": "stolen"}
    return await client.post(f"pops/{name}/revoke", json=body, headers=keys.publish)


async def listed(client: httpx.AsyncClient, keys: Keys) -> dict[str, Any]:
    return {entry["name"]: entry for entry in (await client.get("pops", headers=keys.publish)).json()}


async def test_only_its_own_credential_speaks_for_a_pop(client: httpx.AsyncClient, keys: Keys) -> None:
    made = await add(client, keys, "lab")
    assert (made.status_code, made.json() | {"token": ""}) == (
        201,
        {"site": "films", "pop": "lab", "token": ""},
    )
    other = (await add(client, keys, "vienna")).json()["token"]
    own = made.json()["token"]
    assert await ship(client, "lab", bearer(own)) == (200, "")
    assert await ship(client, "lab", bearer(other)) == (403, "wrong-token")
    assert await ship(client, "lab", keys.publish) == (403, "wrong-token")
    assert await ship(client, "lab", {}) == (401, "no-token")
    # The site's token stands in only for a PoP that never had its own.
    assert await ship(client, "lab", keys.ingest) == (403, "wrong-token")
    assert await ship(client, "paris", keys.ingest) == (200, "")


async def test_revocation_works_at_once_and_for_good(client: httpx.AsyncClient, keys: Keys) -> None:
    first = (await add(client, keys, "lab")).json()["token"]
    assert await ship(client, "lab", bearer(first)) == (200, "")
    assert (await revoke(client, keys, "lab")).json() == {"revoked": "lab"}
    assert await ship(client, "lab", bearer(first)) == (403, "revoked")
    assert await ship(client, "lab", keys.ingest) == (403, "wrong-token")
    assert (await revoke(client, keys, "lab")).json()["error"]["code"] == "no-pop"
    second = (await add(client, keys, "lab")).json()["token"]
    assert await ship(client, "lab", bearer(second)) == (200, "")
    assert await ship(client, "lab", bearer(first)) == (403, "revoked")


async def test_a_credential_is_replaced_only_when_asked(client: httpx.AsyncClient, keys: Keys) -> None:
    first = (await add(client, keys, "lab")).json()["token"]
    refused = await add(client, keys, "lab")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "pop-exists")
    assert await ship(client, "lab", bearer(first)) == (200, "")
    second = (await add(client, keys, "lab", replace=True)).json()["token"]
    assert await ship(client, "lab", bearer(first)) == (403, "revoked")
    assert await ship(client, "lab", bearer(second)) == (200, "")


async def test_names_and_orders_are_checked(client: httpx.AsyncClient, keys: Keys) -> None:
    for name in ("*", "", "a b", "é", "x" * 65):
        assert (await add(client, keys, name)).json()["error"]["code"] == "pop"
    assert (await add(client, keys, "lab", author=" ")).json()["error"]["code"] == "author"
    assert (await client.get("news?pop=a%20b")).json()["error"]["code"] == "pop"
    for method, path in (("GET", "pops"), ("POST", "pops"), ("POST", "pops/lab/revoke")):
        assert (await client.request(method, path, headers=keys.ingest)).status_code == 403


async def test_without_a_shared_token_every_pop_needs_its_own(settings: Settings, tmp_path: Any) -> None:
    made = make_keys(tmp_path / "a", shared_token=False)
    assert (made.edge.ingest_token, made.origin.ingest_token_sha256) == ("", "")
    async with running(settings, made) as client:
        assert await ship(client, "lab", bearer("x")) == (403, "wrong-token")
        assert await ship(client, "lab", {"authorization": "Bearer "}) == (401, "no-token")
        token = (await add(client, made, "lab")).json()["token"]
        assert await ship(client, "lab", bearer(token)) == (200, "")
    _, origin, _ = new_keys(tmp_path / "b", "songs", shared_token=False)
    assert load_origin(origin).ingest_token_sha256 == ""


async def test_the_list_tells_who_was_heard_and_what_they_serve(
    settings: Settings, keys: Keys, parts: Parts
) -> None:
    async with running(settings, keys) as client:
        token = (await add(client, keys, "lab")).json()["token"]
        await add(client, keys, "quiet")
        await revoke(client, keys, "quiet")
        await ship(client, "paris", keys.ingest)
        found = await listed(client, keys)
        assert list(found) == ["lab", "paris", "quiet"]
        assert [found[n]["credential"] for n in found] == ["own", "site", "revoked"]
        assert (found["lab"]["seen_ms"], found["lab"]["shipped_ms"], found["lab"]["connected"]) == (
            0,
            0,
            False,
        )
        assert found["paris"]["seen_ms"] == found["paris"]["shipped_ms"] > 1_600_000_000_000
        assert (found["quiet"]["author"], found["quiet"]["reason"]) == ("bob", "stolen")
        await ship(client, "lab", bearer(token))
    async with running(settings, keys) as client:  # what was heard survives a restart
        assert (await listed(client, keys))["lab"]["shipped_ms"] > 0


async def test_a_credential_of_one_site_is_none_of_another(settings: Settings, tmp_path: Any) -> None:
    films, songs = make_keys(tmp_path / "f", "films"), make_keys(tmp_path / "s", "songs")
    async with running(settings, films, songs) as client:
        token = (await add(client, films, "lab")).json()["token"]
        place = "http://origin/v1/sites/songs/events/lab/0123/1"
        assert (await client.get(place, headers=bearer(token))).status_code == 403
        assert (await client.get(place, headers=songs.ingest)).status_code == 200


async def test_two_additions_at_once_make_one_credential(client: httpx.AsyncClient, keys: Keys) -> None:
    answers = await asyncio.gather(*(add(client, keys, "lab") for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
