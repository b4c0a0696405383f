"""What a feature is: a number made from attributes, defined once for the edge and for the lake."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import inf
from typing import Final

import msgspec

CONTEXT: Final = "context"
"""A graph's input with the raw columns of contexts: float32, (rows, columns), NaN where missing."""

MAX_NUMBER: Final = 1e30
"""A number beyond this is taken for missing, so that 32 bits hold all that is made of it."""

MAX_FEATURES: Final = 512
MAX_CATEGORIES: Final = 256
MAX_CUTS: Final = 64
MAX_VALUES: Final = 4_096
"""Of all features together: a cross has one for each pair."""

NUMBER: Final = "number"
ONE_HOT: Final = "one_hot"
CODE: Final = "code"
BUCKETS: Final = "buckets"
PRESENT: Final = "present"
CROSS: Final = "cross"
KINDS: Final = (NUMBER, ONE_HOT, CODE, BUCKETS, PRESENT, CROSS)


class Feature(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One feature; what is missing stays so, but for `missing`, and is in no category and no bucket.

    Attributes
    ----------
    kind : str
        ``number``; ``one_hot``, a 1 for the category that it is; ``code``, the category's position, or their
        count for any other; ``buckets``, a 1 for the part that the number is in; ``present``, whether
        there is a value; ``cross``, each value of one feature times each of another.
    attribute : str
        What it reads; empty for a cross.
    text : bool
        Whether that is a text.
    cuts : tuple[float, ...]
        Where buckets begin, rising; the first begins before them all.
    clip : tuple[float, float] or None
        The least and the most that a number counts as.
    log : bool
        Of a number: the natural logarithm of 1 more, and 0 below 0; after `clip`.
    missing : float or None
        What stands for a missing number, before all else.
    of : tuple[str, ...]
        The two features of a cross.
    """

    name: str
    kind: str
    attribute: str = ""
    text: bool = False
    categories: tuple[str, ...] = ()
    cuts: tuple[float, ...] = ()
    clip: tuple[float, float] | None = None
    log: bool = False
    missing: float | None = None
    of: tuple[str, ...] = ()

    @property
    def column(self) -> "Column":
        """What it reads of a context."""
        coded = self.categories if self.kind in (ONE_HOT, CODE) else ()
        return Column(self.attribute, self.text, coded)

    @property
    def parts(self) -> list[tuple[float, float]]:
        """Of buckets: from (inside) and to (outside) of each."""
        return list(pairwise((-inf, *self.cuts, inf)))


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One raw number of a context: an attribute as it is, or for a text its position among the categories."""

    attribute: str
    text: bool = False
    categories: tuple[str, ...] = ()


Features = Mapping[str, Feature]


def values_of(feature: Feature, features: Features) -> tuple[str, ...]:
    """The names of the numbers that a feature is."""
    name = feature.name
    if feature.kind == ONE_HOT:
        return tuple(f"{name}={category}" for category in feature.categories)
    if feature.kind == BUCKETS:
        return tuple(f"{name}={_part(*part)}" for part in feature.parts)
    if feature.kind == CROSS:
        one, other = (values_of(features[part], features) for part in feature.of)
        return tuple(f"{left}*{right}" for left in one for right in other)
    return (name,)


def needed(names: Iterable[str], features: Features) -> list[Feature]:
    """These features and those that they are made of, sorted by name."""
    found: dict[str, Feature] = {}
    for name in names:
        feature = features[name]
        found |= {part: features[part] for part in feature.of}
        found[name] = feature
    return [found[name] for name in sorted(found)]


def columns_of(features: Iterable[Feature]) -> tuple[Column, ...]:
    """What these features read of a context, each column once, in an order that depends on nothing else."""
    columns = {feature.column for feature in features if feature.kind != CROSS}
    return tuple(sorted(columns, key=lambda column: (column.attribute, column.categories)))


def flattened(names: Sequence[str], features: Features) -> Iterator[str]:
    """The names of all numbers of these features, in their order."""
    for name in names:
        yield from values_of(features[name], features)


def _part(low: float, high: float) -> str:
    if low == -inf:
        return f"below-{high:g}"
    return f"from-{low:g}" if high == inf else f"{low:g}-to-{high:g}"
