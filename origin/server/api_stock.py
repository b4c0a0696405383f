"""The routes of stock: what is out, and what changed."""

import logging
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from edge.bundle.stock import MAX_STOCK_BYTES
from edge.bundle.strings import MAX_KEY_BYTES
from origin.refusal import RefusedError
from origin.server.answers import answer
from origin.server.reading import MAX_DIGITS, authorized, json_of, order_of, origin_of, site_of
from origin.store.values import StockChange
from origin.wire import Stocked, StockEntry, StockRequest

MSGPACK: Final = "application/msgpack"

logger = logging.getLogger("nearside.origin")


async def post_stock(request: Request) -> Response:
    """Say which items are out of stock and which are back; heard by all edges at once."""
    site = authorized(request)
    wanted = await json_of(request, StockRequest, MAX_STOCK_BYTES)
    _check(wanted)
    order = order_of(wanted.author, wanted.reason)
    change = StockChange(frozenset(wanted.out), frozenset(wanted.back), wanted.replace, order)
    origin = origin_of(request)
    stored = await origin.store.stock.change(site.keys.site, change, site.sign)
    if stored.changed:
        origin.news.tell(site.keys.site)
        logger.info(
            "stock %d of %s by %s: %d items out", stored.serial, site.keys.site, order.author, stored.held
        )
    return answer(Stocked(stored.serial, stored.held, stored.changed))


async def get_stock(request: Request) -> Response:
    """The signed stock list in force."""
    site, stock = site_of(request).keys.site, origin_of(request).store.stock
    after = request.query_params.get("after", "0")
    if not after.isdecimal() or len(after) > MAX_DIGITS:
        raise RefusedError(422, "after", "after=N must be the serial of a stock list")
    if await stock.serial(site) <= int(after):
        raise RefusedError(404, "no-stock", f"there is no stock list after {after}", "nothing changed")
    return Response(await stock.signed(site), media_type=MSGPACK, headers={"cache-control": "no-store"})


async def list_changes(request: Request) -> Response:
    """The newest 1,000 changes of stock, the last one first: how many items, who, when, why."""
    rows = await origin_of(request).store.stock.changes(site_of(request).keys.site)
    return answer([StockEntry(**{**row, "out": len(row["out"]), "back": len(row["back"])}) for row in rows])


def _check(wanted: StockRequest) -> None:
    both = sorted({*wanted.out} & {*wanted.back})
    if both:
        raise RefusedError(422, "stock", f"{both[0][:80]!r} is both out and back", "say one of them")
    for item in (*wanted.out, *wanted.back):
        if not 0 < len(item.encode()) <= MAX_KEY_BYTES:
            raise RefusedError(422, "stock", f"{item[:80]!r} is no item's id", f"1 to {MAX_KEY_BYTES} bytes")
