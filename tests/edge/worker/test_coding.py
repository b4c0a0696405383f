"""What a client accepts is given to it, and what a site sent coded is decoded, within bounds."""

import gzip
import time
import zlib

import pytest

from edge.worker.coding import MAX_MEMBERS, accepts_gzip, decoded, recoded, varying


@pytest.mark.parametrize(
    "header",
    ["gzip", "gzip, deflate, br", "GZIP", "br;q=1.0, gzip;q=0.8, *;q=0.1", "*", "x-gzip", "gzip ; q=0.001",
     "identity;q=0.5, gzip", "identity, gzip", "*;q=0.5, gzip;q=1.", "gzip;q=1.000",
     " , gzip,", "identity;q=0, *"],
)  # fmt: skip
def test_gzip_is_accepted(header: str) -> None:
    assert accepts_gzip(header.encode())


@pytest.mark.parametrize(
    "header",
    ["", "identity", "br", "gzip;q=0", "gzip;q=0.000, *", "*;q=0", "gzip;q=0.5, identity", "gzip;q=2",
     "gzip;q=x",
     "gzip;q=-1", "gzip;level=9", "gzip;q=0.5;q=1", "notgzip", "gzip/1", "*;q=0.1, identity;q=0.2",
     "gzip, " + "x" * 600],
)  # fmt: skip
def test_gzip_is_not_accepted(header: str) -> None:
    assert not accepts_gzip(header.encode())


PAGE = b"<p>page</p>" * 1000


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (PAGE, b""),
        (PAGE, b"identity"),
        (gzip.compress(PAGE), b"gzip"),
        (gzip.compress(PAGE), b"x-gzip"),
        (gzip.compress(PAGE[:99]) + gzip.compress(PAGE[99:]), b"gzip"),
        (zlib.compress(PAGE), b"deflate"),
        (zlib.compress(PAGE, wbits=-15), b"deflate"),
    ],
)
def test_a_coded_page_is_decoded(body: bytes, coding: bytes) -> None:
    assert decoded(body, coding, len(PAGE)) == PAGE


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (gzip.compress(PAGE)[:-1], b"gzip"),
        (gzip.compress(PAGE)[:-9], b"gzip"),
        (gzip.compress(PAGE)[:-8] + b"\0" * 8, b"gzip"),
        (gzip.compress(PAGE) + b"more", b"gzip"),
        (b"<p>no gzip</p>", b"gzip"),
        (PAGE, b"deflate"),
        (PAGE, b"br"),
        (gzip.compress(gzip.compress(PAGE)), b"gzip, gzip"),
        (gzip.compress(b"") * (MAX_MEMBERS + 1), b"gzip"),
        (gzip.compress(PAGE + b"x"), b"gzip"),
    ],
)
def test_what_cannot_be_decoded_is_nothing(body: bytes, coding: bytes) -> None:
    assert decoded(body, coding, len(PAGE)) is None


def test_a_bomb_costs_no_more_than_the_page_that_may_be() -> None:
    bomb = gzip.compress(bytes(200 << 20), 1)
    start = time.process_time()
    assert decoded(bomb, b"gzip", 1 << 20) is None
    assert time.process_time() - start < 0.1


def test_an_empty_body_is_an_empty_page() -> None:
    assert decoded(b"", b"gzip", 10) == decoded(gzip.compress(b""), b"gzip", 10) == b""


def test_what_a_page_in_another_coding_says_of_itself() -> None:
    headers = [
        (b"ETag", b'"1"'),
        (b"Content-MD5", b"x"),
        (b"repr-digest", b"x"),
        (b"content-type", b"text/html"),
    ]
    assert recoded(headers) == [(b"ETag", b'W/"1"'), (b"content-type", b"text/html")]
    assert recoded([(b"etag", b'W/"1"')]) == [(b"etag", b'W/"1"')]


@pytest.mark.parametrize(
    ("vary", "added"),
    [
        ([], True),
        ([b"cookie"], True),
        ([b"Accept-Encoding"], False),
        ([b"*"], False),
        ([b"cookie, ACCEPT-encoding"], False),
    ],
)
def test_a_page_that_goes_by_coding_says_so(vary: list[bytes], added: bool) -> None:
    headers = [(b"vary", value) for value in vary]
    assert varying(headers) == headers + [(b"vary", b"accept-encoding")] * added
