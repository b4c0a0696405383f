"""Requests to try rules on: contexts of a log of decisions or of files, with what they can't tell."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from edge.decide.campaigns import WHOLE_PAGE
from edge.decide.tastes import SOURCE as HISTORY
from edge.decide.types import Context, DecisionRecord, Value
from edge.worker.attributes.clock import local_time
from edge.worker.attributes.facts import TIMEZONE
from edge.worker.attributes.place import NO_FRONT
from origin.explain.contexts import read_contexts
from origin.explain.members import Members
from origin.explain.rules_view import View
from origin.lake.replay import load_engines, read_log


class Request(NamedTuple):
    """One request: `visitor` is empty where nobody knows who it was.

    `known` are the attributes that its log would hold a value of, if it had one; None means all.
    """

    context: Context
    visitor: str
    known: frozenset[str] | None


@dataclass(frozen=True)
class Log:
    """A log of decisions, read for the rules of `view`, as often as it is wanted.

    Parameters
    ----------
    bundles
        Those that the log was written with, where they are at hand: what they read was written down.
    """

    path: Path
    view: View
    bundles: Path | None = None

    def requests(self) -> Iterator[Request]:
        """All requests of the site, with what follows from what was written down."""
        derive = _Derived(self.view)
        known = {bundle: derive.known(held) for bundle, held in self._held().items()}
        for record in read_log(self.path, self.view.bundle.site):
            told = known[record.bundle]
            unit = record.visitor or record.context.unit
            # What a tester demands is no forecast of what visitors get.
            context = replace(record.context, attributes=derive(record, told), unit=unit, forced=())
            yield Request(self.view.told(context), record.visitor, told)

    def _held(self) -> Mapping[str, frozenset[str]]:
        """By bundle, the attributes and placements of whole pages that its decisions were written down with.

        Of a bundle that is not at hand, one that no decision has a value of counts as not written down.
        """
        found: defaultdict[str, set[str]] = defaultdict(set)
        for record in read_log(self.path, self.view.bundle.site):
            found[record.bundle].update(record.context.attributes)
            found[record.bundle].update(WHOLE_PAGE.keys() & set(record.context.placements))
        engines = load_engines(self.bundles) if self.bundles else {}
        for bundle in found:
            known = engines.get(bundle, self.view if bundle == self.view.bundle.id else None)
            if known is not None:
                found[bundle].update((*known.reads, *(WHOLE_PAGE if known.page.asks else ())))
        return {bundle: frozenset(names) for bundle, names in found.items()}


class _Derived:
    """The attributes of a request that follow from others, by the rules that shall be tried."""

    def __init__(self, view: View) -> None:
        sources = {attribute.name: attribute.source for attribute in view.schema.attributes}
        self._in_utc = sources.get(TIMEZONE) in (None, f"front:{NO_FRONT}")
        self._members = Members(view.schema, view.bundle)
        self._predictor, self._tastes = view.predictor, view.tastes
        self._means = {name for name, source in sources.items() if source.startswith(f"{HISTORY}:")}

    def known(self, held: frozenset[str]) -> frozenset[str]:
        """What is known, of a log with these attributes."""
        more = {"consent.tier", "time.now", "visitor.items"}
        if self._in_utc or TIMEZONE in held:
            more |= {"time.hour", "time.weekday", "time.date"}
        found = held | more | self._members.known(held) | (self._means if self._tastes else set())
        predictor = self._predictor
        return found | predictor.tells.keys() if predictor and predictor.reads <= found else found

    def __call__(self, record: DecisionRecord, known: frozenset[str]) -> dict[str, Value]:
        """The attributes of a decision, with those that follow."""
        context, found = record.context, dict(record.context.attributes)
        found |= {"consent.tier": context.tier, "time.now": context.now_ms}
        if context.tier in ("session", "full"):
            found["visitor.items"] = len(context.history)
            found = {**self._tastes.of(context.history), **found}
        if "time.hour" in known:
            zone = None if self._in_utc else found.get(TIMEZONE)
            hour, weekday, date = local_time(context.now_ms, zone if isinstance(zone, str) else None)
            found |= {"time.hour": hour, "time.weekday": weekday, "time.date": date}
        members = self._members.of(record.visitor, found)
        return found | {name: held for name, held in members.items() if name in known}


@dataclass(frozen=True)
class Stated:
    """Contexts that somebody wrote: what is not there is missing."""

    path: Path
    view: View

    def requests(self) -> Iterator[Request]:
        """All of them; the unit is the visitor."""
        for context in read_contexts(self.path, self.view):
            yield Request(self.view.told(context), context.unit, None)


def lacking(reads: Iterable[str], known: frozenset[str] | None) -> frozenset[str]:
    """The attributes that a request can't tell."""
    return frozenset() if known is None else frozenset(reads) - known
