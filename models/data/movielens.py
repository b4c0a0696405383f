"""Reads MovieLens 100K as its files are laid out here: `|`-separated, with a header."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from edge.errors import GivenError
from models.data.contexts import Contexts
from models.data.interactions import Interactions, from_rows, sort_items

GENRES_FROM: Final = "unknown"
"""The first of the genre columns; they run to the end of the header."""

ARTICLE: Final = re.compile(r"^(.*?), (The|An?|La|Les?|Il|Der|Das|Die|El|L')( \(.*\))?$")


@dataclass(frozen=True)
class Film:
    """One film.

    Attributes
    ----------
    title : str
        As people read it: without the year, its article in front.
    year : int
        Of the release; 0 where the data has none.
    genres : tuple[str, ...]
        In the order of the file's columns.
    """

    id: str
    title: str
    year: int
    genres: tuple[str, ...]


def read_films(folder: Path) -> tuple[Film, ...]:
    """All films of ``u.item``, in the order of a catalog (ids by their UTF-8 bytes).

    Raises
    ------
    GivenError
        ``movielens``, with the file: missing or not laid out as expected.
    """
    path = folder / "u.item"
    films = {film.id: film for film in map(_film, _rows(path, {"item", "title", "releaseDate", GENRES_FROM}))}
    return tuple(films[id_] for id_ in sort_items(films))


def read_interactions(folder: Path) -> Interactions:
    """All ratings of ``u.data``; item codes are positions in `read_films`, whose columns come along."""
    films = read_films(folder)
    items = tuple(film.id for film in films)
    path = folder / "u.data"
    try:
        rows = [
            (row["user"], row["item"], int(row["timestamp"]), float(row["rating"]))
            for row in _rows(path, {"user", "item", "timestamp", "rating"})
        ]
    except ValueError as error:
        raise GivenError("movielens", f"{path}: {error}") from error
    columns = {
        "title": tuple(film.title for film in films),
        "year": tuple(str(film.year or "") for film in films),
        "genres": tuple(" ".join(film.genres) for film in films),
    }
    return replace(from_rows(rows, items, str(path)), item_columns=columns)


def with_people(ratings: Interactions, folder: Path) -> Interactions:
    """The ratings with what ``u.user`` says of who gave them, as contexts: age, occupation, gender."""
    path = folder / "u.user"
    people = {row["user"]: row for row in _rows(path, {"user", "age", "gender", "occupation"})}
    jobs = sorted({row["occupation"] for row in people.values()})
    known = [people[user] for user in ratings.user_ids]
    of_user = np.array(
        [[float(one["age"]), jobs.index(one["occupation"]), float(one["gender"] == "F")] for one in known],
        np.float32,
    )
    names, codes = ("age", "occupation", "woman"), (0, len(jobs) + 1, 0)
    return replace(ratings, contexts=Contexts(names, codes, of_user[ratings.users]))


def _rows(path: Path, columns: set[str]) -> Iterator[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, delimiter="|", quoting=csv.QUOTE_NONE, restval="")
            if missing := sorted(columns - set(reader.fieldnames or ())):
                raise GivenError("movielens", f"{path}:1: no column {', '.join(missing)}")
            yield from reader
    except (OSError, UnicodeDecodeError) as error:
        raise GivenError("movielens", f"{path}: can't be read: {error}") from error


def _film(row: dict[str, str]) -> Film:
    columns = list(row)
    genres = columns[columns.index(GENRES_FROM) + 1 :]
    title, year = _title(row["title"])
    released = row["releaseDate"][-4:]
    return Film(
        row["item"],
        title,
        year or (int(released) if released.isdecimal() else 0),
        tuple(genre for genre in genres if row[genre] == "1"),
    )


def _title(text: str) -> tuple[str, int]:
    """`Godfather, The (1972)` is The Godfather, of 1972."""
    match = re.fullmatch(r"(.*?)\s*\((\d{4})\)\s*", text)
    name, year = (match[1], int(match[2])) if match else (text.strip(), 0)
    return ARTICLE.sub(r"\2 \1\3", name).replace("L' ", "L'"), year
