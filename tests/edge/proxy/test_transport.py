"""The transport before a site that says exact bytes; what one response leaves never meets the next."""

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edge.proxy import transport as module
from edge.proxy.connection import HIGH_WATER_BYTES, MAX_HEAD_BYTES
from edge.proxy.transport import SiteTransport

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@dataclass
class Site:
    """Answers the n-th request that it gets with its n-th answer; b"" closes the connection."""

    answers: list[bytes]
    heard: list[bytes] = field(default_factory=list)
    connections: int = 0
    late: bytes = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.heard.append(head + await self._body(head, reader))
                answer = self.answers[len(self.heard) - 1]
                writer.write(answer)
                if not answer or b"connection: close" in answer:
                    return
                if self.late:
                    await asyncio.sleep(0.02)
                    writer.write(self.late)
        except (asyncio.IncompleteReadError, ConnectionError, IndexError):
            pass
        finally:
            writer.close()

    async def _body(self, head: bytes, reader: asyncio.StreamReader) -> bytes:
        if b"content-length: " in head:
            return await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))
        return await reader.readuntil(b"0\r\n\r\n") if b"chunked" in head.lower() else b""


@asynccontextmanager
async def serving(site: Site, tls: ssl.SSLContext | None = None) -> AsyncIterator[httpx.URL]:
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield httpx.URL(f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    finally:
        server.close()


@dataclass
class Client:
    """A transport and the site before it."""

    transport: SiteTransport
    url: httpx.URL
    interim: list[tuple[int, Any]] = field(default_factory=list)

    async def get(self, method: str = "GET", content: Any = None, **headers: str) -> tuple[int, bytes]:
        response = await self.send(method, content, **headers)
        try:
            return response.status_code, b"".join([part async for part in response.stream])  # type: ignore[union-attr]
        finally:
            await response.aclose()

    async def send(self, method: str = "GET", content: Any = None, **headers: str) -> httpx.Response:
        extensions = {
            "timeout": {"read": 0.3, "connect": 1.0, "pool": 0.3},
            "interim": lambda status, fields: self.interim.append((status, fields)),
        }
        fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
        request = httpx.Request(method, self.url, headers=fields, content=content, extensions=extensions)
        return await self.transport.handle_async_request(request)


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def play(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Runs a story against a site, on both event loops."""

    def run(site: Site, story: Callable[[Client], Awaitable[Any]], most: int = 8) -> Any:
        async def main() -> Any:
            async with serving(site) as url:
                transport = SiteTransport(url, most)
                try:
                    async with asyncio.timeout(10):
                        return await story(Client(transport, url))
                finally:
                    await transport.aclose()

        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(main())

    return run


def times(count: int) -> Callable[[Client], Awaitable[list[tuple[int, bytes]]]]:
    async def story(client: Client) -> list[tuple[int, bytes]]:
        return [await client.get() for _ in range(count)]

    return story


def test_a_connection_is_used_again(play: Callable[..., Any]) -> None:
    site = Site([OK] * 3)
    assert play(site, times(3)) == [(200, b"ok")] * 3
    assert site.connections == 1
    assert site.heard[0] == b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % site.heard[0].split(b"Host: ")[1].strip()


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (CHUNKED + b"2\r\nab\r\n1;x=y\r\nc\r\n0\r\nx-trailer: 1\r\n\r\n", 200, b"abc"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", 304, b""),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, b""),
        (b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + OK, 200, b"ok"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"ok"),
    ],
)  # fmt: skip
def test_whole_responses(play: Callable[..., Any], answer: bytes, status: int, body: bytes) -> None:
    site = Site([answer, OK])
    assert play(site, times(2)) == [(status, body), (200, b"ok")]
    assert site.connections == 1


def test_interim_responses_are_handed_over_and_trailers_end_here(play: Callable[..., Any]) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    chunked = b"HTTP/1.1 200 OK\r\na: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nset-cookie: x=1\r\n\r\n"

    async def story(client: Client) -> None:
        response = await client.send()
        assert [part async for part in response.stream] == []  # type: ignore[union-attr]
        await response.aclose()
        assert response.headers.raw == [(b"a", b"1"), (b"transfer-encoding", b"chunked")]
        assert client.interim == [(103, [(b"link", b"</a>")])]

    play(Site([early + chunked]), story)


def test_a_body_that_ends_with_the_connection(play: Callable[..., Any]) -> None:
    site = Site([b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nall of it", OK])
    assert play(site, times(2)) == [(200, b"all of it"), (200, b"ok")]
    assert site.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison",
        OK + b"garbage",
        OK[:-2] + b"okay",
        b"HTTP/1.1 204 No Content\r\ncontent-length: 6\r\n\r\npoison",
        b"HTTP/1.1 304 Not Modified\r\n\r\npoison",
    ],
)
def test_what_follows_a_response_never_answers_the_next_request(
    play: Callable[..., Any], answer: bytes
) -> None:
    site = Site([answer, OK])
    first, second = play(site, times(2))
    assert first[0] in (200, 204, 304)
    assert b"poison" not in first[1]
    assert second == (200, b"ok")
    assert site.connections == 2


def test_what_comes_late_never_answers_the_next_request(play: Callable[..., Any]) -> None:
    async def story(client: Client) -> list[tuple[int, bytes]]:
        first = await client.get()
        await asyncio.sleep(0.1)
        return [first, await client.get()]

    site = Site([OK, OK], late=b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison")
    assert play(site, story) == [(200, b"ok")] * 2
    assert site.connections == 2


@pytest.mark.parametrize("body", [b"", b"poison"])
def test_a_head_has_no_body_whatever_follows(play: Callable[..., Any], body: bytes) -> None:
    async def story(client: Client) -> None:
        assert await client.get("HEAD") == (200, b"")
        assert await client.get() == (200, b"ok")

    site = Site([b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n" + body, OK])
    play(site, story)
    assert site.connections == (2 if body else 1)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"9" * (MAX_HEAD_BYTES + 9) + b"\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: 1\r\n" * MAX_HEAD_BYTES,
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 40,
    ],
)
def test_what_is_no_response(play: Callable[..., Any], answer: bytes) -> None:
    async def story(client: Client) -> None:
        with pytest.raises(httpx.TransportError):
            await client.get()
        assert await client.get() == (200, b"ok")

    play(Site([answer, OK]), story)


@pytest.mark.parametrize("end", [b"content-length: 5", b"transfer-encoding: chunked"])
def test_a_body_that_breaks_off(play: Callable[..., Any], end: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\n%s\r\n\r\n2\r\n" % end

    async def story(client: Client) -> None:
        with pytest.raises(httpx.ReadError):
            await client.get()

    play(Site([answer]), story)


def test_a_site_that_says_nothing_more(play: Callable[..., Any]) -> None:
    async def story(client: Client) -> None:
        for _ in range(2):
            with pytest.raises(httpx.ReadTimeout):
                await client.get()

    play(Site([b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab"]), story)


def test_a_kept_connection_that_the_site_closes_costs_a_read_nothing(play: Callable[..., Any]) -> None:
    site = Site([OK, b"", OK])
    assert play(site, times(2)) == [(200, b"ok")] * 2
    assert (site.connections, len(site.heard)) == (2, 3)


def test_what_may_have_been_done_is_not_sent_twice(play: Callable[..., Any]) -> None:
    async def story(client: Client) -> None:
        await client.get()
        with pytest.raises(httpx.ReadError):
            await client.get("POST", b"once")

    site = Site([OK, b"", OK])
    play(site, story)
    assert len(site.heard) == 2


async def parts(*of: bytes) -> AsyncIterator[bytes]:
    for part in of:
        await asyncio.sleep(0)
        yield part


def test_bodies_are_sent_as_they_come(play: Callable[..., Any]) -> None:
    async def story(client: Client) -> None:
        assert await client.get("POST", parts(b"abc", b"", b"def")) == (200, b"ok")
        assert await client.get("PUT", parts(b"abc", b"def"), content_length="6") == (200, b"ok")

    site = Site([OK, OK])
    play(site, story)
    assert site.connections == 1
    assert site.heard[0].endswith(b"\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n")
    assert site.heard[1].endswith(b"\r\n\r\nabcdef")
    assert b"chunked" not in site.heard[1].lower()


def test_an_answer_before_the_body_was_sent(play: Callable[..., Any]) -> None:
    """A site may refuse what is too large without reading it."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.001)
            yield b"x" * 1000

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        with contextlib.suppress(ConnectionError):
            while await reader.read(65536):
                pass
        writer.close()

    async def story(client: Client) -> None:
        assert await client.get("POST", endless()) == (413, b"no")

    site = Site([])
    site.serve = serve  # type: ignore[method-assign]
    play(site, story)


def test_a_client_that_breaks_off_its_body_leaves_no_half_request(play: Callable[..., Any]) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"abc"
        raise KeyError("gone")

    async def story(client: Client) -> None:
        with pytest.raises(KeyError):
            await client.get("POST", broken(), content_length="6")
        assert await client.get() == (200, b"ok")

    site = Site([OK])
    play(site, story)
    assert site.connections == 2


def test_connections_are_bounded_and_shared(play: Callable[..., Any]) -> None:
    async def story(client: Client) -> None:
        assert await asyncio.gather(*[client.get() for _ in range(20)]) == [(200, b"ok")] * 20

    site = Site([OK] * 20)
    play(site, story, 2)
    assert site.connections == 2


def test_who_waits_too_long_or_in_too_long_a_line_is_told(
    play: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 1)

    async def story(client: Client) -> None:
        held = await client.send()
        results = await asyncio.gather(client.get(), client.get(), return_exceptions=True)
        assert [type(result) for result in results] == [httpx.PoolTimeout] * 2
        await held.aclose()
        assert await client.get() == (200, b"ok")

    play(Site([OK] * 9), story, 1)


def test_who_gives_up_frees_the_connection(play: Callable[..., Any]) -> None:
    async def story(client: Client) -> None:
        for _ in range(3):
            task = asyncio.create_task(client.get())
            await asyncio.sleep(0.02)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert client.transport._open == 0

    play(Site([b"HTTP/1.1 200 OK\r\n"] * 3), story, 1)


def test_a_slow_reader_stops_the_site(play: Callable[..., Any]) -> None:
    size = 8 * HIGH_WATER_BYTES

    async def story(client: Client) -> None:
        response = await client.send()
        await asyncio.sleep(0.1)
        assert sum(map(len, response.stream._connection._chunks)) < 4 * HIGH_WATER_BYTES  # type: ignore[union-attr]
        assert sum([len(part) async for part in response.stream]) == size  # type: ignore[union-attr]
        await response.aclose()

    play(Site([b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size]), story)


@pytest.mark.parametrize("target", [b"/a b", b"/a\r\nx: y", b"", b"/\xff", b"/\x00"])
def test_no_target_adds_a_line(play: Callable[..., Any], target: bytes) -> None:
    async def story(client: Client) -> None:
        request = httpx.Request("GET", client.url, extensions={"target": target})
        with pytest.raises(httpx.LocalProtocolError):
            await client.transport.handle_async_request(request)
        assert client.transport._open == 0

    play(Site([]), story)


@pytest.mark.parametrize("field_", [(b"x", b"a\r\nb: c"), (b"x\r\ny", b"a"), (b"x", b"a\nb")])
def test_no_field_adds_a_line(play: Callable[..., Any], field_: tuple[bytes, bytes]) -> None:
    async def story(client: Client) -> None:
        request = httpx.Request("GET", client.url, headers=[field_])
        with pytest.raises(httpx.LocalProtocolError):
            await client.transport.handle_async_request(request)

    play(Site([]), story)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "site")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = tmp_path_factory.mktemp("tls") / "site.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.mark.parametrize("trusted", [True, False])
def test_over_tls_the_site_must_be_who_it_says(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)

    async def main() -> None:
        async with serving(Site([OK, OK]), tls) as url:
            client = Client(SiteTransport(url, 2), url)
            if trusted:
                assert [await client.get(), await client.get()] == [(200, b"ok")] * 2
            else:
                with pytest.raises(httpx.ConnectError):
                    await client.get()
            await client.transport.aclose()

    asyncio.run(main())
