"""The catalogue and views of MovieLens 100K, where the visitor of the demo has it at hand."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edge.errors import GivenError
from origin.demo.films import Film, Interaction, film

FOLDER: Final = "ml-100k"
TELLING: Final = [
    "Film-Noir",
    "Western",
    "Sci-Fi",
    "Horror",
    "Animation",
    "Musical",
    "Documentary",
    "War",
    "Fantasy",
    "Mystery",
    "Children's",
    "Crime",
    "Romance",
    "Thriller",
    "Adventure",
    "Comedy",
    "Action",
    "Drama",
]
"""The genres, the ones that say most about a film first: that one becomes its main genre."""

_YEAR: Final = re.compile(r"\s*\((\d{4})\)\s*$")
_ARTICLE: Final = re.compile(r"^(.*), (The|A|An|Les|La|Le|Il|El|Das|Der|Die)$")


def locate(data: Path) -> Path | None:
    """The folder of MovieLens 100K in or at `data`; None where there is none."""
    for folder in (data / FOLDER, data):
        if (folder / "u.item").is_file() and (folder / "u.data").is_file():
            return folder
    return None


def films(folder: Path) -> list[Film]:
    """All films of ``u.item``, with readable titles.

    Raises
    ------
    GivenError
        ``movielens``: the file has not the columns of the ``|``-separated form with a header.
    """
    found = []
    for row in _rows(folder / "u.item", ("item", "title", "releaseDate", *TELLING)):
        genres = sorted((name for name in TELLING if row.get(name) == "1"), key=TELLING.index)
        title, year = _title(row["title"], row["releaseDate"])
        found.append(film(row["item"], title, year, genres or ["Drama"], about=""))
    return found


def interactions(folder: Path) -> list[Interaction]:
    """All ratings of ``u.data`` as views, whatever the rating: who rated has watched."""
    rows = _rows(folder / "u.data", ("user", "item", "timestamp"))
    return [Interaction(row["user"], row["item"], int(row["timestamp"])) for row in rows]


def _title(title: str, released: str) -> tuple[str, int]:
    """`Usual Suspects, The (1995)` as `The Usual Suspects` and 1995."""
    match = _YEAR.search(title)
    year = int(match[1]) if match else int(released[-4:] or 1995)
    name = _YEAR.sub("", title)
    moved = _ARTICLE.match(name)
    return (f"{moved[2]} {moved[1]}" if moved else name), year


def _rows(path: Path, needed: tuple[str, ...]) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        reader = csv.DictReader(file, delimiter="|", quoting=csv.QUOTE_NONE)
        missing = [name for name in needed if name not in (reader.fieldnames or ())]
        if missing:
            raise GivenError("movielens", f"{path}:1: no column {', '.join(missing)}; it needs a header")
        yield from reader
