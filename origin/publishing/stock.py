"""Says what is out of stock: orders of a person, and tables that a shop's system exports."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from edge.bundle.strings import MAX_KEY_BYTES
from edge.errors import ConfigError

ITEM: Final = "item"
AVAILABLE: Final = "available"
PIECES: Final = "stock"
YES: Final = frozenset(("yes", "true", "1", "in"))
NO: Final = frozenset(("no", "false", "0", "out"))


@dataclass(frozen=True)
class Told:
    """Which items a table says are out, and which are to be had."""

    out: tuple[str, ...]
    back: tuple[str, ...]


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    item: str
    available: bool | None = None
    stock: float | None = None


def read_table(path: Path) -> Told:
    """Read a CSV, or lines of JSON (``.jsonl``): `item`, and `available` or `stock`, a number of pieces.

    Raises
    ------
    ConfigError
        ``stock``: what is wrong with it, with its line.
    """
    rows = _json_lines(path) if path.suffix == ".jsonl" else _csv_rows(path)
    seen: dict[str, tuple[int, bool]] = {}
    try:
        for line, item, available in rows:
            if not 0 < len(item.encode()) <= MAX_KEY_BYTES:
                raise ConfigError("stock", f"{path}:{line}: {item[:80]!r} is no item's id")
            if item in seen and seen[item][1] is not available:
                raise ConfigError("stock", f"{path}:{line}: line {seen[item][0]} says otherwise of {item!r}")
            seen[item] = line, available
    except OSError as error:
        raise ConfigError("stock", f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError("stock", f"{path}: not UTF-8: {error}") from error
    out = tuple(item for item, (_, available) in seen.items() if not available)
    return Told(out, tuple(item for item, (_, available) in seen.items() if available))


def is_available(text: str, where: str) -> bool:
    """What a word for yes or no says.

    Raises
    ------
    ConfigError
        ``stock``: it is neither.
    """
    word = text.strip().lower()
    if word not in YES | NO:
        raise ConfigError("stock", f"{where}: {text!r} is neither yes nor no")
    return word in YES


def _csv_rows(path: Path) -> Iterator[tuple[int, str, bool]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            names = next(reader, [])
            told = _told_by(names, path)
            for row in reader:
                if row:
                    yield _csv_row(row, names, told, f"{path}:{reader.line_num}", reader.line_num)
        except csv.Error as error:
            raise ConfigError("stock", f"{path}:{reader.line_num}: not a CSV: {error}") from error


def _told_by(names: list[str], path: Path) -> str:
    told = [name for name in (AVAILABLE, PIECES) if name in names]
    if names.count(ITEM) != 1 or len(told) != 1 or names.count(told[0]) != 1:
        what = f"a column {ITEM!r}, and one of {AVAILABLE!r} and {PIECES!r}"
        raise ConfigError("stock", f"{path}:1: need {what}, each once; found {', '.join(names) or 'nothing'}")
    return told[0]


def _csv_row(row: list[str], names: list[str], told: str, where: str, line: int) -> tuple[int, str, bool]:
    if len(row) != len(names):
        raise ConfigError("stock", f"{where}: {len(row)} fields under {len(names)} columns")
    values = dict(zip(names, row, strict=True))
    if told == AVAILABLE:
        return line, values[ITEM], is_available(values[told], where)
    try:
        return line, values[ITEM], float(values[told]) > 0
    except ValueError as error:
        raise ConfigError("stock", f"{where}: {values[told]!r} is no number of pieces") from error


def _json_lines(path: Path) -> Iterator[tuple[int, str, bool]]:
    decoder = msgspec.json.Decoder(_Line)
    with path.open("rb") as file:
        for line, text in enumerate(file, 1):
            if not text.strip():
                continue
            try:
                found = decoder.decode(text)
            except msgspec.DecodeError as error:
                raise ConfigError("stock", f"{path}:{line}: {error}") from error
            if (found.available is None) == (found.stock is None):
                raise ConfigError("stock", f"{path}:{line}: say one of {AVAILABLE!r} and {PIECES!r}")
            yield line, found.item, bool(found.available) if found.stock is None else found.stock > 0
