"""`make bench-features`: what it costs a page that rules or lists go by what models make of its context.

The bundle has two small models, a logistic regression and a classifier of three, over a handful of features;
beside it is the same bundle whose rules read none of them. Decisions are made one by one and 16 at a time,
each of a row that was not seen before (`us_alone`, `us_turn`), or of rows that are remembered (`us_known`).

Lists (`us_list_…`) are of a small model that takes in two columns; beside it are the same campaigns with one
that takes in none (`…_bare`). All on one thread.
"""

import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from edge.decide.engine import Engine
from edge.decide.predictor import ROWS
from edge.decide.types import Context
from tests.workspaces.contextual import make_contextual
from tests.workspaces.predicting import make_predicting_bundle

TURNS: Final = 200
ROUNDS: Final = 40
PLACEMENTS: Final = ("hero", "side", "recommended")
WITHOUT: Final = "recipe: ease\ninteractions: interactions.csv\nfallback: popular\n"
UNREAD: Final = {
    "rules/rules.yaml": "campaigns:\n"
    "  - {id: any, audience: {session.pages: {$gt: 20}}, placement: hero, show: {content: offer}}\n"
}


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        told = Engine.load(make_predicting_bundle(Path(folder) / "told"))
        plain = Engine.load(make_predicting_bundle(Path(folder) / "plain", UNREAD))
        figures = {
            "us_alone": _cost_us(told, 1),
            "us_turn": _cost_us(told, ROWS),
            "us_known": _cost_us(told, ROWS, known=True),
            "us_alone_unread": _cost_us(plain, 1),
            "us_turn_unread": _cost_us(plain, ROWS),
            **_lists(Path(folder)),
        }
    rounded = {name: round(microseconds, 1) for name, microseconds in figures.items()}
    print(json.dumps({"bench": "features", "figures": rounded}))


def _lists(folder: Path) -> dict[str, float]:
    """The same of lists; where no model knows the context, all are remembered by their history alone."""
    near = Engine.load(make_contextual(folder / "near"))
    bare = Engine.load(make_contextual(folder / "bare", {"models/near.yaml": WITHOUT}))
    return {
        "us_list_alone": _cost_us(near, 1),
        "us_list_turn": _cost_us(near, ROWS),
        "us_list_known": _cost_us(near, ROWS, known=True),
        "us_list_known_bare": _cost_us(bare, ROWS, known=True),
    }


def _cost_us(engine: Engine, size: int, *, known: bool = False) -> float:
    """Of one decision in turns of this size: the best of some rounds, as others use the machine, too."""
    turns = _turns(size, 1 if known else TURNS) * (TURNS if known else 1)
    return min(_round_us(engine, turns) for _ in range(ROUNDS)) / size


def _round_us(engine: Engine, turns: Sequence[list[Context]]) -> float:
    engine.forget()
    began = time.perf_counter()
    for contexts in turns:
        engine.decide_batch(contexts)
    return (time.perf_counter() - began) / len(turns) * 1e6


def _turns(size: int, count: int) -> list[list[Context]]:
    draw = np.random.default_rng(1)
    pages = draw.random((count, size)) * 50
    return [
        [
            Context(0, 0, "full", {"session.pages": float(page), "session.kind": "new"}, (), PLACEMENTS)
            for page in turn
        ]
        for turn in pages
    ]


if __name__ == "__main__":
    main()
