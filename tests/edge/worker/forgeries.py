"""What attackers make up or send again: cookies, tokens, places, and what our own routes are sent."""

import base64
import json
import re
import time

from edge.decide.types import Slot
from edge.events.token import TokenBox
from edge.keys import load_keys
from edge.visitor.cookie import CookieBox
from edge.visitor.state import VisitorState
from tests.edge.worker.attacked import LiveWorker
from tests.edge.worker.attacks import CONSENT, WELCOME, Attack, Run, gets
from tests.workspaces.make import SITE

DECIDE, EVENTS, FLAGS = b"/_nearside/decide", b"/_nearside/events", b"/ofrep/v1/evaluate/flags"
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
SEEN = {"kind": "impression", "placement": "hero", "item": "welcome"}


def posts(target: bytes, *bodies: bytes, fields: bytes = b"") -> Run:
    return lambda worker: [worker.post(target, body, fields) for body in bodies]


def page_token(worker: LiveWorker) -> bytes:
    """The token of a page that a visitor saw."""
    found = re.search(rb'data-nearside="([^"]+)"', worker.get(b"/", CONSENT))
    assert found is not None
    return found[1]


def beacon(token: bytes, *events: dict[str, object]) -> bytes:
    """The body of a report."""
    return json.dumps({"token": token.decode(), "events": events}).encode()


def forged_tokens(worker: LiveWorker) -> list[bytes]:
    token = page_token(worker)
    other = bytes([token[0] ^ 1]) + token[1:]
    tokens = [other, token[:-4], token + b"AAAA", b"", b"\xff", token * 50]
    bodies = [json.dumps({"token": one.decode("latin-1"), "events": [SEEN]}).encode() for one in tokens]
    return [worker.post(EVENTS, body) for body in bodies]


def _tokens(worker: LiveWorker, site: str = SITE) -> TokenBox:
    return TokenBox(site, [(key.id, key.raw()) for key in load_keys(worker.keys).event])


def old_token(worker: LiveWorker) -> list[bytes]:
    token = _tokens(worker).sign("0" * 32, int(time.time()) - 5, [Slot("hero", "welcome", "welcome")])
    return [worker.post(EVENTS, beacon(token, SEEN))]


def foreign_token(worker: LiveWorker) -> list[bytes]:
    box = _tokens(worker, "another")
    token = box.sign("0" * 32, int(time.time()) + 500, [Slot("hero", "welcome", "welcome")])
    return [worker.post(EVENTS, beacon(token, SEEN))]


def not_shown(worker: LiveWorker) -> list[bytes]:
    token = page_token(worker)
    events = [{**SEEN, "item": "evil"}, {**SEEN, "placement": "trending", "item": "welcome"}]
    return [worker.post(EVENTS, beacon(token, event)) for event in events]


def own_cookie(worker: LiveWorker) -> bytes:
    """The state cookie of a visitor who was here."""
    found = re.search(rb"set-cookie: (nearside=[^;]+)", worker.get(b"/", CONSENT))
    assert found is not None
    return b"cookie: consent=full; %s\r\n" % found[1]


def replayed_token(worker: LiveWorker) -> list[bytes]:
    """The same report again, by its visitor with the event cookie that the first one set."""
    cookie, token = own_cookie(worker), page_token(worker)
    first = worker.post(EVENTS, beacon(token, SEEN), cookie)
    events = re.search(rb"set-cookie: (nearside-e=[^;]+)", first)
    assert events is not None
    again = worker.post(EVENTS, beacon(token, SEEN), cookie[:-2] + b"; " + events[1] + b"\r\n")
    return [first, again]


def flood(worker: LiveWorker) -> list[bytes]:
    token = page_token(worker)
    full = [{**SEEN, "n": number} for number in range(32)]
    answers = [worker.post(EVENTS, beacon(token, *full), CONSENT) for _ in range(17)]
    assert [STATUS.match(answer)[1] for answer in answers] == [b"204"] * 16 + [b"429"]  # type: ignore[index]
    return answers


def too_many_events(worker: LiveWorker) -> list[bytes]:
    token = page_token(worker)
    return [
        worker.post(EVENTS, beacon(token)),
        worker.post(EVENTS, beacon(token, *[SEEN] * 33)),
    ]


def forged_cookies(worker: LiveWorker) -> list[bytes]:
    good = own_cookie(worker).partition(b"nearside=")[2].strip()
    state = VisitorState(1, b"v" * 16, 1_700_000_000, 1_700_000_000, 9, ("evil",))
    other_key = CookieBox(SITE, [(1, b"x" * 32)]).seal(state)
    keys = [(key.id, key.raw()) for key in load_keys(worker.keys).cookie]
    other_site = CookieBox("another", keys).seal(state)
    as_events = good  # a state cookie's bytes are no event cookie's
    values = [good[:-6] + b"AAAAAA", good[:20], b"", b"=;=\xff\x80", other_key, other_site, b"A" * 8000]
    fields = [b"cookie: consent=full; nearside=%s\r\n" % value for value in values]
    fields.append(b"cookie: consent=full; nearside=%s; nearside-e=%s\r\n" % (good, as_events))
    return [worker.get(b"/", field) for field in fields]


def replayed_cookie(worker: LiveWorker) -> list[bytes]:
    """Somebody else's, on another device: it tells a history of films, and opens nothing at the site."""
    cookie = own_cookie(worker)
    worker.get(b"/film/alien", cookie)
    fields = cookie + b"user-agent: another\r\n"
    answers = [worker.get(b"/", fields), worker.get(b"/account", fields), worker.get(b"/", fields)]
    assert b"of victim" not in b"".join(answers)
    return answers


def forged_place(worker: LiveWorker) -> list[bytes]:
    signed = b"x-nearside-front: 1.%d.%s\r\nx-nearside-country: AT\r\n" % (
        time.time(),
        base64.urlsafe_b64encode(b"x" * 16).rstrip(b"="),
    )
    lies = [b"cf-ipcountry: AT\r\n", b"cf-ipcountry: AT\r\nx-forwarded-for: 192.0.2.1\r\n", signed]
    lies.append(b"cf-ipcountry: AT\r\ncf-connecting-ip: 192.0.2.1\r\nforwarded: for=192.0.2.1\r\n")
    answers = [worker.get(b"/", CONSENT + lie) for lie in lies]
    assert all(WELCOME in answer for answer in answers)
    return answers


def deep(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


NESTED = b'{"placements": ["hero"], "body": {"a": %s}}' % deep(20_000)
LONG = b'{"placements": ["hero"], "history": ["%s"]}' % (b"x" * 70_000)
FLAG = b'{"context": {"targetingKey": "a", "b": %s}}'
OBJECTS = b'{"a":' * 9_000 + b"1" + b"}" * 9_000

MADE_UP: dict[str, Attack] = {
    "Forged visitor cookies": Attack(forged_cookies),
    "A visitor cookie used elsewhere": Attack(replayed_cookie),
    "A forged place": Attack(forged_place),
    "Forged page tokens": Attack(forged_tokens),
    "A page token of the past": Attack(old_token),
    "A page token of another site": Attack(foreign_token),
    "Events of what was not shown": Attack(not_shown),
    "The same events again": Attack(replayed_token),
    "A flood of events": Attack(flood),
    "Reports of none, or too many": Attack(too_many_events),
    "Reports that are no JSON": Attack(
        posts(
            EVENTS,
            b"",
            b"\xff",
            b"[]",
            b"{",
            deep(7_000),
            b'{"token": 1}',
            b'{"token": "", "events": [], "x": 1}',
        )
    ),
    "Reports without end": Attack(posts(EVENTS, b" " * 20_000)),
    "Paths beside our own": Attack(
        gets(
            b"/_nearside/../account",
            b"/_nearside/",
            b"/_nearside/decide/",
            b"/_nearside/%2e%2e/x",
            b"/ofrep/v1/evaluate/x",
        )
    ),
    "Hostile queries": Attack(
        gets(
            b"/?" + b"&a=1" * 5_000,
            b"/?" + b"%00" * 5_000,
            b"/?a=%ff%fe",
            b"/?" + b"utm_campaign=" + b"x" * 20_000,
            b"/?nearside=evil",
            b"/?[]=__proto__&utm_campaign[$gt]=",
        )
    ),
    "Decisions that are no JSON": Attack(
        posts(DECIDE, b"", b"\xff\xfe", b"{", NESTED, deep(30_000), b'{"placements": 1}')
    ),
    "Decisions of what is unknown": Attack(
        posts(
            DECIDE,
            b'{"placements": ["evil"]}',
            b'{"placements": ["hero"], "tier": "evil"}',
            b'{"placements": ["hero"], "attributes": {"evil": 1}}',
            b'{"placements": ["hero"], "attributes": {"geo.country": 1}}',
        )
    ),
    "Decisions without end": Attack(posts(DECIDE, LONG, b" " * 100_000)),
    "Flags that are deep": Attack(
        posts(FLAGS, FLAG % deep(20_000), FLAG % OBJECTS[:60_000], FLAG % b"1e999", FLAG % (b"9" * 400))
    ),
    "Flags for nobody": Attack(
        posts(
            FLAGS,
            b"{}",
            b'{"context": []}',
            b'{"context": {"targetingKey": ""}}',
            b'{"context": {"targetingKey": "%s"}}' % (b"x" * 600),
        )
    ),
    "Flags without end": Attack(posts(FLAGS, b" " * 100_000)),
}
