"""Sends a page while the site makes it: what is before its first mark at once, the rest when it is whole."""

import asyncio
from typing import Final

from edge.pages.beginning import Beginning
from edge.pages.packing import QUICK
from edge.pages.plan import NO_PAGE
from edge.pages.stitch import HEADER, Part, Stitching, deflated
from edge.proxy.fields import Fields
from edge.proxy.policy import Terms
from edge.worker.cache import age_of, kept_fields
from edge.worker.coding import accepted, recoded, varying
from edge.worker.exchange import Exchange
from edge.worker.forward import CONDITIONS, left
from edge.worker.outcome import TOLD
from edge.worker.plain import PlainPage, Plans, private
from edge.worker.told import Told
from edge.worker.turn import Turn
from edge.worker.view import PageView

PATIENCE_S: Final = 0.005
"""For how long a page is waited for when its headers are here: most are whole by then, and cost less so."""


class Streams:
    """Says which pages are sent as they come, and begins them."""

    def __init__(self, turn: Turn, plans: Plans, max_page_bytes: int) -> None:
        self._turn = turn
        self._plans = plans
        self._max_page_bytes = max_page_bytes

    async def begin(self, exchange: Exchange, told: Told, found: Terms | None) -> "Stream | None":
        """The page on its way, with its headers sent; None where it is to be read whole first.

        Raises
        ------
        UpstreamError
            ``upstream-body``: it broke off before anything was sent.
        """
        if await told.is_here(self._max_page_bytes, PATIENCE_S) or not told.is_sound:
            return None
        if exchange.scope.get("http_version") == "1.0" or CONDITIONS & exchange.headers.keys():
            return None  # no chunks; what a client has is told by the whole page alone
        request = exchange.page_request() if exchange.ahead is None else exchange.ahead.draft.view.request
        view = PageView(request, NO_PAGE, b"", ahead=exchange.ahead)
        if not self._turn.begin(view):
            return None
        stream = Stream(exchange, told, view, shared=found is not None and found.lifetime_s > 0)
        await stream.begin(kept_fields(told.received, found))
        return stream

    async def end(self, stream: "Stream", *, watched: bool) -> bytes | None:
        """Send all that comes, decided when it is whole; the page, if it is, and the client stayed.

        Raises
        ------
        UpstreamError
            ``upstream-body``: it broke off, and what was sent has no end.
        """
        # No send tells that the client left.
        gone = asyncio.create_task(left(stream.exchange.receive)) if watched else None
        try:
            if not await stream.pass_on(self._max_page_bytes, gone):
                self._turn.counters.add('nearside_pages_total{kind="passed"}')
                return None
        finally:
            if gone is not None:
                gone.cancel()
        body = bytes(stream.beginning.page)
        page = self._plans.page(body, kept_fields(stream.told.received, None), shared=stream.shared)
        view = PageView(stream.view.request, page.plan, page.body, stream.is_coded, ahead=stream.view.ahead)
        view.in_parts = stream.is_coded
        if view.ahead is not None:
            await self._turn.submit(view)
        await stream.end(page, view)
        return body


class Stream:
    """One page on its way while the site makes it.

    Attributes
    ----------
    view : PageView
        As it was when the headers left.
    is_coded : bool
        Whether it leaves as gzip.
    """

    def __init__(self, exchange: Exchange, told: Told, view: PageView, *, shared: bool) -> None:
        self.exchange = exchange
        self.told = told
        self.view = view
        self.shared = shared
        self.beginning = Beginning()
        # As of whole pages: one for a single visitor leaves compressed only if the site sent it so.
        self._squeezes = shared or told.coding not in (b"", b"identity")
        self.is_coded = self._squeezes and b"gzip" in accepted(exchange.headers.get(b"accept-encoding", b""))
        self._gzip = Stitching()

    async def begin(self, fields: Fields) -> None:
        """Send the headers."""
        fields = recoded(fields)
        if self.view.private:
            fields = private(fields)
        else:
            fields = varying(fields) if self._squeezes else fields
            fields = [*fields, *age_of(self.told.received), TOLD["passed"]]
        if self.is_coded:
            fields.append((b"content-encoding", b"gzip"))
        fields += self.view.cookie_fields
        received = self.told.received
        fields.append((b"server-timing", b"site;dur=%.1f" % ((received.at_s - received.asked_s) * 1000)))
        await self.exchange.send({"type": "http.response.start", "status": 200, "headers": fields})
        if self.is_coded:
            await self._send(HEADER)

    async def pass_on(self, max_bytes: int, gone: "asyncio.Task[None] | None") -> bool:
        """Send what is before the first mark as it comes; whether there is a page in the end.

        One that gets too long passes as it comes from then on.
        """
        is_page, beginning = True, self.beginning
        async for data in self.told.pieces():
            if gone is not None and gone.done():
                return False
            if not is_page:
                await self._add(data)
                continue
            await self._add(beginning.take(data))
            if len(beginning.page) > max_bytes:
                is_page = False
                await self._add(bytes(beginning.page[beginning.given :]))
        if not is_page:
            await self._end()
        return is_page

    async def end(self, page: PlainPage, view: PageView) -> None:
        """Send what of the page was not sent yet."""
        sent = bytes(self.beginning.page[: self.beginning.given])
        if view.parts and view.parts[0].raw.startswith(sent):
            first, *others = view.parts
            await self._add(first.raw[len(sent) :])
            for part in others:
                await self._send(self._gzip.add(part))
        else:
            # Where what looked like no mark was one, the site's own page goes on.
            body = view.body if view.body.startswith(sent) else bytes(self.beginning.page)
            await self._add(body[len(sent) :])
        await self._end()

    async def _add(self, data: bytes) -> None:
        if data:
            part = Part(data, deflated(data, QUICK)) if self.is_coded else None
            await self._send(data if part is None else self._gzip.add(part))

    async def _end(self) -> None:
        end = self._gzip.end() if self.is_coded else b""
        await self.exchange.send({"type": "http.response.body", "body": end})

    async def _send(self, data: bytes) -> None:
        await self.exchange.send({"type": "http.response.body", "body": data, "more_body": True})
