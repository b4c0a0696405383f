"""The attributes that every site has, each as a function of a request."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from edge.decide.caps import BOUGHT
from edge.decide.types import Value
from edge.worker.attributes import device, referrer
from edge.worker.attributes.clock import local_time
from edge.worker.attributes.request import Request

MAX_TEXT_CHARS: Final = 512
"""A longer value of an attribute is no value: nobody wrote a rule for it."""

_MAX_REMEMBERED: Final = 4096
_DAY_S: Final = 86_400
_MAX_DOWNLINK_MBPS: Final = 10_000.0
_EFFECTIVE_TYPES: Final = {kind.encode(): kind for kind in ("slow-2g", "2g", "3g", "4g", "5g")}

Reader = Callable[[Request], Value | None]


def text(value: str) -> str | None:
    """The text, unless it is too long to be meant."""
    return value if len(value) <= MAX_TEXT_CHARS else None


def number(value: str) -> float | None:
    """The finite number that the text writes."""
    # float() also takes 1_000, and digits of all scripts.
    if len(value) > MAX_TEXT_CHARS or not value.isascii() or "_" in value:
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if abs(found) < float("inf") else None


def _agent(request: Request) -> bytes:
    return request.headers.get(b"user-agent", b"")[: device.MAX_AGENT_BYTES]


def _hint(request: Request, name: bytes) -> bytes | None:
    hint = request.headers.get(name)
    return hint if hint is None or len(hint) <= device.MAX_AGENT_BYTES else None


def _device_type(request: Request) -> str:
    headers = request.headers
    agent = headers.get(b"user-agent", b"")[: device.MAX_AGENT_BYTES]
    return device.device_type(headers.get(b"sec-ch-ua-mobile", b"")[:3], agent)


def _language(request: Request) -> str | None:
    accept = request.headers.get(b"accept-language")
    return None if accept is None else _first_language(accept[:MAX_TEXT_CHARS])


@lru_cache(_MAX_REMEMBERED)
def _first_language(accept: bytes) -> str | None:
    tag = accept.partition(b",")[0].partition(b";")[0].partition(b"-")[0].strip()
    return tag.decode("latin-1").lower() if tag and tag != b"*" else None


def _host(request: Request) -> str | None:
    header = request.headers.get(b"host")
    return text(referrer.host_of(header)) if header else None


def _referrer(part: int) -> Reader:
    def read(request: Request) -> str | None:
        header = request.headers.get(b"referer")
        page = referrer.parse(header) if header else None
        return None if page is None else text(page[part])

    return read


def _referrer_type(request: Request) -> str:
    headers = request.headers
    return referrer.type_of(headers.get(b"referer"), headers.get(b"host", b""))


def _query(name: str) -> Reader:
    def read(request: Request) -> str | None:
        value = request.query.get(name) if request.query_string else None
        return None if value is None else text(value)

    return read


def _days_since_last(request: Request) -> int | None:
    before = request.before
    if not request.knows_visitor or not before.visits:
        return None
    # Clocks of edges differ by a little.
    return max(0, request.now_ms // 1000 - before.last_s) // _DAY_S


def _last_item(request: Request) -> str | None:
    items = request.before.items
    return items[0] if items and request.knows_visitor else None


def _last_items(request: Request) -> list[str | float] | None:
    items = request.before.items
    return list(items) if items and request.knows_visitor else None


def _bought(request: Request) -> list[str | float] | None:
    items = request.events.bought
    return list(items) if items and request.knows_visitor else None


def _save_data(request: Request) -> bool:
    return request.headers.get(b"save-data", b"").strip().lower() == b"on"


def _downlink(request: Request) -> float | None:
    header = request.headers.get(b"downlink")
    found = None if header is None else number(header.decode("latin-1"))
    return found if found is not None and 0 <= found <= _MAX_DOWNLINK_MBPS else None


BUILTIN: Final[dict[str, Reader]] = {
    "consent.tier": lambda request: request.tier,
    "device.browser": lambda request: device.browser(_hint(request, b"sec-ch-ua"), _agent(request)),
    "device.os": lambda request: device.system(_hint(request, b"sec-ch-ua-platform"), _agent(request)),
    "device.type": _device_type,
    "language": _language,
    "network.downlink": _downlink,
    "network.effective_type": lambda request: _EFFECTIVE_TYPES.get(request.headers.get(b"ect", b"").lower()),
    "network.save_data": _save_data,
    "referrer.host": _referrer(0),
    "referrer.path": _referrer(1),
    "referrer.type": _referrer_type,
    "time.now": lambda request: request.now_ms,
    "url.host": _host,
    "url.path": lambda request: text(request.path),
    "utm.campaign": _query("utm_campaign"),
    "utm.content": _query("utm_content"),
    "utm.medium": _query("utm_medium"),
    "utm.source": _query("utm_source"),
    "utm.term": _query("utm_term"),
    BOUGHT: _bought,
    "visitor.days_since_last": _days_since_last,
    "visitor.items": lambda request: len(request.state.items) if request.knows_visitor else None,
    "visitor.last_item": _last_item,
    "visitor.last_items": _last_items,
    "visitor.new": lambda request: request.state.visits <= 1 if request.knows_visitor else None,
    "visitor.visits": lambda request: request.state.visits if request.knows_visitor else None,
}
"""Those of the request and the visitor alone."""


def _in_utc() -> dict[str, Reader]:
    return {
        "time.hour": lambda request: request.now_ms // 3_600_000 % 24,
        # 1970-01-01 was a Thursday; Monday is 1.
        "time.weekday": lambda request: (request.now_ms // 86_400_000 + 3) % 7 + 1,
        "time.date": lambda request: local_time(request.now_ms, None)[2],
    }


def clock_readers(timezone: Reader | None) -> dict[str, Reader]:
    """The attributes of the visitor's own time of day, by what reads the name of their time zone.

    Where nothing does, or it has no value, the time is UTC.
    """
    if timezone is None:
        return _in_utc()

    def part(position: int) -> Reader:
        def read(request: Request) -> Value:
            name = timezone(request)
            return local_time(request.now_ms, name if isinstance(name, str) else None)[position]

        return read

    return {"time.hour": part(0), "time.weekday": part(1), "time.date": part(2)}
