"""Beside the pages: decisions for apps and for pages from elsewhere, beacons, and the scripts that ask."""

import os
import time
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge.consent.policy import Policy
from edge.decide.engine import EmptyEngine, Engine
from edge.decide.page import blocks_of, is_whole_page, word_for
from edge.decide.types import CONSENT_TIERS, Context, Decision, DecisionRecord, Slot, Value
from edge.errors import GivenError, TokenError
from edge.worker.active import Active, Holder
from edge.worker.attributes.body import attributes_of_body
from edge.worker.attributes.request import headers_of
from edge.worker.beside.client_page import Asked, Page, page_context
from edge.worker.beside.reports import Beacon, Gate, Reporter, count, permitted
from edge.worker.turn.boundary import note_failure
from edge.worker.turn.draft import SEED_MASK
from edge.worker.turn.personalize import commit
from edge.worker.turn.view import Desk

MAX_DECIDE_BYTES: Final = 64 << 10
MAX_BEACON_BYTES: Final = 16 << 10
MAX_ASKED_PLACEMENTS: Final = 64
MAX_ASKED_ITEMS: Final = 1024
MAX_ASKED_CHARS: Final = 512
"""Of one text; a decision and its record must stay small, whoever asks."""
SCRIPTS: Final = ("n.js", "client.js")
MAX_PREFLIGHT_AGE_S: Final = 7200

_STATUS: Final = {"too-large": 413, "too-many": 429, "foreign": 403}

T = TypeVar("T")


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``POST /_nearside/decide`` is sent: the caller states the context itself.

    `body` is JSON of the caller's own, from which attributes are read whose source is in it. A page that
    does not come through the edge sends `page` instead, and its context is read from the request.
    """

    placements: tuple[str, ...]
    attributes: dict[str, Value] = {}
    body: dict[str, Any] = {}
    history: tuple[str, ...] = ()
    tier: str = "contextual"
    purposes: tuple[str, ...] | None = None
    page: Page | None = None


def make_beside(
    holder: Holder, desk: Desk, more: Sequence[Route] = (), origins: Sequence[str] = ()
) -> Starlette:
    """The program under ``/_nearside/``, and more routes of ours.

    `origins` are the other sites whose pages may ask and report.
    """
    beside = _Beside(holder, desk, origins)
    program = Starlette(
        routes=[
            Route("/_nearside/decide", beside.decide, methods=["POST"]),
            Route("/_nearside/events", beside.events, methods=["POST"]),
            *[_script(name) for name in SCRIPTS],
            *more,
        ],
        middleware=[_sharing(origins)] if origins else [],
    )
    program.router.redirect_slashes = False  # it would lead to whatever host the request names
    return program


class _Beside:
    """Answers apps, and pages that report."""

    def __init__(self, holder: Holder, desk: Desk, origins: Sequence[str]) -> None:
        self._holder, self._desk, self._origins = holder, desk, origins
        self._gate = Gate(desk)

    async def decide(self, request: HttpRequest) -> Response:
        """What to show in a context."""
        active, desk = self._holder.active, self._desk
        told: dict[str, object] = {}
        try:
            ask = await read_json(request, Ask, MAX_DECIDE_BYTES)
            if ask.page is None:
                context = asked_context(ask, active)
            else:
                context, told["item"] = _of_page(ask, ask.page, request, active, self._origins)
                told["tier"] = context.tier
        except GivenError as error:
            return _refused(error, desk, "decide")
        try:
            answer, record = _decided(context, active, desk)
        except Exception as error:  # nothing to show is an answer
            note_failure(error, "a decision for an app", desk.counters)
            answer, record = _nothing(os.urandom(16).hex(), active), None
        if record is not None:
            commit([record], desk)
        return JSONResponse({**answer, **told}, headers={"cache-control": "no-store"})

    async def events(self, request: HttpRequest) -> Response:
        """Take what a page reports, as far as its token and the visitor's consent go."""
        active, desk = self._holder.active, self._desk
        try:
            beacon = await read_json(request, Beacon, MAX_BEACON_BYTES)
            now_ms = time.time_ns() // 1_000_000
            report = self._gate.check(beacon, active.engine, now_ms)
        except GivenError as error:
            return _refused(error, desk, "events")
        headers = headers_of(request.headers.raw)
        grant = active.reader.consent.of(headers)
        report = permitted(report, grant, active, desk)
        if report.events and not commit(list(report.events), desk):
            return _problem(429, "spool-full", "no room for events now; send them again later")
        kept = count(report, Reporter(headers, grant), active, desk, now_ms // 1000)
        return Response(status_code=204, headers={"set-cookie": kept.decode()} if kept else None)


def _script(name: str) -> Route:
    body = (Path(__file__).parent / name).read_bytes()

    async def script(_request: HttpRequest) -> Response:
        return Response(body, media_type="text/javascript", headers={"cache-control": "public, max-age=3600"})

    return Route(f"/_nearside/{name}", script)


def _sharing(origins: Sequence[str]) -> Middleware:
    """Lets scripts of these origins read our answers, without their cookies."""
    return Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST"],
        allow_headers=["content-type", "if-none-match"],
        expose_headers=["etag"],
        max_age=MAX_PREFLIGHT_AGE_S,
    )


def _of_page(
    ask: Ask, page: Page, request: HttpRequest, active: Active, origins: Sequence[str]
) -> tuple[Context, str]:
    """The context of a page from elsewhere, and its item.

    Raises
    ------
    GivenError
        ``foreign``: it is not of an origin that may ask; ``page`` or ``too-large``: what can't be.
    """
    origin = request.headers.get("origin", "")
    if origin not in origins:
        raise GivenError("foreign", f"{origin or 'nobody'!r} is not among --allow-origins")
    if ask.attributes or ask.body or ask.purposes is not None:
        raise GivenError("page", "a page's context is read from its request: state nothing else")
    _check_size(ask)
    asked = Asked(headers_of(request.headers.raw), request.client.host if request.client else "")
    return page_context(page, ask.placements, ask.history, asked, active)


async def read_json(request: HttpRequest, type_: type[T], limit: int) -> T:
    """The body of a request.

    Raises
    ------
    GivenError
        ``too-large``, ``client`` or ``malformed``.
    """
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise GivenError("too-large", f"more than {limit} bytes")
    except ClientDisconnect as error:
        raise GivenError("client", "the client left while sending") from error
    try:
        return msgspec.json.decode(body, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise GivenError("malformed", str(error)) from error


_TYPES: Final = {"string": (str,), "number": (int, float), "boolean": (bool,), "strings": (list,)}


def asked_context(ask: Ask, active: Active) -> Context:
    """The context that an app states, as far as the bundle reads it.

    Raises
    ------
    GivenError
        ``tier``, ``attribute``, ``placement`` or ``too-large``: what can't be.
    """
    if ask.tier not in CONSENT_TIERS:
        raise GivenError("tier", f"{ask.tier!r} is none of {', '.join(CONSENT_TIERS)}")
    _check_size(ask)
    schema, reads = active.engine.schema, active.engine.reads
    types = {attribute.name: attribute.type for attribute in schema.attributes}
    for name, value in ask.attributes.items():
        if name not in types:
            raise GivenError("attribute", f"{name!r} is not declared for this site")
        if not _is(value, types[name]):
            raise GivenError("attribute", f"{name!r} must be of type {types[name]}, not {value!r}")
    unknown = [name for name in ask.placements if name not in schema.placements]
    if unknown and active.revision:
        raise GivenError("placement", f"{unknown[0]!r} is none of {', '.join(schema.placements)}")
    consent = active.reader.consent
    granted = _granted(ask, consent)
    stated = {"consent.tier": ask.tier, **ask.attributes, **consent.asked(granted)}
    keeps_history = ask.tier in ("session", "full")
    history = tuple(dict.fromkeys(ask.history)) if keeps_history else ()
    read: dict[str, Value] = {
        name: mean for name, mean in active.engine.tastes.of(history).items() if name in reads
    }
    read |= attributes_of_body(schema.attributes, reads, ask.body)
    read |= {name: value for name, value in stated.items() if name in reads}
    read = active.reader.permitted(read, granted)
    seed = int.from_bytes(os.urandom(8), "little") & SEED_MASK
    placements = tuple(dict.fromkeys(ask.placements))
    names = consent.names_of(granted)
    return Context(time.time_ns() // 1_000_000, seed, ask.tier, read, history, placements, granted=names)


def _granted(ask: Ask, consent: Policy) -> int:
    """The purposes that the app says were granted, else those that go with the tier."""
    if ask.purposes is None:
        return consent.at(ask.tier).purposes
    unknown = [name for name in ask.purposes if name not in consent.names]
    if unknown:
        raise GivenError("purpose", f"{unknown[0]!r} is no purpose of this site")
    return consent.bits(ask.purposes)


def _is(value: Value, type_: str) -> bool:
    if isinstance(value, bool) != (type_ == "boolean") or not isinstance(value, _TYPES[type_]):
        return False
    return not isinstance(value, list) or all(isinstance(element, str) for element in value)


def _check_size(ask: Ask) -> None:
    lists = [value for value in ask.attributes.values() if isinstance(value, list)]
    for name, held, most in (
        ("placements", ask.placements, MAX_ASKED_PLACEMENTS),
        ("history", ask.history, MAX_ASKED_ITEMS),
        ("values of an attribute", max(lists, key=len, default=[]), MAX_ASKED_ITEMS),
    ):
        if len(held) > most:
            raise GivenError("too-large", f"{len(held)} {name}, more than {most}")
    texts = [*ask.placements, *ask.history, *ask.attributes.values(), *chain(*lists)]
    longest = max((len(text) for text in texts if isinstance(text, str)), default=0)
    if longest > MAX_ASKED_CHARS:
        raise GivenError("too-large", f"a text of {longest} characters, more than {MAX_ASKED_CHARS}")


def _decided(context: Context, active: Active, desk: Desk) -> tuple[dict[str, object], DecisionRecord | None]:
    engine = active.engine
    if isinstance(engine, EmptyEngine) or context.tier == "none":
        return _nothing(os.urandom(16).hex(), active), None
    decision = engine.decide(context, active.killed, active.weights, active.stock)
    record = api_record(context, decision, active, desk)
    expires_s = context.now_ms // 1000 + desk.token_lifetime_s
    answer = {
        **_nothing(record.id, active),
        "token": desk.tokens.sign(record.id, expires_s, decision.slots, engine.caps.of).decode(),
        "slots": _slots(engine, decision, context.attributes),
    }
    return answer, record


def api_record(context: Context, decision: Decision, active: Active, desk: Desk) -> DecisionRecord:
    """The record of a decision for an app: whoever asked, nothing is learnt from it."""
    return DecisionRecord(
        os.urandom(16).hex(), desk.site, desk.pop, active.engine.id, active.revision, active.weights.id,
        active.killed, "", context, decision.slots, teaches=False, excluded=decision.excluded,
        stock=active.stock.id,
    )  # fmt: skip


def _nothing(number: str, active: Active) -> dict[str, object]:
    return {"decision": number, "bundle": active.engine.id, "revision": active.revision, "slots": []}


def _slots(engine: Engine, decision: Decision, attributes: Mapping[str, Value]) -> list[dict[str, object]]:
    return [
        {
            "placement": slot.placement,
            "campaign": slot.policy,
            "propensity": slot.propensity,
            **({"experiment": slot.experiment, "variation": slot.variation} if slot.experiment else {}),
            **what_is_shown(engine, slot, attributes),
        }
        for slot in decision.slots
    ]


def what_is_shown(engine: Engine, slot: Slot, attributes: Mapping[str, Value]) -> dict[str, object]:
    """What a slot shows, for an application: by its names, and rendered where it has a place in a page."""
    if is_whole_page(slot):
        layout = engine.page.layouts.get(slot.content)
        detail = {"blocks": blocks_of(layout)} if layout is not None else {}
        return {word_for(slot): slot.content, **detail}
    html = engine.render(slot, attributes).decode()
    if slot.items:
        return {"recommender": slot.candidates, "items": slot.items, "html": html}
    return {"content": slot.content, "html": html}


def _refused(error: GivenError, desk: Desk, route: str) -> Response:
    desk.counters.add(f'nearside_refused_requests_total{{route="{route}",code="{error.code}"}}')
    status = 403 if isinstance(error, TokenError) else _STATUS.get(error.code, 400)
    return _problem(status, error.code, str(error))


def _problem(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status)
