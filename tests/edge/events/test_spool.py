"""A spool gives back what was written, whole records only, whatever stands in the file."""

import os
import zlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.decide.types import Event
from edge.errors import GivenError
from edge.events import spool as module
from edge.events.spool import (
    HEADER,
    MAX_RECORD_BYTES,
    SpoolFullError,
    SpoolWriter,
    frame,
    is_alive,
    records,
    whole_bytes,
)

EVENT = Event("d" * 32, "click", "alien", 1, "hero", "", 1_700_000_000_000)


def framed(payload: bytes) -> bytes:
    return HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def test_what_is_appended_is_read(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path)
    writer.append([EVENT, EVENT])
    (path,) = (tmp_path / writer.id).glob("*.seg")
    assert records(path.read_bytes()) == [EVENT, EVENT]
    assert is_alive(tmp_path / writer.id)
    writer.close()
    assert not is_alive(tmp_path / writer.id)


@pytest.mark.parametrize("cut", range(1, len(frame(EVENT))))
def test_a_torn_tail_is_no_record(cut: int) -> None:
    data = frame(EVENT) + frame(EVENT)[:-cut]
    assert whole_bytes(data) == len(frame(EVENT))
    assert records(data) == [EVENT]


def test_a_damaged_record_ends_what_is_whole() -> None:
    damaged = bytearray(frame(EVENT))
    damaged[-1] ^= 1
    assert whole_bytes(frame(EVENT) + bytes(damaged) + frame(EVENT)) == len(frame(EVENT))
    assert whole_bytes(HEADER.pack(0xFFFFFFFF, 0) + b"x") == 0


@pytest.mark.parametrize(
    "payload",
    [
        b"\xc1",
        msgspec.msgpack.encode(["unknown", 1]),
        # Not UTF-8 in the place of a text.
        msgspec.msgpack.Encoder().encode(EVENT).replace(b"alien", b"\xff\xfe\xfd\xfc\xfb"),
        b"\x91" * 60_000,
    ],
)
def test_a_whole_record_of_no_known_kind_is_refused_by_name(payload: bytes) -> None:
    with pytest.raises(GivenError) as caught:
        records(framed(payload))
    assert caught.value.code == "record"


def test_a_spool_at_its_bound_takes_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.events.spool.SEGMENT_BYTES", 200)
    writer = SpoolWriter(tmp_path, max_bytes=400)
    with pytest.raises(SpoolFullError):
        for _ in range(20):
            writer.append([EVENT])
    held = sum(path.stat().st_size for path in tmp_path.glob("*/*.seg"))
    # Looked at when a segment is begun: one segment may go beyond.
    assert 200 < held <= 400 + 200
    for shipped in sorted(tmp_path.glob("*/*.seg"))[:-1]:
        shipped.unlink()
    writer.append([EVENT])
    writer.close()


@settings(deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.binary(max_size=30))
def test_whole_records_are_found_before_anything(payloads: list[bytes], tail: bytes) -> None:
    data = b"".join(map(framed, payloads))
    assert whole_bytes(data) == len(data)
    assert whole_bytes(data + HEADER.pack(len(tail) + 1, zlib.crc32(tail)) + tail) == len(data)


def test_a_tail_of_zeros_is_no_record() -> None:
    assert whole_bytes(frame(EVENT) + bytes(4096)) == len(frame(EVENT))
    assert records(frame(EVENT) + bytes(4096)) == [EVENT]


def test_a_record_that_no_reader_would_take_is_not_written(tmp_path: Path) -> None:
    """It would hide all that follow it in its segment."""
    writer = SpoolWriter(tmp_path)
    long = msgspec.structs.replace(EVENT, item="x" * MAX_RECORD_BYTES)
    assert writer.append([EVENT, long, EVENT]) == 1
    assert writer.append([long]) == 1
    assert writer.append([]) == 0
    (path,) = (tmp_path / writer.id).glob("*.seg")
    assert records(path.read_bytes()) == [EVENT, EVENT]
    assert whole_bytes(path.read_bytes()) == path.stat().st_size
    writer.close()


def test_the_longest_record_is_read_back(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path)
    most = MAX_RECORD_BYTES - (len(frame(EVENT)) - HEADER.size)
    longest = msgspec.structs.replace(EVENT, item="x" * (most + len(EVENT.item) - 2))
    assert len(frame(longest)) == MAX_RECORD_BYTES + HEADER.size
    assert writer.append([longest]) == 0
    (path,) = (tmp_path / writer.id).glob("*.seg")
    assert records(path.read_bytes()) == [longest]
    writer.close()


def test_segments_follow_each_other_and_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEGMENT_BYTES", 300)
    writer = SpoolWriter(tmp_path)
    events = [msgspec.structs.replace(EVENT, n=n) for n in range(30)]
    for event in events:
        writer.append([event])
    paths = sorted((tmp_path / writer.id).glob("*.seg"))
    assert [path.name for path in paths] == [module.segment_name(n + 1) for n in range(len(paths))]
    assert len(paths) > 3
    assert [event for path in paths for event in records(path.read_bytes())] == events
    writer.close()


def test_a_segment_that_can_not_be_begun_closes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file closed too early would lend its number to a connection, into which records then went."""
    monkeypatch.setattr(module, "SEGMENT_BYTES", 200)
    writer = SpoolWriter(tmp_path)
    writer.append([EVENT])
    (tmp_path / writer.id / module.segment_name(2)).mkdir()
    for _ in range(2):
        with pytest.raises(FileExistsError):
            writer.append([EVENT, EVENT])
    strangers = [os.open(tmp_path / f"stranger{n}", os.O_CREAT | os.O_RDWR) for n in range(4)]
    (tmp_path / writer.id / module.segment_name(2)).rmdir()
    writer.append([EVENT, EVENT])
    writer.close()
    assert [os.fstat(stranger).st_size for stranger in strangers] == [0] * 4
    for stranger in strangers:
        os.close(stranger)
    found = [records(path.read_bytes()) for path in sorted((tmp_path / writer.id).glob("*.seg"))]
    assert found == [[EVENT], [EVENT, EVENT]]
