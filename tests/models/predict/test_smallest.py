"""The search of the smallest prediction: fewer trees and leaves, halved weights, by each recipe's metric."""

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from edge.decide.inference import ort
from edge.errors import GivenError
from models.predict import recipe
from models.predict.card import split
from models.predict.contract import Prediction
from models.predict.evaluate import evaluate, predict
from models.predict.pruning import pruned
from models.predict.quality import METRICS, quality
from models.predict.smallest import chosen_settings, search_prediction
from models.predict.table import Table
from models.predict.trees import read_trees


def _parts(table: Table) -> tuple[Table, Table]:
    learned, kept_back = split(table, None)
    return table.where(learned), table.where(kept_back)


def _search(asked: tuple[str, dict[str, Any]], table: Table, lose: float = 0.2) -> Any:
    return search_prediction("buy", asked, _parts(table), lose, lambda step, share: None)


def test_a_forest_gets_smaller(buyers: Table) -> None:
    found = _search(("forest", {"trees": 24, "leaves": 16}), buyers)
    first = found.points[0]
    assert first.settings == {}
    assert 0 < first.metric < 1
    assert found.chosen.bytes < first.bytes / 2
    assert found.chosen.bound <= 0.2
    tried = [point.settings for point in found.points]
    assert {"trees": 12.0} in tried
    assert {"leaves": 8.0, "trees": 12.0, "prune": 0.5} in tried
    assert len(tried) == len({tuple(sorted(point.items())) for point in tried})


def test_what_was_chosen_is_what_training_makes(buyers: Table) -> None:
    """With the settings that are named, the same bytes and the same quality come of the same rows."""
    asked = ("boosting", {"rounds": 40, "leaves": 8})
    known, test = _parts(buyers)
    found = _search(asked, buyers)
    model = recipe.train("buy", asked[0], known, {**asked[1], **chosen_settings(found.chosen)})
    assert len(model.graph) == found.chosen.bytes
    assert quality(model, known, test).mean() == pytest.approx(found.chosen.metric, abs=1e-9)
    assert found.chosen.settings["rounds"] < 40 or "prune" in found.chosen.settings


def test_fewer_trees_are_the_first_of_those_that_were_grown(buyers: Table) -> None:
    known, _ = _parts(buyers)
    whole = recipe.train("buy", "boosting", known, {"rounds": 300})
    grown = int(whole.card["trees"])
    found = _search(("boosting", {}), buyers)
    assert grown < 300  # it stopped early
    assert max(point.settings.get("rounds", 0) for point in found.points) == round(grown * 0.75)
    part = recipe.train(
        "buy", "boosting", known, {"rounds": grown // 2, "patience": 0, "calibration": "none"}
    )
    all_trees, first = read_trees(whole.graph), read_trees(part.graph)
    nodes = first.roots[-1]
    assert np.array_equal(all_trees.threshold[:nodes], first.threshold[:nodes])


@pytest.mark.parametrize("name", ["boosting", "forest"])
def test_pruned_trees_are_smaller_and_graph_and_reference_agree(buyers: Table, name: str) -> None:
    known, test = _parts(buyers)
    few = {"rounds": 30} if name != "forest" else {"trees": 20}
    whole, half = (recipe.train("buy", name, known, {**few, "prune": share}) for share in (0, 0.5))
    before, after = (int(read_trees(model.graph).is_leaf.sum()) for model in (whole, half))
    assert after == pytest.approx(before / 2, abs=1)
    assert np.abs(_run(half, test.rows) - half.reference(test.rows)).max() <= 2**-20
    assert quality(half, known, test).mean() > 0.8 * quality(whole, known, test).mean()
    missing = np.full((1, test.rows.shape[1]), np.nan, np.float32)
    assert np.isfinite(half.reference(missing)).all()


def test_leaves_that_say_least_go_first() -> None:
    """Of two branches, the one whose leaves are alike; it says their mean over the rows."""
    from models.predict.trees import gather  # noqa: PLC0415

    tree = [
        (0, 0.0, 1, 2, False, 0.0),
        (1, 0.0, 3, 4, False, 0.0),
        (1, 0.0, 5, 6, True, 0.0),
        (0, 0.0, -1, -1, False, 1.0),
        (0, 0.0, -1, -1, False, 1.25),
        (0, 0.0, -1, -1, False, -5.0),
        (0, 0.0, -1, -1, False, 5.0),
    ]
    rows = np.array([[-1, -1], [-1, -1], [-1, -1], [-1, 1], [1, -1], [1, 1]], np.float32)
    left = pruned(gather([tree]), rows, 0.25)
    assert left.is_leaf.sum() == 3
    assert left.sums(rows)[:, 0] == pytest.approx([1.0625] * 4 + [-5, 5], abs=1e-5)
    assert left.sums(np.array([[1, np.nan]], np.float32))[0, 0] == pytest.approx(-5, abs=1e-5)
    stump = pruned(gather([tree]), rows, 0.95)
    assert len(stump.left) == 1
    assert stump.sums(rows)[0, 0] == pytest.approx(4.25 / 6, abs=1e-5)


def test_weights_are_halved(buyers: Table, queries: Table) -> None:
    for name, table in (("mlp", buyers), ("intent", queries)):
        known, test = _parts(table)
        found = _search((name, {"epochs": 5} if name == "mlp" else {"words": 512}), table, 0.1)
        assert {point.storage for point in found.points} == {"full", "float16"}
        small = recipe.train("x", name, known, {"weights": "float16"})
        whole = recipe.train("x", name, known)
        assert len(small.graph) < 0.7 * len(whole.graph)
        assert np.abs(predict(small, test) - predict(whole, test)).max() < 0.01
        if name == "mlp":
            assert np.abs(_run(small, test.rows) - small.reference(test.rows)).max() <= 2**-20
        kinds = [t.data_type for t in onnx.load_model_from_string(small.graph).graph.initializer]
        assert onnx.TensorProto.FLOAT16 in kinds


def test_bits_are_those_that_a_chance_tells(buyers: Table) -> None:
    known, test = _parts(buyers)
    model = recipe.train("buy", "logistic", known)
    share = float(known.labels.mean())
    sure = replace(model, reference=lambda rows: test.labels[:, np.newaxis])
    assert quality(sure, known, test).mean() == pytest.approx(
        -np.where(test.labels == 1, np.log2(share), np.log2(1 - share)).mean(), abs=1e-4
    )
    idle = replace(model, reference=lambda rows: np.full((len(rows), 1), share, np.float32))
    assert np.abs(quality(idle, known, test)).max() < 1e-5


def _figure(model: Prediction, test: Table, name: str) -> float:
    return evaluate(model, test)[name].value


def test_units_have_the_figure_of_the_card_as_their_mean(buyers: Table) -> None:
    """R² of an amount, nDCG of groups, Qini of a treatment."""
    draw = np.random.default_rng(4)
    amounts = replace(
        buyers, labels=(buyers.rows[:, 0] * 3 + draw.normal(size=len(buyers))).astype(np.float32)
    )
    amounts = replace(amounts, rows=np.nan_to_num(amounts.rows), labels=np.nan_to_num(amounts.labels))
    groups = replace(buyers, groups=np.arange(len(buyers)) // 8)
    treated = replace(buyers, treatment=draw.random(len(buyers)) < 0.5)
    for name, table, settings, figure in (
        ("boosting", amounts, {"objective": "amount", "rounds": 20}, "r2"),
        ("lambdamart", groups, {"rounds": 10}, "ndcg@5"),
        ("uplift", treated, {}, "qini"),
    ):
        known, test = _parts(table)
        model = recipe.train("x", name, known, settings)
        units = quality(model, known, test)
        room = 0.2 * abs(_figure(model, test, figure)) + 1e-3 if figure == "qini" else 1e-4
        assert units.mean() == pytest.approx(_figure(model, test, figure), abs=room), name
        assert len(units) > 10


def test_tests_of_texts_count_by_their_pairs(headlines: Table) -> None:
    known, test = _parts(headlines)
    model = recipe.train("x", "text", known, {"words": 256})
    assert quality(model, known, test).mean() == pytest.approx(_figure(model, test, "pairs") - 0.5, abs=1e-6)


def test_classes_are_searched_too(queries: Table) -> None:
    found = _search(("intent", {"words": 512}), queries, 0.1)
    assert found.points[0].metric > 1
    assert found.chosen.storage == "float16"
    assert chosen_settings(found.chosen)["weights"] == "float16"


def test_what_has_no_quality_or_nothing_to_lose_is_refused(buyers: Table) -> None:
    assert "segments" not in METRICS
    with pytest.raises(GivenError, match="no right answer"):
        _search(("segments", {}), buyers)
    with pytest.raises(GivenError, match="no setting that says how much"):
        _search(("logistic", {}), buyers)
    noise = replace(buyers, rows=np.random.default_rng(1).normal(size=buyers.rows.shape).astype(np.float32))
    with pytest.raises(GivenError, match="nothing to lose"):
        _search(("forest", {"trees": 4}), noise, 0.1)


def _run(model: Prediction, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    session = ort.InferenceSession(model.graph, providers=["CPUExecutionProvider"])
    found: NDArray[np.float32] = session.run(["prediction"], {"features": rows, **model.arrays})[0]
    return found
