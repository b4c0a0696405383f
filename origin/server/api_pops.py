"""The routes of PoPs: their credentials, the news that they hear, the events that they ship."""

import asyncio
import base64
import logging
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from origin import wire
from origin.keys import token_digest
from origin.refusal import RefusedError
from origin.server.answers import answer
from origin.server.credentials import authorized_pop, proven_pop, state_of
from origin.server.ingest import MAX_BATCH_BYTES
from origin.server.reading import (
    MAX_DIGITS,
    authorized,
    body_of,
    check_name,
    json_of,
    order_of,
    origin_of,
    segment_of,
    site_of,
)
from origin.server.service import Origin
from origin.store.values import Heard, PopToken, StoredRollout
from origin.wire import Committed, NewCredential, News, PopEntry, PopRequest, Revoked, RevokeRequest

SEEN_EVERY_S: Final = 60.0
"""How often a stream that stays open is written down as heard."""

logger = logging.getLogger("nearside.origin")


async def post_pop(request: Request) -> Response:
    """Make a PoP a credential; its token is in this answer and nowhere else."""
    site = authorized(request).keys.site
    wanted = await json_of(request, PopRequest)
    check_name("pop", wanted.name)
    order = order_of(wanted.author, wanted.reason)
    token = secrets.token_urlsafe(32)
    pops = origin_of(request).store.pops
    await pops.add(site, wanted.name, token_digest(token), order, replace=wanted.replace)
    logger.info("PoP %s of %s got a credential by %s: %s", wanted.name, site, order.author, order.reason)
    return answer(NewCredential(site, wanted.name, token), 201)


async def revoke_pop(request: Request) -> Response:
    """Revoke a PoP's credential: no event is taken from it any more, from this moment."""
    site = authorized(request).keys.site
    wanted = await json_of(request, RevokeRequest)
    name: str = request.path_params["pop"]
    check_name("pop", name)
    order = order_of(wanted.author, wanted.reason)
    await origin_of(request).store.pops.revoke(site, name, order)
    logger.info("PoP %s of %s lost its credential by %s: %s", name, site, order.author, order.reason)
    return answer(Revoked(name))


async def list_pops(request: Request) -> Response:
    """The PoPs that have a credential, were heard, or are named by the rollout in force."""
    site = authorized(request).keys.site
    origin = origin_of(request)
    tokens = {token.name: token for token in await origin.store.pops.tokens(site)}
    heard, rollout = await origin.store.pops.heard(site), await origin.store.rollout(site)
    connected = origin.presence.connected(site)
    names = sorted({*tokens, *heard, *connected, *rollout.pops} - {"*"})
    return answer(
        [_entry(name, tokens.get(name), heard.get(name), rollout, name in connected) for name in names]
    )


def _entry(
    name: str, token: PopToken | None, heard: Heard | None, rollout: StoredRollout, connected: bool
) -> PopEntry:
    heard = heard or Heard()
    return PopEntry(
        name,
        state_of(token),
        token.order.author if token else "",
        token.order.reason if token else "",
        token.changed_ms if token else 0,
        connected,
        heard.seen_ms,
        heard.shipped_ms,
        rollout.pops.get(name, rollout.pops.get("*", 0)),
    )


async def get_news(request: Request) -> Response:
    """A stream of JSON lines: rollout and stock at once and on each change, a sign of life in between."""
    origin, site = origin_of(request), site_of(request).keys.site
    pop = request.query_params.get("pop", "")
    if pop:
        check_name("pop", pop)
    lines = _news(origin, site, pop if pop and await proven_pop(request, pop) else "")
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(lines, media_type="application/x-ndjson", headers=headers)


async def _news(origin: Origin, site: str, pop: str) -> AsyncIterator[bytes]:
    """The lines for a PoP, or for somebody who did not prove to be one."""
    told, told_stock, written = 0, 0, -SEEN_EVERY_S
    with origin.presence.listening(site, pop) if pop else nullcontext():
        while not origin.news.closed:
            upcoming = origin.news.upcoming(site)
            rollout, stock = await origin.store.rollout(site), await origin.store.stock.serial(site)
            if pop and time.monotonic() - written >= SEEN_EVERY_S:
                await origin.store.pops.saw(site, pop)
                written = time.monotonic()
            if rollout.serial == told and stock == told_stock:
                yield wire.encode(News(alive=True)) + b"\n"
            if rollout.serial > told:
                told = rollout.serial
                yield wire.encode(News(rollout=base64.b64encode(rollout.signed).decode())) + b"\n"
            if stock > told_stock:
                told_stock = stock
                yield wire.encode(News(stock=stock)) + b"\n"
            try:
                await asyncio.wait_for(upcoming.wait(), origin.settings.heartbeat_s)
            except TimeoutError:
                continue


async def post_events(request: Request) -> Response:
    """Take a part of a spool's segment; answers how much of the segment is in the lake."""
    segment = segment_of(request)
    await authorized_pop(request, segment.pop)
    offset = request.query_params.get("offset", "")
    if not offset.isdecimal() or len(offset) > MAX_DIGITS:
        raise RefusedError(422, "offset", "offset=N must say where in the segment the body begins")
    body = await body_of(request, MAX_BATCH_BYTES)
    committed = await origin_of(request).ingest.take(segment, int(offset), body)
    return answer(Committed(committed))


async def get_watermark(request: Request) -> Response:
    """How much of a spool's segment is in the lake."""
    segment = segment_of(request)
    await authorized_pop(request, segment.pop)
    committed = await origin_of(request).store.watermark(segment)
    return answer(Committed(committed))
