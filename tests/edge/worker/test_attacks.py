"""What attackers send to an intermediary, and what each of them gets: never another visitor's content."""

import pytest

from edge.worker import server
from edge.worker.turn import turn
from tests.edge.worker.conftest import HTML, PAGE, Said, Worker
from tests.edge.worker.raw_site import RawSite, ok
from tests.edge.worker.test_server import get, talk

CACHED = ("cache-control", "public, max-age=60")
VICTIM = {"host": "films.example", "accept": "text/html"}


def echoing(worker: Worker) -> None:
    """A site whose page repeats whatever of a request it is told; the worst case for a cache."""
    send = worker.site.send

    async def answer(method, target, headers, body, interim=None):
        told = b"|".join(b"%s=%s" % field for field in headers if field[0] not in (b"accept-encoding",))
        worker.site.says[target] = Said(PAGE + told, (HTML, CACHED))
        return await send(method, target, headers, body, interim)

    worker.site.send = answer  # type: ignore[method-assign]


@pytest.mark.parametrize(
    "name",
    [
        "x-forwarded-host", "x-host", "x-forwarded-server", "x-original-url", "x-rewrite-url", "forwarded",
        "x-forwarded-scheme", "x-forwarded-port", "x-forwarded-prefix", "x-http-method-override",
        "x-original-host", "x-method-override", "nearside-signals", "nearside-signature", "host",
        "x-forwarded-proto",
    ],
)  # fmt: skip
def test_a_field_that_is_no_part_of_the_key_poisons_nothing(worker: Worker, name: str) -> None:
    echoing(worker)
    worker.get("/", {**VICTIM, name: "evil.example"})
    assert b"evil" not in worker.get("/", VICTIM).body


@pytest.mark.parametrize(
    "headers",
    [
        [("host", "films.example"), ("host", "evil.example")],
        [("host", "")],
        [("host", "films.example/path")],
        [("host", "films.example@evil.example")],
        [("host", "films.example, evil.example")],
        [("host", "films.example\tx")],
        [("host", "films.example:port")],
        [("host", "a" * 300)],
    ],
)
def test_a_host_that_is_none_reaches_nobody(worker: Worker, headers: list[tuple[str, str]]) -> None:
    answer = worker.get("/", headers)
    assert (answer.status, answer.value("cache-control")) == (400, "no-store")
    assert not worker.site.heard
    assert worker.count('nearside_refused_requests_total{code="host"}') == 1


@pytest.mark.parametrize(
    "host", ["films.example", "films.example:8080", "[::1]:80", "192.0.2.1", "a_b.example"]
)
def test_hosts_that_are_some(worker: Worker, host: str) -> None:
    assert worker.get("/", {"host": host}).status == 200


@pytest.mark.parametrize("name", ["cookie", "authorization", "x-forwarded-proto", "cache-control"])
def test_connection_can_not_take_from_the_site_what_it_decides_by(worker: Worker, name: str) -> None:
    worker.get("/", {"connection": f"close, {name}", name: "a=1"})
    assert worker.site.heard[0].values(name.encode()) == [b"a=1"]


def test_a_request_in_a_circle_ends(worker: Worker) -> None:
    assert worker.get("/", {"via": "1.1 nearside, 1.1 x, 1.1 nearside, 1.1 nearside"}).status == 200
    assert worker.get("/", {"via": ", ".join(["1.1 nearside"] * 4)}).status == 508
    assert len(worker.site.heard) == 1


def test_trace_shows_nobody_their_cookies(worker: Worker) -> None:
    assert worker.get("/", {"cookie": "a=1"}, method="TRACE").status == 405
    assert not worker.site.heard


def test_too_many_at_once_get_the_plain_page(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """And at once: no decision late, and no error."""
    worker.site.says[b"/"] = Said(headers=(HTML, CACHED))
    worker.get("/", VICTIM)
    monkeypatch.setattr(turn, "MAX_WAITING", 3)
    answers = worker.together(*[("/", {**VICTIM, "cookie": "consent=full"})] * 8)
    assert [answer.status for answer in answers] == [200] * 8
    assert sum(answer.body == PAGE for answer in answers) == 5
    assert worker.count('nearside_pages_total{kind="overload"}') == 5


SLOW = 'nearside_refused_requests_total{route="socket",code="slow"}'
SMUGGLED = b"GET /admin HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"content-length: 5\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        b"content-length: 5\r\ncontent-length: 6\r\n",
        b"content-length: 5, 6\r\n",
        b"content-length: +5\r\n",
        b"content-length: -5\r\n",
        b"content-length: 5x\r\n",
        b"content-length: 0x5\r\n",
        b"content-length : 5\r\n",
        b" content-length: 5\r\n",
        b"transfer-encoding : chunked\r\n",
        b"transfer-encoding: xchunked\r\n",
        b"transfer-encoding: chunked, identity\r\n",
        b"transfer-encoding: identity\r\ncontent-length: 5\r\n",
        b"transfer-encoding:\x0bchunked\r\n",
        b"x: y\rtransfer-encoding: chunked\r\n",
        b"x: y\r\n\tcontent-length: 5\r\n",
        b"x\x00: y\r\n",
        b": y\r\n",
        b"x y: z\r\n",
    ],
)
def test_what_two_parsers_may_read_in_two_ways_is_refused(worker: Worker, head: bytes) -> None:
    site = RawSite({b"/admin": ok(b"secret")})
    request = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n%s\r\n0\r\n\r\n%s" % (head, SMUGGLED)
    answer = talk(worker, site, request)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"secret" not in answer
    assert not any(b"admin" in heard for heard in site.heard)


def test_a_body_is_never_a_request(worker: Worker) -> None:
    """What is smuggled in a body stays one; the site gets it framed anew."""
    site = RawSite({b"/admin": ok(b"secret")})
    head = b"POST /form HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(
        SMUGGLED
    )
    assert talk(worker, site, head + SMUGGLED).endswith(b"plain")
    assert [heard.split(b" ")[1] for heard in site.heard] == [b"/form"]


@pytest.mark.parametrize("size", [b"fffffffffffffffff", b"-1", b"0x5", b"5 5"])
def test_chunks_of_no_size_end_the_connection(worker: Worker, size: bytes) -> None:
    site = RawSite({})
    head = b"POST /form HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    answer = talk(worker, site, head + size + b"\r\nabcde\r\n0\r\n\r\n" + SMUGGLED)
    assert not any(b"admin" in heard for heard in site.heard)
    assert answer[:13] in (b"", b"HTTP/1.1 400 ", b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "fields",
    [
        b"x: %s\r\n" % (b"y" * server.MAX_HEAD_BYTES),
        b"".join(b"x-%d: y\r\n" % number for number in range(101)),
        b"cookie: %s\r\n" % (b"y" * 200_000),
    ],
    ids=["one long", "many", "a huge cookie"],
)
def test_absurd_headers_are_refused(worker: Worker, fields: bytes) -> None:
    site = RawSite({})
    # Who is still sending when the connection closes may see that alone.
    assert talk(worker, site, get(fields=fields))[:13] in (b"HTTP/1.1 431 ", b"")
    assert site.heard == []


def test_a_head_without_end_is_refused_while_it_comes(worker: Worker) -> None:
    site = RawSite({})
    parts = [b"x-%d: %s\r\n" % (number, b"y" * 10_000) for number in range(9)]
    answer = talk(
        worker, site, b"GET / HTTP/1.1\r\nhost: x\r\n", *parts, read=lambda data: b"\r\n\r\n" in data
    )
    assert answer.startswith(b"HTTP/1.1 431 ")


def test_heads_as_large_as_browsers_send_pass(worker: Worker) -> None:
    site = RawSite({b"/": ok(PAGE, b"content-type: text/html\r\n")})
    fields = b"cookie: %s\r\n" % b"; ".join(b"c%d=%s" % (number, b"y" * 4000) for number in range(7))
    assert talk(worker, site, get(fields=fields)).startswith(b"HTTP/1.1 200 ")
    big = (
        b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 100000\r\n\r\n" + b"x" * 100_000
    )
    assert talk(worker, site, big).startswith(b"HTTP/1.1 200 ")


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "TICK_S", 0.1)
    for name in ("HEAD_S", "BODY_S", "STALL_S"):
        monkeypatch.setattr(server, name, 0.2)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", b""),
        (b"GET / HT", b"HTTP/1.1 408 "),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx:", b"HTTP/1.1 408 "),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc", b"HTTP/1.1 408 "),
    ],
    ids=["nothing", "a line", "a head", "a body"],
)
def test_slow_senders_are_not_waited_for(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, sent: bytes, status: bytes
) -> None:
    impatient(monkeypatch)
    assert talk(worker, RawSite({}, pause_s=2), sent)[:13] == status


def test_a_client_that_takes_nothing_is_let_go(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)
    site = RawSite({b"/": ok(b"x" * 30_000_000)})
    assert len(talk(worker, site, get(), pause_s=1.0)) < 30_000_000
    assert worker.count(SLOW) == 1


def test_a_slow_site_is_no_slow_client(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only who must do something is hurried."""
    impatient(monkeypatch)
    site = RawSite({}, pause_s=0.8)
    assert talk(worker, site, get()).startswith(b"HTTP/1.1 200 ")


def test_pipelined_requests_are_answered_before_what_makes_no_sense(worker: Worker) -> None:
    site = RawSite({b"/": ok(PAGE, b"content-type: text/html\r\n")})
    first = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
    answer = talk(worker, site, first + b"garbage\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.endswith(b"</main>")


def test_early_hints_pass_to_those_who_know_them(worker: Worker) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nconnection: x\r\nx: 1\r\n\r\n"
    site = RawSite({b"/": hints + ok(PAGE, b"content-type: text/html\r\n")})
    answer = talk(worker, site, get())
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head == b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload"
    assert rest.startswith(b"HTTP/1.1 200 ")
    old = talk(worker, site, b"GET / HTTP/1.0\r\nhost: x\r\n\r\n")
    assert old.startswith(b"HTTP/1.1 200 ")


def test_after_an_upgrade_that_is_not_made_the_connection_ends(worker: Worker) -> None:
    site = RawSite({b"/ws": ok(b"no"), b"/admin": ok(b"secret")})
    fields = b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: x\r\n"
    answer = talk(worker, site, b"GET /ws HTTP/1.1\r\nhost: x\r\n%s\r\n" % fields, SMUGGLED)
    assert b"connection: close" in answer
    assert b"secret" not in answer
    assert b"settings" not in site.heard[0].lower()
