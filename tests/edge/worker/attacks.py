"""What attackers do to connections, heads, hosts and the cache, and what an ill site answers."""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.edge.worker.attacked import LOOPBACK, LiveWorker, request

WELCOME = b"Welcome to <em>our</em> films"
CONSENT = b"cookie: consent=full\r\n"
VICTIM = b"cookie: consent=full; sid=victim\r\n"

Run = Callable[[LiveWorker], list[bytes]]


@dataclass(frozen=True)
class Attack:
    """A row of the table, and how it is made; then `after` is asked for by a visitor who means no harm."""

    run: Run
    after: bytes = b"/"


def sends(*requests: bytes) -> Run:
    """Each on a connection of its own."""
    return lambda worker: [worker.talk(one) for one in requests]


def gets(*targets: bytes) -> Run:
    return sends(*map(request, targets))


def told(*fields: bytes, target: bytes = b"/") -> Run:
    """A page, asked for with these fields."""
    return sends(*[request(target, field + b"\r\n") for field in fields])


def framed(*heads: bytes) -> Run:
    """A body that is framed so, with a request in it, or behind it."""
    inside = b"0\r\n\r\nGET /account?evil HTTP/1.1\r\nhost: films.example\r\ncookie: sid=victim\r\n\r\n"
    return sends(*[b"POST /wait HTTP/1.1\r\nhost: x\r\n%s\r\n\r\n%s" % (head, inside) for head in heads])


def dribbles(*parts: bytes) -> Run:
    return lambda worker: [worker.talk(*parts, pause_s=0.12)]


def many_idle(worker: LiveWorker) -> list[bytes]:
    """A good request is answered while hundreds of others never end; theirs end by themselves."""
    waiting = [socket.create_connection((LOOPBACK, worker.port), 10) for _ in range(200)]
    for connection in waiting:
        connection.sendall(b"GET / HTTP/1.1\r\nx:")
    started = time.monotonic()
    assert WELCOME in worker.get(b"/", CONSENT)
    assert time.monotonic() - started < 5
    answers = []
    for connection in waiting:
        with connection:
            answers.append(connection.recv(65536))
    return answers


def poisons(*fields: bytes) -> Run:
    """The first who ask for each page, each with a lie that sites may repeat; then another visitor asks."""

    def run(worker: LiveWorker) -> list[bytes]:
        answers = []
        for number, field in enumerate(fields):
            target = b"/repeats-%d" % number
            answers.append(worker.get(target, field + b"\r\n"))
            later = worker.get(target, CONSENT)
            assert WELCOME in later
            assert b"evil" not in later, field
        return answers

    return run


def poisoned_host(worker: LiveWorker) -> list[bytes]:
    """Another Host is another page: what it leaves is for those who ask with it."""
    sent = request(b"/host").replace(b"films.example", b"evil.example")
    return [worker.talk(sent)]


def deceived(worker: LiveWorker) -> list[bytes]:
    """A link leads the victim to their account as a style sheet; then somebody else asks for it."""
    targets = (b"/account/a.css", b"/account;a.css", b"/account%0aa.css", b"/account", b"/account?a.css")
    answers = []
    for target in targets:
        assert b"of victim" in worker.get(target, VICTIM)
        answers += [worker.get(target), worker.get(target, CONSENT), worker.get(target, b"cookie: sid=\r\n")]
    assert b"victim" not in b"".join(answers)
    return answers


def coded(worker: LiveWorker) -> list[bytes]:
    """Codings and ranges that one asked for are not what another gets."""
    answers = [
        worker.get(b"/coded", b"accept-encoding: %s\r\n" % one)
        for one in (b"gzip", b"br;q=1, zstd", b"evil", b"gzip;q=0", b"," * 500)
    ]
    answers += [
        worker.get(b"/asset", b"range: %s\r\n" % one)
        for one in (b"bytes=0-0", b"bytes=-1", b"bytes=0-0,1-1,2-2" * 20, b"bytes=9-1", b"evil")
    ]
    assert worker.get(b"/asset").endswith(b" " * 1000)
    return answers


def bomb(worker: LiveWorker) -> list[bytes]:
    """64 MiB in a few kB: passed on as they came, not unpacked."""
    codings = (b"gzip", b"zstd", b"br")
    answers = [worker.get(b"/bomb-" + name, b"accept-encoding: gzip, zstd, br\r\n") for name in codings]
    assert all(len(answer) < 200_000 for answer in answers)
    return answers


def late_bomb(worker: LiveWorker) -> list[bytes]:
    """What was sent can't be taken back; what follows is not unpacked."""
    answer = worker.get(b"/bombs-later", b"accept-encoding: zstd\r\n")
    assert b"<title>Films</title>" in answer
    assert len(answer) < 200_000
    assert not answer.endswith(b"0\r\n\r\n")  # it has no end
    return [answer]


def ill_site(worker: LiveWorker) -> list[bytes]:
    answers = [worker.get(target) for target in (b"/two", b"/both", b"/none", b"/long")]
    assert b"evil" not in b"".join(answers)
    return answers


def split_site(worker: LiveWorker) -> list[bytes]:
    answers = [worker.get(b"/split"), worker.get(b"/", CONSENT)]
    assert b"evil" not in b"".join(answers)
    return answers


def at_once(worker: LiveWorker) -> list[bytes]:
    """Pages that nobody has, asked for by many at a time."""
    connections = [socket.create_connection((LOOPBACK, worker.port), 10) for _ in range(100)]
    for number, connection in enumerate(connections):
        connection.sendall(request(b"/rare?%d" % number, CONSENT))
    answers = []
    for connection in connections:
        with connection:
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
            answers.append(b"".join(parts))
    return answers


ON_THE_WIRE: dict[str, Attack] = {
    "No HTTP": Attack(
        sends(
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
            b"\x00" * 500,
            b"SSH-2.0-x\r\n\r\n",
            b"GET\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"\xff\xfe\r\n\r\n",
            b"get / http/1.1\r\n\r\n",
        )
    ),
    "HTTP/2 by prior knowledge": Attack(sends(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(40))),
    "Too many headers": Attack(
        sends(request(b"/many", b"x: y\r\n" * 101), request(fields=b"x: %s\r\n" % (b"y" * 33_000)))
    ),
    "A huge cookie": Attack(sends(request(fields=b"cookie: a=%s\r\n" % (b"y" * 100_000)))),
    "Many cookies": Attack(told(b"cookie: consent=full; " + b"; ".join(b"c%d=x" % n for n in range(3000)))),
    "Broken header lines": Attack(
        told(b"x\x00: y", b"x: a\rb", b"x: a\r\n folded", b"x y: z", b": z", b"x\x7f: z", b"no colon")
    ),
    "Two lengths": Attack(framed(b"content-length: 5\r\ncontent-length: 6", b"content-length: 5, 6")),
    "A length and chunks": Attack(
        framed(
            b"content-length: 5\r\ntransfer-encoding: chunked",
            b"transfer-encoding: chunked\r\ncontent-length: 5",
        )
    ),
    "A length that is none": Attack(
        framed(
            b"content-length: -5",
            b"content-length: +5",
            b"content-length: 0x5",
            b"content-length : 5",
            b"content-length: " + b"9" * 30,
        )
    ),
    "A transfer coding in disguise": Attack(
        framed(
            b"transfer-encoding: xchunked",
            b"transfer-encoding:\x0bchunked",
            b"transfer-encoding : chunked",
            b"transfer-encoding: chunked, identity",
            b"x: y\rtransfer-encoding: chunked",
            b"transfer-encoding: identity, chunked\r\ncontent-length: 4",
        )
    ),
    "Chunks of no size": Attack(
        sends(
            *[
                b"POST /wait HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
                + size
                + b"\r\nabcde\r\n0\r\n\r\n"
                for size in (b"fffffffffffffffff", b"-1", b"0x5", b"z")
            ]
        )
    ),
    "A chunk extension without end": Attack(
        dribbles(
            b"POST /wait HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5;", *[b"x" * 20_000] * 3
        )
    ),
    "A request in a body": Attack(
        sends(
            request(b"/form", b"content-length: 45\r\n", b"POST")
            + b"GET /account HTTP/1.1\r\ncookie: sid=victim\r\n\r\n"
        )
    ),
    "An upgrade": Attack(
        sends(
            request(b"/", b"upgrade: h2c\r\nhttp2-settings: x\r\n"),
            b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
            + b"\x81\x85" * 50,
        )
    ),
    "A head that never ends": Attack(dribbles(*[b"GET / HTTP/1.1\r\n", *[b"x: y\r\n"] * 6])),
    "A body that never ends": Attack(
        sends(b"POST /wait HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc")
    ),
    "Connections that say nothing": Attack(sends(b"")),
    "200 heads that never end": Attack(many_idle),
    "No host, or two": Attack(
        sends(
            *[
                b"GET /a HTTP/1.1\r\nconnection: close\r\n%s\r\n" % hosts
                for hosts in (b"", b"host: x\r\nhost: evil\r\n", b"host:\r\n")
            ]
        )
    ),
    "A host that is none": Attack(
        sends(
            *[
                b"GET /a HTTP/1.1\r\nconnection: close\r\nhost: %s\r\n\r\n" % host
                for host in (
                    b"films.example@evil",
                    b"x/evil",
                    b"x:port",
                    b"x:99999999",
                    b"a" * 300,
                    b"x, evil",
                    b'"evil"',
                    b"x\tevil",
                )
            ]
        )
    ),
    "Another site as the target": Attack(
        sends(
            b"GET http://evil.example/ HTTP/1.1\r\nhost: films.example\r\nconnection: close\r\n\r\n",
            b"GET //evil.example/ HTTP/1.1\r\nhost: films.example\r\nconnection: close\r\n\r\n",
        )
    ),
    "Targets that are no path": Attack(
        sends(
            b"CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example:443\r\n\r\n",
            b"GET evil HTTP/1.1\r\nhost: x\r\n\r\n",
            b"OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        )
    ),
    "TRACE": Attack(sends(request(b"/", VICTIM, b"TRACE"))),
    "A request in a circle": Attack(told(b"via: " + b", ".join([b"1.1 nearside"] * 4), target=b"/circle")),
    "Headers that sites repeat": Attack(
        poisons(
            b"x-forwarded-host: evil",
            b"x-host: evil",
            b"x-original-url: /evil",
            b"x-rewrite-url: /evil",
            b"x-forwarded-server: evil",
            b"forwarded: host=evil",
            b"x-forwarded-scheme: evil",
            b"x-forwarded-port: evil",
            b"x-forwarded-prefix: /evil",
            b"x-forwarded-proto: evil",
            b"x-http-method-override: EVIL",
            b"x-method-override: EVIL",
            b"x-original-host: evil",
        )
    ),
    "Another host": Attack(poisoned_host, after=b"/host"),
    "An account under another name": Attack(deceived),
    "Codings and ranges": Attack(coded, after=b"/coded"),
    "Hostile paths": Attack(
        gets(
            b"/%00",
            b"/a%0d%0aset-cookie:%20evil",
            b"/%2e%2e/%2e%2e/etc/passwd",
            b"/..;/",
            b"/%ff%fe",
            b"/_nearside%2f..%2faccount",
            b"/" + b"a" * 20_000,
            b"/%",
            b"/%zz",
            b"/\\\\evil",
            b"/<script>evil",
        )
    ),
    "Bombs from the site": Attack(bomb),
    "A bomb in the middle of a page": Attack(late_bomb),
    "Answers of the site that are none": Attack(ill_site),
    "A second answer behind the first": Attack(split_site),
    "100 pages at once that nobody has": Attack(at_once),
}
