"""What a checked recommender holds, as plain values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


def words_of(condition: Mapping[str, Any]) -> str:
    """A condition without its brackets and quotes."""
    return ", ".join(re.sub(r"[{}'\"]", "", f"{name} {wanted}") for name, wanted in condition.items())


@dataclass(frozen=True)
class ItemCondition:
    """A condition over ``item.COLUMN`` of the catalog, flat, and as a person knows it."""

    written: Mapping[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """As a person knows it."""
        return words_of(self.written)


EVERY_ITEM = ItemCondition()


@dataclass(frozen=True)
class Filter:
    """What may be listed.

    Items that meet `where`, or, with `when`, do so where the context meets that. Or items whose `column`
    holds (`kind` ``has``) or is no greater than (``at-most``) the `attribute`; `keeps_unknown` says whether
    one that is missing leaves them in.
    """

    where: ItemCondition = EVERY_ITEM
    when: Mapping[str, Any] | None = None
    reads: tuple[str, ...] = ()
    kind: str = ""
    column: str = ""
    attribute: str = ""
    keeps_unknown: bool = False
    line: int = 0

    @property
    def words(self) -> str:
        """As a person knows it."""
        if self.kind:
            return f"{self.column} {self.kind} {self.attribute}"
        return self.where.words + (f" when {words_of(self.when)}" if self.when is not None else "")

    @property
    def is_static(self) -> bool:
        """Whether it is the same for every context."""
        return self.when is None and not self.kind


@dataclass(frozen=True)
class Boost:
    """What raises or lowers a score: of items that meet `where`, or of the `newest` by a column of dates."""

    where: ItemCondition = EVERY_ITEM
    times: float = 1.0
    plus: float = 0.0
    newest: str = ""
    half_life_s: int = 0
    line: int = 0

    @property
    def words(self) -> str:
        """As a person knows it."""
        if self.newest:
            return f"newest {self.newest} times {self.times:g}"
        return f"{self.where.words} " + (f"plus {self.plus:g}" if self.plus else f"times {self.times:g}")


@dataclass(frozen=True)
class Explore:
    """The place in the list, from 0, that tries another of `of` items in a `share` of decisions."""

    slot: int
    share: float
    of: int
    where: ItemCondition | None = None


@dataclass(frozen=True)
class Challenger:
    """Another model, and the share of decisions for which it is scored beside the page."""

    model: str
    share: float


@dataclass(frozen=True)
class NewItems:
    """How items that no model knows take their place: from items `like` them in these columns."""

    like: tuple[str, ...]
    where: ItemCondition = EVERY_ITEM


@dataclass(frozen=True)
class RecommenderConfig:
    """recommenders/NAME.yaml: models, and what happens around their scores.

    Attributes
    ----------
    models : tuple of str
        The chain: each is asked where those before it are not sure.
    least : float or None
        An item of a lower score of the first model is none.
    items, history : int
        With fewer such items, or for shorter histories, the next model is asked; `history` None: 1, or 0
        for a model that is alone.
    keeps_seen : bool or None
        Whether what was viewed may be listed; None: as the model does.
    without : tuple of str
        Attributes that hold ids of items to leave out.
    near : str
        A model whose rows say what is alike, beside the columns `alike`; empty for none.
    """

    name: str
    models: tuple[str, ...]
    path: str
    line: int
    least: float | None = None
    items: int = 1
    history: int | None = None
    fill: bool = True
    keeps_seen: bool | None = None
    filters: tuple[Filter, ...] = ()
    boosts: tuple[Boost, ...] = ()
    pins: tuple[tuple[str, int], ...] = ()
    caps: tuple[tuple[str, int], ...] = ()
    diversity: float = 0.0
    alike: tuple[str, ...] = ()
    near: str = ""
    explore: Explore | None = None
    new_items: NewItems | None = None
    without: tuple[str, ...] = ()
    consider: int = 0
    challenger: Challenger | None = None

    @property
    def reads(self) -> tuple[str, ...]:
        """The attributes that its list depends on."""
        return tuple(sorted({*self.without}.union(*(one.reads for one in self.filters))))
