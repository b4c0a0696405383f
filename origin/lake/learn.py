"""What the lake teaches: views as interactions, to train on beside those that were there before."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from origin.lake import reader as lake
from origin.lake.tables import EVENTS


class Interaction(NamedTuple):
    """A row of a model's interactions; `timestamp` in seconds since 1970, UTC."""

    user: str
    item: str
    timestamp: int


def lake_interactions(root: Path, site: str) -> Iterator[Interaction]:
    """Items whose pages visitors looked at, in the order in which they reached the lake.

    Only of visitors who let themselves be remembered: below the tier `full`
    a view has no visitor, and says nothing of anybody's taste. Users are
    visitor ids.

    Raises
    ------
    ConfigError
        ``data``: the folder is no origin's.
    """
    for row in lake.rows(root, site, EVENTS, ["kind", "visitor", "item", "happened"]):
        if row["kind"] == "view" and row["visitor"]:
            yield Interaction(row["visitor"], row["item"], seconds(row["happened"]))


def seconds(happened: datetime) -> int:
    """The lake's times, which are UTC without saying so, as seconds since 1970."""
    return int(happened.replace(tzinfo=UTC).timestamp())
