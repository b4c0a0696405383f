"""Plain pages: the site's HTML, cut once, with what may stand on a personalized one."""

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from cachetools import LRUCache

from edge.pages.charset import codec_of
from edge.pages.plan import PagePlan, scan
from edge.proxy.fields import Fields, values
from edge.worker.counters import Counters
from edge.worker.site.coding import MIN_CODED_BYTES, recoded, varying

OVERHEAD_BYTES: Final = 2048
MAX_PLANS_BYTES: Final = 16 << 20

# What must not be said of a personalized page: they describe the plain one.
_OF_PLAIN: Final = frozenset(
    (b"content-length", b"etag", b"last-modified", b"cache-control", b"expires", b"age", b"pragma",
     b"accept-ranges", b"content-encoding", b"content-md5", b"digest", b"content-digest", b"repr-digest",
     b"cdn-cache-control", b"cloudflare-cdn-cache-control", b"akamai-cache-control", b"edge-control",
     b"surrogate-control", b"surrogate-key", b"cache-tag", b"x-accel-expires", b"cache-status", b"warning")
)  # fmt: skip


def private(headers: Fields) -> Fields:
    """Those of a page's headers that may stand on a personalized one."""
    kept = [(name, value) for name, value in headers if name not in _OF_PLAIN]
    return [*kept, (b"cache-control", b"private, no-store")]


@dataclass(frozen=True, eq=False)
class PlainPage:
    """One page as the site made it.

    Attributes
    ----------
    headers : list
        End-to-end headers of the plain page, names in lower case; of one that came compressed, or that
        lost tags of ESI, without what tells of the bytes.
    plan : PagePlan
        The page, cut.
    shared : bool
        Whether it may be shown to others than who asked.
    squeezes : bool
        Whether it may leave compressed.
    private_headers : list
        Those that may stand on a personalized one.
    """

    body: bytes
    headers: Fields
    plan: PagePlan
    shared: bool
    squeezes: bool = field(init=False)
    private_headers: Fields = field(init=False)

    def __post_init__(self) -> None:
        came_coded = b",".join(values(self.headers, b"content-encoding")) not in (b"", b"identity")
        headers = recoded(self.headers) if came_coded or self.plan.resolved else self.headers
        object.__setattr__(self, "private_headers", private(headers))
        # A page for one visitor may hold a secret beside what an attacker made the site repeat: its length
        # tells of both once it is compressed (BREACH), and that is for the site to decide.
        squeezes = len(self.body) >= MIN_CODED_BYTES and (self.shared or came_coded)
        object.__setattr__(self, "squeezes", squeezes)
        object.__setattr__(self, "headers", varying(headers) if squeezes else headers)

    def coded(self, accepted: Sequence[bytes]) -> tuple[bytes, bytes]:
        """The plain page and its coding, for who accepts these, the best first.

        What is for one visitor alone is only deflated: that is quickest, and nobody else profits.
        """
        for coding in accepted if self.squeezes else ():
            if coding == b"gzip":
                return self.plan.packing.fill(self.plan, {}), coding
            if self.shared:
                return self.plan.packing.whole(self.body, coding), coding
        return self.body, b""

    def with_headers(self, headers: Fields) -> "PlainPage":
        """The same page with what the site told of it anew."""
        return replace(self, headers=headers)


class Plans:
    """Cuts pages; one that comes again, under whatever URL, is not cut again."""

    def __init__(self, counters: Counters | None = None) -> None:
        self._counters = counters or Counters()
        self._plans: LRUCache[bytes, PagePlan] = LRUCache(
            MAX_PLANS_BYTES, getsizeof=lambda plan: _held_bytes(sum(map(len, plan.chunks)))
        )

    def page(self, body: bytes, headers: Fields, *, shared: bool) -> PlainPage:
        """A page of the site, cut; with its headers as they came."""
        kind = b"".join(values(headers, b"content-type")).decode("latin-1")
        plan = self._plan(body, codec_of(kind, body))
        return PlainPage(plan.page if plan.resolved else body, headers, plan, shared)

    def _plan(self, body: bytes, codec: str) -> PagePlan:
        digest = hashlib.blake2b(body, digest_size=16, person=codec.encode()).digest()
        plan = self._plans.get(digest)
        if plan is None:
            plan = scan(body, codec)
            for mark in plan.left:
                reason = mark.rpartition(":")[2]
                self._counters.add(f'nearside_marks_left_total{{reason="{reason}"}}')
            with contextlib.suppress(ValueError):  # larger than all that is kept together
                self._plans[digest] = plan
        return plan


def _held_bytes(size: int) -> int:
    """What a page of this size holds: its chunks, and these in codings."""
    return 2 * size + OVERHEAD_BYTES
