"""A table of strings finds what is in it, and refuses arrays that are none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle import strings as module
from edge.bundle.arrays import Array, pack, unpack
from edge.bundle.strings import Strings, pack_strings
from edge.errors import BundleError

BLOB, OFFSETS = np.frombuffer(b"abc", np.uint8), np.array([0, 1, 3], np.uint64)


def table(*strings: bytes) -> Strings:
    return Strings(unpack(pack(pack_strings("x", strings))), "x")


@given(st.lists(st.binary(max_size=8), unique=True), st.binary(max_size=8))
def test_each_string_is_found_where_it_stands_and_no_other(strings: list[bytes], other: bytes) -> None:
    held = sorted(strings)
    opened = table(*held)
    assert [opened[position] for position in range(len(opened))] == held
    for _ in range(2):  # cold, then remembered
        assert [opened.find(string) for string in held] == list(range(len(held)))
        assert opened.find(other) == (held.index(other) if other in held else -1)


@given(st.lists(st.text(max_size=4), unique=True), st.lists(st.text(max_size=4)))
def test_texts_and_positions_are_each_others_inverse(held: list[str], asked: list[str]) -> None:
    held = sorted(held, key=str.encode)
    opened = table(*(text.encode() for text in held))
    opened.check_texts()
    for _ in range(2):
        positions = opened.positions((*asked, *held))
        assert opened.texts(positions) == [text for text in (*asked, *held) if text in held]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED", 4)
    strings = [b"%02d" % number for number in range(30)]
    opened = table(*strings)
    for string in strings:
        assert opened.text(opened.find(string)).encode() == string
        assert opened.positions((string.decode(), "stranger")) == [opened.find(string)]
    assert max(len(opened._found), len(opened._texts), len(opened._known)) <= 4
    assert opened.find(b"long" * 1000) == -1
    assert b"long" * 1000 not in opened._found


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"x.blob": BLOB},
        {"x.offsets": OFFSETS},
        {"x.blob": BLOB.astype(np.uint32), "x.offsets": OFFSETS},
        {"x.blob": BLOB, "x.offsets": OFFSETS.astype(np.int64)},
        {"x.blob": BLOB, "x.offsets": OFFSETS[:0]},
        {"x.blob": BLOB, "x.offsets": OFFSETS + np.uint64(1)},
        {"x.blob": BLOB, "x.offsets": np.array([0, 3, 1, 3], np.uint64)},
        {"x.blob": BLOB, "x.offsets": np.array([0, 2], np.uint64)},
        {"x.blob": BLOB, "x.offsets": np.array([0, 2**63, 3], np.uint64)},
        {"x.blob": BLOB, "x.offsets": OFFSETS.reshape(1, 3)},
        {"x.blob": BLOB.reshape(3, 1), "x.offsets": OFFSETS},
        {"x.blob": BLOB.reshape(1, 3), "x.offsets": OFFSETS},
        {"x.blob": np.array(1, np.uint8), "x.offsets": np.array(0, np.uint64)},
    ],
)
def test_arrays_that_are_no_table_are_refused(arrays: dict[str, Array]) -> None:
    with pytest.raises(BundleError):
        Strings(arrays, "x")


@pytest.mark.parametrize(
    "strings", [(b"\xff",), (b"a", b"\xc3"), (b"\xc3", b"\xbc"), (b"", b"\xc3", b"\xbc", b"")]
)
def test_a_table_that_is_no_text_is_refused(strings: tuple[bytes, ...]) -> None:
    with pytest.raises(BundleError):
        table(*strings).check_texts()


def test_an_empty_table_is_one() -> None:
    empty = table()
    empty.check_texts()
    assert (len(empty), empty.find(b""), empty.positions(("a",)), empty.texts([])) == (0, -1, [], [])


@given(st.sets(st.binary(max_size=3)), st.sets(st.binary(max_size=3)))
def test_many_sorted_keys_stand_where_each_does(held: set[bytes], asked: set[bytes]) -> None:
    found = table(*sorted(held))
    assert found.places(sorted(asked)) == [found.find(key) for key in sorted(asked)]
