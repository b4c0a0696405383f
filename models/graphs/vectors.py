"""The rows that stand for items in a model of factors: the angle between two says how alike the items are."""

import numpy as np
from numpy.typing import NDArray

from models.small.storage import decode
from models.trained import Trained


def item_vectors(model: Trained) -> NDArray[np.float32] | None:
    """A row for each item, from the product that a model of factors ends in; None for other models."""
    arrays, items = decode(model.arrays), len(model.items)
    out = arrays.get("out")
    if out is None:
        return None
    if "block_place" in arrays:
        rows = out.reshape(-1, arrays["block_centre"].shape[0])[arrays["block_place"][:-1]]
    else:
        rows = out.T
    fits = rows.ndim == 2 and len(rows) == items and rows.dtype == np.float32
    return np.ascontiguousarray(rows) if fits else None
