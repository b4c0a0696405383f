"""The worker's shared cache: finds, keeps, forgets; requests for the same thing wait for one answer."""

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

from cachetools import TTLCache

from edge.proxy.conditional import freshened
from edge.proxy.fields import Fields, values
from edge.proxy.policy import Received, Terms, terms, vary
from edge.proxy.store import Entry, Key, Store
from edge.visitor import cookie
from edge.worker.site.exchange import SAFE_METHODS, Exchange
from edge.worker.site.plain import PlainPage

MAX_TAGS: Final = 64
MAX_TAG_BYTES: Final = 256
MAX_WAIT_S: Final = 5.0
UNSHARED_S: Final = 30.0
"""For how long requests for what proved to be unshareable do not wait for each other."""
_MAX_UNSHARED: Final = 4096
_TAG_FIELDS: Final = (b"surrogate-key", b"cache-tag")
_NOT_KEPT: Final = frozenset((b"age", b"content-length"))
_READS: Final = frozenset(("GET", "HEAD"))


Cut = Callable[[Fields], PlainPage]


class Flight:
    """One request for what others may want too; `spoiled` once its answer must not be kept."""

    __slots__ = ("done", "key", "spoiled")

    def __init__(self, key: Key, done: "asyncio.Future[Entry | None]") -> None:
        self.key = key
        self.done = done
        self.spoiled = False

    def land(self, entry: Entry | None) -> None:
        """Tell those who wait what they may use, if anything."""
        if not self.done.done():
            self.done.set_result(entry)


class SharedCache:
    """What is kept of the site, in one worker."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], float],
        session_cookies: Sequence[str] = (),
        max_bytes: int = 0,
    ) -> None:
        self._store = store
        self.clock = clock
        self.max_bytes = max_bytes
        names = b"|".join(re.escape(name.encode()) for name in session_cookies)
        self._sessions = re.compile(rb"(?:^|;)[ \t]*(?:" + names + rb")[ \t]*=") if names else None
        self._flights: dict[Key, Flight] = {}
        self._in_flight: set[Flight] = set()
        self._unshared: TTLCache[Key, bool] = TTLCache(_MAX_UNSHARED, UNSHARED_S, timer=clock)

    def is_shareable(self, exchange: Exchange) -> bool:
        """Whether the answer may come from here: a plain read by nobody whom the site knows by name."""
        headers = exchange.headers
        if exchange.method not in _READS or b"authorization" in headers or exchange.has_body:
            return False
        return self._sessions is None or self._sessions.search(headers.get(b"cookie", b"")) is None

    def find(self, exchange: Exchange) -> Entry | None:
        """What is kept for this request, fresh or stale."""
        return self._store.find(exchange.key, exchange.seen)

    async def wait(self, exchange: Exchange) -> Entry | None:
        """The answer to a request under way for the same, if this one may use it too."""
        flight = self._flights.get(exchange.key)
        if flight is None or b"range" in exchange.headers:
            return None
        try:
            async with asyncio.timeout(MAX_WAIT_S):
                entry = await asyncio.shield(flight.done)
        except TimeoutError:
            return None
        if entry is None or entry.fresh_until_s <= self.clock():
            return None
        selected = all(exchange.seen(name) == value for name, value in entry.selecting)
        return entry if selected else None

    def begin(self, exchange: Exchange) -> Flight:
        """Say that the site is asked; others may wait unless it is known that they would in vain."""
        flight = Flight(exchange.key, asyncio.get_running_loop().create_future())
        self._in_flight.add(flight)
        if exchange.method == "GET" and exchange.shareable and exchange.key not in self._unshared:
            self._flights.setdefault(exchange.key, flight)
        return flight

    def end(self, flight: Flight) -> None:
        """Say that it is over, however it went."""
        flight.land(None)
        self._in_flight.discard(flight)
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]

    def terms(self, exchange: Exchange, received: Received, consent_cookies: Iterable[bytes]) -> Terms | None:
        """On which terms an answer may be kept; None where it must not."""
        headers = exchange.headers
        if exchange.method != "GET" or b"range" in headers or not exchange.shareable:
            return None
        theirs = cookie.without(headers.get(b"cookie", b""))
        others = theirs
        for name in consent_cookies:
            others = cookie.without(others, name)
        known = bool(others)
        found = terms(received, {**headers, b"cookie": theirs}, known=known)
        if found is None and self.forbids(received):
            self._unshared[exchange.key] = True
        return found

    def keep(self, exchange: Exchange, flight: Flight, entry: Entry) -> bool:
        """Keep an answer and hand it to those who wait for it."""
        kept = not flight.spoiled and self._store.put(exchange.key, entry)
        self._unshared.pop(exchange.key, None)
        flight.land(entry if kept else None)
        return kept

    def renew(self, exchange: Exchange, flight: Flight, stale: Entry, told: Received) -> Entry:
        """Keep what a 304 told to hold still; whoever asked, it is for all whom it was for before."""
        fields = freshened(stale.fields, told.fields)
        received = Received(stale.status, [*fields, *age_of(told)], told.asked_s, told.at_s)
        found = terms(received, {})
        cut = None if stale.page is None else stale.page.with_headers
        entry = entry_of(exchange, received, stale.body, found or Terms(0), cut)
        if found is None:
            self.forget(exchange, stale)
        else:
            self.keep(exchange, flight, entry)
        return entry

    def forbids(self, received: Received) -> bool:
        """Whether an answer says that nobody may keep such."""
        return received.status < 400 and terms(received, {}) is None

    def forget(self, exchange: Exchange, entry: Entry) -> None:
        """Drop what proved to hold no longer."""
        self._store.drop(exchange.key, entry)

    def obey(self, exchange: Exchange, received: Received) -> None:
        """After a method that changes something: forget what it may have changed (RFC 9111, section 4.4)."""
        if exchange.method in SAFE_METHODS or not 200 <= received.status < 400:
            return
        host = exchange.headers.get(b"host", b"")
        self.purge_target(exchange.target)
        for name in (b"location", b"content-location"):
            for value in values(received.fields, name):
                if (target := _same_site(value, exchange.target, host)) is not None:
                    self.purge_target(target)

    def purge_target(self, target: bytes) -> int:
        """Forget a path and query."""
        self._spoil(lambda flight: flight.key[0] == target)
        return self._store.purge_target(target)

    def purge_tag(self, tag: bytes) -> int:
        """Forget all that the site marked with a surrogate key."""
        self._spoil(lambda _: True)
        return self._store.purge_tag(tag)

    def purge_all(self) -> int:
        """Forget everything."""
        self._spoil(lambda _: True)
        return self._store.purge_all()

    def _spoil(self, which: Callable[[Flight], bool]) -> None:
        # What was asked before may be told after; and whoever asks from now on must not wait for it.
        for flight in [flight for flight in self._in_flight if which(flight)]:
            flight.spoiled = True
            if self._flights.get(flight.key) is flight:
                del self._flights[flight.key]


def kept_fields(received: Received, found: Terms | None) -> Fields:
    """A response's fields as they may be used again."""
    without = _NOT_KEPT if found is None else found.without | _NOT_KEPT
    return [(name, value) for name, value in received.fields if name not in without]


def entry_of(
    exchange: Exchange, received: Received, body: bytes, found: Terms, cut: Cut | None = None
) -> Entry:
    """A response as it is kept; `cut` makes a page of it."""
    fields = kept_fields(received, found)
    # A page is kept without its coding, so that does not select it.
    ignored = b"accept-encoding" if cut else b""
    selecting = tuple((name, exchange.seen(name)) for name in vary(fields) if name != ignored)
    page = cut(fields) if cut else None
    tags = tags_of(received.fields)
    return Entry(received.status, fields, body, found, received.made_s(), selecting, tags, page)


def tags_of(fields: Fields) -> frozenset[bytes]:
    """The surrogate keys of a response, separated by spaces or commas."""
    told = b" ".join(value for name in _TAG_FIELDS for value in values(fields, name))
    tags = [tag for tag in re.split(rb"[\s,]+", told) if 0 < len(tag) <= MAX_TAG_BYTES]
    return frozenset(tags[:MAX_TAGS])


def age_of(received: Received) -> Fields:
    """What the site said of its age."""
    return [(b"age", value) for value in values(received.fields, b"age")]


def _same_site(reference: bytes, base: bytes, host: bytes) -> bytes | None:
    """The path and query that a Location names, if it is on this host."""
    try:
        found = urlsplit(reference.decode("latin-1"))
    except ValueError:
        return None
    if found.netloc and found.netloc.encode("latin-1").lower() != host.lower():
        return None
    path = found.path.encode("latin-1")
    if not path.startswith(b"/"):
        path = base.partition(b"?")[0].rpartition(b"/")[0] + b"/" + path
    return path + b"?" + found.query.encode("latin-1") if found.query else path
