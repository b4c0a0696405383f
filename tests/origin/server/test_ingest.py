"""Ingest: whatever breaks and whoever sends twice, each record is in the lake once."""

import asyncio
import struct
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from edge.decide.types import Context, DecisionRecord, Event, Record, Slot
from edge.events import spool
from origin.lake import reader as lake
from origin.lake.tables import DECISIONS, EVENTS
from origin.server.ingest import MAX_BATCH_BYTES, read_batch
from origin.server.service import open_origin
from origin.server.settings import Settings
from origin.store.values import Segment
from tests.origin.world import Keys, make_keys, running

pytestmark = pytest.mark.anyio

URL = "events/lab/0123abcd/1"


def decision(number: int, site: str = "films") -> DecisionRecord:
    context = Context(1_700_000_000_000 + number, 7, "full", {"device.type": "mobile"}, ("f1",), ("hero",))
    slots = (Slot("hero", "spring", "", ("f2", "f3"), "ease", "poster"),)
    return DecisionRecord(f"{number:032x}", site, "lab", "b" * 32, 1, "", (), "v1", context, slots)


def click(number: int) -> Event:
    return Event(f"{number:032x}", "click", "f2", 0, "hero", "v1", 1_700_000_000_500 + number)


def segment_bytes(count: int) -> tuple[list[Record], bytes]:
    records: list[Record] = [kind(n) for n in range(count) for kind in (decision, click)]
    return records, b"".join(map(spool.frame, records))


async def post(client: httpx.AsyncClient, keys: Keys, offset: int, body: bytes) -> httpx.Response:
    return await client.post(URL, params={"offset": offset}, content=body, headers=keys.ingest)


def held(settings: Settings, site: str = "films") -> list[Record]:
    root = Path(settings.data)
    return [*lake.decisions(root, site), *lake.events(root, site)]


def same(found: list[Record], wanted: list[Record]) -> bool:
    return sorted(map(repr, found)) == sorted(map(repr, wanted))


async def test_one_batch_fills_both_tables(client: httpx.AsyncClient, keys: Keys, settings: Settings) -> None:
    records, body = segment_bytes(5)
    answer = await post(client, keys, 0, body)
    assert (answer.status_code, answer.json()) == (200, {"committed": len(body)})
    assert same(held(settings), records)
    assert (await client.get(URL, headers=keys.ingest)).json() == {"committed": len(body)}
    row = next(lake.rows(Path(settings.data), "films", DECISIONS, ["id", "slots", "decided"]))
    assert row["id"] == "0" * 32
    assert row["slots"][0] | {"items": None} == {
        "placement": "hero",
        "policy": "spring",
        "content": "",
        "items": None,
        "candidates": "ease",
        "card": "poster",
        "propensity": 1.0,
        "experiment": "",
        "variation": "",
    }
    assert row["decided"].timestamp is not None
    assert row["decided"].tzinfo is None


async def test_overlap_is_skipped_and_a_gap_is_refused(
    client: httpx.AsyncClient, keys: Keys, settings: Settings
) -> None:
    records, body = segment_bytes(6)
    half = len(spool.frame(records[0])) + len(spool.frame(records[1]))
    gap = await post(client, keys, half, body[half:])
    assert gap.status_code == 409
    assert (gap.json()["committed"], gap.json()["error"]["code"]) == (0, "gap")
    assert (await post(client, keys, 0, body[:half])).json() == {"committed": half}
    assert (await post(client, keys, 0, body)).json() == {"committed": len(body)}
    assert (await post(client, keys, 3, body[3 : half - 1])).json() == {"committed": len(body)}
    assert (await post(client, keys, len(body), b"")).json() == {"committed": len(body)}
    assert same(held(settings), records)


async def test_only_whole_records_are_taken(
    client: httpx.AsyncClient, keys: Keys, settings: Settings
) -> None:
    records, body = segment_bytes(3)
    last = len(body) - len(spool.frame(records[-1]))
    for cut in (len(body) - 1, last + 8, last + 7, last + 1):
        assert (await post(client, keys, 0, body[:cut])).json() == {"committed": last}
    assert same(held(settings), records[:-1])
    assert (await post(client, keys, last, body[last:])).json() == {"committed": len(body)}
    assert same(held(settings), records)


def damaged(frame: bytes) -> bytes:
    return frame[:-1] + bytes([frame[-1] ^ 1])


def unknown() -> bytes:
    payload = b"\x92\xa5other\x01"
    return struct.pack("<II", len(payload), spool.zlib.crc32(payload)) + payload


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (damaged(spool.frame(decision(1))), "damaged"),
        (struct.pack("<II", 1 << 30, 0) + bytes(20), "damaged"),
        (unknown(), "record"),
        (spool.frame(decision(1, site="songs")), "foreign-site"),
        (spool.frame(Event("0", "click", "f", 2**63, "hero", "", 0)), "record"),
    ],
)
async def test_a_bad_record_is_named_and_those_before_it_are_kept(
    client: httpx.AsyncClient, keys: Keys, settings: Settings, bad: bytes, code: str
) -> None:
    records, body = segment_bytes(2)
    for _ in range(2):
        answer = await post(client, keys, 0, body + bad + spool.frame(click(9)))
        assert answer.status_code == 422
        assert answer.json()["error"]["code"] == code
        assert (answer.json()["committed"], answer.json()["offset"]) == (len(body), len(body))
    assert same(held(settings), records)


async def test_duplicates_at_the_same_time_are_taken_once(
    client: httpx.AsyncClient, keys: Keys, settings: Settings
) -> None:
    records, body = segment_bytes(20)
    half = len(spool.frame(records[0]))
    answers = await asyncio.gather(*(post(client, keys, 0, part) for part in [body, body[:half]] * 8))
    assert {answer.status_code for answer in answers} == {200}
    assert same(held(settings), records)


async def test_another_writer_that_was_first_wins(settings: Settings, keys: Keys, tmp_path: Path) -> None:
    """The lock in this process is for order; what makes it once is the watermark in the transaction."""
    records, body = segment_bytes(3)
    segment = Segment("films", "lab", "s", 1)
    async with open_origin(settings, [keys.origin]) as origin:
        await origin.ingest.take(segment, 0, body)
        batch = read_batch(memoryview(body), "films")
        assert await origin.ingest._commit(segment, 0, batch) == len(body)
        assert same(held(settings), records)
        assert len(list(Path(settings.data).glob("sites/films/lake/*/*"))) == 2


class CrashError(Exception):
    """Stands for the process dying here."""


@pytest.mark.parametrize(
    "step",
    [
        "origin.lake.tables.pq.write_table",  # before the temporary file
        "origin.server.ingest._sync",  # between the temporary file and its name
        "origin.server.ingest.LakeFile",  # after the rename of the first table
        "origin.store.sqlite.SqliteStore.commit_batch",  # after all renames
        "origin.store.sqlite.upsert",  # inside of the transaction, between file rows and watermark
        "after",  # after the commit: the answer is lost
    ],
)
async def test_a_crash_at_any_step_loses_and_doubles_nothing(
    settings: Settings, keys: Keys, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, body = segment_bytes(4)

    def crash(*_: Any, **__: Any) -> None:
        raise CrashError

    async with running(settings, keys) as client:
        with monkeypatch.context() as patch:
            if step != "after":
                patch.setattr(step, crash)
            assert (await post(client, keys, 0, body)).status_code == (200 if step == "after" else 500)
        seen = held(settings)
        assert same(seen, records if step == "after" else [])
    async with running(settings, keys) as client:
        listed = {p for kind in (DECISIONS, EVENTS) for p in lake.files(Path(settings.data), "films", kind)}
        assert set(Path(settings.data).glob("sites/films/lake/*/*")) == listed
        assert (await post(client, keys, 0, body)).json() == {"committed": len(body)}
    assert same(held(settings), records)


async def test_a_failed_batch_can_be_sent_again_without_a_restart(
    client: httpx.AsyncClient, keys: Keys, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, body = segment_bytes(2)

    def crash(*_: Any, **__: Any) -> None:
        raise CrashError

    with monkeypatch.context() as patch:
        patch.setattr("origin.store.sqlite.SqliteStore.commit_batch", crash)
        assert (await post(client, keys, 0, body)).status_code == 500
    assert (await post(client, keys, 0, body)).status_code == 200
    assert same(held(settings), records)


async def test_limits_tokens_and_names(client: httpx.AsyncClient, keys: Keys) -> None:
    def code(answer: httpx.Response) -> tuple[int, str]:
        return answer.status_code, answer.json()["error"]["code"]

    assert code(await post(client, keys, 0, bytes(MAX_BATCH_BYTES + 1))) == (413, "too-large")
    assert code(await client.post(URL, headers=keys.publish)) == (403, "wrong-token")
    assert code(await client.get(URL)) == (401, "no-token")
    for offset in ({}, {"offset": "-1"}, {"offset": "x"}, {"offset": "9" * 30}):
        assert code(await client.post(URL, params=offset, headers=keys.ingest)) == (422, "offset")
    assert code(await client.get("events/.x/s/1", headers=keys.ingest)) == (422, "pop")
    assert code(await client.get("events/lab/a b/1", headers=keys.ingest)) == (422, "spool")
    assert code(await client.get(f"events/lab/s/{10**15}", headers=keys.ingest)) == (422, "segment")


async def test_spools_segments_and_sites_have_watermarks_of_their_own(
    settings: Settings, tmp_path: Path
) -> None:
    films, songs = make_keys(tmp_path / "f", "films"), make_keys(tmp_path / "s", "songs")
    body = spool.frame(decision(1))
    async with running(settings, films, songs) as client:
        for place in ("events/lab/s/1", "events/lab/s/2", "events/lab/t/1", "events/home/s/1"):
            answer = await client.post(place, params={"offset": 0}, content=body, headers=films.ingest)
            assert answer.json() == {"committed": len(body)}
        other = await client.get("http://origin/v1/sites/songs/events/lab/s/1", headers=songs.ingest)
        assert other.json() == {"committed": 0}
    assert len(held(settings)) == 4
    assert held(settings, "songs") == []


async def test_a_second_origin_on_the_same_folder_is_refused(settings: Settings, keys: Keys) -> None:
    async with running(settings, keys):
        with pytest.raises(Exception, match="in use by another origin"):
            async with open_origin(settings, [keys.origin]):
                pass


async def test_the_lake_is_read_from_many_files(settings: Settings, keys: Keys) -> None:
    async with open_origin(settings, [keys.origin]) as origin:
        for number in range(300):
            await origin.ingest.take(Segment("films", "lab", "s", number), 0, spool.frame(click(number)))
    found = [event.decision for event in lake.events(Path(settings.data), "films")]
    assert found == [f"{number:032x}" for number in range(300)]


@profile(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200), cut=st.integers(0, 400))
def test_any_bytes_are_read_up_to_what_is_wrong_with_them(data: bytes, cut: int) -> None:
    records, body = segment_bytes(1)
    batch = read_batch(memoryview(body[:cut] + data), "films")
    assert batch.taken == sum(spool.HEADER.size + len(exact) for _, exact in batch.records)
    if cut >= len(body):
        assert [record for record, _ in batch.records[:2]] == records
