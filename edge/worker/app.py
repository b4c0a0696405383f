"""The worker's ASGI program: every path of the site, and our own beside them."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import Final

from edge.errors import GivenError, UpstreamError
from edge.pages.plan import NO_PAGE
from edge.proxy.conditional import is_same, reply, validation
from edge.proxy.fields import Fields
from edge.proxy.policy import SITE_ERRORS, Terms
from edge.proxy.store import Entry, Key
from edge.worker.outcome import COUNTED, FROM, HIT, TOLD
from edge.worker.site.cache import Flight, SharedCache, entry_of
from edge.worker.site.coding import accepted, recoded
from edge.worker.site.decoding import DECODABLE
from edge.worker.site.exchange import App, Exchange, Receive, Scope, Send
from edge.worker.site.forward import RequestBody, check, left, to_site
from edge.worker.site.plain import Plans
from edge.worker.site.streaming import Stream, Streams
from edge.worker.site.told import Told
from edge.worker.site.upstream import Upstream
from edge.worker.turn.turn import Turn
from edge.worker.turn.view import PageView
from edge.worker.turn.whole_page import Whole

__all__ = ["App", "PageApp"]

log = logging.getLogger(__name__)

OWN_PATHS: Final = ("/_nearside/", "/ofrep/v1/evaluate/")
# No body, so the length that some sites state is that of another answer.
_WITHOUT_BODY: Final = (204, 304)
_MAX_STATUS: Final = 599
_REFUSED: Final = {"host": 400, "headers": 431, "method": 405, "circle": 508}
_OF_CLIENTS: Final = ("client", "target")
_FAILED: Final = {
    "target": (400, b"Ask for a path.\n"),
    "client": (400, b"The request ended too early.\n"),
    "upstream-busy": (503, b"The site has too much to do.\n"),
    "upstream-timeout": (504, b"The site does not answer in time.\n"),
}


class PageApp:
    """Pages through the decision, all else through to the site untouched; what may be kept is."""

    def __init__(
        self, upstream: Upstream, cache: SharedCache, turn: Turn, beside: App, max_page_bytes: int
    ) -> None:
        self._upstream = upstream
        self._cache = cache
        self._clock = cache.clock
        self._turn = turn
        self._beside = beside
        self._max_page_bytes = max_page_bytes
        self._plans = Plans(turn.counters)
        self._streams = Streams(turn, self._plans, max_page_bytes)
        self._counters = turn.counters
        self._refreshing: dict[Key, asyncio.Task[None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} here")
        if scope["path"].startswith(OWN_PATHS):
            await self._beside(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send)
        if self._turn.foresees and exchange.wants_page:
            await self._turn.look_up(exchange.headers)
            exchange.ahead, exchange.signals = self._turn.foresee(exchange.page_request())
        kept = None
        if not exchange.signals and self._cache.is_shareable(exchange):
            kept = self._cache.find(exchange)
            if kept is not None and kept.fresh_until_s > self._clock():
                if kept.page is not None and exchange.method == "GET":  # the one that has to be quick
                    self._counters.add(HIT)
                    await self._send_page(kept, exchange, "hit")
                else:
                    await self._send_kept(kept, exchange, "hit")
                return
            exchange.shareable = True
        await self._not_kept(exchange, kept)

    async def _not_kept(self, exchange: Exchange, stale: Entry | None) -> None:
        """Answer what is not fresh here."""
        try:
            check(exchange)
        except GivenError as error:
            self._counters.add(f'nearside_refused_requests_total{{code="{error.code}"}}')
            await exchange.tell(_REFUSED[error.code], f"{error}\n".encode())
            return
        if stale is not None and stale.may_wait(self._clock()):
            self._refresh_soon(exchange, stale)
            await self._send_kept(stale, exchange, "stale")
            return
        if exchange.shareable and (entry := await self._cache.wait(exchange)) is not None:
            await self._send_kept(entry, exchange, "collapsed")
            return
        if b"only-if-cached" in exchange.headers.get(b"cache-control", b""):
            await exchange.tell(504, b"It is not kept here.\n")
            return
        flight = self._cache.begin(exchange)
        try:
            await self._ask(exchange, stale, flight)
        finally:
            self._cache.end(flight)

    async def _ask(self, exchange: Exchange, stale: Entry | None, flight: Flight) -> None:
        """Ask the site, or whether what is stale holds still, and answer with what it tells."""
        body = RequestBody(exchange.receive) if exchange.has_body else None
        try:
            told = await self._told(exchange, stale, body)
        except UpstreamError as error:
            await self._without_site(exchange, stale, error)
            return
        try:
            if stale is not None and told.status == 304 and told.answers_us:
                if not is_same(stale.fields, told.received.fields):
                    self._cache.forget(exchange, stale)
                    await self._ask(exchange, None, flight)
                    return
                entry = self._cache.renew(exchange, flight, stale, told.received)
                await self._send_kept(entry, exchange, "validated")
            elif stale is not None and told.status in SITE_ERRORS and stale.may_replace_error(self._clock()):
                self._count(exchange, UpstreamError("upstream-status", f"the site answers {told.status}"))
                await self._send_kept(stale, exchange, "stale")
            else:
                await self._answer(exchange, stale, flight, told, watched=body is None or body.ended)
        except UpstreamError as error:
            # Headers are out: ending here makes the server break the connection off, as the site did.
            self._count(exchange, error)
            if told.undecoded:
                self._count_undecoded(told)
        finally:
            await told.close()

    async def _told(self, exchange: Exchange, stale: Entry | None, body: RequestBody | None) -> Told:
        """What the site tells, its headers read."""
        asking = validation(stale.fields) if stale is not None else []
        asked_s = self._clock()
        response = await self._upstream.send(
            exchange.method,
            exchange.target,
            to_site(exchange, asking),
            aiter(body) if body else None,
            exchange.interim,
        )
        told = Told(response, asked_s, self._clock(), answers_us=bool(asking))
        if exchange.signals:
            told.keep_private()
        return told

    async def _answer(
        self, exchange: Exchange, stale: Entry | None, flight: Flight, told: Told, *, watched: bool
    ) -> None:
        """Answer with a response of the site, and keep it where that may be."""
        self._cache.obey(exchange, told.received)
        if exchange.method == "HEAD" and told.is_page(self._max_page_bytes) and await self._leads(exchange):
            return
        found = self._cache.terms(exchange, told.received, self._turn.consent_cookies)
        if found is None:
            flight.land(None)
        is_page = exchange.method == "GET" and told.is_page(self._max_page_bytes)
        body = stream = None
        if is_page or (found is not None and told.is_short(self._cache.max_bytes)):
            try:
                stream = await self._streams.begin(exchange, told, found) if is_page else None
                body = await self._read(told, is_page=is_page) if stream is None else None
            except UpstreamError as error:
                await self._without_site(exchange, stale, error)
                return
        if stale is not None and found is None and self._cache.forbids(told.received):
            self._cache.forget(exchange, stale)
        if stream is not None:
            await self._stream(stream, flight, found, watched=watched)
            return
        if told.undecoded:
            self._count_undecoded(told)
        if body is not None:
            entry = self._entry(exchange, told, body, found, is_page=is_page)
            stored = found is not None and self._cache.keep(exchange, flight, entry)
            await self._send_kept(entry, exchange, "stored" if stored else "passed", told.asked_s)
            return
        flight.land(None)
        body = await self._pass(exchange, told, self._cache.max_bytes if found else 0, watched=watched)
        if found is not None and body is not None:
            self._cache.keep(exchange, flight, self._entry(exchange, told, body, found, is_page=False))

    async def _stream(self, stream: Stream, flight: Flight, found: Terms | None, *, watched: bool) -> None:
        """Answer with a page as it comes, and keep it where that may be."""
        exchange, told = stream.exchange, stream.told
        body = await self._streams.end(stream, watched=watched)
        stored = False
        if found is not None and body is not None:
            stored = self._cache.keep(
                exchange, flight, self._entry(exchange, told, body, found, is_page=True)
            )
        self._counters.add(COUNTED["stored" if stored else "passed"])

    async def _read(self, told: Told, *, is_page: bool) -> bytes | None:
        return await (told.page(self._max_page_bytes) if is_page else told.read(self._cache.max_bytes))

    def _entry(
        self, exchange: Exchange, told: Told, body: bytes, found: Terms | None, *, is_page: bool
    ) -> Entry:
        cut = (
            partial(self._plans.page, body, shared=found is not None and found.lifetime_s > 0)
            if is_page
            else None
        )
        return entry_of(exchange, told.received, body, found or Terms(0), cut)

    async def _send_kept(
        self, entry: Entry, exchange: Exchange, how: str, asked_s: float | None = None
    ) -> None:
        """Answer with a whole response; `how` it came about is counted and told."""
        self._counters.add(COUNTED[how])
        if entry.page is not None and exchange.method == "GET":
            await self._send_page(entry, exchange, how, asked_s)
            return
        if entry.page is not None and exchange.method == "HEAD" and await self._leads(exchange):
            return
        self._counters.add('nearside_pages_total{kind="passed"}')
        whole = entry.body if entry.page is None else entry.page.body
        answer = reply(entry.status, self._fields(entry, how), whole, exchange.headers)
        body = b"" if exchange.method == "HEAD" else answer.body
        await exchange.answer(answer.status, answer.fields, body)

    async def _send_page(
        self, entry: Entry, exchange: Exchange, how: str, asked_s: float | None = None
    ) -> None:
        page = entry.page
        codings = accepted(exchange.headers.get(b"accept-encoding", b"")) if page.squeezes else ()
        request = exchange.page_request() if exchange.ahead is None else exchange.ahead.draft.view.request
        view = PageView(request, page.plan, page.body, b"gzip" in codings, ahead=exchange.ahead)
        if self._turn.looks_up:
            await self._turn.look_up(exchange.headers)
        await self._turn.submit(view)
        if view.whole is not None and view.whole.location:
            await _lead(view, exchange)
            return
        if view.private:
            body, coding = view.body, b"gzip" if view.coded else b""
            if codings and body is page.body:
                body, coding = page.coded(codings)
            status, fields = 200, [*page.private_headers]
            if coding:
                fields.append((b"content-encoding", coding))
            fields.append((b"content-length", b"%d" % len(body)))
        else:
            status, fields, body = self._plain(entry, exchange, codings, how)
        fields += view.cookie_fields
        timing = FROM[how] if asked_s is None else b"site;dur=%.1f" % ((self._clock() - asked_s) * 1000)
        fields.append((b"server-timing", b"%s, decide;dur=%.2f" % (timing, view.decided_ms)))
        send = exchange.send
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": body})

    async def _leads(self, exchange: Exchange) -> bool:
        """Answer a HEAD of a page as its GET would be, where that is led elsewhere; whether it was."""
        if not self._turn.leads:
            return False
        view = PageView(exchange.page_request(), NO_PAGE, b"", whole=Whole(peek=True))
        await self._turn.look_up(exchange.headers)
        await self._turn.submit(view)
        if view.location:
            await _lead(view, exchange)
        return bool(view.location)

    def _plain(
        self, entry: Entry, exchange: Exchange, codings: Sequence[bytes], how: str
    ) -> tuple[int, Fields, bytes]:
        """The page as the site made it, or what of it the client has not."""
        fields = self._fields(entry, how)
        body, coding = entry.page.coded(() if b"range" in exchange.headers else codings)
        if coding:
            fields = [*recoded(fields), (b"content-encoding", coding)]
        answer = reply(200, fields, body, exchange.headers)
        return answer.status, answer.fields, answer.body

    def _fields(self, entry: Entry, how: str) -> Fields:
        """A response's fields, with its age: who keeps it next must not begin to count anew."""
        age_s = entry.age_s(self._clock())
        fields = entry.fields if entry.page is None else entry.page.headers
        if how == "passed" and not age_s:
            return [*fields, TOLD[how]]
        return [*fields, (b"age", b"%d" % age_s), TOLD[how]]

    def _count_undecoded(self, told: Told) -> None:
        coding = told.coding.decode("latin-1") if told.coding in DECODABLE else "other"
        name = "nearside_undecoded_total"
        self._counters.add(f'{name}{{coding="{coding}",reason="{told.undecoded}"}}')

    def _count(self, exchange: Exchange, error: UpstreamError) -> None:
        self._counters.add(f'nearside_upstream_errors_total{{code="{error.code}"}}')
        # What clients do is counted alone: they could fill the disk.
        level = logging.DEBUG if error.code in _OF_CLIENTS else logging.WARNING
        log.log(level, "%s %s", exchange.scope["path"], error)

    async def _without_site(self, exchange: Exchange, stale: Entry | None, error: UpstreamError) -> None:
        self._count(exchange, error)
        if stale is not None and stale.may_replace_error(self._clock()):
            await self._send_kept(stale, exchange, "stale")
            return
        status, text = _FAILED.get(error.code, (502, b"The site does not answer.\n"))
        await exchange.tell(status, text, *([(b"retry-after", b"1")] if status == 503 else []))

    async def _pass(self, exchange: Exchange, told: Told, keep_bytes: int, *, watched: bool) -> bytes | None:
        """Pass a response on as it comes, until it ends or (`watched`) the client leaves.

        Its body, where that is whole and at most `keep_bytes` long.
        """
        self._counters.add('nearside_pages_total{kind="passed"}')
        self._counters.add(COUNTED["passed"])
        send = exchange.send
        # No send tells that the client left, and some streams of a site never end.
        gone = asyncio.create_task(left(exchange.receive)) if watched else None
        parts, room = [], keep_bytes
        try:
            fields = [*told.fields_to_pass(), TOLD["passed"]]
            await send(
                {"type": "http.response.start", "status": min(told.status, _MAX_STATUS), "headers": fields}
            )
            async for chunk in told.chunks():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                room -= len(chunk)
                if room >= 0:
                    parts.append(chunk)
                elif parts:
                    parts.clear()
                if gone is not None and gone.done():
                    return None
            await send({"type": "http.response.body", "body": b""})
        finally:
            if gone is not None:
                gone.cancel()
        return b"".join(parts) if room >= 0 else None

    def _refresh_soon(self, exchange: Exchange, stale: Entry) -> None:
        """Ask the site anew, beside the request that got the stale answer."""
        key = exchange.key
        if key in self._refreshing:
            return
        nobody = exchange.as_nobody()
        task = asyncio.create_task(self._refresh(nobody, stale, self._cache.begin(nobody)))
        self._refreshing[key] = task
        task.add_done_callback(lambda _: self._refreshing.pop(key))

    async def _refresh(self, exchange: Exchange, stale: Entry, flight: Flight) -> None:
        try:
            told = await self._told(exchange, stale, None)
            try:
                await self._take(exchange, stale, flight, told)
            finally:
                await told.close()
        except UpstreamError as error:
            self._count(exchange, error)
        finally:
            self._cache.end(flight)

    async def _take(self, exchange: Exchange, stale: Entry, flight: Flight, told: Told) -> None:
        """Keep what the site tells of something stale."""
        if told.status == 304 and told.answers_us and is_same(stale.fields, told.received.fields):
            self._cache.renew(exchange, flight, stale, told.received)
            return
        if told.status in SITE_ERRORS:
            return
        found = self._cache.terms(exchange, told.received, ())
        is_page = told.is_page(self._max_page_bytes)
        body = await self._read(told, is_page=is_page) if found else None
        if found is None or body is None:
            self._cache.forget(exchange, stale)
        else:
            self._cache.keep(exchange, flight, self._entry(exchange, told, body, found, is_page=is_page))


async def _lead(view: PageView, exchange: Exchange) -> None:
    """Answer that the page is, for this visitor and for now, another one."""
    fields: Fields = [(b"location", view.location), (b"cache-control", b"private, no-store")]
    fields.append((b"content-length", b"0"))
    fields += view.cookie_fields
    fields.append((b"server-timing", b"decide;dur=%.2f" % view.decided_ms))
    await exchange.answer(302, fields, b"")
