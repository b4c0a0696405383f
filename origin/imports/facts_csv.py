"""Reads a table of facts about visitors and makes the file that edges map."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edge.errors import ConfigError
from edge.keys import load_keys
from edge.visitor.fact_file import build, write
from edge.visitor.facts import MAX_FACTS_BYTES, MAX_NAMES

VISITOR: Final = "visitor"
NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
ID: Final = re.compile(r"[0-9a-f]{32}")
MAX_VALUE_CHARS: Final = 512


def make(table: Path, keys: Path, out: Path) -> tuple[int, int]:
    """Write the file; how many visitors it knows, and how many facts there are of each at most.

    Raises
    ------
    ConfigError
        ``facts``: what is wrong with the table, with its line; ``keys``: with the keys file.
    """
    held = load_keys(keys)
    rows = list(rows_of(table))
    key = held.event[0]
    write(out, build(held.site, (key.id, key.raw()), rows))
    return len(rows), max((len(facts) for _, facts in rows), default=0)


def rows_of(table: Path) -> Iterator[tuple[bytes, dict[str, str]]]:
    """Visitors, each once, with what is told of them.

    Raises
    ------
    ConfigError
        ``facts``: what is wrong with the table, with its line.
    """
    seen: dict[bytes, int] = {}
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            names = _header(next(reader, []), table)
            for row in reader:
                if not row:
                    continue
                where = f"{table}:{reader.line_num}"
                visitor, facts = _row(row, names, where)
                if visitor in seen:
                    raise ConfigError("facts", f"{where}: this visitor is also on line {seen[visitor]}")
                seen[visitor] = reader.line_num
                yield visitor, facts
    except OSError as error:
        raise ConfigError("facts", f"{table}: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise ConfigError("facts", f"{table}: not a CSV in UTF-8: {error}") from error


def _header(names: list[str], table: Path) -> list[str]:
    facts = [name for name in names if name != VISITOR]
    wrong = [name for name in facts if not NAME.fullmatch(name)]
    if names.count(VISITOR) != 1 or len(set(facts)) != len(facts):
        raise ConfigError("facts", f"{table}:1: name each column once, and one of them {VISITOR!r}")
    if wrong:
        hint = "use a-z, 0-9, '_' and '-', beginning with a letter"
        raise ConfigError("facts", f"{table}:1: {wrong[0]!r} can't be the name of a fact; {hint}")
    if len(facts) > MAX_NAMES:
        raise ConfigError("facts", f"{table}:1: {len(facts)} facts; at most {MAX_NAMES}")
    return names


def _row(row: list[str], names: list[str], where: str) -> tuple[bytes, dict[str, str]]:
    if len(row) != len(names):
        raise ConfigError("facts", f"{where}: {len(row)} fields under {len(names)} columns")
    values = dict(zip(names, row, strict=True))
    visitor = values.pop(VISITOR)
    if not ID.fullmatch(visitor):
        raise ConfigError("facts", f"{where}: {visitor[:40]!r} is no visitor's id: 32 digits 0-9, a-f")
    facts = {name: value for name, value in values.items() if value}
    if max(map(len, facts.values()), default=0) > MAX_VALUE_CHARS:
        raise ConfigError("facts", f"{where}: a value has more than {MAX_VALUE_CHARS} characters")
    if sum(len(value.encode()) + 8 for value in facts.values()) > MAX_FACTS_BYTES:
        raise ConfigError("facts", f"{where}: more than {MAX_FACTS_BYTES} bytes of one visitor")
    return bytes.fromhex(visitor), facts
