"""Tries the filters of a bundle: all members that are asked for are found, and few strangers are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from compiler.rules.fuse import U64, found_in
from compiler.types import IdList
from edge.bundle.arrays import Array, unpack
from edge.bundle.reader import Bundle
from edge.decide.fuse import FALSE_POSITIVE_RATE, Fuse, key_of
from edge.errors import BundleError

STRANGERS: Final = 1 << 18
"""Ids that are tried on each list; four of them are expected to be taken for members."""

MEMBERS: Final = 1_000
"""Ids of each list that are looked up as an edge does it."""

MAX_TAKEN: Final = 24
"""More strangers than this are taken once in 10^11 lists: then the filter is at fault."""


@dataclass(frozen=True)
class Trial:
    """How a list did.

    Attributes
    ----------
    ids : int
        Different ones.
    stated : float
        The share of strangers that it is expected to take for members.
    strangers, taken : int
        How many were tried, and how many of them were taken for members.
    """

    ids: int
    stated: float
    strangers: int
    taken: int

    def __str__(self) -> str:
        tried = f"{self.taken} of the {self.strangers:,} tried"
        return f"{self.ids:,} ids, takes 1 of {round(1 / self.stated):,} strangers for members ({tried})"


def try_lists(bundle: Bundle, lists: Iterable[IdList]) -> dict[str, Trial]:
    """A trial of each list of a bundle, by name; the same for the same ids.

    Raises
    ------
    BundleError
        ``lists``: a member is not found, or far too many strangers are.
    """
    artifacts = bundle.artifacts("rules", "lists")
    return {one.name: _try(one, unpack(bundle.read(artifacts[f"lists/{one.name}"]))) for one in lists}


def _try(one: IdList, arrays: Mapping[str, Array]) -> Trial:
    members, ids = Fuse(arrays), list(dict.fromkeys(one.ids))
    missed = [id_ for id_ in ids[:: max(1, len(ids) // MEMBERS)] if id_ not in members]
    names, keys = _strangers()
    known = frozenset(ids)
    strangers = np.array([name not in known for name in names])
    taken = int(np.count_nonzero(found_in(arrays, keys) & strangers))
    if missed or taken > MAX_TAKEN:
        message = f"list {one.name!r} does not find {len(missed)} members, and finds {taken} strangers"
        raise BundleError("lists", message)
    return Trial(len(ids), FALSE_POSITIVE_RATE, int(np.count_nonzero(strangers)), taken)


@lru_cache(1)
def _strangers() -> tuple[Sequence[str], U64]:
    """Ids that no shop gives, and their keys."""
    names = [f"stranger-{number}" for number in range(STRANGERS)]
    return names, np.fromiter(map(key_of, names), np.uint64, len(names))
