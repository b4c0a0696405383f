"""Lays down the demo's workspace: the files that people wrote, and the data behind them."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from origin.demo import films, movielens, visitors

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
