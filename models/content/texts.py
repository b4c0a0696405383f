"""What the catalog says of its items, as sparse rows of terms: TF-IDF."""

import difflib
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
import scipy.sparse

from edge.errors import GivenError
from models.data.interactions import Interactions
from models.settings import Text

COLUMNS: Final = Text("all", "The catalog's columns to read, with spaces between; `all` is all but links.")
WORD: Final = re.compile(r"\w+(?:['’]\w+)*")
LINK: Final = re.compile(r"(https?:)?/\S*|\S+\.(jpe?g|png|webp|svg|gif)", re.IGNORECASE)
"""What says where an item or its picture is, and nothing of what it is."""


def item_terms(interactions: Interactions, columns: str) -> scipy.sparse.csr_array:
    """A row of weighted terms per item, of length 1, or 0 where the catalog says nothing.

    A term is a word in a column. Each column counts as much as any other: its weights,
    ``(1 + log n) * log(items / items with the term)``, are brought to length 1 first.

    Raises
    ------
    GivenError
        ``catalog``: there is no such column, or none at all.
    """
    parts = [_weights(interactions.item_columns[name]) for name in text_columns(interactions, columns)]
    return _unit(scipy.sparse.hstack(parts, format="csr"))


def text_columns(interactions: Interactions, columns: str) -> list[str]:
    """The names of the catalog's columns to read; raises as `item_terms` does."""
    known = interactions.item_columns
    if columns != COLUMNS.default:
        for name in columns.split():
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known) or 'none'}"
                raise GivenError("catalog", f"the catalog has no column {name!r}; {hint}")
        return columns.split()
    found = readable_columns(interactions)
    if not found:
        raise GivenError("catalog", "the catalog has no column of text; add one, such as a title")
    return found


def readable_columns(interactions: Interactions) -> list[str]:
    """The catalog's columns that hold more than links; there may be none."""
    known = interactions.item_columns
    return [name for name, texts in known.items() if not all(map(LINK.fullmatch, filter(None, texts)))]


def _weights(texts: Sequence[str]) -> scipy.sparse.csr_array:
    places: dict[str, int] = {}
    rows, columns, counts = [], [], []
    for row, text in enumerate(texts):
        for word, count in sorted(Counter(WORD.findall(text.casefold())).items()):
            rows.append(row)
            columns.append(places.setdefault(word, len(places)))
            counts.append(1 + np.log(count))
    shape = (len(texts), max(1, len(places)))
    found = scipy.sparse.csr_array((np.array(counts, np.float64), (rows, columns)), shape=shape)
    spread = np.maximum(np.bincount(np.array(columns, np.int64), minlength=shape[1]), 1)
    return _unit(found.multiply(np.log((1 + len(texts)) / spread)).tocsr())


def _unit(rows: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    length = np.sqrt(rows.multiply(rows).sum(axis=1))
    unit: scipy.sparse.csr_array = rows.multiply(1 / np.maximum(length, 1e-12)[:, np.newaxis]).tocsr()
    return unit
