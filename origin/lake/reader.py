"""Reads the lake: only files that the database lists, in the order of their commits."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import pyarrow.parquet as pq
from sqlalchemy import create_engine, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from edge.decide.types import DecisionRecord, Event
from edge.errors import ConfigError
from origin.lake.tables import DECISIONS, EVENTS
from origin.store import tables

BATCH_ROWS: Final = 4096

T = TypeVar("T", DecisionRecord, Event)


def is_lake(root: Path) -> bool:
    """Whether the folder is an origin's data folder."""
    return (root / tables.DATABASE).is_file()


def decisions(root: Path, site: str) -> Iterator[DecisionRecord]:
    """All decisions of a site, as they were made."""
    return _records(root, site, DECISIONS, DecisionRecord)


def events(root: Path, site: str) -> Iterator[Event]:
    """All that visitors of a site did."""
    return _records(root, site, EVENTS, Event)


def rows(root: Path, site: str, kind: str, columns: list[str]) -> Iterator[dict[str, Any]]:
    """Rows of a table with some of its columns; one file and few rows are in memory at a time."""
    for path in files(root, site, kind):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=columns, use_threads=False):
                yield from batch.to_pylist()


def check_lake(root: Path) -> None:
    """Refuse a folder that is no origin's."""
    if is_lake(root):
        return
    found = f"it has no {tables.DATABASE}" if root.is_dir() else "it is not there"
    hint = "name the folder that `nearside origin --data` was given"
    raise ConfigError("data", f"{root} is no data folder of an origin: {found}; {hint}")


def files(root: Path, site: str, kind: str) -> list[Path]:
    """The files of a table that are part of the lake.

    Raises
    ------
    ConfigError
        ``data``: the folder is no origin's.
    """
    check_lake(root)
    table = tables.lake_files
    statement = select(table.c.path).where(table.c.site == site, table.c.kind == kind).order_by(table.c.id)
    engine = create_engine(f"sqlite:///{root / tables.DATABASE}", poolclass=NullPool)
    try:
        with engine.connect() as connection:
            return [root / path for path in connection.execute(statement).scalars()]
    except OperationalError as error:
        raise ConfigError("data", f"{root}: {error.orig}") from error
    finally:
        engine.dispose()


def only_site(root: Path) -> str:
    """The site of a data folder that has just one.

    Raises
    ------
    ConfigError
        ``data``: the folder is no origin's. ``site``: there are several, or none.
    """
    check_lake(root)
    sites = sorted(path.name for path in (root / "sites").glob("*"))
    if len(sites) != 1:
        if not sites:
            raise ConfigError("site", f"{root} has no site yet: nothing was published, and no event arrived")
        raise ConfigError("site", f"{root} has sites {', '.join(sites)}; name one with --site")
    return sites[0]


def _records(root: Path, site: str, kind: str, type_: type[T]) -> Iterator[T]:
    decoder = msgspec.msgpack.Decoder(type_)
    for row in rows(root, site, kind, ["record"]):
        yield decoder.decode(row["record"])
