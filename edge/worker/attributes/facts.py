"""From a request to the attributes of its context: only those that the bundle reads."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edge.bundle.format import Attribute, RulesSchema
from edge.consent.policy import ASKED, Policy
from edge.decide.behaviours import Behaviour
from edge.decide.caps import SOURCE
from edge.decide.fuse import VISITOR_ID, Fuse
from edge.decide.tastes import NONE as NO_TASTES
from edge.decide.tastes import SOURCE as HISTORY
from edge.decide.tastes import Tastes
from edge.decide.types import Value
from edge.errors import BundleError
from edge.visitor.buckets import value
from edge.worker.attributes.body import KIND as BODY
from edge.worker.attributes.builtin import BUILTIN, MAX_TEXT_CHARS, Reader, clock_readers, number, text
from edge.worker.attributes.locator import NOBODY, Locator
from edge.worker.attributes.place import NO_FRONT, Place
from edge.worker.attributes.request import MAX_QUERY_FIELDS, Headers, Request, cookie_value

__all__ = ["MAX_QUERY_FIELDS", "MAX_TEXT_CHARS", "AttributeReader", "Headers", "Request", "cookie_value"]

TIMEZONE: Final = "geo.timezone"
BEHAVIOUR: Final = "behaviour."
MAX_GRANTS: Final = 1_024
"""Sets of purposes whose attributes are remembered."""

_NO_LISTS: Final[Mapping[str, Fuse]] = {}
_NO_BEHAVIOURS: Final[Mapping[str, Behaviour]] = {}


class AttributeReader:
    """Reads the attributes that a bundle's rules look at.

    Raises
    ------
    BundleError
        ``attribute``: one of a type or source that this edge does not know.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what attributes are read from is of several kinds
        self,
        schema: RulesSchema,
        reads: Sequence[str],
        behaviours: Mapping[str, Behaviour] = _NO_BEHAVIOURS,
        lists: Mapping[str, Fuse] = _NO_LISTS,
        locator: Locator = NOBODY,
        tastes: Tastes = NO_TASTES,
    ) -> None:
        declared = {attribute.name: attribute for attribute in schema.attributes}
        self.consent = Policy(schema)
        self._needs = needed(self.consent, schema.attributes)
        timezone = _timezone(declared.get(TIMEZONE), self._needs.get(TIMEZONE, 0), locator)
        builtin = {**BUILTIN, **clock_readers(timezone), **_purpose_readers(self.consent)}
        builtin |= {BEHAVIOUR + name: _behaviour(behaviour) for name, behaviour in behaviours.items()}
        known = _Known(declared, builtin, lists, locator, tastes)
        # Caps are told by the visitor's event state, those alone that it has something of.
        single = [name for name in reads if name in declared and declared[name].source != SOURCE]
        self._readers = [(name, _reader(declared[name], known)) for name in single]
        self._by_grant: dict[int, list[tuple[str, Reader]]] = {}
        self._facts = [name for name in single if declared[name].source.startswith("fact:")]

    def asks_facts(self, purposes: int) -> bool:
        """Whether facts about the visitor are read, where these purposes are granted."""
        return any(not self._needs.get(name, 0) & ~purposes for name in self._facts)

    def attributes(self, request: Request) -> dict[str, Value]:
        """The attributes that the request has a value for, and that the visitor granted the purposes of."""
        readers = self._granted(request.granted) if self._needs else self._readers
        return {name: found for name, read in readers if (found := read(request)) is not None}

    def permitted(self, attributes: Mapping[str, Value], purposes: int) -> dict[str, Value]:
        """Of attributes that somebody else read, those whose purposes are granted."""
        return permitted(attributes, self._needs, purposes)

    def _granted(self, purposes: int) -> list[tuple[str, Reader]]:
        readers = self._by_grant.get(purposes)
        if readers is None:
            needs = self._needs
            readers = [(name, read) for name, read in self._readers if not needs.get(name, 0) & ~purposes]
            if len(self._by_grant) >= MAX_GRANTS:
                self._by_grant.clear()
            self._by_grant[purposes] = readers
        return readers

    def tier(self, headers: Headers) -> str:
        """The consent tier that the visitor granted."""
        return self.consent.of(headers).tier


def needed(consent: Policy, attributes: Iterable[Attribute]) -> dict[str, int]:
    """The purposes that attributes need: an audience that is a list of ids needs those of the id, too."""
    stated = consent.needs
    if not stated:
        return {}
    found = dict(stated)
    for attribute in attributes:
        kind, _, by = attribute.source.partition(":")
        if kind == "list" and stated.get(by):
            found[attribute.name] = found.get(attribute.name, 0) | stated[by]
    return found


def permitted(attributes: Mapping[str, Value], needs: Mapping[str, int], purposes: int) -> dict[str, Value]:
    """The attributes whose purposes are granted."""
    return {name: value for name, value in attributes.items() if not needs.get(name, 0) & ~purposes}


def _purpose_readers(consent: Policy) -> dict[str, Reader]:
    """``consent.purpose.NAME`` of each purpose."""

    def reader(bit: int) -> Reader:
        return lambda request: bool(request.granted >> bit & 1)

    return {ASKED + name: reader(bit) for bit, name in enumerate(consent.names)}


def _behaviour(behaviour: Behaviour) -> Reader:
    def read(request: Request) -> float:
        return value(behaviour, request.counted.get(behaviour.tag, b""), request.now_ms // 1000)

    return read


@dataclass(frozen=True)
class _Known:
    """What attributes are read by: all of the site, those with readers of their own, lists, places."""

    declared: Mapping[str, Attribute]
    builtin: Mapping[str, Reader]
    lists: Mapping[str, Fuse]
    locator: Locator
    tastes: Tastes = NO_TASTES


def _member(name: str, by: str, known: _Known) -> Reader:
    """Whether the list of that audience holds the id that it goes by; nobody without one is in it."""
    members = known.lists[name.removeprefix("audience.")]
    id_of = _visitor_id if by == VISITOR_ID else _reader(known.declared[by], known)

    def read(request: Request) -> bool:
        id_ = id_of(request)
        return isinstance(id_, str) and id_ != "" and id_ in members

    return read


def _visitor_id(request: Request) -> str | None:
    return request.state.visitor.hex() if request.tier == "full" else None


def _timezone(attribute: Attribute | None, needs: int, locator: Locator) -> Reader | None:
    """What tells the visitor's time zone, if the site has anything that does, and they granted its use."""
    if attribute is None or attribute.source == f"front:{NO_FRONT}":
        return None
    read = _reader(attribute, _Known({}, {}, {}, locator))
    if not needs:
        return read
    return lambda request: None if needs & ~request.granted else read(request)


def _reader(attribute: Attribute, known: _Known) -> Reader:
    try:
        if attribute.source in ("builtin", "behaviour"):
            return known.builtin[attribute.name]
        kind, _, name = attribute.source.partition(":")
        if kind == "front":
            return Place(name, attribute.name, known.locator)
        if kind == BODY:
            return _nothing  # a page has none; apps send one along
        if kind == "list":
            return _member(attribute.name, name, known)
        if kind in (HISTORY, "fact"):
            told = _fact(name, _CONVERT[attribute.type])
            return _taste(attribute.name, known.tastes) if kind == HISTORY else told
        return _reader_of(kind, name, _CONVERT[attribute.type])
    except (KeyError, UnicodeEncodeError) as error:
        what = f"{attribute.name!r}, a {attribute.type} of {attribute.source!r}"
        raise BundleError("attribute", f"this edge can't read {what}") from error


def _fact(name: str, convert: Callable[[str], Value | None]) -> Reader:
    """One fact, of the attribute's type; another value is none."""

    def read(request: Request) -> Value | None:
        value = request.facts.get(name)
        return None if value is None else convert(value)

    return read


def _taste(name: str, tastes: Tastes) -> Reader:
    def read(request: Request) -> float | None:
        items = request.state.items
        return tastes.of(items).get(name) if items and request.knows_visitor else None

    return read


def _nothing(_request: Request) -> None:
    return None


def _reader_of(kind: str, name: str, convert: Callable[[str], Value | None]) -> Reader:
    key = name.encode("latin-1")
    field = key.lower()

    def from_header(request: Request) -> Value | None:
        value = request.headers.get(field)
        return None if value is None else convert(value.decode("latin-1"))

    def from_query(request: Request) -> Value | None:
        value = request.query.get(name) if request.query_string else None
        return None if value is None else convert(value)

    def from_cookie(request: Request) -> Value | None:
        header = request.headers.get(b"cookie")
        value = cookie_value(header, key) if header else None
        return None if value is None else convert(value)

    return {"header": from_header, "query": from_query, "cookie": from_cookie}[kind]


def _boolean(value: str) -> bool | None:
    return {"1": True, "true": True, "0": False, "false": False}.get(value.lower())


_CONVERT: dict[str, Callable[[str], Value | None]] = {
    "string": text,
    "number": number,
    "boolean": _boolean,
}
