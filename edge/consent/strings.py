"""What the strings of one source say, by its rules: a tier, and purposes."""

from collections.abc import Callable
from typing import Final

from edge.bundle.format import ConsentPolicy, ConsentSource
from edge.consent import gpp, us
from edge.consent.grants import granted_purposes, ids
from edge.consent.tcf import TcString, decode
from edge.decide.types import CONSENT_TIERS
from edge.errors import BundleError, ConsentError

Said = tuple[int, int]
"""A tier by its place in `CONSENT_TIERS`, and a bit for each purpose of the policy."""

Read = Callable[[str], Said | None]
"""What a string says; None where it says nothing that the rules speak of. Raises `ConsentError`."""

_NONE: Final = CONSENT_TIERS[0]


def place(tier: str) -> int:
    """The tier's place in `CONSENT_TIERS`.

    Raises
    ------
    BundleError
        ``consent``: there is no such tier.
    """
    if tier not in CONSENT_TIERS:
        raise BundleError("consent", f"{tier!r} is no tier")
    return CONSENT_TIERS.index(tier)


def reader(source: ConsentSource, policy: ConsentPolicy, by_tier: list[int]) -> Read:
    """How the source's strings are read; `by_tier` has the purposes that go with each tier.

    Raises
    ------
    BundleError
        ``consent``: it is of no known kind, or names no tier.
    """
    if source.kind == "cookie":
        return lambda text: _own(text, by_tier)
    if source.kind == "gpc":
        return lambda text: None
    strings = _Strings(source, policy, by_tier)
    readers = {"tcf": strings.tcf, "gpp": strings.gpp, "usp": strings.usp}
    if source.kind not in readers:
        raise BundleError("consent", f"this edge can't ask a source of kind {source.kind!r}")
    return readers[source.kind]


def _own(text: str, by_tier: list[int]) -> Said:
    if text not in CONSENT_TIERS:
        raise ConsentError("tier", "the cookie's value is no tier")
    tier = CONSENT_TIERS.index(text)
    return tier, by_tier[tier]


class _Strings:
    """Reads the strings of consent platforms by one source's rules."""

    def __init__(self, source: ConsentSource, policy: ConsentPolicy, by_tier: list[int]) -> None:
        self._source = source
        self._by_tier = by_tier
        self._tiers = [(place(name), ids(needed)) for name, needed in source.tiers]
        self._otherwise = place(source.otherwise)
        self._opted_out = place(source.opted_out or _NONE)
        self._not_opted_out = place(source.not_opted_out or _NONE)
        self._mapped = [(1 << bit, ids(one.tcf)) for bit, one in enumerate(policy.purposes) if one.tcf]
        self._unmapped = ~sum([bit for bit, _ in self._mapped])

    def tcf(self, text: str) -> Said:
        """By a TC string."""
        return self._by_consent(_current(decode(text)))

    def gpp(self, text: str) -> Said | None:
        """By the sections of a GPP string that the rules speak of: what all of them grant."""
        found = gpp.decode(text)
        said = []
        if self._tiers:
            for number, tc in found.tc.items():
                said.append(self._by_consent(_current(tc) if number == gpp.EUROPE else tc))
        if self._source.opted_out:
            said += [self._by_objection(fields) for fields in found.states.values()]
        if not said:
            return None
        purposes = -1
        for _, some in said:
            purposes &= some
        return min(tier for tier, _ in said), purposes

    def usp(self, text: str) -> Said:
        """By a US Privacy string."""
        return self._by_objection(us.read_usp(text))

    def _by_consent(self, tc: TcString) -> Said:
        granted = granted_purposes(tc, self._source.vendor, ids(self._source.interests))
        tier = next((tier for tier, needed in self._tiers if not needed & ~granted), self._otherwise)
        purposes = self._by_tier[tier] & self._unmapped
        return tier, purposes | sum([bit for bit, needed in self._mapped if not needed & ~granted])

    def _by_objection(self, fields: us.Fields) -> Said:
        tier = self._opted_out if us.opted_out(fields) else self._not_opted_out
        return tier, self._by_tier[tier]


def _current(tc: TcString) -> TcString:
    if tc.version != 2:
        raise ConsentError("version", f"a TC string of version {tc.version}, which no longer holds")
    return tc
