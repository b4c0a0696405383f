"""Says in words why each item of a list is there, and why others are not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from edge.bundle.arrays import Array
from edge.bundle.recommender_format import Finish
from edge.decide.around import Asking, load_arrays
from edge.decide.engine import Engine
from edge.decide.row import NAN, Row
from edge.decide.stock import ALL, Stock
from edge.decide.types import Context, Decision, Slot
from origin.explain.counted import counted
from origin.explain.model_scores import ModelScores, Scores

TOLD: Final = 3
"""Items of the history, or attributes, that moved a score most."""

MISSED: Final = 5
"""Items of a better score than the last one of the list."""

_NONE: Final = Finish("", 0, ())


def explain_lists(engine: Engine, context: Context, decision: Decision, stock: Stock = ALL) -> Iterator[str]:
    """Lines about each list of the decision."""
    slots = [slot for slot in decision.slots if slot.items]
    if slots:
        scores = ModelScores(engine.bundle, engine.listing.recommender)
        arrays, context = load_arrays(engine.bundle), engine.told(context)
        for slot in slots:
            yield from _List(engine, (context, slot, stock), scores, arrays).lines()


@dataclass(frozen=True)
class _Made:
    """The scores of all items: the model's, those after boosts, and the part of each that it goes by.

    These are the items of the history, then attributes of the context.
    """

    own: Scores
    boosted: Scores
    parts: Scores


class _List:
    """One slot's list under explanation."""

    def __init__(
        self,
        engine: Engine,
        asked: tuple[Context, Slot, Stock],
        scores: ModelScores,
        arrays: Mapping[str, Array],
    ) -> None:
        context, slot, stock = asked
        self._slot, self._items, self._arrays = slot, engine.items, arrays
        around = engine.around
        self._finish = around.finishes.get(slot.candidates, _NONE) if around else _NONE
        self._viewed, self._asking = engine.listing.asking(slot.candidates, context, stock)
        self._name = slot.candidates
        self.model = slot.candidates
        self._usual: list[str] = []
        plan, pool = engine.listing.recommender.plan, slot.candidates
        if around is not None and self._finish is not _NONE:
            links = around.links(slot.candidates, self._asking)
            link = links[0] if links else self._finish.links[0]
            self.model, pool = link.model, link.pool
            self._usual = around.usual(slot.candidates, self._asking)
        read = next((one.columns for one in plan.recommenders if one.name == pool), ())
        self._columns = [(plan.columns[at].attribute, at) for at in read]
        row = self._asking.situation.row
        self._known = tuple(sorted({name for name, at in self._columns if row[at] == row[at]}))
        self._context = context
        self._made = self._score(scores)

    def _score(self, scores: ModelScores) -> _Made:
        everyone, row = range(len(self._viewed)), self._asking.situation.row
        rows = [everyone, *([at for at in everyone if at != out] for out in everyone)]
        rows += [everyone] * len(self._known)
        contexts = [row] * (1 + len(everyone)) + [self._without(name) for name in self._known]
        found = scores.of(self.model, self._viewed, rows, contexts)
        own = self._placed(found)
        return _Made(own[0], self._boosted(own[0]), own[0] - own[1:])

    def _without(self, attribute: str) -> Row:
        """The context as it would be without an attribute."""
        out = {at for name, at in self._columns if name == attribute}
        return tuple(NAN if at in out else value for at, value in enumerate(self._asking.situation.row))

    def _placed(self, scores: Scores) -> Scores:
        """The scores with those of new items from items that are like them."""
        key = f"{self._name}/new/{self.model}"
        if f"{key}/near" not in self._arrays:
            return scores
        means = scores[:, self._arrays[f"{key}/near"]].mean(axis=2, dtype=np.float32)
        placed: Scores = np.concatenate([scores, means], axis=1)[:, self._arrays[f"{key}/place"]]
        return placed

    def _boosted(self, scores: Scores) -> Scores:
        key = self._name
        if f"{key}/factor" not in self._arrays:
            return scores
        factor, inverse = self._arrays[f"{key}/factor"], self._arrays[f"{key}/inverse"]
        boosted: Scores = (
            np.where(scores < 0, scores * inverse, scores * factor) + self._arrays[f"{key}/bonus"]
        )
        return boosted

    def lines(self) -> Iterator[str]:
        by = "" if self.model == self._name else f" by model {self.model}"
        viewed = f"of {counted(len(self._viewed), 'viewed item')}" if self._viewed else "of no history"
        yield f"{self._slot.placement}: {self._name} lists{by}, {viewed}{self._told()}"
        if self._finish is _NONE and not self._viewed and not self._known:
            return  # a bare model may have left it to its fallback, which the graph alone knows
        for number, (words, gate) in enumerate(self._finish.only):
            out = int(self._failed(number, gate).sum())
            yield f"  only {number + 1}, {words}: takes out {out} of {len(self._items)}"
        for place, item in enumerate(self._slot.items):
            yield f"  {place + 1} {item}: {self._why(place, self._items.find(item.encode()))}"
        yield from self._missed()

    def _told(self) -> str:
        """What the model takes in of the context."""
        attributes = self._context.attributes
        parts = [f"{name} {attributes[name]}" for name in self._known]
        parts += [f"{name} missing" for name in sorted({name for name, _ in self._columns} - {*self._known})]
        return f"; of the context {', '.join(parts)}" if parts else ""

    def _why(self, place: int, item: int) -> str:
        if self._is_pinned(item):
            return "pinned"
        own, boosted = self._made.own[item], self._made.boosted[item]
        parts = [f"score {own:.4g}{self._moved(item)}"]
        if f"{self._name}/raised" in self._arrays:
            met = self._arrays[f"{self._name}/raised"][item]
            words = [word for number, word in enumerate(self._finish.boosts) if int(met) >> number & 1]
            parts += [f"boosted to {boosted:.4g} ({'; '.join(words)})"] if words else []
        if self._usual and self._items.text(item) not in self._usual:
            parts.append(f"tried, with a probability of {self._slot.propensity:g}")
        return "; ".join(parts)

    def _is_pinned(self, item: int) -> bool:
        return any(self._items.find(name.encode()) == item for name, _ in self._finish.pins)

    def _moved(self, item: int) -> str:
        """The viewed items, and the attributes of the context, that moved its score most."""
        moved = self._made.parts[:, item]
        names = [*map(self._items.text, self._viewed), *self._known]
        order = sorted(range(len(moved)), key=lambda at: (-abs(moved[at]), at))[:TOLD]
        told = [f"{names[at]} {moved[at]:+.4g}" for at in order if moved[at]]
        return f", most by {', '.join(told)}" if told else ""

    def _failed(self, number: int, gate: int) -> Array:
        """Which items a filter takes out."""
        if gate >= 0:
            closed: Array = self._arrays[f"gate/{gate}"][self._asking.situation.gates[gate]] == 0
            return closed
        failed: Array = self._arrays[f"{self._name}/failed"] >> np.uint32(number) & 1 == 1
        return failed

    def _missed(self) -> Iterator[str]:
        """Items whose score is better than that of the last one in the list, and why they are not in it."""
        listed = [self._items.find(item.encode()) for item in self._slot.items]
        scores = self._made.boosted
        lowest = min((float(scores[item]) for item in listed if not self._is_pinned(item)), default=np.inf)
        better = [int(item) for item in np.argsort(-scores, kind="stable") if scores[item] > lowest]
        for item in [item for item in better if item not in listed][:MISSED]:
            yield f"  not {self._items.text(item)}, {scores[item]:.4g}: {self._reason(item, self._asking)}"

    def _reason(self, item: int, asking: Asking) -> str:
        for number, (words, gate) in enumerate(self._finish.only):
            if self._failed(number, gate)[item]:
                return f"only {number + 1}, {words}"
        if item in asking.out:
            return "out of stock"
        if item in asking.banned:
            return "muted by the visitor"
        if item in self._viewed:
            return "viewed already"
        if self._finish.caps or self._finish.alike or self._finish.near:
            return "too many of its kind, or too much like those before it"
        return "left out by the context" if self._finish.without else "the model is not sure enough of it"
