"""A worker leaves out what the agent laid down; what can't be read leaves the last good list in force."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.bundle import format as fmt
from edge.bundle.active import Active as Wanted
from edge.bundle.active import bundle_folder, write_active
from edge.bundle.reader import open_bundle
from edge.bundle.stock import StockList, stock_path, write_stock
from edge.decide.engine import Engine
from edge.decide.stock import ALL
from edge.worker.active import Holder
from edge.worker.attributes.locator import NOBODY
from edge.worker.control import Activator
from tests.workspaces.make import SITE

folder_of: Callable[[Path, str], Path] = bundle_folder


class Edge:
    """A worker's activator over a state folder with a bundle."""

    def __init__(self, state: Path, folder: Path) -> None:
        self.state, self.holder = state, Holder()
        self.bundle = open_bundle(folder, SITE).id
        shutil.copytree(folder, folder_of(state, self.bundle))
        write_active(state, Wanted(3, self.bundle, 7))
        self.activator = Activator(state, SITE, self.holder, NOBODY)

    def lay(self, *out: str, serial: int = 1, site: str = SITE) -> None:
        write_stock(self.state, signed(StockList(fmt.FORMAT, site, serial, out)))

    def activate(self) -> dict[str, object]:
        told = asyncio.run(self.activator.activate())
        assert told is not None
        assert "activated" in told
        stock: dict[str, object] = told.get("stock", {})
        return stock

    def out(self) -> set[str]:
        engine, stock = self.holder.active.engine, self.holder.active.stock
        assert isinstance(engine, Engine)
        return {engine.items.text(position) for position in stock.out}


def signed(listed: StockList) -> bytes:
    return fmt.encode(fmt.Signed(fmt.encode(listed), ()))


@pytest.fixture
def edge(tmp_path: Path, bundle_folder: Path) -> Edge:
    return Edge(tmp_path / "state", bundle_folder)


def test_nothing_was_ever_said_of_stock(edge: Edge) -> None:
    assert edge.activate() == {}
    assert edge.holder.active.stock is ALL


def test_a_new_list_swaps_neither_engine_nor_session(edge: Edge) -> None:
    edge.activate()
    before = edge.holder.active
    edge.lay("dune", "nowhere")
    assert edge.activate() == {"serial": 1, "out": 1, "unknown": 1, "refused": ""}
    assert edge.holder.active.engine is before.engine
    assert edge.out() == {"dune"}
    edge.lay("alien", serial=2)
    edge.activate()
    assert edge.out() == {"alien"}
    assert before.stock is ALL  # who began with it ends with it


def test_a_kill_keeps_what_is_remembered_of_lists(edge: Edge) -> None:
    edge.lay("dune")
    edge.activate()
    stock = edge.holder.active.stock
    write_active(edge.state, Wanted(3, edge.bundle, 8, ("welcome",)))
    edge.activate()
    assert edge.holder.active.stock is stock
    assert edge.holder.active.killed == ("welcome",)


def test_a_bundle_that_is_refused_holds_no_stock_back(edge: Edge) -> None:
    edge.activate()
    write_active(edge.state, Wanted(4, "0" * 32, 8))
    edge.lay("dune")
    told = asyncio.run(edge.activator.activate())
    assert told is not None
    assert "refused" in told
    assert told["stock"]["serial"] == 1
    assert edge.out() == {"dune"}
    assert edge.holder.active.revision == 3


def missing(edge: Edge) -> None:
    stock_path(edge.state).unlink()


def cut(edge: Edge) -> None:
    path = stock_path(edge.state)
    path.write_bytes(path.read_bytes()[:-3])


def flipped(edge: Edge) -> None:
    path = stock_path(edge.state)
    data = bytearray(path.read_bytes())
    data[-4] ^= 1
    path.write_bytes(data)


def empty(edge: Edge) -> None:
    stock_path(edge.state).write_bytes(b"")


def older(edge: Edge) -> None:
    edge.lay("heat", serial=4)


def of_another_site(edge: Edge) -> None:
    edge.lay("heat", serial=6, site="shoes")


def out_of_order(edge: Edge) -> None:
    edge.lay("heat", "alien", serial=6)


@pytest.mark.parametrize(
    ("bend", "code"),
    [
        (missing, "missing"),
        (cut, "stock"),
        (flipped, "stock"),
        (empty, "stock"),
        (older, "rollback"),
        (of_another_site, "foreign-site"),
        (out_of_order, "stock"),
    ],
)
def test_what_can_not_be_used_leaves_the_last_good_list(
    edge: Edge, bend: Callable[[Edge], None], code: str
) -> None:
    edge.lay("dune", serial=5)
    edge.activate()
    bend(edge)
    assert edge.activate() == {"serial": 5, "out": 1, "unknown": 0, "refused": code}
    assert edge.out() == {"dune"}
    edge.lay("alien", serial=7)
    assert edge.activate()["refused"] == ""
    assert edge.out() == {"alien"}
