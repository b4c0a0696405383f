"""Lays down the demo's workspace: the files that people wrote, and the data behind them."""

import csv
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from origin.demo import films, movielens, visitors
from origin.lake.learn import Interaction

STATIC: Final = Path(__file__).parent / "workspace"
CATALOG: Final = Path("catalogs/films.csv")
INTERACTIONS: Final = Path("data/interactions.csv")


@dataclass(frozen=True)
class Laid:
    """What was laid down.

    Attributes
    ----------
    source : str
        Where the films come from, for people.
    """

    folder: Path
    source: str
    films: list[films.Film]
    interactions: int


def lay_down(folder: Path, data: Path | None) -> Laid:
    """Write the workspace anew into `folder`, from MovieLens 100K if `data` holds it.

    Parameters
    ----------
    data
        A folder that holds ``ml-100k``, or is it; None for generated films.

    Raises
    ------
    GivenError
        ``movielens``: the data is there, but not in the form that we read.
    """
    found = movielens.locate(data) if data else None
    if found:
        source = f"MovieLens 100K in {found}"
        catalogue, seen = movielens.films(found), movielens.interactions(found)
    else:
        source = "generated films and simulated visitors" + (f" ({data} holds no MovieLens)" if data else "")
        catalogue = films.generate()
        _, seen = visitors.simulate(catalogue)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(STATIC, folder)
    films.write(catalogue, folder / CATALOG)
    films.write_interactions(seen, folder / INTERACTIONS)
    return Laid(folder, source, catalogue, len(seen))


def add_interactions(folder: Path, rows: Iterable[Interaction]) -> int:
    """Append to the workspace's interactions; how many rows that were."""
    added = list(rows)
    with (folder / INTERACTIONS).open("a", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(added)
    return len(added)
