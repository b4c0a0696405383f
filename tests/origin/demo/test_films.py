"""The generated catalogue and its visitors are the same every time, and have the tastes they claim."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

from origin.demo import films, titles, visitors
from origin.demo.films import Film


def test_the_catalogue_has_unique_ids_and_titles_of_all_genres(catalogue: list[Film]) -> None:
    assert len(catalogue) == films.FILMS
    assert len({film.id for film in catalogue}) == len({film.title for film in catalogue}) == films.FILMS
    counts = Counter(film.genre_names[0] for film in catalogue)
    assert set(counts) == set(titles.WORDS)
    assert min(counts.values()) >= 40


def test_it_holds_titles_that_a_careless_page_would_break_on(catalogue: list[Film]) -> None:
    everything = "".join(film.title for film in catalogue)
    assert all(sign in everything for sign in "\"'&<>éüŠ")


def test_two_processes_generate_the_same_bytes(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from origin.demo.workspace_files import lay_down;"
        "lay_down(Path(sys.argv[1]), None)"
    )
    for name in ("1", "2"):
        environment = {"PYTHONHASHSEED": name, "PYTHONPATH": str(Path(films.__file__).parents[2])}
        subprocess.run([sys.executable, "-c", program, tmp_path / name], env=environment, check=True)
    for path in ("catalogs/films.csv", "data/interactions.csv"):
        assert (tmp_path / "1" / path).read_bytes() == (tmp_path / "2" / path).read_bytes()


def test_a_written_catalogue_reads_back(catalogue: list[Film], tmp_path: Path) -> None:
    films.write(catalogue, tmp_path / "films.csv")
    assert films.read(tmp_path / "films.csv") == catalogue


def test_visitors_watch_what_they_like(catalogue: list[Film]) -> None:
    tastes, seen = visitors.simulate(catalogue)
    genre = {film.id: film.genre_names[0] for film in catalogue}
    watched: dict[str, Counter[str]] = {}
    for row in seen:
        watched.setdefault(row.user, Counter())[genre[row.item]] += 1
    assert len(tastes) == len(watched) == visitors.VISITORS
    likes = [watched[taste.user].most_common(1)[0][0] == taste.first for taste in tastes]
    assert sum(likes) > 0.9 * len(tastes)


def test_no_visitor_watches_a_film_twice_and_all_films_are_watched(catalogue: list[Film]) -> None:
    _, seen = visitors.simulate(catalogue)
    assert len({(row.user, row.item) for row in seen}) == len(seen)
    assert len({row.item for row in seen}) > 0.99 * len(catalogue)
    assert all(row.timestamp >= visitors.END_S - visitors.DAYS * visitors.DAY_S for row in seen)


def test_what_trends_is_not_what_was_always_liked(catalogue: list[Film]) -> None:
    _, seen = visitors.simulate(catalogue)
    lately = [row for row in seen if row.timestamp > visitors.END_S - 7 * visitors.DAY_S]
    top = {item for item, _ in Counter(row.item for row in seen).most_common(20)}
    trending = {item for item, _ in Counter(row.item for row in lately).most_common(20)}
    assert len(trending - top) >= 5
