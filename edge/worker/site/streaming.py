"""Sends a page while the site makes it: what is outside of marks as it comes, what they hold when decided."""

import asyncio
import time
from typing import Final

from edge.pages.beginning import Beginning
from edge.pages.charset import PRESCAN_BYTES, codec_of
from edge.pages.flow import Flow, Hole
from edge.pages.packing import QUICK
from edge.pages.plan import NO_PAGE, PagePlan
from edge.pages.stitch import HEADER, Part, Stitching, deflated
from edge.proxy.fields import Fields, values
from edge.proxy.policy import Terms
from edge.worker.outcome import TOLD
from edge.worker.site.cache import age_of, kept_fields
from edge.worker.site.coding import accepted, recoded, varying
from edge.worker.site.exchange import Exchange
from edge.worker.site.forward import CONDITIONS, left
from edge.worker.site.plain import Plans, private
from edge.worker.site.told import Told
from edge.worker.turn.foresight import Foresight, outline_of
from edge.worker.turn.turn import Turn
from edge.worker.turn.view import PageView

PATIENCE_S: Final = 0.002
"""For how long a page is waited for when its headers are here: most are whole by then, and cost less so."""


class Streams:
    """Says which pages are sent as they come, and how.

    Of a path whose last pages had the same placements, the page is decided as it begins, and each placement
    is sent when it comes. Of any other, what is before its first mark is sent, and the rest when all of it
    is here and decided.
    """

    def __init__(self, turn: Turn, plans: Plans, max_page_bytes: int) -> None:
        self._turn = turn
        self._plans = plans
        self._max_page_bytes = max_page_bytes
        self._foresight = Foresight()

    async def begin(self, exchange: Exchange, told: Told, found: Terms | None) -> "Stream | None":
        """The page on its way, with its headers sent; None where it is to be read whole first.

        Raises
        ------
        UpstreamError
            ``upstream-body``: it broke off before anything was sent.
        """
        turn = self._turn
        outline = self._foresight.outline(exchange.key, lays_out=turn.lays_out) if not turn.leads else None
        patience_s = PATIENCE_S if outline is None else 0.0
        if await told.is_here(self._max_page_bytes, patience_s) or not told.is_sound:
            return None
        if exchange.scope.get("http_version") == "1.0" or CONDITIONS & exchange.headers.keys():
            return None  # no chunks; what a client has is told by the whole page alone
        view = await self._begun(exchange, outline)
        if view is None:
            return None
        stream = Stream(exchange, told, view, shared=found is not None and found.lifetime_s > 0)
        await stream.begin(kept_fields(told.received, found))
        return stream

    async def _begun(self, exchange: Exchange, outline: PagePlan | None) -> PageView | None:
        """What the headers need of a page; None where it may lead elsewhere, which is to be decided first."""
        request = exchange.page_request() if exchange.ahead is None else exchange.ahead.draft.view.request
        turn = self._turn
        await turn.look_up(exchange.headers)
        if outline is None:
            view = PageView(request, NO_PAGE, b"", ahead=exchange.ahead)
            return view if turn.begin(view) else None
        view = PageView(request, outline, b"", ahead=exchange.ahead, flows=True)
        await turn.submit(view)
        return view

    async def end(self, stream: "Stream", *, watched: bool) -> bytes | None:
        """Send all that comes; the page, if it is whole in the end, and the client stayed.

        Raises
        ------
        UpstreamError
            ``upstream-body``: it broke off, and what was sent has no end.
        """
        # No send tells that the client left.
        gone = asyncio.create_task(left(stream.exchange.receive)) if watched else None
        try:
            if not await stream.pass_on(self._max_page_bytes, gone):
                if stream.is_undecided and not (gone is not None and gone.done()):
                    self._turn.counters.add('nearside_pages_total{kind="passed"}')
                return None
        finally:
            if gone is not None:
                gone.cancel()
        if isinstance(stream.way, Flow):
            await self._end_flow(stream, stream.way)
        else:
            await self._end_beginning(stream, stream.way)
        return bytes(stream.way.page)

    async def _end_flow(self, stream: "Stream", flow: Flow) -> None:
        await stream.end(flow.end())
        outline, key = outline_of(flow.names, flow.loose, stream.codec), stream.exchange.key
        is_quick = time.perf_counter() - stream.begun_s < PATIENCE_S
        if stream.view.flows and (is_quick or outline != stream.view.plan):
            self._foresight.forget(key)
        else:
            self._foresight.note(key, outline, has_blocks=flow.has_blocks)

    async def _end_beginning(self, stream: "Stream", beginning: Beginning) -> None:
        """Decide the page that is now whole, and send what of it was not sent."""
        fields = kept_fields(stream.told.received, None)
        page = self._plans.page(bytes(beginning.page), fields, shared=stream.shared)
        plan = page.plan
        outline = outline_of(plan.placements, plan.loose, plan.codec)
        self._foresight.note(stream.exchange.key, outline, has_blocks=bool(plan.blocks))
        before = stream.view
        view = PageView(before.request, plan, page.body, ahead=before.ahead, in_parts=stream.is_coded)
        await self._turn.submit(view)
        await stream.end(_rest(beginning, view))


def _rest(beginning: Beginning, view: PageView) -> list[bytes | Part]:
    """What of a page stands behind its beginning."""
    sent = bytes(beginning.page[: beginning.given])
    if view.parts and view.parts[0].raw.startswith(sent):
        first, *others = view.parts
        return [first.raw[len(sent) :], *others]
    if view.body.startswith(sent):
        return [view.body[len(sent) :]]
    return [beginning.give_up()]  # what looked like no mark was one: the site's own page goes on


class Stream:
    """One page on its way while the site makes it.

    Attributes
    ----------
    view : PageView
        As it was when the headers left.
    shared : bool
        Whether it may be shown to others than who asked.
    way : Beginning or Flow
        How it is cut.
    is_coded : bool
        Whether it leaves as gzip.
    begun_s : float
        When its headers left.
    """

    def __init__(self, exchange: Exchange, told: Told, view: PageView, *, shared: bool) -> None:
        self.exchange = exchange
        self.told = told
        self.view = view
        self.shared = shared
        # Where nothing is to be decided, nothing is to be waited for.
        self.way: Beginning | Flow = Beginning() if view.ahead is not None and not view.flows else Flow()
        # As of whole pages: one for a single visitor leaves compressed only if the site sent it so.
        self._squeezes = shared or told.coding not in (b"", b"identity")
        self.is_coded = self._squeezes and b"gzip" in accepted(exchange.headers.get(b"accept-encoding", b""))
        self._gzip = Stitching()
        self.begun_s = time.perf_counter()

    @property
    def is_undecided(self) -> bool:
        """Whether it is not counted as any page yet."""
        return isinstance(self.way, Beginning)

    @property
    def codec(self) -> str:
        """In which encoding it is, as far as it came; empty if a page of that can't be cut."""
        kind = b"".join(values(self.told.received.fields, b"content-type")).decode("latin-1")
        return codec_of(kind, bytes(self.way.page[:PRESCAN_BYTES]))

    async def begin(self, fields: Fields) -> None:
        """Send the headers."""
        fields, received = recoded(fields), self.told.received
        if self.view.private:
            fields = private(fields)
        else:
            fields = varying(fields) if self._squeezes else fields
            fields = [*fields, *age_of(received), TOLD["passed"]]
        if self.is_coded:
            fields.append((b"content-encoding", b"gzip"))
        fields += self.view.cookie_fields
        fields.append((b"server-timing", b"site;dur=%.1f" % ((received.at_s - received.asked_s) * 1000)))
        await self.exchange.send({"type": "http.response.start", "status": 200, "headers": fields})
        if self.is_coded:
            await self._send(HEADER)

    async def pass_on(self, max_bytes: int, gone: "asyncio.Task[None] | None") -> bool:
        """Send what can be told as it comes; whether there is a page in the end.

        One that gets too long passes as it comes from then on.
        """
        way, is_page = self.way, True
        async for data in self.told.pieces():
            if gone is not None and gone.done():
                return False
            for piece in way.take(data) if is_page else [data]:
                await self._add(piece)
            if is_page and len(way.page) > max_bytes:
                is_page = False
                await self._add(way.give_up())
        if not is_page:
            await self.end([])
        return is_page

    async def end(self, pieces: list[bytes | Part] | list[bytes | Hole]) -> None:
        """Send the rest."""
        for piece in pieces:
            await self._add(piece)
        end = self._gzip.end() if self.is_coded else b""
        await self.exchange.send({"type": "http.response.body", "body": end})

    async def _add(self, piece: bytes | Part | Hole) -> None:
        part = self._filled(piece) if isinstance(piece, Hole) else piece
        if not self.is_coded:
            await self._send(part if isinstance(part, bytes) else part.raw)
        elif part:
            part = Part(part, deflated(part, QUICK)) if isinstance(part, bytes) else part
            await self._send(self._gzip.add(part))

    def _filled(self, hole: Hole) -> Part | bytes:
        flow, filling, codec = self.way, self.view.filling, self.codec
        assert isinstance(flow, Flow)
        if not codec:
            return hole.inside  # no marks can be told from text
        if filling is None or codec != filling.codec:
            return hole.mark.default(hole.inside)
        return filling.part(hole, flow.script)

    async def _send(self, data: bytes) -> None:
        if data:
            await self.exchange.send({"type": "http.response.body", "body": data, "more_body": True})
