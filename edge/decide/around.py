"""Makes lists of candidates: gates of the context, the chain of models, pins, the place that explores."""

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from edge.bundle import format as fmt
from edge.bundle import recommender_format as wire
from edge.bundle.arrays import Array, unpack
from edge.bundle.reader import Bundle
from edge.bundle.strings import Strings
from edge.decide.around_check import check_around
from edge.decide.bandit import draw
from edge.decide.likeness import Alike, Directions, Groups
from edge.decide.recommender import Found, Gates
from edge.decide.row import Row
from edge.decide.shortlist import Caps, Shortlist
from edge.decide.types import Context, Slot, Value
from edge.rules.evaluate import evaluate

EXPLORED: Final = ":explored"
"""After a recommender's name: the items of which one may take the place that explores."""

MAX_DEEPER: Final = 8
"""How often a pool is asked for more, where too much of it may not be listed."""

_BETWEEN: Final = re.compile("[|;,]")


class Situation(NamedTuple):
    """What of a context lists depend on beside the history.

    That is the rows of gates, the ids that recommenders leave out, and what models take in of it.
    """

    gates: Gates = ()
    left_out: tuple[tuple[str, ...], ...] = ()
    row: Row = ()


NOWHERE: Final = Situation()

Pools = Mapping[str, tuple[list[int], list[float]]]
"""For one context, the candidates of each pool, with their scores."""

Deeper = Callable[[Collection[int]], Pools]
"""Asks again, without these items."""


def load_recommenders(bundle: Bundle) -> wire.Recommenders:
    """What the rules say of recommenders; nothing where each is but a model.

    Raises
    ------
    BundleError
        There is more than one such artifact, or it can't be read.
    """
    if not bundle.artifacts("rules", wire.RULES_KIND):
        return wire.Recommenders()
    return fmt.decode(bundle.read(bundle.one("rules", wire.RULES_KIND)), wire.Recommenders)


def load_arrays(bundle: Bundle) -> Mapping[str, Array]:
    """The catalog's arrays for recommenders, and the models' rows by which items are alike."""
    found = bundle.artifacts("catalog", wire.ARRAYS_ARTIFACT).get(wire.ARRAYS_ARTIFACT)
    arrays = dict(unpack(bundle.read(found))) if found is not None else {}
    for name, artifact in bundle.artifacts("models", "arrays").items():
        if name.startswith(wire.ALIKE):
            arrays |= unpack(bundle.read(artifact))
    return arrays


class Asking(NamedTuple):
    """One context that wants lists: its candidates, and how to have more of them.

    Attributes
    ----------
    viewed : int
        The length of the history.
    banned : Collection of int
        What is in no list.
    out : Collection of int
        What is sold out, and so among no candidates.
    """

    pools: Pools
    viewed: int
    situation: Situation
    banned: Collection[int]
    deeper: Deeper
    out: Collection[int] = ()


class _Gate:
    """A gate with its values at hand."""

    def __init__(self, number: int, gate: wire.Gate, arrays: Mapping[str, Array]) -> None:
        self._gate = gate
        name = f"gate/{number}"
        self._values = Strings(arrays, f"{name}/values") if gate.kind == "has" else None
        self._bounds = arrays[f"{name}/bounds"].tolist() if gate.kind == "at-most" else []

    def row(self, attributes: Mapping[str, Value]) -> int:
        """Which of its masks holds for these attributes."""
        if self._gate.kind == "when":
            return int(evaluate(self._gate.when, attributes))
        value = attributes.get(self._gate.reads[0])
        if self._values is not None:
            if not isinstance(value, str) or not value:
                return 1
            at = self._values.find(value.encode())
            return at + 2 if at >= 0 else 0
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return 2 + bisect_right(self._bounds, value) if is_number else 1


class Around:
    """A bundle's recommenders that are more than a model.

    Attributes
    ----------
    names : frozenset of str
        Theirs.
    finishes : dict of str to Finish
        How each makes its list.
    reads : tuple of str
        The attributes that their lists depend on.
    pools : dict of str to frozenset of str
        Which pools each one's list depends on.
    explores : frozenset of str
        Those with a place that explores.

    Raises
    ------
    BundleError
        ``recommenders``: parts of the bundle do not fit each other.
    """

    def __init__(
        self, document: wire.Recommenders, arrays: Mapping[str, Array], plan: fmt.ModelsPlan, items: Strings
    ) -> None:
        check_around(document, arrays, plan, len(items))
        self._gates = [_Gate(number, gate, arrays) for number, gate in enumerate(document.gates)]
        groups = {
            key.removeprefix("group/").removesuffix("/starts"): Groups(
                arrays[key], arrays[key.removesuffix("starts") + "values"]
            )
            for key in arrays
            if key.startswith("group/") and key.endswith("/starts")
        }
        pools = {one.name: one for one in plan.recommenders}
        self._made = [_Recommender(one, arrays, groups, pools, items) for one in document.finishes]
        self._items = items
        self.finishes = {one.name: one for one in document.finishes}
        self.names = frozenset(one.name for one in document.finishes)
        self.reads = reads_of(document)
        self.explores = frozenset(one.name for one in document.finishes if one.explore)
        self.pools = {one.name: pools_asked(one) for one in document.finishes}
        self._explore = {one.name: one.explore for one in document.finishes if one.explore}
        self._without = [one.without for one in document.finishes]

    def situation(self, attributes: Mapping[str, Value]) -> Situation:
        """What lists depend on in this context."""
        rows = tuple([gate.row(attributes) for gate in self._gates])
        left_out = tuple([_ids(names, attributes) if names else () for names in self._without])
        return Situation(rows, left_out)

    def lists(self, asking: Asking) -> dict[str, tuple[str, ...]]:
        """The list of each recommender, and of those that explore what may take that place."""
        found = {}
        for one, left_out in zip(self._made, asking.situation.left_out, strict=True):
            asked = asking
            if left_out:
                asked = asking._replace(banned={*asking.banned, *self._items.positions(left_out)})
            items, explored = one.listed(asked)
            found[one.name] = tuple(self._items.texts(items))
            if one.explores:
                found[one.name + EXPLORED] = tuple(self._items.texts(explored))
        return found

    def links(self, name: str, asking: Asking) -> list[wire.Link]:
        """The models that list for a recommender here, the one that is sure enough first."""
        return next(one.links(asking) for one in self._made if one.name == name)

    def usual(self, name: str, asking: Asking) -> list[str]:
        """A recommender's list where no place explores."""
        (one,) = [one for one in self._made if one.name == name]
        return self._items.texts(one.listed(asking)[0])

    def explored(self, slot: Slot, lists: Mapping[str, tuple[str, ...]], context: Context) -> Slot:
        """The slot with another item in the place that explores, in that share of decisions."""
        explore = self._explore.get(slot.candidates)
        if explore is None or not slot.items:
            return slot
        among = lists.get(slot.candidates + EXPLORED, ())
        if not among or len(slot.items) <= explore.slot:
            return slot
        drawn = draw(context.seed, slot.candidates, EXPLORED)
        if drawn >= explore.share:
            return replace(slot, propensity=round(slot.propensity * (1 - explore.share), 9))
        item = among[min(len(among) - 1, int(drawn / explore.share * len(among)))]
        items = (*slot.items[: explore.slot], item, *slot.items[explore.slot + 1 :])
        propensity = round(slot.propensity * explore.share / len(among), 9)
        return replace(slot, items=items, propensity=propensity)


def load_around(bundle: Bundle, plan: fmt.ModelsPlan, items: Strings) -> Around | None:
    """The recommenders of a bundle that are more than a model; None where there is none.

    Raises
    ------
    BundleError
        ``recommenders`` or ``arrays``: parts of the bundle do not fit each other.
    """
    document = load_recommenders(bundle)
    return Around(document, load_arrays(bundle), plan, items) if document.finishes else None


class _Recommender:
    """One recommender with all it needs at hand."""

    def __init__(
        self,
        finish: wire.Finish,
        arrays: Mapping[str, Array],
        groups: Mapping[str, Groups],
        pools: Mapping[str, fmt.RecommenderPlan],
        items: Strings,
    ) -> None:
        self.name = finish.name
        self.explores = finish.explore is not None
        self._finish = finish
        self._sizes = {name: pool.limit for name, pool in pools.items()}
        self._columns = {link.pool: pools[link.pool].columns for link in finish.links if link.context}
        self._caps = [(groups[column], most) for column, most in finish.caps]
        self._alike: list[Alike] = [groups[column] for column in finish.alike]
        if finish.near:
            self._alike.append(Directions(arrays[wire.ALIKE + finish.near]))
        self._masks = [arrays[key] for key in finish.masks]
        self._rows = [(gate, arrays[f"gate/{gate}"]) for gate in finish.gates]
        found = [(items.find(item.encode()), at) for item, at in finish.pins]
        self._pins = [(position, at) for position, at in found if position >= 0]
        self._is_plain = not (self._caps or self._alike or self._pins or self.explores)

    def listed(self, asking: Asking) -> tuple[list[int], list[int]]:
        """The list, and what may take the place that explores."""
        links = self.links(asking)
        if links and self._is_plain and not asking.banned:
            found = asking.pools[links[0].pool][0]
            if len(found) >= self._finish.limit:
                return found[: self._finish.limit], []
        pins = self._pinned(asking)
        short = Shortlist(self._finish.limit - len(pins), Caps(self._caps), [item for item, _ in pins])
        for link in links if self._finish.fill else links[:1]:
            if not short.is_full:
                self._draw(short, link, asking)
        listed = list(short.items)
        for item, at in pins:
            listed.insert(at, item)
        explore = self._finish.explore
        if explore is None or not links or any(at == explore.slot for _, at in pins):
            return listed, []
        source, _ = asking.pools[explore.pool or links[0].pool]
        open_ = [item for item in source if item not in asking.banned]
        return listed, _among(explore, short.caps, listed, open_)

    def links(self, asking: Asking) -> list[wire.Link]:
        """The model that is sure enough, and those after it."""
        links = [link for link in self._finish.links if self._knows(link, asking)]
        while links and not self._suffices(links[0], asking):
            del links[0]
        return links

    def _knows(self, link: wire.Link, asking: Asking) -> bool:
        """Whether there is enough for the model to go by."""
        if asking.viewed >= link.history:
            return True
        row = asking.situation.row
        return any(row[at] == row[at] for at in self._columns.get(link.pool, ()))  # but for NaN

    def _suffices(self, link: wire.Link, asking: Asking) -> bool:
        found = asking.pools[link.pool][0]
        if len(found) < link.items or not asking.banned or len(found) == self._sizes[link.pool]:
            return len(found) >= link.items
        return sum(item not in asking.banned for item in found) >= link.items

    def _pinned(self, asking: Asking) -> list[tuple[int, int]]:
        """The pins that nothing forbids."""
        return [
            (item, at) for item, at in self._pins if at < self._finish.limit and self._passes(item, asking)
        ]

    def _passes(self, item: int, asking: Asking) -> bool:
        if item in asking.banned or item in asking.out:
            return False
        gates = asking.situation.gates
        return all(mask[item] for mask in self._masks) and all(
            rows[gates[gate]][item] for gate, rows in self._rows
        )

    def _draw(self, short: Shortlist, link: wire.Link, asking: Asking) -> None:
        """Take from one model's candidates; from deeper ones where these don't suffice."""
        items, scores = asking.pools[link.pool]
        banned = asking.banned
        open_ = [item for item in items if item not in banned] if banned else items
        if self._alike and open_:
            held = dict(zip(items, scores, strict=False))
            short.add_unlike({item: held[item] for item in open_}, self._alike, self._finish.diversity)
        else:
            short.add(open_)
        known = {*banned}
        for _ in range(MAX_DEEPER):
            if short.is_full or len(items) < self._sizes[link.pool]:
                return
            known.update(items)
            items = asking.deeper(known)[link.pool][0]
            short.add(items)


def _among(explore: wire.Explore, caps: Caps, listed: Sequence[int], source: Sequence[int]) -> list[int]:
    """Who else may take the place that explores, with all others as they are."""
    if explore.slot >= len(listed):
        return []
    caps.count(listed[explore.slot], -1)
    return [item for item in source if item not in listed and caps.fits(item)][: explore.of]


def reads_of(document: wire.Recommenders) -> tuple[str, ...]:
    """The attributes that lists depend on."""
    gates = {name for gate in document.gates for name in gate.reads}
    return tuple(sorted(gates.union(*(one.without for one in document.finishes))))


def pools_asked(finish: wire.Finish) -> frozenset[str]:
    """The pools that a recommender's list depends on."""
    links = {link.pool for link in finish.links}
    return frozenset(links | ({finish.explore.pool} if finish.explore and finish.explore.pool else set()))


def pools_of(found: Found, row: int) -> Pools:
    """The candidates of one context."""
    return {name: (found.lists[name][row], scores[row]) for name, scores in found.scores.items()}


def _ids(names: Sequence[str], attributes: Mapping[str, Value]) -> tuple[str, ...]:
    """The item ids that attributes hold, each a list or a text with a comma, '|' or ';' between two."""
    found: list[str] = []
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str):
            found += filter(None, map(str.strip, _BETWEEN.split(value)))
        elif isinstance(value, list):
            found += [one for one in value if isinstance(one, str)]
    return tuple(dict.fromkeys(found))
