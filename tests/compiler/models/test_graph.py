"""The merged graph: the same bytes each time, the same lists as the reference, nothing that was seen."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from compiler.models.graph import MergedGraph, RecommenderSpec, merge, reference_items
from edge.decide.recommender import Recommender, open_session
from edge.errors import GivenError, NearsideError
from models import recipe
from models.data import movielens
from models.data.histories import histories
from models.data.interactions import Interactions, from_rows, sort_items
from models.data.split import split_per_user
from models.measures.metrics import evaluate
from models.trained import Trained

N_ITEMS = 40
SPECS = (RecommenderSpec("ease", 10, "popularity"), RecommenderSpec("popularity", 50))


def _interactions() -> Interactions:
    draw = np.random.default_rng(11)
    items = sort_items(f"item{n}" for n in range(N_ITEMS))
    rows = [
        (f"user{user}", items[item], 1_700_000_000 + 3600 * user, 1.0)
        for user in range(60)
        for item in draw.choice(N_ITEMS, 8, replace=False).tolist()
    ]
    return from_rows(rows, items)


def _train(data: Interactions) -> dict[str, Trained]:
    return {name: recipe.train(name, name, data, {}) for name in ("popularity", "ease")}


def _open(merged: MergedGraph) -> Recommender:
    arrays = {name: merged.arrays[file][key] for name, (file, key) in merged.plan.bindings.items()}
    return Recommender(merged.plan, open_session(merged.graph), arrays)


@pytest.fixture(scope="module")
def models() -> dict[str, Trained]:
    return _train(_interactions())


@pytest.fixture(scope="module")
def recommender(models: dict[str, Trained]) -> Recommender:
    return _open(merge(models, SPECS))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.integers(0, N_ITEMS - 1), unique=True, max_size=N_ITEMS), min_size=1, max_size=9))
def test_lists_equal_the_reference(
    models: dict[str, Trained], recommender: Recommender, batch: list[list[int]]
) -> None:
    for history, lists in zip(batch, recommender.list_items(batch), strict=True):
        for spec in SPECS:
            assert lists[spec.name] == reference_items(models, spec, history)
            assert not set(lists[spec.name]) & set(history)


def test_ties_go_to_the_lower_position() -> None:
    data = from_rows([("u", f"i{n}", 1, 1.0) for n in range(9)], tuple(f"i{n}" for n in range(9)))
    found = _open(merge(_train(data), [RecommenderSpec("popularity", 5)]))
    assert found.recommend([[], [1, 0]]) == {"popularity": [[0, 1, 2, 3, 4], [2, 3, 4, 5, 6]]}


def test_an_empty_history_gets_the_fallback_and_an_exhausted_catalog_nothing(
    recommender: Recommender,
) -> None:
    nobody, everything = recommender.list_items([[], list(range(N_ITEMS))])
    assert nobody["ease"] == nobody["popularity"][:10]
    assert everything == {"ease": [], "popularity": []}


def test_a_limit_beyond_the_catalog_is_the_catalog(models: dict[str, Trained]) -> None:
    plan = merge(models, SPECS).plan
    assert {planned.name: planned.limit for planned in plan.recommenders} == {
        "ease": 10,
        "popularity": N_ITEMS,
    }


def test_the_plan_describes_the_graph(models: dict[str, Trained]) -> None:
    merged = merge(models, SPECS, 20)
    graph = onnx.load_model_from_string(merged.graph).graph
    assert {value.name for value in graph.input} == {"history", "stock", "weight", *merged.plan.bindings}
    assert [value.name for value in graph.output] == [
        name for planned in merged.plan.recommenders for name in (planned.items_output, planned.scores_output)
    ]
    assert (merged.plan.n_items, merged.plan.max_history) == (N_ITEMS, 20)
    assert merged.plan.bindings["model/ease/value"] == ("arrays/ease", "value")
    assert sum(len(tensor.SerializeToString()) for tensor in graph.initializer) < 2000


def test_models_that_nobody_names_are_left_out(models: dict[str, Trained]) -> None:
    merged = merge(models, [RecommenderSpec("popularity", 3)])
    assert merged.arrays.keys() == {"arrays/popularity"}
    assert b"ease" not in merged.graph


def test_the_order_of_models_and_specs_changes_nothing(models: dict[str, Trained]) -> None:
    turned = dict(reversed(models.items()))
    assert merge(turned, SPECS[::-1]).graph == merge(models, SPECS).graph
    assert merge(turned, SPECS[::-1]).plan == merge(models, SPECS).plan


DIGEST = """
import importlib.util
from edge.bundle import format as fmt
spec = importlib.util.spec_from_file_location("graph_test", "tests/compiler/models/test_graph.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
merged = module.merge(module._train(module._interactions()), module.SPECS)
print(fmt.digest(merged.graph), fmt.digest(fmt.encode(merged.plan)))
"""


def test_bytes_do_not_depend_on_the_hash_seed() -> None:
    root = Path(__file__).resolve().parents[3]
    found = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
    assert len(found.pop().split()) == 2


def _foreign(models: Mapping[str, Trained], node: onnx.NodeProto) -> dict[str, Trained]:
    """The models, with a popularity graph of one node."""
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", N_ITEMS])
    proto = onnx.load_model_from_string(models["popularity"].scores_graph)
    graph = helper.make_graph([node], "foreign", proto.graph.input, [scores])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    return {"popularity": replace(models["popularity"], scores_graph=model.SerializeToString())}


def test_operators_beyond_the_list_are_refused(models: dict[str, Trained]) -> None:
    bad = _foreign(models, helper.make_node("Sin", ["score"], ["scores"]))
    with pytest.raises(NearsideError, match="'Sin' is not allowed"):
        merge(bad, [RecommenderSpec("popularity", 3)])


@pytest.mark.parametrize(
    ("specs", "said"),
    [
        ([], "must be named, each once"),
        ([RecommenderSpec("ease", 1), RecommenderSpec("ease", 2)], "must be named, each once"),
        ([RecommenderSpec("ease", 0)], "limit must be at least 1"),
        ([RecommenderSpec("als", 3)], "no trained model als"),
        ([RecommenderSpec("ease", 3, "trending")], "no trained model trending"),
    ],
)
def test_wrong_recommenders_are_named(
    models: dict[str, Trained], specs: Sequence[RecommenderSpec], said: str
) -> None:
    with pytest.raises(GivenError, match=said):
        merge(models, specs)


def test_models_of_different_catalogs_do_not_merge(models: dict[str, Trained]) -> None:
    other = replace(models["ease"], items=models["ease"].items[::-1])
    with pytest.raises(GivenError, match="know different items"):
        merge({**models, "ease": other}, SPECS)


def test_arrays_must_fit_the_graph_and_be_finite(models: dict[str, Trained]) -> None:
    spec = [RecommenderSpec("popularity", 3)]
    renamed = replace(models["popularity"], arrays={"points": models["popularity"].arrays["score"]})
    with pytest.raises(GivenError, match="inputs"):
        merge({"popularity": renamed}, spec)
    broken = replace(models["popularity"], arrays={"score": np.full(N_ITEMS, np.nan, np.float32)})
    with pytest.raises(GivenError, match="NaN or infinity"):
        merge({"popularity": broken}, spec)


def _in_batches(
    found: Recommender, name: str, known: list[list[int]], _contexts: object = None
) -> list[list[int]]:
    """Lists in the order of `known`, computed in batches of like lengths."""
    order = sorted(range(len(known)), key=lambda row: len(known[row]))
    lists: list[list[int]] = [[] for _ in known]
    for start in range(0, len(order), 16):
        rows = order[start : start + 16]
        for row, answer in zip(rows, found.recommend([known[row] for row in rows])[name], strict=True):
            lists[row] = answer
    return lists


# Those that train in a second; `make bench-models` has the others.
QUICK = ("also-viewed", "ease", "item-item", "markov", "popularity", "recently-viewed", "svd", "user-user")


def test_all_943_visitors_get_the_reference_lists(data_dir: Path) -> None:
    ratings = movielens.read_interactions(data_dir / "ml-100k")
    models = {name: recipe.train(name, name, ratings, {}) for name in QUICK}
    specs = [RecommenderSpec(name, 10, None if name == "popularity" else "popularity") for name in QUICK]
    found = _open(merge(models, specs, 1000))
    known = histories(ratings)
    assert len(known) == 943
    for spec in specs:
        wanted = [reference_items(models, spec, history) for history in known]
        assert _in_batches(found, spec.name, known) == wanted


def test_quality_of_the_compiled_graph_on_real_ratings(data_dir: Path) -> None:
    """The Recommenders project: 75/25 per user, seen removed, all test ratings relevant; five seeds."""
    ratings = movielens.read_interactions(data_dir / "ml-100k")
    found = []
    for seed in range(5):
        train, test = split_per_user(ratings, 0.75, seed)
        model = {"ease": recipe.train("ease", "ease", train, {})}
        compiled = _open(merge(model, [RecommenderSpec("ease", 10)], 1000))
        found.append(evaluate(partial(_in_batches, compiled, "ease"), train, test, 10))
    means = {key: float(np.mean([one[key] for one in found])) for key in found[0]}
    print(means)
    assert means["ndcg@10"] >= 0.475
