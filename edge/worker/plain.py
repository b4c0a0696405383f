"""Plain pages: the site's HTML, cut once, kept while the site says that it is fresh."""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Final

from cachetools import LRUCache

from edge.pages.plan import PagePlan, scan
from edge.worker.upstream import RawHeaders, end_to_end

OVERHEAD_BYTES: Final = 2048
PLANS_KEPT: Final = 256

# What must not be said of a personalized page: they describe the plain one.
_OF_PLAIN: Final = frozenset(
    (b"content-length", b"etag", b"last-modified", b"cache-control", b"expires", b"age", b"pragma",
     b"accept-ranges", b"content-md5", b"digest", b"content-digest", b"repr-digest",
     b"cdn-cache-control", b"surrogate-control")
)  # fmt: skip


@dataclass(frozen=True)
class PlainPage:
    """One page as the site made it.

    Attributes
    ----------
    headers : list
        End-to-end headers of the plain page.
    private_headers : list
        Those that may stand on a personalized one.
    fresh_until_s : float
        Monotonic seconds; 0 for a page that must not be kept.
    """

    body: bytes
    headers: RawHeaders
    plan: PagePlan
    fresh_until_s: float
    private_headers: RawHeaders = field(init=False)

    def __post_init__(self) -> None:
        private = end_to_end(self.headers, _OF_PLAIN)
        private.append((b"cache-control", b"private, no-store"))
        object.__setattr__(self, "private_headers", private)


class PlainPages:
    """Pages by URL, bounded in bytes; stale ones stay, for when the site is down."""

    def __init__(self, max_bytes: int) -> None:
        self._pages: LRUCache[bytes, PlainPage] = LRUCache(
            max_bytes, getsizeof=lambda page: 2 * len(page.body) + OVERHEAD_BYTES
        )
        self._plans: LRUCache[bytes, PagePlan] = LRUCache(PLANS_KEPT)

    def get(self, key: bytes) -> PlainPage | None:
        """The page of a URL, fresh or stale."""
        return self._pages.get(key)

    def keep(self, key: bytes, body: bytes, headers: RawHeaders, now_s: float, *, shared: bool) -> PlainPage:
        """Cut a page and, if the site allows it to be `shared`, keep it."""
        lifetime_s = shared_lifetime_s(headers) if shared else 0
        page = PlainPage(body, headers, self._plan(body), now_s + lifetime_s if lifetime_s else 0)
        if lifetime_s and 2 * len(body) + OVERHEAD_BYTES <= self._pages.maxsize:
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
        return int(self._pages.pop(url.encode(), None) is not None)

    def _plan(self, body: bytes) -> PagePlan:
        digest = hashlib.blake2b(body, digest_size=16).digest()
        plan = self._plans.get(digest)
        if plan is None:
            plan = self._plans[digest] = scan(body)
        return plan


_AGE: Final = re.compile(rb"(?:^|,)\s*(s-maxage|max-age)\s*=\s*\"?(\d{1,9})", re.I)
_FORBIDS: Final = re.compile(rb"(?:^|,)\s*(no-store|no-cache|private|must-understand)\b", re.I)


def shared_lifetime_s(headers: RawHeaders) -> int:
    """For how long a shared cache may answer with this response; 0 unless the site says so plainly.

    Stricter than RFC 9111: explicit freshness only, nothing that varies by
    more than encoding, nothing that sets a cookie.
    """
    control = b",".join(value for name, value in headers if name.lower() == b"cache-control")
    names = {name.lower() for name, _ in headers}
    vary = b",".join(value for name, value in headers if name.lower() == b"vary").lower()
    varies = {field.strip() for field in vary.split(b",")} - {b"", b"accept-encoding"}
    if varies or b"set-cookie" in names or _FORBIDS.search(control):
        return 0
    ages = {name.lower(): int(seconds) for name, seconds in _AGE.findall(control)}
    lifetime_s = ages.get(b"s-maxage", ages.get(b"max-age", 0))
    age = next((value for name, value in headers if name.lower() == b"age"), b"0")
    return max(0, lifetime_s - (int(age) if age.isdigit() else 0))
