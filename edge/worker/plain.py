"""Plain pages: the site's HTML, cut once, kept while the site says that it is fresh."""

import contextlib
import hashlib
import re
from dataclasses import dataclass, field
from typing import Final

from cachetools import LRUCache

from edge.pages.plan import PagePlan, scan
from edge.worker.coding import MIN_CODED_BYTES, recoded, varying
from edge.worker.upstream import RawHeaders, end_to_end

OVERHEAD_BYTES: Final = 2048
MAX_PLANS_BYTES: Final = 16 << 20

# What must not be said of a personalized page: they describe the plain one.
_OF_PLAIN: Final = frozenset(
    (b"content-length", b"etag", b"last-modified", b"cache-control", b"expires", b"age", b"pragma",
     b"accept-ranges", b"content-encoding", b"content-md5", b"digest", b"content-digest", b"repr-digest",
     b"cdn-cache-control", b"cloudflare-cdn-cache-control", b"akamai-cache-control", b"edge-control",
     b"surrogate-control", b"x-accel-expires")
)  # fmt: skip


@dataclass(frozen=True)
class PlainPage:
    """One page as the site made it.

    Attributes
    ----------
    headers : list
        End-to-end headers of the plain page; of one that came compressed, without what tells of that.
    private_headers : list
        Those that may stand on a personalized one.
    fresh_until_s : float
        Monotonic seconds; 0 for a page that must not be kept.
    taken_s : float
        When it was received, monotonic seconds.
    squeezes : bool
        Whether it may leave compressed.
    """

    body: bytes
    headers: RawHeaders
    plan: PagePlan
    fresh_until_s: float
    taken_s: float = 0.0
    squeezes: bool = field(init=False)
    private_headers: RawHeaders = field(init=False)

    def __post_init__(self) -> None:
        came_coded = _all(self.headers, b"content-encoding") not in (b"", b"identity")
        headers = recoded(self.headers) if came_coded else self.headers
        private = end_to_end(headers, _OF_PLAIN)
        private.append((b"cache-control", b"private, no-store"))
        object.__setattr__(self, "private_headers", private)
        # A page for one visitor may hold a secret beside what an attacker made the site repeat: its length
        # tells of both once it is compressed (BREACH), and that is for the site to decide.
        squeezes = len(self.body) >= MIN_CODED_BYTES and bool(self.fresh_until_s or came_coded)
        object.__setattr__(self, "squeezes", squeezes)
        object.__setattr__(self, "headers", varying(headers) if squeezes else headers)

    def headers_at(self, now_s: float) -> RawHeaders:
        """The plain page's headers, with its age: who keeps it next must not begin to count anew."""
        if not self.fresh_until_s:
            return list(self.headers)
        age_s = _age_s(self.headers) + max(0, int(now_s - self.taken_s))
        return [*end_to_end(self.headers, _AGE_HEADER), (b"age", b"%d" % age_s)]

    @property
    def may_be_stale(self) -> bool:
        """Whether it may be shown after its time, when the site is down."""
        return not _REVALIDATES.search(_all(self.headers, b"cache-control"))


class PlainPages:
    """Pages by URL, bounded in bytes; stale ones stay, for when the site is down."""

    def __init__(self, max_bytes: int) -> None:
        self._pages: LRUCache[bytes, PlainPage] = LRUCache(
            max_bytes, getsizeof=lambda page: _held_bytes(len(page.body))
        )
        self._plans: LRUCache[bytes, PagePlan] = LRUCache(
            MAX_PLANS_BYTES, getsizeof=lambda plan: _held_bytes(sum(map(len, plan.chunks)))
        )

    def get(self, key: bytes) -> PlainPage | None:
        """The page of a URL, fresh or stale."""
        return self._pages.get(key)

    def keep(self, key: bytes, body: bytes, headers: RawHeaders, now_s: float, lifetime_s: int) -> PlainPage:
        """Cut a page and, if it has a lifetime, keep it."""
        fresh_until_s = now_s + lifetime_s if lifetime_s else 0
        page = PlainPage(body, headers, self._plan(body), fresh_until_s, now_s)
        if lifetime_s and _held_bytes(len(body)) <= self._pages.maxsize:
            self._pages[key] = page
        else:
            self._pages.pop(key, None)
        return page

    def purge(self, url: str | None = None) -> int:
        """Forget a URL (path and query), or all; how many pages that were."""
        if url is None:
            count = len(self._pages)
            self._pages.clear()
            return count
        target = url.encode()
        keys = [key for key in self._pages if key.partition(b"\n")[0] == target]
        for key in keys:
            del self._pages[key]
        return len(keys)

    def _plan(self, body: bytes) -> PagePlan:
        digest = hashlib.blake2b(body, digest_size=16).digest()
        plan = self._plans.get(digest)
        if plan is None:
            plan = scan(body)
            with contextlib.suppress(ValueError):  # larger than all that is kept together
                self._plans[digest] = plan
        return plan


def _held_bytes(size: int) -> int:
    """What a page of this size holds: its body, whole, cut, and deflated."""
    return 5 * size // 2 + OVERHEAD_BYTES


_AGE: Final = re.compile(rb"(?:^|,)\s*(s-maxage|max-age)\s*=\s*\"?(\d{1,9})", re.I)
_FORBIDS: Final = re.compile(rb"(?:^|,)\s*(no-store|no-cache|private|must-understand)\b", re.I)
_SHARES: Final = re.compile(rb"(?:^|,)\s*(public|s-maxage)\b", re.I)
_REVALIDATES: Final = re.compile(rb"(?:^|,)\s*(must|proxy)-revalidate\b", re.I)
_AGE_HEADER: Final = frozenset((b"age",))


def shared_lifetime_s(headers: RawHeaders, *, known: bool = False) -> int:
    """For how long a shared cache may answer with this response; 0 unless the site says so plainly.

    Stricter than RFC 9111: explicit freshness only, nothing that varies by
    more than encoding, nothing that sets a cookie. An answer to a visitor whom
    the site may have `known` by cookies other than consent and ours must say
    ``public`` or ``s-maxage``: many sites say ``max-age`` and mean the browser.
    """
    control = _all(headers, b"cache-control")
    names = {name.lower() for name, _ in headers}
    varies = {field.strip() for field in _all(headers, b"vary").lower().split(b",")}
    if varies - {b"", b"accept-encoding"} or b"set-cookie" in names or _FORBIDS.search(control):
        return 0
    if known and not _SHARES.search(control):
        return 0
    ages = {name.lower(): int(seconds) for name, seconds in _AGE.findall(control)}
    lifetime_s = ages.get(b"s-maxage", ages.get(b"max-age", 0))
    return max(0, lifetime_s - _age_s(headers))


def _all(headers: RawHeaders, wanted: bytes) -> bytes:
    return b",".join(value for name, value in headers if name.lower() == wanted)


def _age_s(headers: RawHeaders) -> int:
    age = next((value for name, value in headers if name.lower() == b"age"), b"")
    return int(age[:10]) if age.isdigit() else 0
