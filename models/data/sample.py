"""Keeps real rows beside a model, on which a compiler proves that its graph is the model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle.arrays import Array, pack, unpack
from edge.bundle.features import CONTEXT
from edge.decide import words
from models.data.histories import newest_rows
from models.data.interactions import Interactions

SAMPLE_FILE: Final = "sample.nsa"
MAX_ROWS: Final = 200_000
"""Of interactions: enough for many more than the 10,000 histories that are certified."""


MAX_TABLE_ROWS: Final = 10_000
MAX_CELLS: Final = 2_000_000
"""Of a table: wide ones give fewer rows."""


def sample_histories(interactions: Interactions) -> dict[str, Array]:
    """Whole histories of users, most recent first: `items` one after the other, `starts` of each and the end.

    Users are taken from all over the file until there are `MAX_ROWS` items. Where contexts are known,
    `context` has that of each item, and there are `MAX_CELLS` of their numbers at most.
    """
    known, contexts = newest_rows(interactions), interactions.contexts
    most = MAX_ROWS if contexts is None else min(MAX_ROWS, MAX_CELLS // max(1, len(contexts.names)))
    chosen, total = [], 0
    for position in _spread(len(known)):
        if total >= most:
            break
        chosen.append(known[position])
        total += len(known[position])
    starts = np.cumsum([0, *map(len, chosen)], dtype=np.int64)
    items = np.array([item for history in chosen for item in history], np.int32)
    found: dict[str, Array] = {"items": items, "starts": starts}
    if contexts is not None:
        found[CONTEXT] = contexts.rows[[row for history in chosen for row in history.values()]]
    return found


def real_histories(sample: Mapping[str, Array], longest: int, most: int) -> list[NDArray[np.int32]]:
    """Up to `most` histories of a sample, most recent first: each was some user's at some time.

    A user who did n things had n histories, each with one more in front; they are taken at equal distances.
    """
    if not sample:
        return []
    items, starts = sample["items"], sample["starts"]
    count = min(len(items), most)
    begins = np.arange(count) * len(items) // max(1, count)
    ends = starts[np.searchsorted(starts, begins, side="right")]
    return [items[at : min(end, at + longest)] for at, end in zip(begins, ends, strict=True)]


def sample_rows(rows: NDArray[np.float32]) -> dict[str, Array]:
    """Rows of a table from all over it, up to `MAX_CELLS` numbers; none where it has no columns."""
    return {"rows": rows[_even(len(rows), rows.shape[1])]} if rows.size else {}


def sample_texts(texts: Sequence[str], width: int) -> dict[str, Array]:
    """The same of texts, hashed as the edge will: no text is kept."""
    return {"rows": words.rows([texts[row] for row in _even(len(texts), width).tolist()], width)}


def _even(count: int, width: int) -> NDArray[np.int64]:
    kept = min(count, MAX_TABLE_ROWS, max(1, MAX_CELLS // width))
    return np.arange(kept) * count // kept


def _spread(count: int) -> list[int]:
    """Every position once, near ones far apart: multiples of a step that shares no factor with the count."""
    step = next(step for step in range(int(count * 0.618) + 1, 2 * count + 2) if np.gcd(step, count) == 1)
    return [position * step % count for position in range(count)]


def save_sample(sample: Mapping[str, Array], folder: Path) -> None:
    """Write it into a model's folder, or take it away where there is none."""
    if sample:
        (folder / SAMPLE_FILE).write_bytes(pack(sample))
    else:
        (folder / SAMPLE_FILE).unlink(missing_ok=True)


def load_sample(folder: Path) -> dict[str, Array]:
    """What `save_sample` wrote; empty for models of before there were samples.

    Raises
    ------
    BundleError
        ``arrays``: the file is damaged.
    """
    path = folder / SAMPLE_FILE
    return unpack(path.read_bytes()) if path.is_file() else {}
