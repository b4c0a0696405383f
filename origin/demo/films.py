"""The catalogue of the film site: its rows, where they come from, and their files."""

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np

from origin.demo import titles

FILMS: Final = 600
OLDEST: Final = 1948
NEWEST: Final = 2025
SEED: Final = 20_250


@dataclass(frozen=True, slots=True)
class Film:
    """One row of ``catalogs/films.csv``.

    Attributes
    ----------
    genres : str
        Names joined by a comma and a blank, the main one first.
    genre : str
        The main genre as it stands in addresses: ``sci-fi``.
    """

    id: str
    title: str
    year: int
    genres: str
    genre: str
    about: str
    url: str
    poster: str

    @property
    def genre_names(self) -> tuple[str, ...]:
        """All genres, the main one first."""
        return tuple(self.genres.split(", "))


@dataclass(frozen=True, slots=True)
class Interaction:
    """One row of ``data/interactions.csv``; `timestamp` in seconds since 1970."""

    user: str
    item: str
    timestamp: int


def film(item: str, title: str, year: int, genres: Sequence[str], about: str) -> Film:
    """A film with the addresses that follow from its id."""
    names = ", ".join(genres)
    return Film(item, title, year, names, slug(genres[0]), about, f"/film/{item}", f"/poster/{item}.svg")


def slug(name: str) -> str:
    """A genre's name as it stands in addresses."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower().replace("'", "")).strip("-")


def generate(count: int = FILMS, seed: int = SEED) -> list[Film]:
    """Invented films, the same ones for the same seed; every genre has about as many."""
    random = np.random.Generator(np.random.PCG64(seed))
    genres = list(titles.WORDS)
    taken = {_bare(title) for title, _ in titles.UNUSUAL}
    named = list(titles.UNUSUAL)
    while len(named) < count:
        genre = genres[len(named) % len(genres)]
        title = _title(genre, random)
        if _bare(title) not in taken:
            taken.add(_bare(title))
            named.append((title, genre))
    order = random.permutation(count)
    return [_film(str(number + 1), *named[place], random=random) for number, place in enumerate(order)]


def _bare(title: str) -> str:
    """Without its article: two titles that differ in that alone are one to a reader."""
    return title.removeprefix("The ").removeprefix("A ").removeprefix("An ")


def _title(genre: str, random: np.random.Generator) -> str:
    adjectives, nouns, places = (words.split("|") for words in titles.WORDS[genre])
    noun, second = random.choice(nouns, 2, replace=False)
    title = str(random.choice(titles.PATTERNS)).format(
        adjective=random.choice(adjectives),
        noun=noun,
        noun2=second,
        place=random.choice(places),
        name=random.choice(titles.NAMES),
        time=random.choice(titles.TIMES),
    )
    title = re.sub(r"\bA (?=[AEIOU])", "An ", title)
    return title[0].upper() + title[1:]


def _film(item: str, title: str, genre: str, *, random: np.random.Generator) -> Film:
    who, what = (str(random.choice(part.split("|"))) for part in titles.STORIES[genre])
    # Squaring a uniform number makes recent years more common than old ones.
    year = NEWEST - int((NEWEST - OLDEST + 1) * random.random() ** 2)
    others = [name for name in titles.WORDS if name != genre]
    second = [str(random.choice(others))] if random.random() < 0.4 else []
    return film(item, title, year, [genre, *second], f"{who} {_agree(who, what)}.")


def _agree(who: str, what: str) -> str:
    """The verb in the plural, where there is more than one of them."""
    if not re.match(r"(Two|Three|Four|The people|A teapot and)", who):
        return what
    verb, _, rest = what.partition(" ")
    irregular = {"has": "have", "is": "are", "goes": "go", "must": "must", "should": "should"}
    regular = re.sub(r"ies$", "y", verb) if verb.endswith("ies") else re.sub(r"(?<=[sxh])es$|s$", "", verb)
    return f"{irregular.get(verb, regular)} {rest}"


def write(films: Iterable[Film], path: Path) -> None:
    """Write the catalogue."""
    _write(path, [f.name for f in fields(Film)], films)


def write_interactions(interactions: Iterable[Interaction], path: Path) -> None:
    """Write who watched what, and when."""
    _write(path, [f.name for f in fields(Interaction)], interactions)


def _write(path: Path, columns: Sequence[str], rows: Iterable[Film] | Iterable[Interaction]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def read(path: Path) -> list[Film]:
    """Read what `write` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        return [Film(**{**row, "year": int(row["year"])}) for row in csv.DictReader(file)]  # type: ignore[arg-type]


def popular(interactions: Path) -> list[str]:
    """The items of ``data/interactions.csv``, the most watched first."""
    with interactions.open(encoding="utf-8", newline="") as file:
        counts = Counter(row["item"] for row in csv.DictReader(file))
    return sorted(counts, key=lambda item: (-counts[item], item))
