"""Reads what predictions learn from: a file of attributes and labels becomes features and labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle.features import Features, columns_of, flattened, needed
from edge.errors import GivenError
from models.predict.card import Held
from models.predict.table import Table
from models.tables.features import matrix

if TYPE_CHECKING:
    import pyarrow

LABEL: Final = "label"
WEIGHT: Final = "weight"
GROUP: Final = "group"
TREATMENT: Final = "treatment"
TIME: Final = "time"
LATEST_S: Final = 1e11
"""Greater numbers are milliseconds."""

_TRUE: Final = ("1", "true", "yes")
_FALSE: Final = ("0", "false", "no")

Labels = NDArray[np.float32]


@dataclass(frozen=True)
class MadeFrom:
    """What a row is made from: features by name, or the attribute `text`; `types` are those of attributes."""

    names: Sequence[str]
    features: Features
    types: Mapping[str, str]
    text: str = ""

    @property
    def attributes(self) -> dict[str, str]:
        """The attributes that are read, with their types."""
        columns = columns_of(needed(self.names, self.features))
        read = [self.text] if self.text else [column.attribute for column in columns]
        return {name: self.types[name] for name in read}


@dataclass(frozen=True, eq=False)
class Labelled:
    """Rows to learn from, and what is known of them beside."""

    table: Table
    held: Held


def read_labelled(path: Path, made: MadeFrom, columns: Mapping[str, str], by: Sequence[str] = ()) -> Labelled:
    """The features of each row of a file, and what became of it.

    Parameters
    ----------
    path
        CSV with a header, or ``.parquet``. Its columns are named like attributes; an empty field is missing.
    columns
        Which columns are the ``label``, and the ``weight``, ``group``, ``treatment`` and ``time`` of rows.
    by
        Columns by which visitors differ.

    Raises
    ------
    GivenError
        ``data``: the file can't be read, lacks a column, or has a value that is none.
    """
    table = read_table(path, made.attributes, list(dict.fromkeys((*columns.values(), *by))))
    if not table.num_rows:
        raise GivenError("data", f"{path}: it has no rows")
    texts = {key: table[name].to_pylist() for key, name in columns.items()}
    labels, classes = _labels(path, texts.get(LABEL), columns.get(LABEL, ""), table.num_rows)
    more = {"classes": classes, **_beside(path, texts, columns)}
    if made.text:
        read_texts = tuple(str(text or "") for text in table[made.text].to_pylist())
        found = Table.of_texts(made.text, read_texts, labels, **more)
    else:
        rows = matrix(table, made.names, made.features)
        found = Table(tuple(flattened(made.names, made.features)), rows, labels, **more)
    times = _times(path, texts[TIME], columns[TIME]) if TIME in texts else None
    slices = {name: [str(value or "") for value in table[name].to_pylist()] for name in by}
    return Labelled(found, Held(times, slices))


def _beside(path: Path, texts: Mapping[str, Sequence[Any]], columns: Mapping[str, str]) -> dict[str, Any]:
    """Weights, groups and treatment, as far as there are columns for them."""
    more: dict[str, Any] = {}
    if WEIGHT in texts:
        more["weights"] = _numbers(path, texts[WEIGHT], columns[WEIGHT])
    if GROUP in texts:
        codes: dict[str, int] = {}
        more["groups"] = np.array([codes.setdefault(text, len(codes)) for text in texts[GROUP]], np.int64)
    if TREATMENT in texts:
        more["treatment"] = np.array(_flags(path, texts[TREATMENT], columns[TREATMENT]), np.bool_)
    return more


def _times(path: Path, texts: Sequence[Any], column: str) -> NDArray[np.int64]:
    """Seconds since 1970, from these, from milliseconds, or from times as ISO 8601 writes them."""
    try:
        numbers = np.array([float(text) for text in texts])
    except (TypeError, ValueError):
        try:
            numbers = np.array(texts, "datetime64[s]").astype(np.float64)
        except ValueError:
            raise GivenError("data", f"{path}: {column} holds neither seconds nor times") from None
    if not np.isfinite(numbers).all():
        raise GivenError("data", f"{path}: {column} is empty in some rows")
    return (numbers / 1000 if numbers.max() > LATEST_S else numbers).astype(np.int64)


def _arrow_types(attributes: Mapping[str, str]) -> dict[str, Any]:
    import pyarrow  # noqa: PLC0415 - slow to import

    types = {"string": pyarrow.string(), "number": pyarrow.float64(), "boolean": pyarrow.bool_()}
    return {name: types[type_] for name, type_ in attributes.items()}


def read_table(path: Path, attributes: Mapping[str, str], others: Sequence[str]) -> "pyarrow.Table":
    """Columns of a CSV, or of a file ``.parquet``: attributes by their types, others as they are written.

    Raises
    ------
    GivenError
        ``data``: the file can't be read, or lacks a column.
    """
    return (_read_parquet if path.suffix == ".parquet" else _read_csv)(path, attributes, others)


def _read_csv(path: Path, attributes: Mapping[str, str], others: Sequence[str]) -> "pyarrow.Table":
    """Attributes by their types, and other columns as they are written."""
    import pyarrow  # noqa: PLC0415
    from pyarrow import csv  # noqa: PLC0415

    wanted = [*attributes, *(name for name in dict.fromkeys(others) if name not in attributes)]
    types = {**dict.fromkeys(others, pyarrow.string()), **_arrow_types(attributes)}
    options = csv.ConvertOptions(
        column_types=types,
        include_columns=wanted,
        null_values=[""],
        strings_can_be_null=True,
        true_values=["true", "True", "TRUE", "1"],
        false_values=["false", "False", "FALSE", "0"],
    )
    try:
        return csv.read_csv(path, convert_options=options)
    except (OSError, pyarrow.ArrowException, KeyError) as error:
        # The first line is what is wrong; a missing column is told by its name.
        raise GivenError("data", f"{path}: {str(error).splitlines()[0]}") from error


def _read_parquet(path: Path, attributes: Mapping[str, str], others: Sequence[str]) -> "pyarrow.Table":
    import pyarrow  # noqa: PLC0415
    import pyarrow.parquet  # noqa: PLC0415

    try:
        known = pyarrow.parquet.read_schema(path).names
        missing = [name for name in (*attributes, *others) if name not in known]
        if missing:
            raise GivenError("data", f"{path}: no column {missing[0]!r}; it has {', '.join(known[:20])}")
        table = pyarrow.parquet.read_table(path, columns=list(dict.fromkeys((*attributes, *others))))
        for name, type_ in _arrow_types(attributes).items():
            at = table.column_names.index(name)
            table = table.set_column(at, name, table[name].cast(type_))
    except (OSError, pyarrow.ArrowException) as error:
        raise GivenError("data", f"{path}: {str(error).splitlines()[0]}") from error
    return table


def _labels(
    path: Path, texts: Sequence[Any] | None, column: str, rows: int
) -> tuple[Labels, tuple[str, ...]]:
    """Numbers as they are; true and false as 1 and 0; other texts as classes, by name."""
    if texts is None:
        return np.zeros(rows, np.float32), ()
    written = [_text(path, text, column, row) for row, text in enumerate(texts, 1)]
    try:
        return np.array([float(text) for text in written], np.float32), ()
    except ValueError:
        pass
    if all(text.lower() in (*_TRUE, *_FALSE) for text in written):
        return np.array([text.lower() in _TRUE for text in written], np.float32), ()
    classes = tuple(sorted(set(written)))
    codes = {name: code for code, name in enumerate(classes)}
    return np.array([codes[text] for text in written], np.float32), classes


def _numbers(path: Path, texts: Sequence[Any], column: str) -> Labels:
    found = []
    for row, text in enumerate(texts, 1):
        try:
            found.append(float(_text(path, text, column, row)))
        except ValueError:
            raise GivenError("data", f"{path}: row {row}: {column} {text!r} is no number") from None
    return np.array(found, np.float32)


def _flags(path: Path, texts: Sequence[Any], column: str) -> list[bool]:
    for row, text in enumerate(texts, 1):
        if _text(path, text, column, row).lower() not in (*_TRUE, *_FALSE):
            raise GivenError("data", f"{path}: row {row}: {column} {text!r} is neither 1 nor 0")
    return [str(text).lower() in _TRUE for text in texts]


def _text(path: Path, value: Any, column: str, row: int) -> str:
    if value is None or value == "":
        raise GivenError("data", f"{path}: row {row}: {column} is empty")
    return str(value)
