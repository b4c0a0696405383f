"""Compares two visitors' pages with the site's own: what differs, by which campaign, and what must not."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Final

from compiler.types import Workspace
from edge.decide.types import DecisionRecord, Slot
from edge.pages.plan import PagePlan, scan
from origin.demo.films import Film
from origin.demo.visits import Visit

SHOWN_FILMS: Final = 3
_HEADLINE: Final = re.compile(r"<h2>(.*?)</h2>", re.S)
_NAME: Final = re.compile(r'<span class="name">(.*?)</span>', re.S)
_TAG: Final = re.compile(r"<[^>]+>")


@dataclass(frozen=True)
class Difference:
    """One placement of a page that is not as the site made it."""

    placement: str
    before: str
    after: str
    campaign: str
    reason: str


def same_outside(plain: bytes, page: bytes) -> bool:
    """Whether `page` is `plain` but for what is inside of its placements.

    Only the plain page is cut by the edge's own scanner.
    """
    chunks = scan(plain).chunks
    return re.fullmatch(b".*".join(map(re.escape, chunks)), page, re.S) is not None


def differences(plain: bytes, visit: Visit, record: DecisionRecord, workspace: Workspace) -> list[Difference]:
    """The placements that differ between the plain page and a visitor's, and why."""
    before, after = scan(plain), scan(visit.page)
    slots = {slot.placement: slot for slot in record.slots}
    return [
        Difference(
            name,
            describe(before.defaults[number]),
            describe(after.defaults[number]),
            slots[name].policy,
            _reason(slots[name], record, workspace),
        )
        for number, name in enumerate(before.placements)
        if name in slots and _differs(before, after, number)
    ]


def _differs(before: PagePlan, after: PagePlan, number: int) -> bool:
    return before.defaults[number] != after.defaults[number]


def describe(fragment: bytes) -> str:
    """What a fragment shows, in a line: its headline, or its first films."""
    text = fragment.decode("utf-8", "replace")
    names = [_plain(name) for name in _NAME.findall(text)]
    if names:
        more = len(names) - SHOWN_FILMS
        return ", ".join(names[:SHOWN_FILMS]) + (f" and {more} more" if more > 0 else "")
    headline = _HEADLINE.search(text)
    return _plain(headline[1]) if headline else "something else"


@dataclass(frozen=True)
class Move:
    """Where a film stands in a list, and where it stood before; 0 where it is not in it."""

    item: str
    title: str
    before: int
    after: int


def shown(record: DecisionRecord, placement: str) -> tuple[str, ...]:
    """The items that a decision put into a placement."""
    return next((slot.items for slot in record.slots if slot.placement == placement), ())


def moves(before: Sequence[str], after: Sequence[str], films: Sequence[Film]) -> list[Move]:
    """How one list became another: what is in it now, then what has left it."""
    titles = {film.id: film.title for film in films}
    left = [item for item in before if item not in after]
    return [
        Move(item, titles.get(item, item), _place(item, before), _place(item, after))
        for item in (*after, *left)
    ]


def _place(item: str, items: Sequence[str]) -> int:
    return items.index(item) + 1 if item in items else 0


def of_genre(items: Sequence[str], films: Sequence[Film], genre: str) -> int:
    """How many of the items are of a genre."""
    known = {film.id: film for film in films}
    return sum(genre in known[item].genre_names for item in items if item in known)


def _reason(slot: Slot, record: DecisionRecord, workspace: Workspace) -> str:
    written = next((campaign.written for campaign in workspace.campaigns if campaign.id == slot.policy), {})
    parts = [f"its audience is {_condition(written)}" if written else "it is for everybody"]
    facts = _facts(record, json.dumps(written, default=str))
    if facts:
        parts.append(f"here {facts}")
    if slot.candidates:
        recipes = {model.name: model.recipe for model in workspace.models}
        viewed = len(record.context.history)
        personal = viewed and recipes.get(slot.candidates) != "popularity"
        base = f"{viewed} films that were looked at" if personal else "what all visitors watch"
        parts.append(f"items by {slot.candidates} from {base}")
    return "; ".join(parts)


def _facts(record: DecisionRecord, written: str) -> str:
    """The attributes of the request that the condition names, with their values."""
    read = record.context.attributes.items()
    return ", ".join(f"{name} = {_value(value)}" for name, value in read if f'"{name}"' in written)


def _condition(written: Mapping[str, object]) -> str:
    return json.dumps(written, ensure_ascii=False, default=str).replace('"', "")


def _value(value: object) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)  # type: ignore[call-overload]


def _plain(markup: str) -> str:
    return " ".join(unescape(_TAG.sub("", markup)).split())
