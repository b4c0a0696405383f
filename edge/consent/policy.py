"""What a request's visitor granted, by the site's policy: a tier, and purposes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from edge.bundle.format import ConsentPolicy, ConsentSource, RulesSchema
from edge.consent.strings import Said, place, reader
from edge.decide.types import CONSENT_TIERS
from edge.errors import BundleError, ConsentError

ASKED: Final = "consent.purpose."
"""Before the name of a purpose: the attribute that says whether it is granted."""

MAX_PURPOSES: Final = 64
MAX_REMEMBERED: Final = 2_048
"""Consent strings whose meaning a source remembers; some 2 MB, 8 at most."""

MAX_REMEMBERED_BYTES: Final = 4_096

OPTED_OUT: Final = b"nearside-off"
"""A cookie by which visitors say themselves that they are not to be known: above all that a site asks."""

_SEMICOLON: Final = ord(";")
_STRONGEST: Final = len(CONSENT_TIERS) - 1

Headers = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Grant:
    """What a visitor granted.

    Attributes
    ----------
    tier : str
        One of `CONSENT_TIERS`.
    purposes : int
        A bit for each purpose of the policy, in its order.
    counters : tuple[str, ...]
        What is to be counted of it, as Prometheus writes it.
    """

    tier: str
    purposes: int
    counters: tuple[str, ...] = ()


OFF: Final = Grant("none", 0, ("nearside_opted_out_total",))
"""What a visitor granted who opted out on their own page."""


class Policy:
    """The consent policy of a bundle.

    Attributes
    ----------
    names : tuple[str, ...]
        The purposes, in the order of a grant's bits.
    cookies : frozenset[bytes]
        The cookies that are read.
    needs : dict[str, int]
        The purposes without which an attribute is missing, by its name.

    Raises
    ------
    BundleError
        ``consent``: it names a tier, source or purpose that there is not.
    """

    def __init__(self, schema: RulesSchema) -> None:
        policy = schema.consent or ConsentPolicy()
        self.names = tuple(purpose.name for purpose in policy.purposes)
        self._by_tier = _purposes_by_tier(policy)
        self.needs = {name: self.bits(purposes) for name, purposes in policy.attributes.items()}
        self._events = {kind: self.bits(purposes) for kind, purposes in policy.events.items()}
        self._names: dict[int, tuple[str, ...]] = {}
        default = place(schema.consent_default)
        own = (ConsentSource("cookie", schema.consent_cookie),) if schema.consent_cookie else ()
        # One cookie alone is asked for every page, and says no more than which tier.
        counts = bool(policy.sources)
        sources = policy.sources or own
        self._sources = [_Source(source, policy, self._by_tier, counts=counts) for source in sources]
        # The page path of most sites.
        self._only = self._sources[0] if len(sources) == 1 and not self._sources[0].is_limit else None
        self.cookies = frozenset(source.cookie for source in self._sources if source.cookie)
        self._defaults = [
            _grant((min(default, limit), self._by_tier[min(default, limit)]), "default" if counts else "")
            for limit in range(_STRONGEST + 1)
        ]

    def of(self, headers: Headers) -> Grant:
        """What the visitor of this request granted."""
        header = headers.get(b"cookie", b"")
        if OPTED_OUT in header and find(header, OPTED_OUT, OPTED_OUT + b"=") is not None:
            return OFF
        limit = _STRONGEST
        if self._only is not None:
            said = self._only.ask(header, limit) if header else None
            return self._defaults[limit] if said is None else said
        for source in self._sources:
            if source.is_limit:
                if b"1" in headers.get(b"sec-gpc", b"") and source.limit < limit:
                    limit = source.limit
            elif header and (said := source.ask(header, limit)) is not None:
                return said
        return self._defaults[limit]

    def source(self, headers: Headers) -> str:
        """Who said what this visitor granted: a kind of source, ``opted-out``, or ``default`` for nobody."""
        header = headers.get(b"cookie", b"")
        if self.of(headers) is OFF:
            return "opted-out"
        for source in self._sources:
            if not source.is_limit and header and source.ask(header, _STRONGEST) is not None:
                return source.kind
        return "default"

    def at(self, tier: str) -> Grant:
        """What goes with a tier that is stated without more."""
        return Grant(tier, self._by_tier[place(tier)])

    def bits(self, purposes: Iterable[str]) -> int:
        """The purposes as a grant has them.

        Raises
        ------
        BundleError
            ``consent``: there is no such purpose.
        """
        try:
            return sum([1 << self.names.index(name) for name in set(purposes)])
        except ValueError as error:
            raise BundleError("consent", f"{sorted(purposes)} are not all among {self.names}") from error

    def names_of(self, purposes: int) -> tuple[str, ...]:
        """The purposes of a grant by name."""
        found = self._names.get(purposes)
        if found is None:
            found = tuple(name for bit, name in enumerate(self.names) if purposes >> bit & 1)
            if len(self._names) >= MAX_REMEMBERED:
                self._names.clear()
            self._names[purposes] = found
        return found

    def asked(self, purposes: int) -> dict[str, bool]:
        """What rules may ask of a grant's purposes, as attributes."""
        return {ASKED + name: bool(purposes >> bit & 1) for bit, name in enumerate(self.names)}

    def hears(self, event: str, purposes: int) -> bool:
        """Whether events of this kind may be noticed under a grant's purposes."""
        return not self._events.get(event, 0) & ~purposes


class _Source:
    """One source, and what the strings in it were found to say."""

    def __init__(
        self, source: ConsentSource, policy: ConsentPolicy, by_tier: list[int], *, counts: bool
    ) -> None:
        self.is_limit = source.kind == "gpc"
        self.limit = place(source.opted_out) if self.is_limit else _STRONGEST
        self.cookie = source.cookie.encode()
        self._wanted = self.cookie + b"="
        self._name = self.kind = source.kind
        self._counts = counts
        self._by_tier = by_tier
        self._read = reader(source, policy, by_tier)
        self._remembered: list[dict[bytes, Grant | None]] = [{} for _ in CONSENT_TIERS]

    def ask(self, header: bytes, limit: int) -> Grant | None:
        """What its cookie in a Cookie header says, at most `limit`; None where it says nothing."""
        value = find(header, self.cookie, self._wanted)
        if value is None:
            return None
        remembered = self._remembered[limit]
        try:
            return remembered[value]
        except KeyError:
            found = self._grant(value, limit)
        if len(remembered) >= MAX_REMEMBERED:
            remembered.clear()
        if len(value) <= MAX_REMEMBERED_BYTES:
            remembered[value] = found
        return found

    def _grant(self, value: bytes, limit: int) -> Grant | None:
        name = self._name if self._counts else ""
        try:
            said = self._read(_text(value) if self._name != "cookie" else value.decode("latin-1"))
        except ConsentError as error:
            return _grant(
                (0, 0), name, f'nearside_consent_refused_total{{source="{name}",code="{error.code}"}}'
            )
        if said is None:
            return None
        tier, purposes = said
        if tier <= limit:
            return _grant(said, name)
        limited = 'nearside_consent_limited_total{source="gpc"}'
        return _grant((limit, purposes & self._by_tier[limit]), name, limited)


def _grant(said: Said, source: str, *counters: str) -> Grant:
    tier, purposes = said
    name = CONSENT_TIERS[tier]
    if not source:
        return Grant(name, purposes if tier else 0)
    counted = f'nearside_consent_total{{source="{source}",tier="{name}"}}'
    return Grant(name, purposes if tier else 0, (counted, *counters))


def find(header: bytes, name: bytes, wanted: bytes) -> bytes | None:
    """The value of the first cookie of this name in a Cookie header; one without a value is empty.

    `wanted` is the name with ``=``; this runs for every page.
    """
    start = header.find(wanted)
    while start > 0 and header[start - 2 : start] != b"; " and header[start - 1] != _SEMICOLON:
        start = header.find(wanted, start + 1)
    if start < 0:
        bare = name in header and name in [part.strip() for part in header.split(b";")]
        return b"" if bare else None
    end = header.find(b";", start)
    start += len(wanted)
    return (header[start:end] if end >= 0 else header[start:]).strip()


def _text(value: bytes) -> str:
    text = value.strip(b'"').decode("latin-1")
    return unquote(text) if "%" in text else text


def _purposes_by_tier(policy: ConsentPolicy) -> list[int]:
    """By tier, the purposes that go with it where nothing says more; none with the weakest."""
    purposes = policy.purposes
    if len(purposes) > MAX_PURPOSES or len({purpose.name for purpose in purposes}) != len(purposes):
        raise BundleError("consent", f"more than {MAX_PURPOSES} purposes, or one twice")
    tiers = [place(purpose.tier) for purpose in purposes]
    return [
        sum([1 << bit for bit, least in enumerate(tiers) if 0 < least <= tier])
        for tier in range(len(CONSENT_TIERS))
    ]
