"""Reads the contexts that items were viewed in: columns of the interactions, or of a file of users."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge.bundle.features import CODE, Features, flattened, values_of
from edge.errors import GivenError
from models.data.contexts import Contexts
from models.data.interactions import Interactions
from models.tables.features import matrix
from models.tables.labelled import MadeFrom, read_table

if TYPE_CHECKING:
    import pyarrow

USER, ITEM = "user", "item"


def with_contexts(found: Interactions, path: Path, users: Path | None, made: MadeFrom) -> Interactions:
    """The interactions of a file with the features that `made` names, as they were at each of them.

    Parameters
    ----------
    path
        The file that they were read from. Where it has a column of an attribute's name, that is what was
        known at the time; an empty field is missing.
    users
        CSV or Parquet with the column ``user``, and columns named like attributes: what holds for a user at
        any time. Of users that it lacks nothing is known.

    Raises
    ------
    GivenError
        ``data``: a file can't be read, neither has the column of an attribute, or a user is told of twice.
    """
    there = _names(path)
    viewed = {name: type_ for name, type_ in made.attributes.items() if name in there}
    told = {name: type_ for name, type_ in made.attributes.items() if name not in there}
    table = read_table(path, viewed, [USER, ITEM])
    if told:
        table = _join(table, _told(path, users, told), users or path)
    items = set(found.item_ids)
    table = table.filter([str(item) in items for item in table[ITEM].to_pylist()])
    rows = matrix(table, made.names, made.features)
    names = tuple(flattened(made.names, made.features))
    return replace(found, contexts=Contexts(names, _codes(made.names, made.features), rows))


def _names(path: Path) -> list[str]:
    """The columns of a file."""
    if path.suffix != ".parquet":
        with path.open(encoding="utf-8-sig", newline="") as file:
            return next(csv.reader(file), [])
    import pyarrow.parquet  # noqa: PLC0415 - slow to import

    return list(pyarrow.parquet.read_schema(path).names)


def _told(path: Path, users: Path | None, attributes: Mapping[str, str]) -> "pyarrow.Table":
    """What the file of users says of these attributes."""
    if users is None:
        name = next(iter(attributes))
        hint = "add it, or name a file of users that has it"
        raise GivenError("data", f"{path}: no column {name!r}, which features are made from; {hint}")
    return read_table(users, attributes, [USER])


def _join(table: "pyarrow.Table", told: "pyarrow.Table", users: Path) -> "pyarrow.Table":
    """The table with what is told of each row's user; null where nothing is."""
    import pyarrow  # noqa: PLC0415

    places: dict[str, int] = {}
    for at, user in enumerate(map(str, told[USER].to_pylist())):
        if places.setdefault(user, at) != at:
            raise GivenError("data", f"{users}: user {user!r} is there twice")
    taken = pyarrow.array([places.get(str(user)) for user in table[USER].to_pylist()], pyarrow.int64())
    for name in told.column_names:
        if name != USER:
            table = table.append_column(name, told[name].take(taken))
    return table


def _codes(names: Sequence[str], features: Features) -> tuple[int, ...]:
    """Of each number how many texts it may stand for, with one for all others."""
    found: list[int] = []
    for name in names:
        one = features[name]
        found += [len(one.categories) + 1 if one.kind == CODE else 0] * len(values_of(one, features))
    return tuple(found)
