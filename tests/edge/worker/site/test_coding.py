"""What a client accepts is given to it, and what a page says of its coding is true."""

import pytest

from edge.worker.site.coding import accepted, offered, recoded, varying


@pytest.mark.parametrize(
    "header",
    ["gzip", "gzip, deflate, br", "GZIP", "br;q=1.0, gzip;q=0.8, *;q=0.1", "*", "x-gzip", "gzip ; q=0.001",
     "identity;q=0.5, gzip", "identity, gzip", "*;q=0.5, gzip;q=1.", "gzip;q=1.000",
     " , gzip,", "identity;q=0, *"],
)  # fmt: skip
def test_gzip_is_accepted(header: str) -> None:
    assert b"gzip" in accepted(header.encode())


@pytest.mark.parametrize(
    "header",
    ["", "identity", "br", "gzip;q=0", "gzip;q=0.000, *", "*;q=0", "gzip;q=0.5, identity", "gzip;q=2",
     "gzip;q=x",
     "gzip;q=-1", "gzip;level=9", "gzip;q=0.5;q=1", "notgzip", "gzip/1", "*;q=0.1, identity;q=0.2",
     "gzip, " + "x" * 600],
)  # fmt: skip
def test_gzip_is_not_accepted(header: str) -> None:
    assert b"gzip" not in accepted(header.encode())


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("gzip, deflate, br, zstd", "br zstd gzip"),
        ("zstd, br, gzip", "br zstd gzip"),
        ("gzip, deflate, br;q=0.9", "gzip br"),
        ("zstd;q=0.9, br;q=0.9, gzip;q=0.1", "br zstd gzip"),
        ("br;q=0, *", "gzip"),
        ("BR", "br"),
        ("identity, br;q=0.5, zstd", "zstd"),
        ("identity;q=0, br;q=0.1", "br"),
        ("deflate, compress", ""),
        ("", ""),
    ],
)
def test_the_best_of_what_is_accepted_comes_first(header: str, found: str) -> None:
    assert [coding.decode() for coding in accepted(header.encode())] == found.split()


def test_the_site_is_offered_the_same_by_all_who_accept_the_same() -> None:
    said = [b"gzip, deflate, br, zstd", b"zstd, br, gzip;q=0.5"]
    assert {offered(header) for header in said} == {b"br, gzip, zstd"}
    assert offered(b"deflate") == b"identity"


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
