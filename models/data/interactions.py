"""Reads what visitors did with items from CSV or Parquet into arrays of codes."""

import csv
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle import format as fmt
from edge.errors import GivenError
from models.data.contexts import Contexts

COLUMNS: Final = ("user", "item", "timestamp")
CHANCE: Final = "noticed"
OPTIONAL: Final = ("value", CHANCE)

Row = tuple[str, str, int, float] | tuple[str, str, int, float, float]
"""``(user, item, timestamp, value)``, and the chance to be noticed where it is known."""


@dataclass(frozen=True, eq=False)
class Interactions:
    """Who did something with which item, and when.

    Attributes
    ----------
    users, items : ndarray of int32
        Codes, positions in `user_ids` and `item_ids`; parallel with the two below.
    timestamps : ndarray of int64
        Seconds since 1970, UTC.
    values : ndarray of float32
        A rating, or 1 where the file has none.
    user_ids : tuple[str, ...]
        In the order of their first row.
    item_ids : tuple[str, ...]
        The catalog: sorted by UTF-8 bytes.
    unknown : int
        Rows left out because their item is not in the catalog.
    item_columns : Mapping[str, tuple[str, ...]]
        What else the catalog says of its items: texts by column, each in the order of `item_ids`.
    folder : Path or None
        Of the workspace: what the columns name files in.
    contexts : Contexts or None
        What was known at each row, where models shall learn from it.
    noticed : ndarray of float32 or None
        The chance that each was noticed where the user came from, in (0, 1]; None where all are 1.
    """

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    timestamps: NDArray[np.int64]
    values: NDArray[np.float32]
    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]
    unknown: int = 0
    item_columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    folder: Path | None = None
    contexts: Contexts | None = None
    noticed: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.users)

    def where(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "Interactions":
        """The chosen rows, with the same codes."""
        return replace(
            self,
            users=self.users[rows],
            items=self.items[rows],
            timestamps=self.timestamps[rows],
            values=self.values[rows],
            noticed=None if self.noticed is None else self.noticed[rows],
            unknown=0,
            contexts=self.contexts.where(rows) if self.contexts else None,
        )

    def unseen(self) -> list[int]:
        """The items that nobody did anything with."""
        missing: list[int] = np.setdiff1d(np.arange(len(self.item_ids)), self.items).tolist()
        return missing

    def digest(self) -> str:
        """SHA-256 over all that training can see."""
        arrays = [array.tobytes() for array in (self.users, self.items, self.timestamps, self.values)]
        if self.noticed is not None:
            arrays.append(b"\1" + self.noticed.tobytes())
        ids = "\0".join(self.user_ids) + "\1" + "\0".join(self.item_ids)
        for name, texts in sorted(self.item_columns.items()):
            ids += "\1" + name + "\0" + "\0".join(texts)
        if self.contexts is not None:
            ids += "\1" + repr((self.contexts.names, self.contexts.codes))
            arrays.append(self.contexts.rows.tobytes())
        return fmt.digest(b"".join(arrays) + ids.encode())


def sort_items(ids: Iterable[str]) -> tuple[str, ...]:
    """Distinct ids in the order of a catalog: by their UTF-8 bytes."""
    return tuple(sorted(set(ids), key=str.encode))


def read(path: Path, items: Sequence[str]) -> Interactions:
    """Read a file by its ending: ``.parquet``, or else CSV; both have the same columns."""
    return (read_parquet if path.suffix == ".parquet" else read_csv)(path, items)


def read_parquet(path: Path, items: Sequence[str]) -> Interactions:
    """Read a Parquet file with the columns of `read_csv`; users and items may be text or whole numbers.

    Timestamps are numbers of seconds, or times; those without a zone are UTC.

    Raises
    ------
    GivenError
        ``interactions``, with file and row, counted from 1; see `read_csv`.
    """
    import pyarrow  # noqa: PLC0415 - slow to import, and most files are CSV
    import pyarrow.parquet  # noqa: PLC0415

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            missing = [name for name in COLUMNS if name not in names]
            if missing:
                message = f"no column {', '.join(missing)}; it must have user, item, timestamp[, value]"
                raise GivenError("interactions", f"{path}: {message}")
            table = file.read([name for name in (*COLUMNS, *OPTIONAL) if name in names])
    except (OSError, pyarrow.ArrowException) as error:
        raise GivenError("interactions", f"{path}: can't be read as Parquet: {error}") from error
    return from_rows(_table_rows(path, table.to_pydict()), items, str(path))


def _table_rows(path: Path, columns: dict[str, list[Any]]) -> Iterator[Row]:
    more = (columns.get(name, itertools.repeat(1.0)) for name in OPTIONAL)
    rows = zip(columns["user"], columns["item"], columns["timestamp"], *more, strict=False)
    for number, (user, item, at, value, chance) in enumerate(rows, 1):
        try:
            if user in (None, "") or item in (None, ""):
                raise ValueError("user or item is empty")
            seconds = _instant(at) if isinstance(at, datetime) else _seconds(str(at))
            yield str(user), str(item), seconds, _value(str(value)), _chance(chance)
        except ValueError as error:
            raise GivenError("interactions", f"{path}: row {number}: {error}") from error


def _instant(at: datetime) -> int:
    return _seconds(str((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()))


def read_csv(path: Path, items: Sequence[str]) -> Interactions:
    """Read ``user,item,timestamp[,value][,noticed]``, in any order of columns, with a header.

    Parameters
    ----------
    items
        The catalog's item ids in its order; they define the item codes.

    Raises
    ------
    GivenError
        ``interactions``, with file and line: no such file, a column is missing,
        a timestamp or value is no finite number, `noticed` no chance, or no row is left.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return from_rows(_parse(path, file), items, str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise GivenError("interactions", f"{path}: can't be read as UTF-8 text: {error}") from error


def from_rows(rows: Iterable[Row], items: Sequence[str], source: str = "rows") -> Interactions:
    """Interactions from rows; see `read_csv`."""
    positions = {item: code for code, item in enumerate(items)}
    user_codes: dict[str, int] = {}
    users, codes, timestamps, values, chances, unknown = [], [], [], [], [], 0
    for user, item, timestamp, value, *chance in rows:
        code = positions.get(item)
        if code is None:
            unknown += 1
            continue
        users.append(user_codes.setdefault(user, len(user_codes)))
        codes.append(code)
        timestamps.append(timestamp)
        values.append(value)
        chances.append(chance[0] if chance else 1.0)
    if not users:
        hint = f"; {unknown} rows name items that the catalog lacks" if unknown else ""
        raise GivenError("interactions", f"{source}: no interactions with items of the catalog{hint}")
    return Interactions(
        np.array(users, np.int32),
        np.array(codes, np.int32),
        np.array(timestamps, np.int64),
        np.array(values, np.float32),
        tuple(user_codes),
        tuple(items),
        unknown,
        noticed=np.array(chances, np.float32) if min(chances) < 1 else None,
    )


def _parse(path: Path, file: Iterable[str]) -> Iterator[Row]:
    reader = csv.reader(file, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        places = _places(path, header)
        for row in reader:
            if row:
                yield _row(row, places, len(header))
    except UnicodeDecodeError:
        raise
    except (csv.Error, ValueError) as error:
        raise GivenError("interactions", f"{path}:{reader.line_num}: {error}") from error


def _places(path: Path, header: list[str]) -> dict[str, int]:
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        must = "the header must name user,item,timestamp[,value][,noticed]"
        raise GivenError("interactions", f"{path}:1: no column {', '.join(missing)}; {must}")
    return {name: header.index(name) for name in (*COLUMNS, *OPTIONAL) if name in header}


def _row(row: list[str], places: Mapping[str, int], columns: int) -> Row:
    if len(row) != columns:
        raise ValueError(f"{len(row)} fields, but the header has {columns}")
    user, item, time = (row[places[name]] for name in COLUMNS)
    if not user or not item:
        raise ValueError("user or item is empty")
    value = _value(row[places["value"]]) if "value" in places else 1.0
    return user, item, _seconds(time), value, _chance(row[places[CHANCE]] if CHANCE in places else None)


def _seconds(text: str) -> int:
    try:
        seconds = int(float(text))
    except (ValueError, OverflowError):
        raise ValueError(f"timestamp {text!r} is no number of seconds since 1970") from None
    if not 0 <= seconds < 1 << 40:
        raise ValueError(f"timestamp {text!r} is out of range; give seconds since 1970, not milliseconds")
    return seconds


def _value(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"value {text!r} is no number") from None
    if not np.isfinite(value):
        raise ValueError(f"value {text!r} is not finite")
    return value


def _chance(given: object) -> float:
    """The chance to be noticed; 1 where the field is empty or missing: whoever came from no list."""
    if given is None or given == "":
        return 1.0
    try:
        chance = float(str(given))
    except ValueError:
        raise ValueError(f"noticed {given!r} is no number") from None
    if not 0 < chance <= 1:
        raise ValueError(f"noticed {given!r} is no chance: it must be above 0 and at most 1")
    return chance
