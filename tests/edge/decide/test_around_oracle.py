"""Lists equal those of an oracle that ranks the whole catalog and walks down it, however choosy they are."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.workspace import read_workspace
from edge.decide.engine import Engine
from edge.decide.types import Context, Muted
from models.trained import Trained
from tests.workspaces.make import train_models
from tests.workspaces.shop import BRANDS, N_ITEMS, asks, countries, genres, item, listed, shop_engine

TEXT = """\
model: taste
fallback: popular
only:
  - {where: {item.stock: {$gt: 0}}}
  - {column: countries, has: geo.country}
boost: [{where: {item.brand: acme}, times: 1.5}]
pin: [{item: i08, at: 2}]
at_most: {brand: 2, genre: 3}
leave_out: visitor.owned
consider: 11
"""
PINNED, PLACE, LIMIT = 8, 1, 6

Built = tuple[Engine, dict[str, Trained]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder: Path = tmp_path_factory.mktemp("oracle")
    engine = shop_engine(folder, TEXT)
    return engine, train_models(read_workspace(folder / "workspace"))


def _kinds(number: int) -> set[tuple[str, str]]:
    return {("brand", BRANDS[number % 3]), *(("genre", genre) for genre in genres(number))}


def _ranked(model: Trained, history: Sequence[int]) -> list[int]:
    """The whole catalog, the best first."""
    known = np.array([history], np.int32).reshape(1, -1)
    scores = model.score(known, np.ones(known.shape, np.float32))[0]
    acme = np.arange(N_ITEMS) % 3 == 0
    half, above = np.float32(1 / 1.5), np.float32(1.5)
    boosted = np.where(acme, np.where(scores < 0, scores * half, scores * above), scores)
    return [int(n) for n in np.argsort(-boosted, kind="stable")]


def _wanted(models: dict[str, Trained], viewed: Sequence[int], country: str, out: set[int]) -> list[int]:
    stocked = {n for n in range(N_ITEMS) if n % 7} - out
    open_ = {n for n in stocked if not countries(n) or country in countries(n)}
    chain = [models["taste"], models["popular"]] if viewed else [models["popular"]]
    most, counts = {"brand": 2, "genre": 3}, Counter(_kinds(PINNED) if PINNED in open_ else ())
    found: list[int] = []
    for candidate in [n for model in chain for n in _ranked(model, viewed)]:
        fits = all(counts[kind] < most[kind[0]] for kind in _kinds(candidate))
        if len(found) == LIMIT - (PINNED in open_):
            break
        if candidate in open_ and candidate not in (*viewed, *found, PINNED) and fits:
            found.append(candidate)
            counts.update(_kinds(candidate))
    if PINNED in open_:
        found.insert(PLACE, PINNED)
    return found


numbers = st.integers(0, N_ITEMS - 1)


@settings(deadline=None, max_examples=80)
@given(
    st.lists(numbers, unique=True, max_size=12),
    st.sampled_from(("DE", "AT", "FR", "XX")),
    st.sets(numbers, max_size=50),
    st.sets(numbers, max_size=4),
)
def test_lists_are_the_oracles(
    built: Built, history: list[int], country: str, owned: set[int], muted: set[int]
) -> None:
    engine, models = built
    given_ = {"geo_country": country, "visitor_owned": ",".join(map(item, sorted(owned)))}
    context = asks(*history, muted=Muted(tuple(map(item, sorted(muted)))), **given_)
    found = listed(engine, context)
    # What is owned stays in the history; what is muted is in neither.
    viewed = [n for n in history if n not in muted]
    assert found == _wanted(models, viewed, country, owned | muted)
    # A record holds all that the list depends on.
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(context), type=Context)
    engine.forget()
    assert listed(engine, again) == found
