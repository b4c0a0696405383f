"""Reads which items a brought recommender speaks of, and finds them in the catalog."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.bring.source import cannot

MAX_BYTES: Final = 64 << 20
ENDINGS: Final = (".txt", ".csv", ".json", ".npy")
"""Of files that name items: one a line, a column `item` or `id`, a list, an array of texts."""

COLUMNS: Final = ("item", "id")


@dataclass(frozen=True, eq=False)
class Alignment:
    """Where the items of a source are in the catalog, and the other way round.

    Attributes
    ----------
    to_source : ndarray of int32, shape (n_items + 1,)
        Of each catalog position the source's; of the padding, and of items that the source
        lacks, the number of its items.
    to_catalog : ndarray of int32, shape (n_source,)
        Of each of the source's positions the catalog's; -1 of items that the catalog lacks.
    """

    to_source: NDArray[np.int32]
    to_catalog: NDArray[np.int32]

    @property
    def n_items(self) -> int:
        """Of the catalog."""
        return len(self.to_source) - 1

    @property
    def n_source(self) -> int:
        """Of the source."""
        return len(self.to_catalog)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Of each item of the catalog, whether the source has it."""
        return self.to_source[:-1] < self.n_source

    @property
    def is_same(self) -> bool:
        """Whether positions mean the same on both sides."""
        return np.array_equal(self.to_source, np.arange(self.n_source + 1))

    def card(self) -> dict[str, int]:
        """As the model's card has it."""
        known = int(self.known.sum())
        return {"known": known, "unknown": self.n_source - known, "missing": self.n_items - known}


def align(ids: Sequence[str], catalog: Sequence[str], named_in: str) -> Alignment:
    """Find a source's items in the catalog.

    Raises
    ------
    GivenError
        ``bring``: an id is there twice, or the catalog has none of them.
    """
    places: dict[str, int] = {}
    for place, item in enumerate(ids):
        if item in places:
            said = f"names {item!r} twice, at {places[item] + 1} and {place + 1}"
            raise cannot(named_in, said, "each item of the model has one position")
        places[item] = place
    to_source = [places.get(item, len(ids)) for item in catalog]
    if all(place == len(ids) for place in to_source):
        said = f"names {len(ids):,} items, and the catalog has none of them: {', '.join(ids[:3])}, …"
        raise cannot(named_in, said, "write the ids of the catalog's column `id`")
    at = {item: position for position, item in enumerate(catalog)}
    to_catalog = [at.get(item, -1) for item in ids]
    return Alignment(np.array([*to_source, len(ids)], np.int32), np.array(to_catalog, np.int32))


def read_ids(path: Path) -> tuple[str, ...]:
    """The ids that a file names, in its order.

    Raises
    ------
    GivenError
        ``bring``: no such file, an ending that is not known, or no list of ids.
    """
    suffix = path.suffix.lower()
    if suffix not in ENDINGS:
        raise cannot(path.name, f"ends in {suffix or 'nothing'}", f"items are read from {', '.join(ENDINGS)}")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise cannot(path.name, f"has more than {MAX_BYTES >> 20} MB", "it names items, one a line")
        ids = _READERS[suffix](path)
    except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
        raise cannot(path.name, f"can't be read: {error}") from error
    if not ids:
        raise cannot(path.name, "names no item")
    empty = next((place for place, item in enumerate(ids, 1) if not item), 0)
    if empty:
        raise cannot(path.name, f"has nothing as item {empty}", "each item of the model has an id")
    return ids


def texts(array: NDArray[np.generic], what: str) -> tuple[str, ...]:
    """An array of ids: texts, or whole numbers as they are written."""
    if array.ndim != 1 or array.dtype.kind not in "USiu":
        said = f"is an array of {array.dtype}, shape {array.shape}"
        raise cannot(what, said, "ids are a list of texts: `np.array(ids, dtype=str)`")
    if array.dtype.kind == "S":
        return tuple(item.decode("utf-8") for item in array.tolist())
    return tuple(map(str, array.tolist()))


def _lines(path: Path) -> tuple[str, ...]:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    return tuple(line.strip() for line in lines)


def _column(path: Path) -> tuple[str, ...]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, strict=True)
        column = next((name for name in COLUMNS if name in (rows.fieldnames or ())), None)
        if column is None:
            raise ValueError(f"no column {' or '.join(COLUMNS)} in its first line")
        return tuple(row[column] or "" for row in rows)


def _list(path: Path) -> tuple[str, ...]:
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, list) or not all(isinstance(item, str | int) for item in found):
        raise ValueError("it is no list of ids")
    return tuple(map(str, found))


def _array(path: Path) -> tuple[str, ...]:
    from models.bring.tables import read_npy  # noqa: PLC0415 - it reads ids with this module

    return texts(read_npy(path), path.name)


_READERS: Final = {".txt": _lines, ".csv": _column, ".json": _list, ".npy": _array}
