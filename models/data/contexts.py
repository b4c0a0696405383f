"""The contexts that items were viewed in, as rows of numbers beside interactions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Contexts:
    """What was known when each item was viewed.

    Attributes
    ----------
    names : tuple[str, ...]
        Of the numbers: those that features are, in order.
    codes : tuple[int, ...]
        Of a number that stands for one of some texts, how many there are; 0 of any other.
    rows : ndarray of float32
        One row for each interaction; NaN where missing.
    """

    names: tuple[str, ...]
    codes: tuple[int, ...]
    rows: Rows

    def where(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "Contexts":
        """The chosen rows."""
        return Contexts(self.names, self.codes, self.rows[rows])

    def of_users(self, first: Sequence[int]) -> Rows:
        """The rows at these places, one for each user; of a user without one (-1), nothing is known."""
        places = np.array(first, np.int64)
        found = self.rows[places].copy()
        found[places < 0] = np.nan
        return found
