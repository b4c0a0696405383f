"""What a network learns from contexts: one example for each that a user viewed something in."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from edge.bundle.features import MAX_NUMBER
from models.data.histories import newest_rows
from models.data.interactions import Interactions
from models.graphs.context_inputs import columns_of, inputs
from models.learn.torch_training import as_tensor, import_torch

EACH: Final = 0.25
"""How much less often one number is hidden than all of them: hidden as often, they said less in the end."""


class Told:
    """The contexts of interactions, as examples.

    Parameters
    ----------
    scaled
        What `models.graphs.context_inputs.input_arrays` made.
    cold
        The share of examples that are learned without their history, and as many without their context, or a
        number of it: so that any of these is enough.

    Attributes
    ----------
    users : ndarray of int64
        By example, whose it is.
    wanted : sparse matrix of shape (examples, items)
        1 for what was viewed in that context.
    width : int
        How many inputs a context is.
    """

    def __init__(self, interactions: Interactions, scaled: Mapping[str, Array], cold: float) -> None:
        contexts = interactions.contexts
        assert contexts is not None
        # NaN is not itself, and no number of a context is so small.
        known = np.nan_to_num(contexts.rows, nan=-2 * MAX_NUMBER)
        pairs = np.concatenate([interactions.users[:, np.newaxis].astype(np.float64), known], axis=1)
        _, first, example = np.unique(pairs, axis=0, return_index=True, return_inverse=True)
        example, taken = example.reshape(-1), inputs(scaled, contexts.rows[first])
        self.users = interactions.users[first].astype(np.int64)
        shape = (len(first), len(interactions.item_ids))
        ones = np.ones(len(example), np.float32)
        self.wanted = scipy.sparse.csr_array((ones, (example, interactions.items)), shape=shape)
        self.wanted.data[:] = 1.0
        self.width = taken.shape[1]
        self._taken, self._cold = as_tensor(taken), cold
        nothing = np.full((1, len(contexts.names)), np.nan, np.float32)
        self._nothing = as_tensor(inputs(scaled, nothing))
        newest = [next(iter(rows.values()), -1) for rows in newest_rows(interactions)]
        self._columns = len(contexts.names)
        self._column_of = as_tensor(columns_of(scaled))
        self._of_users = inputs(scaled, contexts.of_users(newest))

    def hidden(self, history: Any, rows: NDArray[np.int64]) -> tuple[Any, Any]:
        """Histories without some, and the inputs of these examples, any number now and then missing."""
        torch = import_torch()
        drawn = torch.rand(len(rows), 1).to(history.device)
        each = torch.rand(len(rows), self._columns).to(history.device)
        known = (each >= self._cold * EACH) & (drawn <= 1 - self._cold)
        told = torch.where(known[:, self._column_of], self._taken[rows], self._nothing)
        return history * (drawn >= self._cold), told

    def of_users(self, users: NDArray[np.int64]) -> Any:
        """The inputs of these users' newest contexts."""
        return as_tensor(self._of_users[users])
