"""What visitors muted is never listed, and their lists are as long as they were."""

from collections.abc import Mapping
from dataclasses import replace as replace_limit
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from compiler.models.graph import RecommenderSpec, merge, reference_items
from edge.bundle.arrays import Array, pack, unpack
from edge.bundle.reader import open_bundle
from edge.bundle.strings import Strings, pack_strings
from edge.decide.about import About
from edge.decide.engine import Engine
from edge.decide.plan_check import MAX_HISTORY
from edge.decide.recommender import Recommender, open_session
from edge.decide.types import Context, DecisionRecord, Muted
from edge.errors import BundleError
from models import recipe
from models.data.interactions import from_rows, sort_items
from models.trained import Trained
from tests.workspaces.make import FILES, SITE, make_bundle

FILMS = ("alien", "brazil", "casablanca", "dune", "eva", "fargo", "gilda", "heat")
TITLED: Mapping[str, str] = {
    "site.yaml": FILES["site.yaml"].replace(
        'items: {path: "/film/{item}"}', 'items: {path: "/film/{item}", title: title, topics: genre}'
    ),
    "catalogs/films.csv": FILES["catalogs/films.csv"].replace("horror", "horror|science fiction"),
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine.load(open_bundle(make_bundle(tmp_path_factory.mktemp("titled"), TITLED), SITE))


def _context(
    muted: Muted, *history: str, placements: tuple[str, ...] = ("recommended", "trending")
) -> Context:
    return Context(0, 0, "full", {}, history, placements, muted=muted)


def _lists(engine: Engine, context: Context) -> dict[str, tuple[str, ...]]:
    return {slot.placement: slot.items for slot in engine.decide(context).slots}


def test_items_have_titles_and_topics(engine: Engine) -> None:
    assert engine.about.title("dune") == "Dune, Part One"
    assert engine.about.title("nobody-knows") == "nobody-knows"
    assert engine.about.topics("alien") == ["horror", "science fiction"]
    assert engine.about.has_topic("crime") and not engine.about.has_topic("musical")
    muted = engine.about.muted(Muted(("heat", "gone"), ("science fiction", "gone")))
    assert [engine.items.text(position) for position in sorted(muted)] == ["alien", "dune", "heat"]


@given(
    st.lists(st.sampled_from(FILMS), unique=True, max_size=4),
    st.sets(st.sampled_from(FILMS), max_size=4),
    st.sets(st.sampled_from(("crime", "horror", "science fiction", "gone")), max_size=3),
)
@settings(max_examples=60, deadline=None)
def test_what_is_muted_is_never_listed_and_lists_stay_whole(
    engine: Engine, history: list[str], items: set[str], topics: set[str]
) -> None:
    muted = Muted(tuple(sorted(items)), tuple(sorted(topics)))
    banned = {engine.items.text(position) for position in engine.about.muted(muted)}
    left = len(set(FILMS) - banned - set(history))
    for placement, limit in (("recommended", 4), ("trending", 3)):
        found = _lists(engine, _context(muted, *history)).get(placement, ())
        assert not banned & set(found)
        assert len(found) == min(limit, left)


def test_what_is_muted_says_nothing_of_a_visitors_taste(engine: Engine) -> None:
    seen_and_muted = _context(Muted(("heat",)), "heat", "alien")
    never_seen = _context(Muted(("heat",)), "alien")
    assert _lists(engine, seen_and_muted) == _lists(engine, never_seen)


def test_who_shares_a_batch_changes_nothing(engine: Engine) -> None:
    contexts = [_context(Muted(), "alien"), _context(Muted(("fargo",)), "alien"), _context(Muted(), "alien")]
    engine.forget()
    together = engine.decide_batch(contexts)
    engine.forget()
    assert together == [engine.decide(context) for context in contexts]
    assert together[0] != together[1]


def test_a_record_holds_what_was_muted(engine: Engine) -> None:
    context = _context(Muted(("fargo",), ("crime",)), "alien")
    record = DecisionRecord("1", SITE, "p", engine.id, 1, "", (), "", context, engine.decide(context).slots)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=DecisionRecord)
    assert again == record
    assert engine.decide(again.context).slots == record.slots


def test_records_of_before_muting_are_read(engine: Engine) -> None:
    context = _context(Muted(), "alien")
    fields = msgspec.to_builtins(context)[:-1]
    assert msgspec.convert(fields, Context) == context


SPECS = tuple(
    RecommenderSpec(name, 8, None if name == "recently-viewed" else "popularity")
    for name in ("also-viewed", "ease", "popularity", "recently-viewed")
)


@pytest.fixture(scope="module")
def models() -> dict[str, Trained]:
    """One of each kind, for more items than a call can be told to leave out."""
    draw = np.random.default_rng(5)
    items = sort_items(f"item{n}" for n in range(1_500))
    rows = [
        (f"user{user}", items[item], 1_700_000_000 + user, 1.0)
        for user in range(80)
        for item in draw.choice(len(items), 40, replace=False).tolist()
    ]
    data, few = from_rows(rows, items), {"ease": {"neighbours": 50}}
    return {spec.name: recipe.train(spec.name, spec.name, data, few.get(spec.name, {})) for spec in SPECS}


@pytest.fixture(scope="module")
def large(models: dict[str, Trained]) -> Recommender:
    merged = merge(models, SPECS)
    bindings = merged.plan.bindings.items()
    arrays = {name: merged.arrays[artifact][key] for name, (artifact, key) in bindings}
    return Recommender(merged.plan, open_session(merged.graph), arrays)


def _wanted(
    models: dict[str, Trained], spec: RecommenderSpec, viewed: list[int], banned: set[int]
) -> list[int]:
    """The reference's order of all items, less what is banned."""
    everything = reference_items(models, replace_limit(spec, limit=1_500), viewed)
    return [item for item in everything if item not in banned][: spec.limit]


@pytest.mark.parametrize("count", [0, 1, 40, 900, 1_022])
def test_lists_are_the_references_without_what_is_muted(
    models: dict[str, Trained], large: Recommender, count: int
) -> None:
    order = reference_items(models, RecommenderSpec("popularity", 1_500), [])
    banned, viewed = set(order[2 : 2 + count]), [order[0], order[-1]]
    found = large.recommend_without(viewed, banned)
    assert found == {spec.name: _wanted(models, spec, viewed, banned) for spec in SPECS}


@pytest.mark.parametrize("count", [1_023, 1_300])
def test_of_more_than_a_call_can_be_told_none_is_listed(
    models: dict[str, Trained], large: Recommender, count: int
) -> None:
    order = reference_items(models, RecommenderSpec("popularity", 1_500), [])
    viewed = order[:2]
    on_top, spread = set(order[2 : 2 + count]), set(order[2:][-count:])
    for banned in (on_top, spread):
        assert all(not banned & set(listed) for listed in large.recommend_without(viewed, banned).values())
    whole = large.recommend_without(viewed, spread)
    assert whole["popularity"] == _wanted(models, SPECS[2], viewed, spread)


def test_muting_nothing_lists_the_same(large: Recommender) -> None:
    viewed = [5, 900, 17]
    wanted = {name: found for name, (found,) in large.recommend([viewed]).items()}
    assert large.recommend_without(viewed, ()) == wanted


def test_a_history_longer_than_calls_leaves_room(large: Recommender) -> None:
    found = large.recommend_without(list(range(200)), set(range(300, 300 + MAX_HISTORY)))
    assert all(not set(listed) & set(range(300, 300 + MAX_HISTORY)) for listed in found.values())


def _parts(**changed: Array) -> dict[str, Array]:
    return {
        **pack_strings("topics", [b"a", b"b"]),
        "members": np.array([0, 1, 1], np.uint32),
        "starts": np.array([0, 2, 3], np.uint64),
        **changed,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"starts": np.array([0, 3], np.uint64)},
        {"starts": np.array([0, 4, 3], np.uint64)},
        {"starts": np.array([0, 2, 3], np.uint32)},
        {"members": np.array([0, 1, 2], np.uint32)},
        {"members": np.zeros((3, 1), np.uint32)},
        pack_strings("titles", [b"one"]),
        pack_strings("topics", [b"a", b"\xff"]),
    ],
)
def test_parts_that_do_not_fit_are_refused(wrong: dict[str, Array]) -> None:
    items = Strings(pack_strings("ids", [b"x", b"y"]), "ids")
    About(unpack(pack(_parts())), items)
    with pytest.raises(BundleError):
        About(unpack(pack(_parts(**wrong))), items)


def test_a_bundle_without_titles_mutes_items(tmp_path: Path) -> None:
    engine = Engine.load(open_bundle(make_bundle(tmp_path), SITE))
    context = _context(Muted(("heat",), ("crime",)))
    assert "heat" not in _lists(engine, context)["trending"]
    assert "fargo" in _lists(engine, replace(context, placements=("recommended",)))["recommended"]
    assert engine.about.title("heat") == "heat"
