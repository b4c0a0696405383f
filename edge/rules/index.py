"""All conditions of a bundle as one index: a look-up and an AND per attribute, not per rule."""

from collections.abc import Mapping
from typing import Any, Final

from edge.bundle.arrays import Array
from edge.bundle.strings import Strings
from edge.rules.attribute import FALSE, TRUE, Attribute, Listed, Ranges, to_int
from edge.rules.check import check
from edge.rules.residual import Residuals
from edge.rules.values import Value

__all__ = ["ARRAYS", "Index", "Value"]

ARRAYS: Final = {
    "everyone": ("|u1", 1),
    "rules": ("<u4", 1),
    "kinds": ("|u1", 1),
    "types": ("|u1", 1),
    "absent": ("|u1", 2),
    "default": ("|u1", 2),
    "unranged": ("|u1", 2),
    "flips": ("<u4", 1),
    "flips.pointers": ("<u4", 1),
    "cuts": ("<f8", 1),
    "cuts.of": ("<u4", 1),
    "toggles": ("<u4", 1),
    "toggles.pointers": ("<u4", 1),
    "checkpoints": ("|u1", 2),
    "checkpoints.at": ("<u4", 1),
    "checkpoints.of": ("<u4", 1),
    "reads.types": ("|u1", 1),
    "groups.of": ("<u4", 1),
    "guarded": ("|u1", 2),
    "guards": ("<u4", 1),
    "wants": ("<u4", 1),
    "wants.of": ("<u4", 1),
    "users": ("<u4", 1),
    "users.of": ("<u4", 1),
}
"""dtype and dimensions of each array, beside the strings ``attributes values predicates reads``."""


SPARSE_FROM: Final = 16
"""So many attributes whose absence no rule minds are looked up only for requests that have them."""


class Index:
    """Which rules' conditions hold for a context; opening it costs by attributes, not by rules.

    Rule r is bit r of every bitmap. For each attribute there is a bitmap for a
    missing value and one for any value in no list; a listed value names the
    rules that differ from the latter; numbers are also looked up among the
    cuts of all intervals. A rule that no context can satisfy has no bit in
    `everyone`, and none anywhere for the attribute that rules it out. What no
    look-up can tell is left to `Residuals`, for the rules that are still alive.
    A value of another type than its attribute's is missing. Attributes whose absence no
    rule minds, where there are many, cost only requests that have them.

    Attributes
    ----------
    size : int
        How many rules there are.
    attributes : tuple[str, ...]
        The names that conditions read, sorted.
    everyone : int
        The bits of all rules that can match.

    Raises
    ------
    BundleError
        ``index``: an array is missing, or its shape or contents don't fit the others.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        check(arrays, ARRAYS)
        names = Strings(arrays, "attributes")
        self.size = int(arrays["rules"][0])
        looked_up = tuple(names[i].decode() for i in range(len(names)))
        self.residuals = Residuals(arrays)
        self._narrow = self.residuals.narrow if self.residuals.any else None
        self.attributes = tuple(sorted({*looked_up, *self.residuals.types}))
        self.everyone = to_int(arrays["everyone"])
        offsets = arrays["values.offsets"]
        longest = int((offsets[1:] - offsets[:-1]).max(initial=0))
        listed = Listed(Strings(arrays, "values"), arrays["flips.pointers"], arrays["flips"], longest)
        tables = [_attribute(arrays, position, listed) for position in range(len(looked_up))]
        minding = arrays["everyone"] & ~arrays["absent"]
        sparse = {name for name, rules in zip(looked_up, minding, strict=True) if not rules.any()}
        sparse = sparse if len(sparse) >= SPARSE_FROM else set()
        named = [
            (name, table.remembered, table.look_up) for name, table in zip(looked_up, tables, strict=True)
        ]
        self._tables = [table for table in named if table[0] not in sparse]
        self._sparse = {table[0]: table for table in named if table[0] in sparse}

    def match(self, attributes: Mapping[str, Any], alive: int) -> int:
        """Those bits of `alive` whose rules hold for these attributes.

        `alive` must hold no bits beyond `everyone`; a killed campaign is a bit
        taken out of it.
        """
        get = attributes.get
        tables = self._tables
        if self._sparse and (held := self._sparse.keys() & attributes.keys()):
            tables = [*tables, *[self._sparse[name] for name in held]]
        for name, remembered, look_up in tables:
            value = get(name)
            if value is True:
                value = TRUE
            elif value is False:
                value = FALSE
            try:
                bits = remembered.get(value)
            except TypeError:  # a list
                bits = None
            if bits is None:
                bits = look_up(value)
            alive &= bits
        return alive if self._narrow is None else self._narrow(attributes, alive)


def _attribute(arrays: Mapping[str, Array], position: int, listed: Listed) -> Attribute:
    rows = (arrays["absent"][position], arrays["default"][position], arrays["unranged"][position])
    kinds = int(arrays["kinds"][position])
    types = int(arrays["types"][position])
    return Attribute(position, rows, (kinds, types), listed, _ranges(arrays, position))


def _ranges(arrays: Mapping[str, Array], position: int) -> Ranges | None:
    first, end = arrays["cuts.of"][position : position + 2].tolist()
    above, below = arrays["checkpoints.of"][position : position + 2].tolist()
    if above == below:
        return None
    return Ranges(
        arrays["cuts"][first:end],
        arrays["toggles.pointers"][first : end + 1],
        arrays["toggles"],
        arrays["checkpoints.at"][above:below],
        arrays["checkpoints"][above:below],
    )
