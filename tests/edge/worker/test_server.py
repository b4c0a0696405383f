"""The worker's real server before a real site: what only whole bytes on a socket can show."""

import asyncio
import logging
import socket
from collections.abc import Callable

import pytest

from edge.worker.app import PageApp
from edge.worker.beside.routes import make_beside
from edge.worker.main import make_server, new_loop
from edge.worker.site.upstream import Upstream
from edge.worker.turn.turn import Turn
from tests.edge.worker.conftest import PAGE, Worker
from tests.edge.worker.raw_site import RawSite, ok, serving

Enough = Callable[[bytes], bool]

HTML = b"content-type: text/html\r\n"


def talk(
    worker: Worker,
    site: RawSite,
    *requests: bytes,
    read: Callable[[bytes], bool] | None = None,
    pause_s: float = 0.0,
) -> bytes:
    """Send the bytes on one connection; all that comes back, after a pause, until `read` says enough."""

    async def main() -> bytes:
        async with serving(site) as url:
            upstream = Upstream(url, 5)
            beside = make_beside(worker.holder, worker.desk)
            app = PageApp(upstream, worker.cache, Turn(worker.holder, worker.desk), beside, 1 << 20)
            server = make_server(app, worker.counters)
            listening = socket.socket()
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            task = asyncio.create_task(server.serve(sockets=[listening]))
            try:
                return await exchange(listening.getsockname()[1], requests, read, pause_s)
            finally:
                server.drain()
                await task
                await upstream.close()

    # The loop that workers run on: its transports are not those of asyncio.
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(main())


async def exchange(port: int, requests: tuple[bytes, ...], read: Enough | None, pause_s: float) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    data = b""
    try:
        async with asyncio.timeout(10):
            for request in requests:
                writer.write(request)
                await writer.drain()
            await asyncio.sleep(pause_s)
            while not (read and read(data)) and (more := await reader.read(65536)):
                data += more
    except ConnectionError:
        pass  # closed while we were sending
    finally:
        writer.close()
    return data


def get(target: bytes = b"/", fields: bytes = b"", method: bytes = b"GET") -> bytes:
    return b"%s %s HTTP/1.1\r\nhost: x\r\n%sconnection: close\r\n\r\n" % (method, target, fields)


@pytest.fixture(autouse=True)
def _no_errors_of_the_server(caplog: pytest.LogCaptureFixture) -> object:
    with caplog.at_level(logging.ERROR):
        yield
    assert [record.message for record in caplog.records if record.name.startswith("uvicorn")] == []


def test_a_page_is_personalized_on_the_wire(worker: Worker) -> None:
    site = RawSite({b"/": ok(PAGE, HTML)})
    answer = talk(worker, site, get(fields=b"cookie: consent=full\r\n"))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Welcome to <em>our</em> films" in answer
    assert answer.endswith(b"<p>after</p></main>")


def test_a_head_has_a_length_and_no_body(worker: Worker) -> None:
    site = RawSite({b"/": b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\nconnection: close\r\n\r\n"})
    answer = talk(worker, site, get(method=b"HEAD"))
    assert b"content-length: 500" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_a_304_that_states_a_length_ends_well(worker: Worker) -> None:
    site = RawSite({b"/": b"HTTP/1.1 304 Not Modified\r\ncontent-length: 500\r\nconnection: close\r\n\r\n"})
    answer = talk(worker, site, get(fields=b"accept: image/png\r\n"))
    assert answer.startswith(b"HTTP/1.1 304 ")
    assert b"500" not in answer


def test_a_status_of_no_known_class_is_passed_as_well_as_can_be(worker: Worker) -> None:
    site = RawSite({b"/": b"HTTP/1.1 999 Denied\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno"})
    answer = talk(worker, site, get())
    assert answer.startswith(b"HTTP/1.1 599 ")
    assert answer.endswith(b"no")


def test_requests_that_are_none_get_400(worker: Worker) -> None:
    site = RawSite({})
    for request in (
        b"CONNECT evil.example:443 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET nothing HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET @evil.example/ HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"nonsense\r\n\r\n",
    ):
        assert talk(worker, site, request).startswith(b"HTTP/1.1 400 "), request
    assert site.heard == []


@pytest.mark.parametrize("target", [b"*", b"/\xff\xfe", b"/a|b", b"/%", b"http://evil.example/film/dune"])
def test_odd_targets_never_leave_the_site(worker: Worker, target: bytes) -> None:
    site = RawSite({})
    answer = talk(worker, site, get(target, method=b"OPTIONS"))
    assert answer.split(b" ")[1] == (b"400" if target in (b"*", b"/\xff\xfe") else b"200")
    for head in site.heard:
        assert head.split(b" ")[1].startswith(b"/")
        assert b"evil" not in head.split(b"\r\n")[0]


def test_an_upgrade_is_answered_by_the_site_as_any_request(worker: Worker) -> None:
    site = RawSite(
        {b"/ws": b"HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"}
    )
    fields = (
        b"upgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n"
    )
    request = b"GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n%s\r\n" % fields
    answer = talk(worker, site, request, read=lambda data: b"\r\n\r\n" in data)
    assert answer.startswith(b"HTTP/1.1 426 ")
    assert b"\r\nupgrade:" not in site.heard[0].lower()


def test_an_upload_arrives_whole_and_once(worker: Worker) -> None:
    site = RawSite({})
    head = b"POST /form HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\nconnection: close\r\n\r\n"
    assert talk(worker, site, head, b"abc", b"def").endswith(b"plain")
    sent = site.heard[0].lower()
    assert b"content-length: 6\r\n" in sent
    assert b"transfer-encoding" not in sent


def test_an_upload_that_is_broken_off_is_no_error_of_ours(worker: Worker) -> None:
    site = RawSite({b"/form": b""})
    head = b"POST /form HTTP/1.1\r\nhost: x\r\ncontent-length: 600000\r\n\r\n"
    answer = talk(worker, site, head, b"abc", read=lambda _: True)
    assert answer == b""


def test_a_response_that_breaks_off_breaks_off(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    site = RawSite({b"/": b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\nconnection: close\r\n\r\nabc"})
    answer = talk(worker, site, get())
    assert answer.endswith(b"abc")
    messages = [record.message for record in caplog.records if record.name == "uvicorn.error"]
    caplog.clear()
    assert messages == ["ASGI callable returned without completing response."]


def test_a_page_that_breaks_off_is_a_bad_gateway(worker: Worker) -> None:
    head = b"HTTP/1.1 200 OK\r\n%scontent-length: 500\r\nconnection: close\r\n\r\nabc" % HTML
    assert talk(worker, RawSite({b"/": head}), get()).startswith(b"HTTP/1.1 502 ")
