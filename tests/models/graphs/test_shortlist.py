"""Shortlists list the same items with the same scores as a scan of the whole catalog."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.models.graph import RecommenderSpec, merge, reference_items
from edge.decide.recommender import Recommender, open_session
from edge.decide.stock import ALL, Stock
from models.data.interactions import Interactions, from_rows
from models.graphs import shortlist
from models.recipe import Trained, load, save, train

N_ITEMS = 60
LIMIT = 12
RECIPES = ("also-viewed", "item-item", "markov", "popularity", "user-user")


def _interactions() -> Interactions:
    draw = np.random.default_rng(8)
    rows = [
        (f"u{user}", f"i{item}", 1_700_000_000 + 60 * turn, 1.0)
        for user in range(80)
        for turn, item in enumerate((user % 6 * 9 + draw.integers(0, 12, 8)) % N_ITEMS)
    ]
    return from_rows(rows, sorted(f"i{item}" for item in range(N_ITEMS)))


@pytest.fixture(scope="module")
def models() -> dict[str, Trained]:
    patch = pytest.MonkeyPatch()
    patch.setattr(shortlist, "TIMES", 0)
    patch.setattr(shortlist, "FEWEST", 0)
    try:
        found = {name: train(name, name, _interactions(), {"storage": "float32"}) for name in RECIPES}
    finally:
        patch.undo()
    assert all(model.shortlist for model in found.values())
    return found


@pytest.fixture(scope="module")
def both(models: dict[str, Trained]) -> list[Recommender]:
    """A recommender over shortlists, and one over all scores."""
    specs = [RecommenderSpec(n, LIMIT, None if n == "popularity" else "popularity") for n in RECIPES]
    whole = {name: replace(model, shortlist=b"") for name, model in models.items()}
    found = []
    for chosen in (models, whole):
        merged = merge(chosen, specs)
        bound = {name: merged.arrays[file][key] for name, (file, key) in merged.plan.bindings.items()}
        found.append(Recommender(merged.plan, open_session(merged.graph), bound))
    return found


histories = st.lists(st.lists(st.integers(0, N_ITEMS - 1), unique=True, max_size=20), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None)
@given(asked=histories)
def test_lists_are_those_of_a_scan(both: list[Recommender], asked: list[list[int]]) -> None:
    short, whole = both
    assert short.recommend(asked) == whole.recommend(asked)


@settings(max_examples=30, deadline=None)
@given(viewed=histories, banned=st.sets(st.integers(0, N_ITEMS - 1), max_size=15))
def test_what_is_left_out_is_left_out(
    both: list[Recommender], viewed: list[list[int]], banned: set[int]
) -> None:
    short, whole = both
    known = [item for item in viewed[0] if item not in banned]
    assert short.recommend_without(known, banned) == whole.recommend_without(known, banned)


@settings(max_examples=30, deadline=None)
@given(asked=histories, out=st.frozensets(st.integers(0, N_ITEMS - 1), max_size=40))
def test_what_is_sold_out_is_left_out(
    both: list[Recommender], asked: list[list[int]], out: frozenset[int]
) -> None:
    found = []
    for recommender in both:
        recommender.keep(Stock("some", 1, out))
        found.append(recommender.recommend(asked))
        recommender.keep(ALL)
    assert found[0] == found[1]
    assert not {item for lists in found[0].values() for one in lists for item in one} & out


def test_they_are_those_of_the_reference(both: list[Recommender], models: dict[str, Trained]) -> None:
    for name in RECIPES:
        spec = RecommenderSpec(name, LIMIT, None if name == "popularity" else "popularity")
        for history in ([], [3], [3, 4, 5], list(range(0, 40, 3))):
            assert both[0].recommend([history])[name][0] == reference_items(models, spec, history)


def test_a_fallback_without_a_shortlist_means_a_scan(models: dict[str, Trained]) -> None:
    mixed = models | {"popularity": replace(models["popularity"], shortlist=b"")}
    specs = [RecommenderSpec("item-item", LIMIT, "popularity")]
    scanned, short = merge(mixed, specs), merge(models, specs)
    assert b"short/" not in scanned.graph
    assert b"short/" in short.graph
    assert b"item-item/scores" in scanned.graph


def test_no_graph_computes_what_nobody_asks_for(models: dict[str, Trained]) -> None:
    merged = merge(models, [RecommenderSpec("item-item", LIMIT, "popularity")])
    proto = onnx.load_model_from_string(merged.graph).graph
    read = {name for node in proto.node for name in node.input} | {value.name for value in proto.output}
    assert not [node for node in proto.node if not read.intersection(node.output)]
    assert b"item-item/scores" in merged.whole
    assert b"item-item/scores" not in merged.graph


def test_arrays_that_it_was_not_made_for_mean_a_scan(models: dict[str, Trained]) -> None:
    one = models["item-item"]
    graph = merge({"item-item": one}, [RecommenderSpec("item-item", LIMIT)]).graph
    assert b"short/" in graph
    changed = train("item-item", "item-item", _interactions(), {"neighbours": 5})
    stale = replace(changed, shortlist=one.shortlist)
    assert b"short/" not in merge({"item-item": stale}, [RecommenderSpec("item-item", LIMIT)]).graph


def test_they_are_kept_and_go_with_arrays_that_change(models: dict[str, Trained], tmp_path: Path) -> None:
    save(models["item-item"], tmp_path)
    assert load(tmp_path).shortlist == models["item-item"].shortlist
    save(replace(models["item-item"], shortlist=b""), tmp_path)
    assert load(tmp_path).shortlist == b""


def test_small_catalogs_are_scanned() -> None:
    assert train("x", "item-item", _interactions()).shortlist == b""
    assert shortlist.if_large(shortlist.TIMES * 50, 50, lambda: b"graph") == b"graph"
    assert shortlist.if_large(shortlist.TIMES * 50 - 1, 50, lambda: b"graph") == b""
