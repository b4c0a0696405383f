"""The origin's routes: what is taken, what is refused and by which name."""

import asyncio
from typing import Any

import httpx
import pytest

from edge.bundle import format as fmt
from edge.bundle.format import Revision, Rollout, Signed
from origin import signing
from origin.server.api import make_app
from origin.server.settings import Settings
from tests.origin.world import Keys, Parts, make_keys, make_parts, running

pytestmark = pytest.mark.anyio


def signed(keys: Keys, payload: bytes, role: str, by: str = "") -> bytes:
    key = keys.publisher.sign[by or role]
    return fmt.encode(signing.sign(payload, role, key.id, key.raw()))


async def upload(client: httpx.AsyncClient, keys: Keys, parts: Parts) -> None:
    for sha256, body in parts.artifacts.items():
        response = await client.put(f"artifacts/{sha256}", content=body, headers=keys.publish)
        assert response.status_code == 201, response.text
    for role, payload in parts.manifests.items():
        response = await client.put(
            f"manifests/{fmt.digest(payload)}", content=signed(keys, payload, role), headers=keys.publish
        )
        assert (response.status_code, response.json()) == (201, {"role": role}), response.text


async def revise(client: httpx.AsyncClient, keys: Keys, parts: Parts, **more: Any) -> httpx.Response:
    body = {"manifests": parts.hashes, "author": "ann", "reason": "spring", **more}
    return await client.post("revisions", json=body, headers=keys.publish)


def code(response: httpx.Response) -> tuple[int, str]:
    error = response.json()["error"]
    assert set(error) == {"code", "message", "hint"}
    assert error["message"]
    return response.status_code, error["code"]


async def rollout(client: httpx.AsyncClient, keys: Keys) -> Rollout:
    envelope = fmt.decode((await client.get("rollout")).content, Signed)
    return fmt.decode(signing.verify(envelope, "online", keys.edge.trust["online"]), Rollout)


async def test_publish_and_read_back(client: httpx.AsyncClient, keys: Keys, parts: Parts) -> None:
    await upload(client, keys, parts)
    response = await revise(client, keys, parts)
    assert (response.status_code, response.json()) == (201, {"number": 1, "serial": 1})
    assert await rollout(client, keys) == Rollout(1, "films", 1, {"*": 1})

    envelope = fmt.decode((await client.get("revisions/1")).content, Signed)
    revision = fmt.decode(signing.verify(envelope, "online", keys.edge.trust["online"]), Revision)
    assert (revision.number, revision.site) == (1, "films")
    for role, ref in revision.manifests.items():
        held = fmt.decode((await client.get(f"manifests/{ref.sha256}")).content, Signed)
        payload = signing.verify(held, role, keys.edge.trust[role])
        assert (payload, len(payload)) == (parts.manifests[role], ref.size)
        for artifact in fmt.decode_manifest(payload, role, "films").artifacts:
            got = await client.get(f"artifacts/{artifact.sha256}")
            assert got.content == parts.artifacts[artifact.sha256]
            assert "immutable" in got.headers["cache-control"]
            head = await client.head(f"artifacts/{artifact.sha256}")
            assert int(head.headers["content-length"]) == artifact.size

    (listed,) = (await client.get("revisions")).json()
    assert {k: listed[k] for k in ("number", "author", "reason", "bundle", "manifests")} == {
        "number": 1,
        "author": "ann",
        "reason": "spring",
        "bundle": fmt.bundle_id(parts.hashes),
        "manifests": parts.hashes,
    }


async def test_everything_is_there_after_a_restart(settings: Settings, keys: Keys, parts: Parts) -> None:
    async with running(settings, keys) as client:
        await upload(client, keys, parts)
        await revise(client, keys, parts)
    async with running(settings, keys) as client:
        assert (await rollout(client, keys)).serial == 1
        assert (await revise(client, keys, parts)).json() == {"number": 2, "serial": 2}


async def test_concurrent_publishes_get_numbers_of_their_own(
    client: httpx.AsyncClient, keys: Keys, parts: Parts
) -> None:
    await upload(client, keys, parts)
    answers = await asyncio.gather(*(revise(client, keys, parts) for _ in range(12)))
    assert sorted(answer.json()["number"] for answer in answers) == list(range(1, 13))
    assert sorted(answer.json()["serial"] for answer in answers) == list(range(1, 13))


async def test_a_revision_may_wait(client: httpx.AsyncClient, keys: Keys, parts: Parts) -> None:
    await upload(client, keys, parts)
    assert (await revise(client, keys, parts, activate=False)).json() == {"number": 1, "serial": 0}
    assert code(await client.get("rollout")) == (404, "no-rollout")


async def test_roll_back_kill_and_pins(client: httpx.AsyncClient, keys: Keys, parts: Parts) -> None:
    await upload(client, keys, parts)
    for _ in range(2):
        await revise(client, keys, parts)

    async def order(**body: Any) -> httpx.Response:
        return await client.post("rollout", json={"author": "ann", **body}, headers=keys.publish)

    assert (await order(pops={"*": 1, "lab": 2})).json() == {"serial": 3}
    assert (await order(kill=["b", "a", "b"])).json() == {"serial": 4}
    assert await rollout(client, keys) == Rollout(1, "films", 4, {"*": 1, "lab": 2}, ("a", "b"))
    assert (await revise(client, keys, parts)).json() == {"number": 3, "serial": 5}
    assert await rollout(client, keys) == Rollout(1, "films", 5, {"*": 3, "lab": 2}, ("a", "b"))
    assert code(await order(pops={"*": 9})) == (422, "no-revision")
    assert code(await order(pops={})) == (422, "pops")
    stale = await order(kill=[], after=4)
    assert code(stale) == (409, "stale")
    assert stale.json()["serial"] == 5
    assert (await order(kill=[], after=5)).json() == {"serial": 6}
    assert code(await order(kill=[], author=" ")) == (422, "author")
    assert code(await order(kill=[str(n) for n in range(10_001)])) == (422, "kill")


@pytest.mark.parametrize("route", ["artifacts", "manifests", "revisions", "rollout"])
async def test_writing_needs_the_publish_token(client: httpx.AsyncClient, keys: Keys, route: str) -> None:
    method, path = ("PUT", f"{route}/{'0' * 64}") if route in ("artifacts", "manifests") else ("POST", route)
    missing = await client.request(method, path)
    assert code(missing) == (401, "no-token")
    assert missing.headers["www-authenticate"] == "Bearer"
    for wrong in (keys.ingest, {"authorization": "Bearer x"}, {"authorization": "Basic eDp4"}):
        assert code(await client.request(method, path, headers=wrong))[1] in ("wrong-token", "no-token")


async def test_an_artifact_is_what_its_address_says(client: httpx.AsyncClient, keys: Keys) -> None:
    wrong = await client.put(f"artifacts/{'0' * 64}", content=b"abc", headers=keys.publish)
    assert code(wrong) == (422, "artifact-hash")
    assert code(await client.get(f"artifacts/{'0' * 64}")) == (404, "no-artifact")
    for name in ("0" * 63, "A" * 64, "..%2f..%2forigin.db"):
        assert (await client.put(f"artifacts/{name}", content=b"", headers=keys.publish)).status_code == 404


async def test_an_artifact_is_bounded_and_nothing_of_it_stays(tmp_path: Any, keys: Keys) -> None:
    settings = Settings(data=str(tmp_path / "data"), max_artifact_bytes=1000)
    async with running(settings, keys) as client:
        body = bytes(1001)
        response = await client.put(f"artifacts/{fmt.digest(body)}", content=body, headers=keys.publish)
        assert code(response) == (413, "too-large")
    assert list((tmp_path / "data/sites/films/artifacts").iterdir()) == []


@pytest.mark.parametrize(("by", "role"), [("rules", "models"), ("models", "rules")])
async def test_a_key_of_another_role_is_refused(
    client: httpx.AsyncClient, keys: Keys, parts: Parts, by: str, role: str
) -> None:
    for claimed in (by, role):
        key = keys.publisher.sign[by]
        payload = parts.manifests[role]
        body = fmt.encode(signing.sign(payload, claimed, key.id, key.raw()))
        url = f"manifests/{fmt.digest(payload)}"
        assert code(await client.put(url, content=body, headers=keys.publish)) == (422, "wrong-role")


async def test_bad_manifests_are_refused_by_name(
    client: httpx.AsyncClient, keys: Keys, tmp_path: Any
) -> None:
    async def put(payload: bytes, body: bytes) -> tuple[int, str]:
        url = f"manifests/{fmt.digest(payload)}"
        return code(await client.put(url, content=body, headers=keys.publish))

    foreign = make_parts(site="songs").manifests["rules"]
    assert await put(foreign, signed(keys, foreign, "rules")) == (422, "foreign-site")
    mine = make_parts().manifests["rules"]
    stranger = make_keys(tmp_path / "stranger")
    assert await put(mine, signed(stranger, mine, "rules")) == (422, "signature")
    assert await put(b"x", signed(keys, mine, "rules")) == (422, "manifest-hash")
    assert await put(mine, b"\xc1") == (422, "malformed")
    assert await put(mine, bytes(2 << 20)) == (413, "too-large")
    unknown = mine.replace(b"\xa5rules", b"\xa5rulez")
    assert await put(unknown, signed(keys, unknown, "rulez", by="rules")) == (422, "wrong-role")
    shipped = make_parts().manifests["models"].replace(b"\xa6models", b"\xa5rules")
    assert await put(shipped, signed(keys, shipped, "rules")) == (422, "wrong-role")


async def test_revisions_that_no_edge_would_take_are_refused(
    client: httpx.AsyncClient, keys: Keys, parts: Parts
) -> None:
    assert code(await revise(client, keys, parts)) == (422, "no-manifest")
    for role, payload in parts.manifests.items():
        await client.put(
            f"manifests/{fmt.digest(payload)}", content=signed(keys, payload, role), headers=keys.publish
        )
    missing = await revise(client, keys, parts)
    assert code(missing) == (422, "missing-artifacts")
    assert sorted(missing.json()["missing"]) == sorted(parts.artifacts)
    unfit = make_parts("two", requires="1" * 64)
    await upload(client, keys, unfit)
    assert code(await revise(client, keys, unfit)) == (422, "interface")
    await upload(client, keys, parts)
    swapped = {**parts.hashes, "rules": parts.hashes["models"]}
    assert code(await revise(client, keys, parts, manifests=swapped)) == (422, "wrong-role")
    two = {role: parts.hashes[role] for role in ("rules", "models")}
    assert code(await revise(client, keys, parts, manifests=two)) == (422, "roles")
    assert code(await revise(client, keys, parts, colour="red")) == (422, "json")
    assert (await client.get("revisions")).json() == []


async def test_a_truncated_artifact_on_disk_is_missing(
    client: httpx.AsyncClient, keys: Keys, parts: Parts, settings: Settings, tmp_path: Any
) -> None:
    await upload(client, keys, parts)
    (tmp_path / "data/sites/films/artifacts" / next(iter(parts.artifacts))).write_bytes(b"")
    assert code(await revise(client, keys, parts)) == (422, "missing-artifacts")


async def test_sites_do_not_see_each_other(settings: Settings, tmp_path: Any, parts: Parts) -> None:
    films, songs = make_keys(tmp_path / "f", "films"), make_keys(tmp_path / "s", "songs")
    async with running(settings, films, songs) as client:
        await upload(client, films, parts)
        sha256 = next(iter(parts.artifacts))
        assert (await client.get(f"http://origin/v1/sites/songs/artifacts/{sha256}")).status_code == 404
        other = await client.put(
            f"http://origin/v1/sites/songs/artifacts/{sha256}", content=b"", headers=films.publish
        )
        assert code(other) == (403, "wrong-token")
        assert code(await client.get("http://origin/v1/sites/none/rollout")) == (404, "no-site")


async def test_unknown_routes_and_methods_are_json(client: httpx.AsyncClient) -> None:
    assert code(await client.get("http://origin/nothing")) == (404, "no-route")
    refused = await client.delete("rollout")
    assert code(refused) == (405, "method")
    assert set(refused.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}
    assert code(await client.get("revisions/7")) == (404, "no-revision")
    assert (await client.get("http://origin/live")).json() == {"live": True}


async def test_a_bug_answers_json_without_details(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("origin.store.sqlite.SqliteStore.rollout", fails)
    response = await client.get("rollout")
    assert code(response) == (500, "internal")
    assert "secret" not in response.text


def test_an_origin_needs_keys_of_different_sites(settings: Settings, keys: Keys) -> None:
    for held in ([], [keys.origin, keys.origin]):
        with pytest.raises(Exception, match="different sites"):
            make_app(settings, held)
