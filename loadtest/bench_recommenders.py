"""`make bench-recommenders`: what a list of a recommender costs on MovieLens 100K, on one thread.

The model is EASE, over 1,682 films; histories are those of 400 users, cut to a cookie's 50 items. Each
kind of recommender is compiled into a bundle of its own; decisions are made 16 at a time, first without
what is remembered (`us_cold_NAME`: candidates and list), then with it (`us_warm_NAME`).
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from compiler.build import compile_workspace
from compiler.workspace import read_workspace
from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.decide.stock import ALL, Stock
from edge.decide.types import Context
from models.data.histories import histories
from models.data.interactions import Interactions
from models.data.movielens import Film, read_films, read_interactions
from models.recipe import Trained, train

ROOT: Final = Path(__file__).resolve().parents[1]
BATCH: Final = 16
USERS: Final = 400
COOKIE: Final = 50
COUNTRIES: Final = ("", "DE|AT", "FR", "US")
KINDS: Final = {
    "bare": "",
    "filters": "only: [{where: {item.stock: 1}}, {column: countries, has: geo.country}]\n",
    "boosts": "boost: [{where: {item.genres: {$regex: Drama}}, times: 1.5}]\n",
    "caps": "at_most: {genres: 3}\n",
    "diverse50": "diverse: {weight: 0.3, by: genres}\n",
    "diverse200": "diverse: {weight: 0.3, by: genres}\nconsider: 200\n",
    "near50": "diverse: {weight: 0.3, model: svd}\n",
    "near200": "diverse: {weight: 0.3, model: svd}\nconsider: 200\n",
    "explore": "explore: {slot: 5, share: 0.1}\n",
}
"""By the name of the figure, what the recommender says beside its model."""

SITE: Final = """\
site: films
placements: [shelf]
attributes:
  geo.country: {type: string, source: "header:x-country"}
items: {path: "/film/{item}"}
"""
CAMPAIGN: Final = (
    "campaigns:\n  - {id: a, placement: shelf, show: {recommender: NAME, card: film, limit: 10}}\n"
)


def main() -> None:
    """Compile each kind, decide, and print what a decision costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    data = Path(os.environ.get("NEARSIDE_DATA") or ROOT.parent / "shared/data") / "ml-100k"
    if not data.is_dir():
        sys.exit(f"{data} is not there: set NEARSIDE_DATA to the folder that has ml-100k")
    ratings, films = read_interactions(data), read_films(data)
    models = {name: train(name, name, ratings, {}) for name in ("ease", "popularity", "svd")}
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {"model": None, **KINDS}.items():
            engine = make_engine(Path(folder) / name, text, films, models)
            cold, warm = measure(engine, contexts_of(ratings), options.rounds)
            figures |= {f"us_cold_{name}": round(cold, 1), f"us_warm_{name}": round(warm, 1)}
    print(json.dumps({"bench": "recommenders", "figures": figures}))


def make_engine(folder: Path, text: str | None, films: Sequence[Film], models: dict[str, Trained]) -> Engine:
    """The engine of a bundle with that recommender; None: the bare model."""
    rows = [
        ",".join((film.id, "|".join(film.genres), str(int(n % 5 > 0)), COUNTRIES[n % 4])) + "\n"
        for n, film in enumerate(films)
    ]
    files = {
        "site.yaml": SITE,
        "catalogs/films.csv": "id,genres,stock,countries\n" + "".join(rows),
        "catalogs/cards/film.html": '<a data-item="{{ id }}" href="/film/{{ id }}">{{ genres }}</a>\n',
        "interactions.csv": "user,item,timestamp\n",
        "models/ease.yaml": "recipe: ease\ninteractions: interactions.csv\nfallback: popularity\n",
        "models/popularity.yaml": "recipe: popularity\ninteractions: interactions.csv\n",
        "rules/a.yaml": CAMPAIGN.replace("NAME", "ease" if text is None else "mine"),
        **{
            f"models/{name}.yaml": f"recipe: {model.card['recipe']}\ninteractions: interactions.csv\n"
            for name, model in models.items()
            if name not in ("ease", "popularity")
        },
        **({} if text is None else {"recommenders/mine.yaml": f"model: ease\n{text}"}),
    }
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content, encoding="utf-8")
    compile_workspace(read_workspace(folder), models, folder.with_name(f"{folder.name}.bundle"))
    return Engine.load(open_bundle(folder.with_name(f"{folder.name}.bundle"), "films"))


def contexts_of(ratings: Interactions) -> list[Context]:
    """Contexts of some users, who all ask for the list."""
    ids = ratings.item_ids
    return [
        Context(0, seed, "full", {"geo.country": "DE"}, tuple(ids[n] for n in history[:COOKIE]), ("shelf",))
        for seed, history in enumerate(histories(ratings)[:USERS])
    ]


def measure(engine: Engine, contexts: list[Context], rounds: int, stock: Stock = ALL) -> tuple[float, float]:
    """Microseconds of a decision, cold and warm: of some rounds the best, as others disturb."""
    cold: list[float] = []
    warm: list[float] = []
    for _ in range(rounds):
        engine.forget()
        for times in (cold, warm):
            begin = time.perf_counter()
            for start in range(0, len(contexts), BATCH):
                engine.decide_batch(contexts[start : start + BATCH], stock=stock)
            times.append((time.perf_counter() - begin) / len(contexts) * 1e6)
    return min(cold), min(warm)


if __name__ == "__main__":
    main()
