"""Two towers: an item that nobody viewed has the place that its texts give it."""

from dataclasses import replace
from types import ModuleType

import numpy as np

from models import recipe
from models.data.interactions import Interactions


def test_an_item_that_nobody_viewed_is_placed_by_its_texts(torch: ModuleType, tastes: Interactions) -> None:
    new = tastes.item_ids.index("g1-7")
    known = tastes.where(tastes.items != new)
    model = recipe.train("t", "two-tower", known, {"columns": "title"})
    history = np.array([[tastes.item_ids.index(f"g1-{n}") for n in range(3)]], np.int32)
    scores = model.score(history, np.ones(history.shape, np.float32))[0]
    others = [place for place, item in enumerate(model.items) if not item.startswith("g1")]
    assert scores[new] > np.quantile(scores[others], 0.9)


def test_a_catalog_without_texts_is_learned_by_its_views(torch: ModuleType, tastes: Interactions) -> None:
    model = recipe.train("t", "two-tower", replace(tastes, item_columns={}), {})
    known = [model.items.index(f"g2-{n}") for n in range(3)]
    scores = model.score(np.array([known], np.int32), np.ones((1, 3), np.float32))[0]
    best = [model.items[place] for place in np.argsort(-scores) if place not in known][:5]
    assert {item[:2] for item in best} == {"g2"}
