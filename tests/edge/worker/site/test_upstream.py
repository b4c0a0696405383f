"""What leaves for the site and how its failures are told; nothing of one visitor meets another."""

import asyncio

import pytest

from edge.errors import UpstreamError
from edge.worker.site.upstream import Upstream, chunks, end_to_end
from tests.edge.worker.raw_site import RawSite, ok, serving


async def fetch(upstream: Upstream, target: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
    response = await upstream.send("GET", target, headers, None)
    try:
        return b"".join([chunk async for chunk in chunks(response)])
    finally:
        await response.aclose()


def ask(site: RawSite, *targets: bytes) -> list[bytes]:
    async def main() -> list[bytes]:
        async with serving(site) as url:
            upstream = Upstream(url, 5)
            try:
                return [await fetch(upstream, target, []) for target in targets]
            finally:
                await upstream.close()

    return asyncio.run(main())


def test_the_cookies_of_one_visitor_are_not_sent_for_the_next() -> None:
    site = RawSite({b"/login": ok(b"hello", b"set-cookie: sid=of-the-first-visitor; Path=/\r\n")})
    ask(site, b"/login", b"/account")
    assert b"cookie" not in site.heard[1].lower()


def test_nothing_is_added_in_the_name_of_the_client() -> None:
    site = RawSite({})
    ask(site, b"/")
    names = {line.split(b":")[0].lower() for line in site.heard[0].split(b"\r\n")[1:] if line}
    assert names == {b"host"}


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nx: " + b"9" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: a\rb\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
    ],
)
def test_what_is_no_http_is_told_as_such(answer: bytes) -> None:
    with pytest.raises(UpstreamError) as told:
        ask(RawSite({b"/": answer}), b"/")
    assert told.value.code == "upstream"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_a_body_that_breaks_off_is_told_as_such(answer: bytes) -> None:
    with pytest.raises(UpstreamError):
        ask(RawSite({b"/": answer}), b"/")


def test_nobody_listens() -> None:
    async def main() -> None:
        upstream = Upstream("http://127.0.0.1:1", 1)
        try:
            await upstream.send("GET", b"/", [], None)
        finally:
            await upstream.close()

    with pytest.raises(UpstreamError, match="no connection"):
        asyncio.run(main())


@pytest.mark.parametrize("target", [b"@evil.example/", b".evil.example/", b"", b"*", b":1/"])
def test_a_target_can_not_name_another_host(target: bytes) -> None:
    site = RawSite({})
    with pytest.raises(UpstreamError) as told:
        ask(site, target)
    assert told.value.code == "target"
    assert site.heard == []


@pytest.mark.parametrize("target", [b"/\x00", b"/a\r\nx: y", b"/ b", b"/\xff", b"/%zz", b"/" + b"a" * 70_000])
def test_an_odd_target_adds_no_header_and_raises_nothing_else(target: bytes) -> None:
    site = RawSite({})
    try:
        ask(site, target)
    except UpstreamError:
        return
    assert b"\r\nx: y" not in site.heard[0]


def test_headers_of_the_connection_end_here() -> None:
    headers = [
        (b"Connection", b"close, X-Secret"),
        (b"X-Secret", b"1"),
        (b"TE", b"trailers"),
        (b"Upgrade", b"h2c"),
        (b"X-Kept", b"2"),
    ]
    assert end_to_end(headers) == [(b"x-kept", b"2")]
