"""Scores for explanations: of a model that is listed from a shortlist, those of what it looks at."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from compiler.models.graph import RecommenderSpec, merge
from edge.decide.recommender import Recommender, open_session
from models.data.interactions import from_rows
from models.graphs import shortlist
from models.recipe import Trained, train
from origin.explain.model_scores import ModelScores

N_ITEMS = 30


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> dict[str, Trained]:
    monkeypatch.setattr(shortlist, "TIMES", 0)
    monkeypatch.setattr(shortlist, "FEWEST", 0)
    draw = np.random.default_rng(1)
    rows = [
        (f"u{user}", f"i{item:02}", 1_700_000_000 + turn, 1.0)
        for user in range(40)
        for turn, item in enumerate(draw.choice(N_ITEMS, 5, replace=False))
    ]
    data = from_rows(rows, [f"i{item:02}" for item in range(N_ITEMS)])
    return {name: train(name, name, data) for name in ("item-item", "popularity")}


def _scores(models: dict[str, Trained]) -> ModelScores:
    merged = merge(models, [RecommenderSpec("item-item", 10, "popularity")])
    bound = {name: merged.arrays[file][key] for name, (file, key) in merged.plan.bindings.items()}
    bundle = SimpleNamespace(one=lambda role, kind: kind, read=lambda artifact: merged.graph)
    return ModelScores(cast(Any, bundle), Recommender(merged.plan, open_session(merged.graph), bound))


def test_they_are_the_same_with_a_shortlist_but_for_what_was_seen(models: dict[str, Trained]) -> None:
    plain = {name: replace(model, shortlist=b"", finder=None) for name, model in models.items()}
    short, whole = _scores(models), _scores(plain)
    assert short.models == whole.models == ("item-item", "popularity")
    history, rows = [4, 9, 17], [[0, 1, 2], [1], []]
    for name in short.models:
        asked = (name, history, rows, [()] * len(rows))
        found, wanted = short.of(*asked), whole.of(*asked).copy()
        assert found.shape == (len(rows), N_ITEMS)
        for row, places in enumerate(rows):
            wanted[row, [history[place] for place in places]] = -np.inf
        assert np.array_equal(found, wanted)
