"""Metrics by hand-made examples."""

import math
from dataclasses import replace

import numpy as np
import pytest

from models.data.contexts import Contexts, Rows
from models.data.histories import asked_in, histories
from models.data.interactions import Interactions, from_rows
from models.measures import metrics


def test_ndcg_counts_places() -> None:
    assert metrics.ndcg([[5, 6]], [frozenset({5, 6})], 2) == 1.0
    assert metrics.ndcg([[1, 5]], [frozenset({5})], 2) == pytest.approx(1 / math.log2(3))
    assert metrics.ndcg([[1, 5]], [frozenset({5, 6, 7})], 2) == pytest.approx(
        (1 / math.log2(3)) / (1 + 1 / math.log2(3))
    )


def test_short_and_missing_lists_are_misses() -> None:
    assert metrics.ndcg([[5]], [frozenset({5, 6})], 10) == pytest.approx(1 / (1 + 1 / math.log2(3)))
    assert metrics.ndcg([[]], [frozenset({5})], 10) == 0.0


def test_users_without_relevant_items_are_left_out() -> None:
    assert metrics.recall([[1], [2]], [frozenset({1}), frozenset()], 1) == 1.0
    assert metrics.recall([], [], 1) == 0.0


def test_recall_and_map() -> None:
    lists, wanted = [[1, 9, 2, 8]], [frozenset({1, 2, 3})]
    assert metrics.recall(lists, wanted, 4) == pytest.approx(2 / 3)
    assert metrics.mean_average_precision(lists, wanted, 4) == pytest.approx((1 + 2 / 3) / 3)
    assert metrics.mean_average_precision(lists, wanted, 1) == 1.0


def test_coverage_and_novelty() -> None:
    train = from_rows(
        [("u", "a", 1, 1.0), ("v", "a", 1, 1.0), ("v", "b", 1, 1.0), ("v", "b", 2, 1.0)], ("a", "b", "c")
    )
    assert metrics.coverage([[0, 1], [0]], 4) == 0.5
    assert metrics.novelty([[0, 1]], train) == pytest.approx(0.5)
    assert metrics.novelty([[2]], train) == 1.0


def test_histories_are_distinct_and_recent_first() -> None:
    rows = [
        ("u", "a", 1, 1.0),
        ("u", "b", 5, 1.0),
        ("v", "c", 1, 1.0),
        ("u", "a", 9, 1.0),
        ("u", "c", 5, 1.0),
    ]
    assert histories(from_rows(rows, ("a", "b", "c"))) == [[0, 1, 2], [2]]


def test_evaluate_asks_for_users_with_test_rows_only(tastes: Interactions) -> None:
    keep = tastes.users < 3
    train, test = tastes, tastes.where(keep)
    asked: list[list[int]] = []

    def recommend(known: list[list[int]], contexts: Rows | None) -> list[list[int]]:
        assert contexts is None
        asked.extend(known)
        return [row[:2] for row in known]

    found = metrics.evaluate(recommend, train, test, 2)
    assert len(asked) == 3
    assert found["ndcg@2"] == found["map@2"] == 1.0
    assert found.keys() == {"ndcg@2", "recall@2", "map@2", "coverage", "novelty"}


def test_a_list_is_made_in_the_context_of_what_came_first(tastes: Interactions) -> None:
    data = from_rows([("u", "a", 9, 1.0), ("u", "b", 5, 1.0), ("v", "a", 1, 1.0)], ("a", "b"))
    rows = np.array([[9.0], [5.0], [np.nan]], np.float32)
    told = replace(data, contexts=Contexts(("age",), (0,), rows))
    found = asked_in(told)
    assert found is not None
    assert np.array_equal(found, [[5.0], [np.nan]], equal_nan=True)
    asked: list[float] = []

    def recommend(known: list[list[int]], contexts: Rows | None) -> list[list[int]]:
        assert contexts is not None
        asked.extend(contexts[:, 0].tolist())
        return [[0] for _ in known]

    metrics.evaluate(recommend, told, told.where(np.array([0, 1])), 1)
    assert asked == [5.0]
    assert asked_in(data) is None


def test_the_best_are_those_of_a_stable_sort() -> None:
    draw = np.random.default_rng(1)
    for size in (1, 5, 40):
        scores = draw.integers(0, 6, size).astype(np.float32)
        scores[draw.random(size) < 0.2] = -np.inf
        order = [at for at in np.argsort(-scores, kind="stable").tolist() if scores[at] > -np.inf]
        for count in (1, 4, size, size + 3):
            assert metrics.best(scores, count) == order[:count]
