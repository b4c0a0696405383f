"""`make bench-features`: what it costs a page that rules go by what models tell, on one thread.

The bundle has two small models, a logistic regression and a classifier of three, over a handful of features;
beside it is the same bundle whose rules read none of them. Decisions are made one by one and 16 at a time,
each of a row that was not seen before (`us_alone`, `us_turn`), or of rows that are remembered (`us_known`).
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
from tests.workspaces.predicting import make_predicting_bundle

TURNS: Final = 200
ROUNDS: Final = 40
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
        }
    rounded = {name: round(microseconds, 1) for name, microseconds in figures.items()}
    print(json.dumps({"bench": "features", "figures": rounded}))


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
            Context(0, 0, "full", {"session.pages": float(page), "session.kind": "new"}, (), ("hero", "side"))
            for page in turn
        ]
        for turn in pages
    ]


if __name__ == "__main__":
    main()
