"""What is sold out, as an engine's recommenders use it: catalog positions instead of ids."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.bundle.stock import StockList
from edge.bundle.strings import Strings


@dataclass(frozen=True, eq=False)
class Stock:
    """The items that no recommender lists, for one catalog; two are the same only if they are one object.

    Attributes
    ----------
    id : str
        What records name it by; empty where nothing was ever said of stock.
    serial : int
        The higher, the newer.
    out : frozenset of int
        Catalog positions; `positions` are the same.
    unknown : int
        How many ids the catalog lacks.
    """

    id: str = ""
    serial: int = 0
    out: frozenset[int] = frozenset()
    unknown: int = 0
    positions: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "positions", np.array(sorted(self.out), np.int64))


ALL = Stock()
"""All items are to be had."""


def stock_of(listed: StockList, id_: str, items: Strings) -> Stock:
    """A stock list over a catalog. It takes a while where many are out, so it is not for a page."""
    found = items.places(item.encode() for item in listed.out)
    out = frozenset(position for position in found if position >= 0)
    return Stock(id_, listed.serial, out, len(found) - len(out))
