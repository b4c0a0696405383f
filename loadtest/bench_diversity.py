"""`make bench-diversity`: what unlike lists cost in nDCG, on MovieLens 100K.

75 % of each user's ratings are trained on, and are their history; the rest is what lists of ten are held
against. EASE ranks; a list is diverse by genres, by the rows of svd, or by both, with several weights.
Likeness is the mean over all pairs of a list: the share of genres in common, and the cosine of rows.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compiler.recommenders.arrays import directions_of
from edge.decide.engine import Engine
from edge.decide.likeness import Alike, Directions, Groups, Likeness
from edge.decide.types import Context
from loadtest.bench_recommenders import BATCH, ROOT, make_engine
from models.data.histories import histories
from models.data.movielens import Film, read_films, read_interactions
from models.data.split import split_per_user
from models.measures.metrics import ndcg
from models.recipe import train

K: Final = 10
SEED: Final = 0
LONGEST: Final = 1_000
"""More than anybody rated."""

WEIGHTS: Final = (0.1, 0.2, 0.3, 0.5, 0.7)
WAYS: Final = {"genres": "by: genres", "rows": "model: svd", "both": "by: genres, model: svd"}


def main() -> None:
    """Measure each way and weight; print a table, and the figures."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    data = Path(os.environ.get("NEARSIDE_DATA") or ROOT.parent / "shared/data") / "ml-100k"
    if not data.is_dir():
        sys.exit(f"{data} is not there: set NEARSIDE_DATA to the folder that has ml-100k")
    known, test = split_per_user(read_interactions(data), 0.75, SEED)
    films = read_films(data)
    models = {
        name: train(name, name, known, {"max_history": LONGEST}) for name in ("ease", "popularity", "svd")
    }
    relevant = [frozenset(items) for items in histories(test)]
    users = [user for user, items in enumerate(relevant) if items]
    asked = [histories(known)[user] for user in users]
    rows = directions_of(models["svd"])
    assert rows is not None
    ways = (_genres(films), Directions(rows))
    figures: dict[str, float] = {}
    print(
        "| diverse | weight | nDCG@10 | genres in common | cosine of rows |\n| --- | --- | --- | --- | --- |"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, weight, text in _kinds():
            engine = make_engine(Path(folder) / f"{name}{weight:g}", text, films, models)
            lists = _lists(engine, asked, known.item_ids)
            found = ndcg(lists, [relevant[user] for user in users], K)
            genres, cosine = (_mean_likeness(way, lists) for way in ways)
            print(f"| {name} | {weight:g} | {found:.4f} | {genres:.3f} | {cosine:.3f} |", flush=True)
            key = f"{name}_{weight:g}".replace(".", "")
            figures |= {f"ndcg_{key}": round(found, 4), f"genres_{key}": round(genres, 3)}
            figures[f"cosine_{key}"] = round(cosine, 3)
    print(json.dumps({"bench": "diversity", "figures": figures}))


def _kinds() -> list[tuple[str, float, str]]:
    made = [
        (name, weight, f"diverse: {{weight: {weight}, {by}}}\n")
        for name, by in WAYS.items()
        for weight in WEIGHTS
    ]
    return [("none", 0.0, ""), *made]


def _lists(engine: Engine, asked: Sequence[list[int]], ids: tuple[str, ...]) -> list[list[int]]:
    """The list of ten for each history."""
    places = {id_: place for place, id_ in enumerate(ids)}
    contexts = [
        Context(0, 0, "full", {"geo.country": "DE"}, tuple(ids[n] for n in history), ("shelf",))
        for history in asked
    ]
    found = []
    for start in range(0, len(contexts), BATCH):
        for decision in engine.decide_batch(contexts[start : start + BATCH]):
            found.append([places[item] for item in decision.slots[0].items])
    return found


def _genres(films: Sequence[Film]) -> Groups:
    names = sorted({genre for film in films for genre in film.genres})
    values = [[names.index(genre) for genre in film.genres] for film in films]
    starts = np.cumsum([0, *map(len, values)]).astype(np.uint64)
    return Groups(starts, np.array([value for of_film in values for value in of_film], np.uint32))


def _mean_likeness(way: Alike, lists: Sequence[Sequence[int]]) -> float:
    """Of all pairs within a list, the mean; then over lists."""
    found = []
    for items in lists:
        likeness = Likeness([way], items)
        table: NDArray[np.float64] = np.array([likeness.to(at) for at in range(len(items))])
        found.append(float(table[np.triu_indices(len(items), 1)].mean()))
    return float(np.mean(found))


if __name__ == "__main__":
    main()
