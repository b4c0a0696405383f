"""Models in blocks list what a scan does, as far as it is looked at, with the same scores."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compiler.models.graph import RecommenderSpec, merge, reference_list
from edge.decide.recommender import Recommender, open_session
from models.data.histories import padded
from models.data.interactions import Interactions, from_rows
from models.graphs import blocked, blocks
from models.graphs.blocked import with_blocks
from models.recipe import Trained, load, save, train

N_ITEMS, LIMIT = 400, 12
RECIPES = {"svd": {"factors": 12}, "als": {"factors": 8, "rounds": 4}, "bpr": {"factors": 8, "rounds": 4}}
HISTORIES = [[], [3], [3, 4, 5], [399], list(range(0, 380, 11)), [200, 7, 9, 350]]


def _interactions() -> Interactions:
    draw = np.random.default_rng(8)
    rows = [
        (f"u{user}", f"i{item}", 1_700_000_000 + 60 * turn, 1.0)
        for user in range(300)
        for turn, item in enumerate((user % 12 * 33 + draw.integers(0, 50, 12)) % N_ITEMS)
    ]
    return from_rows(rows, sorted(f"i{item}" for item in range(N_ITEMS)))


@pytest.fixture(scope="module")
def blocks_of_eight() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocked, "FEWEST", 0)
        patch.setattr(blocked, "TIMES", 1)
        patch.setattr(blocked, "STEP", 1)
        patch.setattr(blocked, "TOP", LIMIT)
        patch.setattr(blocks.block_arrays, "__defaults__", (None, 1.0, 8))
        yield


@pytest.fixture(scope="module")
def plain() -> dict[str, Trained]:
    data = _interactions()
    return {name: train(name, name, data, settings) for name, settings in RECIPES.items()}


@pytest.fixture(scope="module")
def models(plain: dict[str, Trained], blocks_of_eight: None) -> dict[str, Trained]:
    found = {name: with_blocks(model) for name, model in plain.items()}
    assert all(model.shortlist for model in found.values())
    return found


def _recommender(models: dict[str, Trained], name: str) -> Recommender:
    merged = merge({name: models[name]}, [RecommenderSpec(name, LIMIT)])
    bound = {key: merged.arrays[file][part] for key, (file, part) in merged.plan.bindings.items()}
    return Recommender(merged.plan, open_session(merged.graph), bound)


@pytest.mark.parametrize("name", RECIPES)
def test_all_scores_are_those_of_before(
    name: str, plain: dict[str, Trained], models: dict[str, Trained]
) -> None:
    history, weight = padded(HISTORIES, N_ITEMS)
    wanted = plain[name].score(history, weight)
    feeds = {"history": history, "weight": weight, **models[name].arrays}
    (graph,) = open_session(models[name].scores_graph).run(None, feeds)
    assert np.array_equal(models[name].score(history, weight), wanted)
    assert np.array_equal(graph, wanted)


@pytest.mark.parametrize("name", RECIPES)
def test_lists_are_those_of_the_reference(name: str, models: dict[str, Trained]) -> None:
    recommender = _recommender(models, name)
    together = recommender.recommend(HISTORIES)[name]
    for history, shared in zip(HISTORIES, together, strict=True):
        wanted = [item for item, _ in reference_list(models, RecommenderSpec(name, LIMIT), history)]
        (alone,) = recommender.recommend([history])[name]
        assert alone == wanted == shared
        assert len(wanted) == LIMIT
        assert not set(wanted) & set(history)


@pytest.mark.parametrize("name", RECIPES)
def test_what_is_listed_has_the_score_of_a_scan(
    name: str, plain: dict[str, Trained], models: dict[str, Trained]
) -> None:
    for history in HISTORIES:
        scores = plain[name].score(*padded([history], N_ITEMS))[0]
        for item, score in reference_list(models, RecommenderSpec(name, LIMIT), history):
            assert score == scores[item]


@pytest.mark.parametrize("name", RECIPES)
def test_enough_of_the_best_is_found_and_the_card_says_how_much(
    name: str, plain: dict[str, Trained], models: dict[str, Trained]
) -> None:
    told = models[name].card["shortlist"]
    assert told["recall50"] >= 0.95
    assert 0 < told["probes"] < len(models[name].arrays["block_items"])
    specs, whole = RecommenderSpec(name, LIMIT), {name: plain[name]}
    rows = [row.tolist() for row in np.split(plain[name].sample["items"], plain[name].sample["starts"][1:-1])]
    hits = 0
    for row in rows[:60]:
        best = {item for item, _ in reference_list(whole, specs, row)}
        hits += len(best & {item for item, _ in reference_list(models, specs, row)})
    assert hits / (60 * LIMIT) >= 0.9


def test_banned_items_are_left_out(models: dict[str, Trained]) -> None:
    recommender = _recommender(models, "als")
    (listed,) = recommender.recommend([[3, 4, 5]])["als"]
    without = recommender.recommend_without([3, 4, 5], listed[:4])["als"]
    assert without[: LIMIT - 4] == listed[4:]
    assert not set(without) & set(listed[:4])


def test_a_kept_model_finds_the_same(models: dict[str, Trained], tmp_path: Path) -> None:
    save(models["bpr"], tmp_path)
    again = load(tmp_path)
    history, weight = padded(HISTORIES, N_ITEMS)
    for one, other in zip(
        again.find(history, weight) or (), models["bpr"].find(history, weight) or (), strict=True
    ):
        assert np.array_equal(one, other)
    assert again.find(history, weight) is not None


@pytest.mark.usefixtures("blocks_of_eight")
def test_where_too_much_would_be_looked_at_all_items_are_scored(
    plain: dict[str, Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocked, "TIMES", 100)
    model = with_blocks(plain["als"])
    assert model.shortlist == b""
    assert model.card["shortlist"]["probes"] == 0
    assert model.arrays is plain["als"].arrays


@pytest.mark.usefixtures("blocks_of_eight")
def test_no_more_is_looked_at_than_a_call_of_many_visitors_can_hold(
    plain: dict[str, Trained], models: dict[str, Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked_at() -> int:
        wide = models["als"].wider(1_000)
        assert wide is not None
        return len(wide.find(*padded([[3]], N_ITEMS))[0][0])  # type: ignore[index]

    monkeypatch.setattr(blocked, "ROOM_BYTES", 1 << 30)
    everything = looked_at()
    assert everything == models["als"].arrays["block_items"].size
    monkeypatch.setattr(blocked, "ROOM_BYTES", 1 << 26)
    assert looked_at() < everything
    monkeypatch.setattr(blocked, "ROOM_BYTES", 1 << 10)
    assert with_blocks(plain["als"]).shortlist == b""


def test_small_catalogs_other_storage_and_a_recall_of_1_are_left_as_they_are(
    plain: dict[str, Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocked, "FEWEST", N_ITEMS + 1)
    assert with_blocks(plain["als"]) is plain["als"]
    monkeypatch.setattr(blocked, "FEWEST", 0)
    for changed in ({"recall": 1.0}, {"storage": "int8"}):
        card = {**plain["als"].card, "settings": {**plain["als"].card["settings"], **changed}}
        model = replace(plain["als"], card=card)
        assert with_blocks(model) is model


def test_graphs_that_end_otherwise_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocked, "FEWEST", 0)
    model = train("x", "item-item", _interactions())
    assert with_blocks(model) is model
