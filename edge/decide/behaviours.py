"""Which behaviours of a bundle a page view or a reported event feeds, and by how much."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np

from edge.bundle import format as fmt
from edge.bundle.arrays import Array, unpack
from edge.bundle.reader import Bundle
from edge.errors import BundleError
from edge.rules.bucketing import fnv1a_32
from edge.rules.url import UrlPatternError, url_pattern

MAX_BEHAVIOURS: Final = 32
MEASURES: Final = ("count", "sum", "distinct", "recency", "rate")
EVENTS: Final = ("view", "page")
"""What the edge sees itself; all else is reported by the page."""

KIND: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
"""What a kind of events may be called."""

ENDS: Final = -1
"""In the place of an amount: what was counted so far is over."""

MAX_LAST: Final = 1000
MAX_AMOUNT: Final = 0xFFFF
MAX_REMEMBERED_PATHS: Final = 4096
MAX_WINDOW_S: Final = 400 * 86_400


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One thing that is counted of each visitor.

    Attributes
    ----------
    tag : int
        16 bits that stand for the definition in the visitor's cookie: another definition counts anew.
    event : str
        ``view`` (of an item), ``page``, or the kind of a reported event.
    window_s : int
        How far back it looks; 0 where `last` says it.
    path : str
        Of ``page``: the URL pattern, or empty for every page.
    basis : str
        Of a rate of a reported event: the kind that it is a share of.
    last : int
        Of a rate: how many events it looks back, instead of a window.
    until : str
        The kind of a reported event that ends what was counted.
    filtered : bool
        Of a reported event: whether only those of some items count.
    by_value : bool
        Of a reported event: whether its own value is added up, not a column of its item.
    """

    name: str
    tag: int
    event: str
    measure: str
    window_s: int
    path: str = ""
    basis: str = ""
    last: int = 0
    until: str = ""
    filtered: bool = False
    by_value: bool = False

    @property
    def is_reported(self) -> bool:
        """Whether pages report what it counts."""
        return self.event not in EVENTS


Fed = tuple[Behaviour, int, bool]
"""A behaviour, the amount (of a sum) or fingerprint (of a distinct thing), and whether the event is one of
its own, or only one of all that a rate is a share of."""


class Behaviours:
    """All behaviours of a bundle.

    Parameters
    ----------
    arrays
        ``masks`` u4 by item: bit i where a view of the item is one of behaviour i;
        ``amounts/NAME`` u2 by item for sums and distinct things.

    Raises
    ------
    BundleError
        ``behaviours``: they don't fit each other, or the items.
    """

    def __init__(self, definitions: tuple[Behaviour, ...], arrays: Mapping[str, Array], items: int) -> None:
        self.by_name = {definition.name: definition for definition in definitions}
        self._definitions = definitions
        _check(definitions, arrays, items)
        self._masks = arrays["masks"].data if definitions else memoryview(b"")
        self._amounts = {
            definition.name: arrays[name].data
            for definition in definitions
            if (name := f"amounts/{definition.name}") in arrays
        }
        self._views = [(i, d) for i, d in enumerate(definitions) if d.event == "view"]
        self._pages = [
            (definition, url_pattern(definition.path) if definition.path else None)
            for definition in definitions
            if definition.event == "page"
        ]
        self._reported = [(i, d) for i, d in enumerate(definitions) if d.is_reported]
        self._by_path: dict[str, tuple[Fed, ...]] = {}
        self._by_item: dict[int, tuple[Fed, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self._definitions)

    def fed_by(self, path: str, item: int) -> tuple[Fed, ...]:
        """What a view of the page at this path feeds; `item` is the position of the page's item, or -1."""
        by_path = self._by_path.get(path)
        if by_path is None:
            by_path = self._page(path)
            if len(self._by_path) >= MAX_REMEMBERED_PATHS:
                self._by_path.clear()
            self._by_path[path] = by_path
        if item < 0 or not self._views:
            return by_path
        by_item = self._by_item.get(item)
        if by_item is None:
            by_item = self._item(item)
            if len(self._by_item) >= MAX_REMEMBERED_PATHS:
                self._by_item.clear()
            self._by_item[item] = by_item
        return by_path + by_item

    @property
    def hears(self) -> bool:
        """Whether any of them counts what pages report."""
        return bool(self._reported)

    def fed_by_event(self, kind: str, item: int, thing: str, value: float) -> tuple[Fed, ...]:
        """What a reported event feeds.

        Parameters
        ----------
        item
            The position of its item, or -1.
        thing
            What it is about, item or not: so different things are told apart.
        """
        found: list[Fed] = []
        for bit, one in self._reported:
            if kind == one.until:
                found.append((one, ENDS, False))
            own = kind == one.event
            if not own and kind != one.basis:
                continue
            meets = not one.filtered if item < 0 else bool(self._masks[item] >> bit & 1)
            if one.measure == "rate":
                # Of a share of another kind, its own events are none of those that it is a share of.
                total = int(not one.basis or kind == one.basis)
                if meets or not one.basis:
                    found.append((one, total, own and meets))
            elif meets:
                found.append((one, self._amount(one, item, thing, value), True))
        return tuple(found)

    def _amount(self, one: Behaviour, item: int, thing: str, value: float) -> int:
        if one.by_value:
            return min(MAX_AMOUNT, max(0, round(value)))
        if one.measure not in ("sum", "distinct"):
            return 1
        if item >= 0:
            return int(self._amounts[one.name][item])
        return fnv1a_32(thing) & 0xFFFF if one.measure == "distinct" else 0

    def _page(self, path: str) -> tuple[Fed, ...]:
        found = []
        for definition, pattern in self._pages:
            own = pattern is None or pattern.matches(path)
            if own or definition.measure == "rate":
                found.append(
                    (definition, fnv1a_32(path) & 0xFFFF if definition.measure == "distinct" else 1, own)
                )
        return tuple(found)

    def _item(self, item: int) -> tuple[Fed, ...]:
        mask = self._masks[item]
        found = []
        for bit, definition in self._views:
            own = bool(mask >> bit & 1)
            if own or definition.measure == "rate":
                amounts = self._amounts.get(definition.name)
                found.append((definition, 1 if amounts is None else amounts[item], own))
        return tuple(found)


def load(bundle: Bundle, items: int) -> Behaviours:
    """The behaviours of a bundle; most have none."""
    found = bundle.artifacts("rules", "behaviours")
    if not found:
        return NONE
    definitions = fmt.decode(bundle.read(bundle.one("rules", "behaviours")), tuple[Behaviour, ...])
    return Behaviours(definitions, unpack(bundle.read(bundle.one("rules", "feeds"))), items)


def _check(definitions: tuple[Behaviour, ...], arrays: Mapping[str, Array], items: int) -> None:
    if not definitions:
        return
    names = {definition.name for definition in definitions}
    tags = {definition.tag for definition in definitions}
    _need(len(definitions) <= MAX_BEHAVIOURS, f"more than {MAX_BEHAVIOURS}")
    _need(len(names) == len(tags) == len(definitions), "two have the same name or tag")
    for one in definitions:
        known = one.measure in MEASURES and KIND.fullmatch(one.event)
        _need(bool(known), f"{one.name!r} is a {one.measure} of {one.event}, which this edge does not know")
        looks_back = 0 < one.last <= MAX_LAST if one.last else 0 < one.window_s <= MAX_WINDOW_S
        _need(0 <= one.tag < 1 << 16 and looks_back, f"{one.name!r} is out of bounds")
        _need(not (one.last or one.basis) or one.measure == "rate", f"{one.name!r} is no rate")
        _check_path(one)
        if one.event != "page" and one.measure in ("sum", "distinct") and not one.by_value:
            _need_vector(arrays, f"amounts/{one.name}", np.uint16, items)
    _need_vector(arrays, "masks", np.uint32, items)


def _check_path(behaviour: Behaviour) -> None:
    try:
        if behaviour.path:
            url_pattern(behaviour.path)
    except UrlPatternError as error:
        raise BundleError("behaviours", f"{behaviour.name!r}: {error}") from error


def _need_vector(arrays: Mapping[str, Array], name: str, dtype: type, size: int) -> None:
    array = arrays.get(name)
    fits = array is not None and array.ndim == 1 and array.dtype == dtype and len(array) == size
    _need(fits, f"array {name!r} does not fit the items")


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise BundleError("behaviours", what)


NONE: Final = Behaviours((), {}, 0)
