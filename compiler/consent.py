"""Reads the site's consent policy: whom the edge asks, and what for."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from compiler.files.fields import Fields
from compiler.files.yaml_lines import Node
from compiler.problems import Problems, nearest
from edge.bundle import format as fmt
from edge.consent.grants import NAMES, NEVER_BY_INTEREST
from edge.consent.policy import ASKED
from edge.consent.tcf import PURPOSES
from edge.decide.behaviours import EVENTS
from edge.decide.caps import BUSINESS_KINDS, PAGE_KINDS, SHOWN_KINDS
from edge.decide.types import CONSENT_TIERS

PATH: Final = "site.yaml"
DEFAULT: Final = "contextual"
KINDS: Final = ("cookie", "tcf", "gpp", "usp", "gpc")
MAX_SOURCES: Final = 8
MAX_PURPOSES: Final = 32
MAX_VENDOR: Final = 65_535
COOKIES: Final[Mapping[str, str]] = {"tcf": "euconsent-v2", "usp": "usprivacy"}
"""Where strings stand by their specifications; a GPP string's place is the platform's choice."""

KEEPING: Final = ("full", "session", "contextual")
"""The tiers that a TC string can give, the strongest first."""

STORING: Final = ("full", "session")
STORE: Final = 1

WEAK: Final = CONSENT_TIERS[:-1]
"""What is left where something is refused: any tier but the strongest."""

EVENT_KINDS: Final = (*EVENTS, *SHOWN_KINDS, *PAGE_KINDS, *BUSINESS_KINDS)
"""Of every site; it may have more of its own."""

PURPOSE: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
COOKIE: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")

Known = Mapping[str, fmt.Purpose]
"""The purposes that may be named, by name."""

OF_TCF: Final = tuple(fmt.Purpose(name, (number,)) for number, name in enumerate(NAMES, 1))


@dataclass(frozen=True)
class Consent:
    """What site.yaml says under ``consent``.

    Attributes
    ----------
    cookie : str
        The one cookie that states a tier; empty where there are `sources`.
    purposes : tuple[fmt.Purpose, ...]
        The site's own, sorted by name; those of TCF have their own names.
    """

    cookie: str = ""
    default: str = DEFAULT
    sources: tuple[fmt.ConsentSource, ...] = ()
    purposes: tuple[fmt.Purpose, ...] = ()
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    events: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def known(self) -> dict[str, fmt.Purpose]:
        """All purposes that may be named."""
        return {purpose.name: purpose for purpose in (*OF_TCF, *self.purposes)}

    def policy(self, used: Iterable[str]) -> fmt.ConsentPolicy | None:
        """What a bundle carries; `used` are the purposes that its other parts speak of.

        None for a site that has one cookie and no purposes.
        """
        wanted = {*used, *(purpose.name for purpose in self.purposes)}
        for purposes in (*self.attributes.values(), *self.events.values()):
            wanted.update(purposes)
        if not wanted and not self.sources:
            return None
        known = self.known
        held = tuple(known[name] for name in sorted(wanted))
        return fmt.ConsentPolicy(self.sources, held, dict(self.attributes), dict(self.events))


def read_consent(site: Fields, kinds: Sequence[str], problems: Problems) -> Consent:
    """The block ``consent`` of site.yaml, and the purposes of attributes and behaviours.

    `kinds` are the events of the site's own.
    """
    node = site.mapping("consent")
    found = Consent() if node is None else _read(Fields(node, PATH, "consent", problems), kinds, problems)
    attributes = {
        **_purposes_of(site.mapping("attributes"), "attribute", "", found.known, problems),
        **_purposes_of(site.mapping("behaviours"), "behaviour", "behaviour.", found.known, problems),
    }
    return replace(found, attributes=attributes)


def _read(fields: Fields, kinds: Sequence[str], problems: Problems) -> Consent:
    cookie, default = fields.text("cookie") or "", fields.text("default") or DEFAULT
    if cookie and not COOKIE.fullmatch(cookie):
        fields.error(fields.line_of("cookie"), "bad-value", f"has cookie {cookie!r}", "write a cookie's name")
    _check_tier(fields, "default", default, CONSENT_TIERS)
    purposes = tuple(_read_purposes(fields.mapping("purposes"), problems))
    known = {purpose.name: purpose for purpose in (*OF_TCF, *purposes)}
    events = dict(_read_events(fields.mapping("events"), kinds, known, problems))
    sources = tuple(_read_sources(fields, known, problems))
    if cookie and sources:
        hint = f"move it to its place among the sources: `- cookie: {cookie}`"
        fields.error(fields.line_of("cookie"), "bad-value", "has a cookie beside its sources", hint)
    fields.close()
    return Consent(cookie, default, sources, purposes, {}, events)


def _check_tier(fields: Fields, key: str, tier: str, tiers: Sequence[str]) -> None:
    if tier not in tiers:
        fields.error(fields.line_of(key), "bad-value", f"has {key} {tier!r}", nearest(tier, tiers))


def _read_purposes(node: Node | None, problems: Problems) -> Iterable[fmt.Purpose]:
    entries = node.value if node is not None and isinstance(node.value, dict) else {}
    if node is not None and len(entries) > MAX_PURPOSES:
        message = f"consent has {len(entries)} purposes"
        problems.error(PATH, node.line, "too-large", message, f"at most {MAX_PURPOSES}")
    for name, entry in sorted(entries.items()):
        fields = Fields(entry, PATH, f"purpose {name!r}", problems)
        needed = read_names(fields, "tcf", {one.name: one for one in OF_TCF})
        tier = fields.text("tier") or "full"
        _check_tier(fields, "tier", tier, CONSENT_TIERS[1:])
        fields.close()
        if not PURPOSE.fullmatch(name):
            fields.error(entry.line, "bad-id", "has a name that purposes can't have", "use a-z, 0-9 and '_'")
        elif name in NAMES:
            fields.error(entry.line, "duplicate-id", "has a name of TCF's own", "use that one, or rename it")
        else:
            numbers = sorted(1 + NAMES.index(one) for one in needed)
            yield fmt.Purpose(name, tuple(numbers), tier)


def attributes_of_consent(consent: Consent) -> list[fmt.Attribute]:
    """An attribute for each purpose that rules may ask for."""
    return [fmt.Attribute(ASKED + name, "boolean", "builtin") for name in consent.known]


def read_names(fields: Fields, key: str, known: Known) -> tuple[str, ...]:
    """The purposes under a key: one or a list of names, or of TCF's numbers; each once, sorted."""
    node = fields.node(key)
    if node is None:
        return ()
    entries = node.value if isinstance(node.value, list) else [node]
    found = set()
    for entry in entries:
        value = entry.value
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= PURPOSES:
            found.add(NAMES[value - 1])
        elif isinstance(value, str) and value in known:
            found.add(value)
        else:
            shown = value if isinstance(value, str | int | float) else entry.kind()
            hint = f"a number from 1 to {PURPOSES} of TCF, or a name: {nearest(str(shown), known)}"
            fields.error(entry.line, "unknown-name", f"has an unknown purpose {shown!r} in {key!r}", hint)
    if not entries:
        fields.error(node.line, "empty", f"has an empty {key!r}", "name a purpose, or leave it out")
    return tuple(sorted(found))


def _read_events(
    node: Node | None, kinds: Sequence[str], known: Known, problems: Problems
) -> Iterable[tuple[str, tuple[str, ...]]]:
    if node is None:
        return
    fields = Fields(node, PATH, "consent: events", problems)
    given = node.value if isinstance(node.value, dict) else {}
    for kind in [kind for kind in given if kind in (*EVENT_KINDS, *kinds)]:
        if purposes := read_names(fields, kind, known):
            yield kind, purposes
    fields.close()


def _purposes_of(
    node: Node | None, what: str, prefix: str, known: Known, problems: Problems
) -> dict[str, tuple[str, ...]]:
    """The purposes that entries of a mapping declare, by the attribute that each is."""
    entries = node.value if node is not None and isinstance(node.value, dict) else {}
    found = {}
    for name, entry in entries.items():
        if isinstance(entry.value, dict) and "purposes" in entry.value:
            fields = Fields(entry, PATH, f"{what} {name!r}", problems)
            if purposes := read_names(fields, "purposes", known):
                found[prefix + name] = purposes
    return found


def _read_sources(fields: Fields, known: Known, problems: Problems) -> Iterable[fmt.ConsentSource]:
    nodes = fields.items("sources")
    if len(nodes) > MAX_SOURCES:
        message = f"has {len(nodes)} sources"
        fields.error(fields.line_of("sources"), "too-large", message, f"at most {MAX_SOURCES}")
        return
    seen: set[str] = set()
    for position, node in enumerate(nodes, 1):
        entry = Fields(node, PATH, f"consent source {position}", problems)
        source = _read_source(entry, known, problems)
        entry.close()
        if source is None:
            continue
        place = source.cookie or source.kind
        if place in seen:
            entry.error(node.line, "duplicate-id", f"asks {place!r} again", "the first alone is asked")
        seen.add(place)
        yield source


def _read_source(entry: Fields, known: Known, problems: Problems) -> fmt.ConsentSource | None:
    given = [kind for kind in KINDS if entry.node(kind) is not None]
    if len(given) != 1:
        hint = f"write one of {', '.join(KINDS)} in each"
        entry.error(entry.line, "missing-key", f"has {' and '.join(given) or 'no kind'}", hint)
        return None
    kind = given[0]
    if kind == "cookie":
        name = entry.text(kind) or ""
        if name and not COOKIE.fullmatch(name):
            entry.error(entry.line_of(kind), "bad-value", f"has cookie {name!r}", "write a cookie's name")
        return fmt.ConsentSource(kind, name) if name else None
    if kind == "gpc":
        tier = entry.text(kind) or DEFAULT
        _check_tier(entry, kind, tier, WEAK)
        return fmt.ConsentSource(kind, opted_out=tier)
    node = entry.mapping(kind)
    if node is None:
        return None
    fields = Fields(node, PATH, f"{entry.where}: {kind}", problems)
    source = _READERS[kind](fields, known)
    fields.close()
    for tier, needed in source.tiers:
        if tier in STORING and STORE not in needed:
            message = f"{fields.where} gives {tier!r}, which keeps a cookie, without asking for 'store'"
            hint = f"write `{tier}: [store, …]`, unless your lawyers say that this cookie needs no consent"
            problems.warn(PATH, fields.line_of(tier), "no-store", message, hint)
    return source


def _read_tcf(fields: Fields, known: Known) -> fmt.ConsentSource:
    tiers = _read_tiers(fields, known)
    if not tiers:
        hint = "say which purposes a tier needs: `full: [store, content_profile]`"
        fields.error(fields.line, "missing-key", "says no tier", hint)
    return _by_consent(fields, known, fmt.ConsentSource("tcf", _cookie(fields, "tcf"), tiers=tiers))


def _read_usp(fields: Fields, _known: Known) -> fmt.ConsentSource:
    return _by_objection(fields, fmt.ConsentSource("usp", _cookie(fields, "usp")), required=True)


def _read_gpp(fields: Fields, known: Known) -> fmt.ConsentSource:
    source = fmt.ConsentSource("gpp", _cookie(fields, "gpp"), tiers=_read_tiers(fields, known))
    required = fields.node("opted_out") is not None or fields.node("not_opted_out") is not None
    source = _by_objection(fields, source, required=required)
    if not source.tiers and not required:
        hint = "say which purposes a tier needs, or `opted_out` and `not_opted_out`"
        fields.error(fields.line, "missing-key", "says no tier", hint)
    return _by_consent(fields, known, source)


_READERS: Final[Mapping[str, Callable[[Fields, Known], fmt.ConsentSource]]] = {
    "tcf": _read_tcf,
    "gpp": _read_gpp,
    "usp": _read_usp,
}


def _cookie(fields: Fields, kind: str) -> str:
    usual = COOKIES.get(kind)
    cookie = fields.text("cookie", required=usual is None) or usual or ""
    if cookie and not COOKIE.fullmatch(cookie):
        fields.error(fields.line_of("cookie"), "bad-value", f"has cookie {cookie!r}", "write a cookie's name")
    return cookie


def _read_tiers(fields: Fields, known: Known) -> tuple[tuple[str, tuple[int, ...]], ...]:
    found = []
    for tier in KEEPING:
        if needed := _numbers(fields, tier, known):
            found.append((tier, needed))
    return tuple(found)


def _numbers(fields: Fields, key: str, known: Known) -> tuple[int, ...]:
    """The TCF purposes that the names under a key stand for."""
    numbers: set[int] = set()
    for name in read_names(fields, key, known):
        if not known[name].tcf:
            message = f"names the purpose {name!r} in {key!r}, and TCF does not know it"
            fields.error(fields.line_of(key), "bad-value", message, "give the purpose `tcf`, or name another")
        numbers.update(known[name].tcf)
    return tuple(sorted(numbers))


def _by_consent(fields: Fields, known: Known, source: fmt.ConsentSource) -> fmt.ConsentSource:
    interests = _numbers(fields, "legitimate_interest", known)
    if never := [NAMES[number - 1] for number in interests if number in NEVER_BY_INTEREST]:
        message = f"relies on legitimate interest for {', '.join(never)}"
        hint = "the framework accepts consent alone for these"
        fields.error(fields.line_of("legitimate_interest"), "bad-value", message, hint)
    otherwise = fields.text("otherwise") or DEFAULT
    _check_tier(fields, "otherwise", otherwise, WEAK)
    vendor = fields.integer("vendor", 1, MAX_VENDOR) or 0
    return msgspec.structs.replace(source, vendor=vendor, interests=interests, otherwise=otherwise)


def _by_objection(fields: Fields, source: fmt.ConsentSource, *, required: bool) -> fmt.ConsentSource:
    after = fields.text("opted_out", required=required) or ""
    before = fields.text("not_opted_out", required=required) or ""
    if not after or not before:
        return source
    _check_tier(fields, "opted_out", after, WEAK)
    _check_tier(fields, "not_opted_out", before, CONSENT_TIERS)
    if after in WEAK and before in CONSENT_TIERS and CONSENT_TIERS.index(after) > CONSENT_TIERS.index(before):
        message = f"gives {after!r} after an objection and {before!r} before"
        fields.error(fields.line_of("opted_out"), "bad-value", message, "an objection can't give more")
    return msgspec.structs.replace(source, opted_out=after, not_opted_out=before)
