"""Stock lists of the past are made again from changes: exactly those that edges had, in any order."""

from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from edge.bundle import format as fmt
from edge.bundle.stock import decode_stock, stock_id
from edge.decide.engine import Engine
from edge.decide.stock import ALL
from edge.errors import ConfigError
from origin.lake.replay import load_engine, replay
from origin.lake.stock import Change, StockLog, read_stocks
from tests.origin.lake.test_replay import logged
from tests.origin.world import SITE, Keys

pytestmark = pytest.mark.anyio

ORDERS = (
    {"out": ["dune", "alien"]},
    {"out": ["heat"], "back": ["dune"]},
    {"out": ["eva", "heat"], "replace": True},
    {"back": ["eva", "heat"]},
)


async def test_every_list_that_was_in_force_is_found_by_its_id(
    client: httpx.AsyncClient, keys: Keys, tmp_path: Path
) -> None:
    lists = {}
    for order in ORDERS:
        await client.post("stock", json={"author": "ann", **order}, headers=keys.publish)
        payload = fmt.decode((await client.get("stock")).content, fmt.Signed).payload
        lists[stock_id(payload)] = decode_stock(payload, SITE)
    log = read_stocks(tmp_path / "data", SITE)
    for ids in (list(lists), list(lists)[::-1], [*lists] * 2):
        assert [log.of(id_) for id_ in ids] == [lists[id_] for id_ in ids]
    assert log.of("0" * 32) is None
    assert read_stocks(tmp_path / "data", "shoes").of(next(iter(lists))) is None


def test_changes_that_do_not_lead_to_the_list_are_no_proof() -> None:
    log = StockLog(SITE, [Change("f" * 32, 1, ["dune"], [])])
    assert log.of("f" * 32) is None


def test_a_folder_that_is_no_origins_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no data folder of an origin"):
        read_stocks(tmp_path, SITE)


async def test_a_replay_goes_by_the_stock_of_each_decision(
    client: httpx.AsyncClient, keys: Keys, tmp_path: Path, bundle: Path
) -> None:
    engine = load_engine(bundle)
    ids = []
    for order in ORDERS:
        await client.post("stock", json={"author": "ann", **order}, headers=keys.publish)
        ids.append(stock_id(fmt.decode((await client.get("stock")).content, fmt.Signed).payload))
    log = read_stocks(tmp_path / "data", SITE)
    records = [record for id_ in ("", *ids) for record in under(engine, id_, log)]
    assert len({record.slots for record in records}) > 6
    found = replay({engine.id: engine}, records, stocks=log)
    assert (found.decided, found.different, dict(found.unstocked)) == (len(records), 0, {})
    blind = replay({engine.id: engine}, records)
    assert (blind.decided, sum(blind.unstocked.values())) == (6, len(records) - 6)
    # Under another list they would have been others.
    other = StockLog()
    other.over = lambda of, id_: ALL  # type: ignore[method-assign]
    assert replay({engine.id: engine}, records, stocks=other).different > 0


def under(engine: Engine, id_: str, log: StockLog) -> list:
    """What an edge would have written down under this stock list."""
    stock = log.over(engine, id_)
    assert stock is not None
    return [
        replace(record, stock=id_, slots=engine.decide(record.context, stock=stock).slots)
        for record in logged(engine, 6)
    ]
