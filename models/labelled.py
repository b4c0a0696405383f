"""Reads what predictions learn from: a file of attributes and labels becomes features and labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle.features import Features, columns_of, flattened, needed
from edge.errors import GivenError
from models.features import matrix
from models.predict.table import Table

if TYPE_CHECKING:
    import pyarrow

LABEL: Final = "label"
WEIGHT: Final = "weight"
GROUP: Final = "group"
TREATMENT: Final = "treatment"

_TRUE: Final = ("1", "true", "yes")
_FALSE: Final = ("0", "false", "no")

Labels = NDArray[np.float32]


def read_labelled(
    path: Path,
    names: Sequence[str],
    features: Features,
    types: Mapping[str, str],
    columns: Mapping[str, str],
) -> Table:
    """The features of each row of a file, and what became of it.

    Parameters
    ----------
    path
        CSV with a header, or ``.parquet``. Its columns are named like attributes; an empty field is missing.
    names
        The features that are wanted.
    types
        Of attributes: ``string``, ``number`` or ``boolean``.
    columns
        Which columns are the ``label``, and the ``weight``, ``group`` and ``treatment`` of rows.

    Raises
    ------
    GivenError
        ``data``: the file can't be read, lacks a column, or has a value that is none.
    """
    attributes = {column.attribute: types[column.attribute] for column in columns_of(needed(names, features))}
    read = _read_parquet if path.suffix == ".parquet" else _read_csv
    table = read(path, attributes, list(columns.values()))
    if not table.num_rows:
        raise GivenError("data", f"{path}: it has no rows")
    texts = {key: table[name].to_pylist() for key, name in columns.items()}
    labels, classes = _labels(path, texts.get(LABEL), columns.get(LABEL, ""), table.num_rows)
    more: dict[str, Any] = {}
    if WEIGHT in texts:
        more["weights"] = _numbers(path, texts[WEIGHT], columns[WEIGHT])
    if GROUP in texts:
        codes: dict[str, int] = {}
        more["groups"] = np.array([codes.setdefault(text, len(codes)) for text in texts[GROUP]], np.int64)
    if TREATMENT in texts:
        more["treatment"] = np.array(_flags(path, texts[TREATMENT], columns[TREATMENT]), np.bool_)
    rows = matrix(table, names, features)
    return Table(tuple(flattened(names, features)), rows, labels, classes=classes, **more)


def _arrow_types(attributes: Mapping[str, str]) -> dict[str, Any]:
    import pyarrow  # noqa: PLC0415 - slow to import

    types = {"string": pyarrow.string(), "number": pyarrow.float64(), "boolean": pyarrow.bool_()}
    return {name: types[type_] for name, type_ in attributes.items()}


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
