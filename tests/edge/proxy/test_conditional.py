"""Answers to conditional and range requests, and what a 304 changes."""

import pytest

from edge.proxy.conditional import freshened, is_same, reply, validation

OLD, NEW = b"Sun, 06 Nov 1994 08:49:37 GMT", b"Sun, 06 Nov 1994 08:49:38 GMT"
FIELDS = [(b"etag", b'"a"'), (b"last-modified", OLD), (b"content-type", b"text/css"), (b"age", b"3")]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 200),
        ({b"if-none-match": b'"a"'}, 304),
        ({b"if-none-match": b'W/"a"'}, 304),
        ({b"if-none-match": b'"x", "a", "y"'}, 304),
        ({b"if-none-match": b"*"}, 304),
        ({b"if-none-match": b'"x"'}, 200),
        ({b"if-none-match": b"a"}, 200),
        ({b"if-none-match": b'"x"', b"if-modified-since": OLD}, 200),
        ({b"if-none-match": b'"a"', b"if-modified-since": b"x"}, 304),
        ({b"if-modified-since": OLD}, 304),
        ({b"if-modified-since": NEW}, 304),
        ({b"if-modified-since": b"Sun, 06 Nov 1994 08:49:36 GMT"}, 200),
        ({b"if-modified-since": b"yesterday"}, 200),
    ],
)
def test_conditions(asked: dict[bytes, bytes], status: int) -> None:
    answer = reply(200, FIELDS, b"body", asked)
    assert answer.status == status
    names = {name for name, _ in answer.fields}
    if status == 304:
        assert (answer.body, names) == (b"", {b"etag", b"last-modified", b"age"})
    else:
        assert names >= {b"content-type", b"content-length"}


def test_other_statuses_have_no_conditions() -> None:
    assert reply(404, FIELDS, b"no", {b"if-none-match": b"*"}).status == 404
    assert reply(204, FIELDS, b"", {}).fields == FIELDS


@pytest.mark.parametrize(
    ("wanted", "status", "body", "stated"),
    [
        (b"bytes=0-1", 206, b"01", b"bytes 0-1/10"),
        (b"bytes=7-", 206, b"789", b"bytes 7-9/10"),
        (b"bytes=-3", 206, b"789", b"bytes 7-9/10"),
        (b"bytes=-99", 206, b"0123456789", b"bytes 0-9/10"),
        (b"bytes=5-99", 206, b"56789", b"bytes 5-9/10"),
        (b"bytes=10-", 416, b"", b"bytes */10"),
        (b"bytes=-0", 416, b"", b"bytes */10"),
        (b"bytes=3-1", 200, b"0123456789", b""),
        (b"bytes=0-1,3-4", 200, b"0123456789", b""),
        (b"items=0-1", 200, b"0123456789", b""),
        (b"bytes=-", 200, b"0123456789", b""),
    ],
)
def test_ranges(wanted: bytes, status: int, body: bytes, stated: bytes) -> None:
    answer = reply(200, FIELDS, b"0123456789", {b"range": wanted})
    assert (answer.status, answer.body) == (status, body)
    assert dict(answer.fields).get(b"content-range", b"") == stated
    assert dict(answer.fields)[b"content-length"] == b"%d" % len(body)


@pytest.mark.parametrize(
    ("condition", "status"), [(b'"a"', 206), (b'W/"a"', 200), (b'"b"', 200), (OLD, 206), (NEW, 200)]
)
def test_a_range_of_this_very_response(condition: bytes, status: int) -> None:
    assert reply(200, FIELDS, b"0123", {b"range": b"bytes=0-1", b"if-range": condition}).status == status


def test_what_asks_whether_it_still_holds() -> None:
    assert validation(FIELDS) == [(b"if-none-match", b'"a"'), (b"if-modified-since", OLD)]
    assert validation([(b"etag", b"unquoted"), (b"last-modified", b"never")]) == []


def test_a_304_renews_fields_but_those_of_the_body() -> None:
    kept = [(b"a", b"1"), (b"b", b"1"), (b"content-type", b"text/css"), (b"age", b"9")]
    told = [(b"b", b"2"), (b"b", b"3"), (b"content-type", b"x"), (b"content-length", b"0")]
    assert freshened(kept, told) == [(b"a", b"1"), (b"content-type", b"text/css"), (b"b", b"2"), (b"b", b"3")]


@pytest.mark.parametrize(
    ("told", "same"),
    [
        ([], True),
        ([(b"etag", b'W/"a"'), (b"last-modified", NEW)], True),
        ([(b"etag", b'"b"')], False),
        ([(b"last-modified", NEW)], False),
        ([(b"last-modified", OLD)], True),
    ],
)
def test_a_304_of_another_response_is_seen(told: list[tuple[bytes, bytes]], same: bool) -> None:
    assert is_same(FIELDS, told) == same
