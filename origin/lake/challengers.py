"""Compares challengers with what stood in pages, from the lake: what they agree on, and what clicks say."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from math import log2, sqrt
from pathlib import Path
from typing import Any, Final

from origin.explain.counted import counted
from origin.lake import reader as lake
from origin.lake.tables import DECISIONS, EVENTS, SHADOWS

NORMAL_95: Final = 1.96
Key = tuple[str, str]
"""A decision and a placement."""


@dataclass
class Mean:
    """The mean of many numbers, and how sure it is."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        """One more."""
        self.count, self.total, self.squares = (
            self.count + 1, self.total + value, self.squares + value * value
        )  # fmt: skip

    @property
    def value(self) -> float:
        """The mean; 0 of nothing."""
        return self.total / self.count if self.count else 0.0

    @property
    def margin(self) -> float:
        """Half of the 95 % interval, by the normal approximation."""
        if self.count < 2:
            return 0.0
        variance = max(0.0, self.squares - self.total * self.value) / (self.count - 1)
        return NORMAL_95 * sqrt(variance / self.count)


@dataclass
class Duel:
    """A recommender and its challenger, over the decisions that both listed for.

    Attributes
    ----------
    same, first : int
        Lists with the same items in the same order; with the same item in the first place.
    overlap : Mean
        The share of the shown items that the challenger lists, too.
    clicks, kept : int
        Clicked items, and those of them that the challenger lists.
    shown_ndcg, tried_ndcg, gain : Mean
        Over decisions with a click: nDCG of the clicked items in the list that was shown and in the
        challenger's, and the latter less the former.
    """

    recommender: str
    challenger: str
    decisions: int = 0
    same: int = 0
    first: int = 0
    clicks: int = 0
    kept: int = 0
    overlap: Mean = field(default_factory=Mean)
    shown_ndcg: Mean = field(default_factory=Mean)
    tried_ndcg: Mean = field(default_factory=Mean)
    gain: Mean = field(default_factory=Mean)

    def add(self, shown: list[str], tried: list[str], clicked: set[str]) -> None:
        """One decision."""
        self.decisions += 1
        self.same += shown == tried
        self.first += shown[:1] == tried[:1]
        self.overlap.add(len(set(shown) & set(tried)) / len(shown))
        if clicked:
            one, other = ndcg(shown, clicked), ndcg(tried, clicked)
            self.shown_ndcg.add(one)
            self.tried_ndcg.add(other)
            self.gain.add(other - one)
            self.clicks += len(clicked)
            self.kept += len(clicked & set(tried))

    def document(self) -> dict[str, Any]:
        """As JSON."""
        rounded = {
            name: {"mean": round(mean.value, 6), "margin": round(mean.margin, 6)}
            for name, mean in vars(self).items()
            if isinstance(mean, Mean)
        }
        return {**asdict(self), **rounded, "ctr": self.ctr, "would_be_ctr": self.would_be_ctr}

    @property
    def ctr(self) -> float:
        """Clicked items for each decision."""
        return self.clicks / self.decisions if self.decisions else 0.0

    @property
    def would_be_ctr(self) -> float:
        """Clicks for each decision that the challenger would have had at least: on what it lists, too."""
        return self.kept / self.decisions if self.decisions else 0.0


def ndcg(listed: list[str], wanted: set[str]) -> float:
    """How high up in the list the wanted items stand; 1 where they are its first."""
    gained = sum(1 / log2(place + 2) for place, item in enumerate(listed) if item in wanted)
    return gained / sum(1 / log2(place + 2) for place in range(min(len(wanted), len(listed))))


def duels(root: Path, site: str) -> list[Duel]:
    """Each recommender that has a challenger, in the order of names. Memory grows with what was tried.

    Decisions that learning may not use are left out.
    """
    tried = _tried(root, site)
    clicked = _clicked(root, site, tried)
    found: dict[tuple[str, str], Duel] = {}
    for key, shown in _shown(root, site, tried):
        recommender, challenger, items = tried[key]
        duel = found.setdefault((recommender, challenger), Duel(recommender, challenger))
        duel.add(shown, items, clicked.get(key, set()) & set(shown))
    return [found[name] for name in sorted(found)]


def _tried(root: Path, site: str) -> dict[Key, tuple[str, str, list[str]]]:
    columns = ["decision", "placement", "recommender", "challenger", "items"]
    return {
        (row["decision"], row["placement"]): (row["recommender"], row["challenger"], row["items"])
        for row in lake.rows(root, site, SHADOWS, columns)
    }


def _clicked(root: Path, site: str, tried: Mapping[Key, object]) -> dict[Key, set[str]]:
    found: defaultdict[Key, set[str]] = defaultdict(set)
    for row in lake.rows(root, site, EVENTS, ["decision", "placement", "kind", "item"]):
        key = row["decision"], row["placement"]
        if row["kind"] == "click" and row["item"] and key in tried:
            found[key].add(row["item"])
    return found


def _shown(root: Path, site: str, tried: Mapping[Key, object]) -> Iterator[tuple[Key, list[str]]]:
    for row in lake.rows(root, site, DECISIONS, ["id", "slots", "teaches"]):
        for slot in row["slots"] if row["teaches"] else ():
            key = row["id"], slot["placement"]
            if slot["items"] and key in tried:
                yield key, slot["items"]


def duel_lines(found: list[Duel]) -> Iterator[str]:
    """What there is to say, for people."""
    if not found:
        yield "no challenger was tried yet"
    for duel in found:
        yield f"{duel.recommender} against {duel.challenger}, on {counted(duel.decisions, 'decision')}"
        same, first = duel.same / duel.decisions, duel.first / duel.decisions
        yield f"  the same list {same:.1%}, the same first item {first:.1%}"
        yield f"  overlap {duel.overlap.value:.1%} ± {duel.overlap.margin:.1%} of the items shown"
        yield from _clicks(duel)


def _clicks(duel: Duel) -> Iterator[str]:
    if not duel.clicks:
        yield "  no clicks yet"
        return
    kept, gain = duel.kept / duel.clicks, duel.gain
    yield f"  {counted(duel.clicks, 'click')}, {duel.ctr:.4f} a decision"
    yield f"  the challenger lists {kept:.1%} of them, too: at least {duel.would_be_ctr:.4f} a decision"
    shown, tried = duel.shown_ndcg.value, duel.tried_ndcg.value
    yield f"  nDCG of the clicks {shown:.4f} as shown, {tried:.4f} by the challenger"
    yield f"  difference {gain.value:+.4f} ± {gain.margin:.4f}"
    yield "  clicks were made on what was shown, which favours it: read differences with that in mind"
