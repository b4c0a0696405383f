"""Filters of many ids: no member is ever missed, and few strangers are taken for one."""

import hashlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.rules.fuse import build_fuse
from edge.bundle.arrays import pack, unpack
from edge.decide.fuse import FALSE_POSITIVE_RATE, Fuse


def filter_of(ids: list[str]) -> Fuse:
    return Fuse(unpack(pack(build_fuse(ids))))


@settings(deadline=None, max_examples=200)
@given(st.lists(st.text(max_size=8), max_size=300))
def test_every_member_is_found(ids: list[str]) -> None:
    members = filter_of(ids)
    assert [id_ for id_ in ids if id_ not in members] == []


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 10, 33, 100, 1_000, 10_000])
def test_every_size_can_be_built(size: int) -> None:
    members = filter_of([f"u{n}" for n in range(size)])
    assert all(f"u{n}" in members for n in range(size))


def test_strangers_are_taken_for_members_as_rarely_as_stated() -> None:
    members = filter_of([f"member-{n}" for n in range(20_000)])
    tries = 400_000
    wrong = sum(f"stranger-{n}" in members for n in range(tries))
    # Six are expected; more than 20 have a chance of one in a million.
    assert tries * FALSE_POSITIVE_RATE == pytest.approx(6.1, abs=0.1)
    assert wrong <= 20


def test_a_million_ids_are_built_in_seconds_and_all_found() -> None:
    ids = [f"{n:032x}" for n in range(1_000_000)]
    begin = time.perf_counter()
    arrays = build_fuse(ids)
    assert time.perf_counter() - begin < 30  # 3 s on an idle core
    assert len(pack(arrays)) < 2_300_000
    members = Fuse(arrays)
    assert all(id_ in members for id_ in ids[::10])


def test_the_same_ids_give_the_same_bytes_whatever_their_order() -> None:
    ids = [f"u{n}" for n in range(3000)]
    body = pack(build_fuse(ids))
    assert pack(build_fuse([*reversed(ids), "u7", "u7"])) == body
    # Of all versions, on all machines: a list that did not change is not fetched again.
    assert hashlib.sha256(body).hexdigest()[:16] == "86448da32a43718c"
