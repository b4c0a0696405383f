"""What a shared cache may do with a response, by RFC 9111, 5861 and 9213; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edge.proxy.fields import (
    Directives,
    Fields,
    age_s,
    date_s,
    directives,
    entity_tags,
    members,
    seconds,
    targeted,
    values,
)

HEURISTIC_SHARE: Final = 0.1
MAX_HEURISTIC_S: Final = 86_400
MAX_STALE_S: Final = 86_400
"""For how long a response may be used after its time, when the site can't be asked and did not forbid it."""

# RFC 9110, section 15.1: reused without a stated lifetime. 206 is not kept at all.
_HEURISTIC: Final = frozenset((200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501))
_UNDERSTOOD: Final = _HEURISTIC | frozenset((302, 303, 307, 400, 401, 402, 403, 406, 408, 409, 411, 412, 413,
                                             415, 416, 417, 421, 422, 426, 428, 429, 431, 451,
                                             500, 502, 503, 504, 505))  # fmt: skip
# Parts, validations; and what a site answers to the form of one request, not to what it asks for: kept,
# a request that is odd on purpose would take the page from everybody.
_NEVER_KEPT: Final = frozenset((206, 304, 400, 408, 413, 417, 421, 425, 426, 429, 431))
_MUST_REVALIDATE: Final = frozenset((b"must-revalidate", b"proxy-revalidate"))
_SHARES: Final = frozenset((b"public", b"s-maxage"))
_OWN: Final = (frozenset[bytes](), frozenset((b"max-age",)))
# What the edge makes up itself for each request can't select a kept response.
_MADE_HERE: Final = frozenset((b"*", b"x-forwarded-for", b"forwarded", b"via",
                                        b"nearside-signals", b"nearside-signature"))  # fmt: skip

SITE_ERRORS: Final = frozenset((500, 502, 503, 504))
"""RFC 5861: answers that count as errors."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a response may be kept and used again.

    Attributes
    ----------
    lifetime_s : int
        For how long after it was made it is fresh; 0 where each use needs a validation.
    while_revalidate_s, if_error_s : int
        For how long after that it may be used while the site is asked anew, or because the site fails.
    without : frozenset of bytes
        Fields that must not be used again.
    """

    lifetime_s: int
    while_revalidate_s: int = 0
    if_error_s: int = 0
    without: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Received:
    """A response whose headers were read.

    Attributes
    ----------
    fields : list
        End-to-end fields, names in lower case.
    asked_s, at_s : float
        When it was asked for and when it came, seconds since 1970.
    """

    status: int
    fields: Fields
    asked_s: float
    at_s: float

    def made_s(self) -> float:
        """When it was made or last validated, as far as Date, Age and our own clock tell (4.2.3)."""
        apparent_s = max(0.0, self.at_s - self._date_s())
        corrected_s = age_s(values(self.fields, b"age")) + (self.at_s - self.asked_s)
        return self.at_s - max(apparent_s, corrected_s)

    def _date_s(self) -> float:
        stated = values(self.fields, b"date")
        found = date_s(stated[0]) if len(stated) == 1 else None
        return self.at_s if found is None else found

    def lifetime_s(self, control: Directives, *, expires: bool) -> int | None:
        """How long it is fresh (4.2.1), or None where nothing tells; malformed counts as already stale."""
        for name in (b"s-maxage", b"max-age"):
            if name in control:
                return seconds(control[name]) or 0
        stated = values(self.fields, b"expires")
        if stated and expires:
            ends_s = date_s(stated[0])
            return 0 if ends_s is None else max(0, int(ends_s - self._date_s()))
        return None

    def heuristic_s(self, control: Directives) -> int:
        """A tenth of the time since it last changed, where its status allows it (4.2.2)."""
        changed = values(self.fields, b"last-modified")
        changed_s = date_s(changed[0]) if changed else None
        if changed_s is None or not (self.status in _HEURISTIC or b"public" in control):
            return 0
        return min(MAX_HEURISTIC_S, max(0, int((self._date_s() - changed_s) * HEURISTIC_SHARE)))


def terms(received: Received, asked: Mapping[bytes, bytes], *, known: bool = False) -> Terms | None:
    """The terms of a response to a GET, or None where it is not to be kept.

    Parameters
    ----------
    asked
        The request's fields by name.
    known
        Whether the site may know who asked, by a cookie of its own. Many sites
        say ``max-age`` and mean the browser: such a response is shared only
        where it says so with ``public``, ``s-maxage`` or CDN-Cache-Control.
    """
    own = targeted(values(received.fields, b"cdn-cache-control"))
    control = directives(values(received.fields, b"cache-control")) if own is None else own
    if not _may_keep(received, control) or b"no-store" in directives([asked.get(b"cache-control", b"")]):
        return None
    if (known or b"authorization" in asked) and not (_SHARES | _OWN[own is not None]) & control.keys():
        return None
    if b"cookie" in vary(received.fields) and asked.get(b"cookie"):
        return None  # another one for each visitor
    lifetime_s = received.lifetime_s(control, expires=own is None)
    if lifetime_s is None:
        lifetime_s = received.heuristic_s(control)
    listed = control.get(b"no-cache")
    if b"no-cache" in control and not listed:
        lifetime_s = 0
    while_s, error_s = _stale(control, lifetime_s)
    if not (lifetime_s or while_s or error_s or has_validator(received.fields)):
        return None
    without = frozenset(name.lower() for name in members([listed or b""]))
    return Terms(lifetime_s, while_s, error_s, without)


def _may_keep(received: Received, control: Directives) -> bool:
    """What forbids keeping, whoever asked (section 3); what sets a cookie is for one visitor."""
    status = received.status
    if status < 200 or status in _NEVER_KEPT or b"private" in control:
        return False
    if b"must-understand" in control:
        if status not in _UNDERSTOOD:
            return False
    elif b"no-store" in control:
        return False
    names = {name for name, _ in received.fields}
    return b"set-cookie" not in names and not _MADE_HERE & set(vary(received.fields))


def _stale(control: Directives, lifetime_s: int) -> tuple[int, int]:
    """For how long after its time it may be used (4.2.4): while revalidating, and when the site fails."""
    if (b"no-cache" in control and not control[b"no-cache"]) or _MUST_REVALIDATE & control.keys():
        return 0, 0
    while_s = seconds(control.get(b"stale-while-revalidate")) or 0
    error_s = seconds(control.get(b"stale-if-error"))
    if error_s is None:
        # Those for shared caches forbid what nobody stated; else it helps more than an error page.
        error_s = 0 if b"s-maxage" in control or not lifetime_s else MAX_STALE_S
    return while_s, error_s


def vary(fields: Fields) -> tuple[bytes, ...]:
    """The request fields that select the response, lower case and sorted."""
    return tuple(sorted({name.lower() for name in members(values(fields, b"vary"))}))


def has_validator(fields: Fields) -> bool:
    """Whether a later request can ask if it still holds."""
    return bool(entity_tags(values(fields, b"etag")[:1])) or any(
        date_s(value) is not None for value in values(fields, b"last-modified")
    )
