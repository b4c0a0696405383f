"""OpenFeature's remote evaluation protocol (OFREP 0.3): placements and experiments as flags."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge.decide.campaigns import PAGE_REDIRECT
from edge.decide.engine import EmptyEngine, Engine
from edge.decide.types import DEFAULT, Context, Decision, Slot
from edge.errors import GivenError
from edge.worker.active import Active, Holder
from edge.worker.beside.routes import (
    MAX_DECIDE_BYTES,
    Ask,
    api_record,
    asked_context,
    read_json,
    what_is_shown,
)
from edge.worker.turn.boundary import note_failure
from edge.worker.turn.draft import SEED_MASK
from edge.worker.turn.personalize import commit
from edge.worker.turn.view import Desk

PATH: Final = "/ofrep/v1/evaluate/flags"
TARGET: Final = "targetingKey"
TIER: Final = "consent.tier"
HISTORY: Final = "history"
MAX_TARGET_CHARS: Final = 512
MAX_DEPTH: Final = 8
MAX_INTEGER: Final = (1 << 63) - 1

_Evaluation = Callable[[HttpRequest, Mapping[str, Any], Active], Response]


def ofrep_routes(holder: Holder, desk: Desk) -> list[Route]:
    """What answers under ``/ofrep/``.

    A placement is a flag whose value is what stands in it; an experiment is
    one whose value is the key of the variation. Where there is nothing to show,
    or no variation, a flag has no value: the application's own default counts.
    """
    flags = _Flags(holder, desk)
    return [
        Route(PATH, flags.evaluate_all, methods=["POST"]),
        Route(PATH + "/{key:path}", flags.evaluate_one, methods=["POST"]),
    ]


class _Flags:
    """Answers the two requests that there are."""

    def __init__(self, holder: Holder, desk: Desk) -> None:
        self._holder, self._desk = holder, desk

    async def evaluate_all(self, request: HttpRequest) -> Response:
        """All flags, or that nothing changed."""
        return await self._answer(request, self._all)

    async def evaluate_one(self, request: HttpRequest) -> Response:
        """One flag."""
        return await self._answer(request, self._one)

    async def _answer(self, request: HttpRequest, evaluate: _Evaluation) -> Response:
        try:
            body = await read_json(request, dict[str, Any], MAX_DECIDE_BYTES)
            return evaluate(request, _asked(body), self._holder.active)
        except GivenError as error:
            self._count(error.code)
            status = 413 if error.code == "too-large" else 400
            code = _CODES.get(error.code, "INVALID_CONTEXT")
            return _failure(status, code, str(error), request.path_params.get("key"))

    def _one(self, request: HttpRequest, asked: Mapping[str, Any], active: Active) -> Response:
        key = request.path_params["key"]
        if key not in _keys(active):
            self._count("flag")
            details = f"{key!r} is no placement and no experiment of this site"
            return _failure(404, "FLAG_NOT_FOUND", details, key)
        context = _context(asked, active)
        decision = _decide(context, active, self._desk)
        flag = _flag(key, decision, context, active.engine)
        metadata = _logged(context, decision, active, self._desk)
        return JSONResponse({**flag, "metadata": metadata}, headers=_NOT_KEPT)

    def _all(self, request: HttpRequest, asked: Mapping[str, Any], active: Active) -> Response:
        context = _context(asked, active)
        decision = _decide(context, active, self._desk)
        flags = [_flag(key, decision, context, active.engine) for key in _keys(active)]
        # Of the answer alone: what is the same has the same tag, whatever made it so.
        etag = '"' + hashlib.sha256(msgspec.json.encode(flags)).hexdigest()[:32] + '"'
        if etag in _tags(request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers={**_NOT_KEPT, "etag": etag})
        metadata = _logged(context, decision, active, self._desk)
        return JSONResponse({"flags": flags, "metadata": metadata}, headers={**_NOT_KEPT, "etag": etag})

    def _count(self, code: str) -> None:
        self._desk.counters.add(f'nearside_refused_requests_total{{route="ofrep",code="{code}"}}')


_NOT_KEPT: Final = {"cache-control": "private, no-store"}
_CODES: Final = {"malformed": "PARSE_ERROR", "targeting-key": "TARGETING_KEY_MISSING", "too-large": "GENERAL"}


def _failure(status: int, code: str, details: str, key: str | None) -> Response:
    document = {"errorCode": code, "errorDetails": details}
    return JSONResponse(document if key is None else {"key": key, **document}, status, headers=_NOT_KEPT)


def _tags(header: str) -> set[str]:
    """The entity tags of If-None-Match, compared weakly; clients send them with and without quotes."""
    tags = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    return tags | {f'"{tag}"' for tag in tags if tag and not tag.startswith('"')}


def _keys(active: Active) -> list[str]:
    """All flags; of a placement and an experiment of one name, the placement."""
    engine = active.engine
    experiments = engine.chooser.experiments if isinstance(engine, Engine) and engine.chooser else ()
    return list(dict.fromkeys([*_placements(active), *[experiment.id for experiment in experiments]]))


def _placements(active: Active) -> tuple[str, ...]:
    """The placements that are flags: who asks for flags is on no page that could lead elsewhere."""
    return tuple([name for name in active.engine.schema.placements if name != PAGE_REDIRECT])


def _asked(body: Mapping[str, Any]) -> Mapping[str, Any]:
    context = body.get("context")
    if not isinstance(context, dict):
        raise GivenError("malformed", "no object 'context'")
    target = context.get(TARGET)
    if not isinstance(target, str) or not 0 < len(target) <= MAX_TARGET_CHARS:
        raise GivenError("targeting-key", f"no text {TARGET!r} of at most {MAX_TARGET_CHARS} characters")
    return context


def _context(asked: Mapping[str, Any], active: Active) -> Context:
    """The context of a decision; what the site does not declare is left out.

    With full consent the seed follows from the targeting key: who asks again, as clients
    do that poll, draws the same. Without it, nothing of the key is used.
    """
    stated = _flat(asked)
    target = stated.pop(TARGET)
    history = stated.pop(HISTORY, [])
    if not isinstance(history, list):
        raise GivenError("context", f"{HISTORY!r} must be a list of item ids")
    schema = active.engine.schema
    tier = stated.get(TIER, schema.consent_default)
    if not isinstance(tier, str):
        raise GivenError("context", f"{TIER!r} must be a text")
    declared = {attribute.name for attribute in schema.attributes}
    attributes = {name: value for name, value in stated.items() if name in declared}
    ask = Ask(_placements(active), attributes=attributes, body=dict(asked), history=tuple(history), tier=tier)
    context = asked_context(ask, active)
    if tier != "full":
        return context
    seed = int.from_bytes(hashlib.sha256(target.encode()).digest()[:8], "little") & SEED_MASK
    return replace(context, seed=seed, unit=target if active.engine.divides else "")


def _flat(asked: Mapping[str, Any], prefix: str = "", depth: int = 0) -> dict[str, Any]:
    """Nested objects by dotted names: ``{"geo": {"country": "DE"}}`` is ``geo.country``."""
    found: dict[str, Any] = {}
    for name, value in asked.items():
        if isinstance(value, dict):
            if depth < MAX_DEPTH:
                found |= _flat(value, f"{prefix}{name}.", depth + 1)
        elif isinstance(value, int) and abs(value) > MAX_INTEGER:
            raise GivenError("context", f"{prefix + name!r} is a number beyond 64 bits")
        elif isinstance(value, list) and not all(isinstance(item, str) for item in value):
            raise GivenError("context", f"{prefix + name!r} is a list with other than texts")
        elif value is not None:
            found[prefix + name] = value
    return found


def _decide(context: Context, active: Active, desk: Desk) -> Decision:
    engine = active.engine
    if isinstance(engine, EmptyEngine) or context.tier == "none":
        return Decision(())
    try:
        return engine.decide(context, active.killed, active.weights, active.stock)
    except (
        Exception
    ) as error:  # the boundary of decide(), as of pages: the application's defaults are an answer
        note_failure(error, "a decision for an OpenFeature client", desk.counters)
        return Decision(())


def _logged(context: Context, decision: Decision, active: Active, desk: Desk) -> dict[str, Any]:
    """What an answer says of itself; its record is in the spool, unless there was nothing to decide."""
    about: dict[str, Any] = {"bundle": active.engine.id, "revision": active.revision}
    if isinstance(active.engine, EmptyEngine) or context.tier == "none":
        return about
    record = api_record(context, decision, active, desk)
    commit([record], desk)
    return {"decision": record.id, **about}


def _flag(key: str, decision: Decision, context: Context, engine: Engine | EmptyEngine) -> dict[str, Any]:
    if key in engine.schema.placements:
        slot = next((slot for slot in decision.slots if slot.placement == key), None)
        return _placement(key, slot, context, engine)
    slot = next((slot for slot in decision.slots if slot.experiment == key), None)
    if slot is None:
        return {"key": key, "reason": "UNKNOWN"}
    return {"key": key, "value": slot.variation, "variant": slot.variation, "reason": "SPLIT"}


def _placement(key: str, slot: Slot | None, context: Context, engine: Engine | EmptyEngine) -> dict[str, Any]:
    if slot is None or isinstance(engine, EmptyEngine):
        return {"key": key, "reason": "UNKNOWN"}
    variant = slot.variation or slot.content or slot.candidates
    reason = "STATIC" if slot.policy == DEFAULT else "SPLIT" if slot.experiment else "TARGETING_MATCH"
    flag = {"key": key, "reason": reason, "variant": variant}
    if not slot.fills:
        return flag
    shown = what_is_shown(engine, slot, context.attributes)
    return {**flag, "value": {"campaign": slot.policy, **shown}}
