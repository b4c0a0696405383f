"""The PoP's stock list follows the origin's in one step; whatever goes wrong, the one in force stays."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from edge.agent import tries
from edge.agent.metrics import Metrics
from edge.agent.news import News
from edge.agent.origin import Origin
from edge.agent.refusals import Refusals
from edge.agent.stock import StockUpdater
from edge.agent.trust import Trust
from edge.bundle import format as fmt
from edge.bundle.stock import decode_stock, read_stock, stock_id, stock_path
from tests.edge.agent.conftest import POP, running, until
from tests.edge.origin_sim import SITE, TOKEN, OriginSim


class World:
    """A stock updater and its surroundings; `restart` makes them anew, as a new process would."""

    def __init__(self, state_dir: Path, sim: OriginSim, runner: asyncio.Runner) -> None:
        self.state_dir, self.sim, self._runner = state_dir, sim, runner
        self.told = 0
        self.restart()

    def restart(self) -> None:
        self.metrics = Metrics()
        self.refusals = Refusals(self.metrics)
        self.origin = Origin("http://origin", SITE, lambda: TOKEN, self.sim)
        self.updater = StockUpdater(Trust(self.sim.keys()), self.origin, self.state_dir, self.refusals)
        self.updater.tell = self.tell
        self.updater.resume()

    def tell(self) -> None:
        self.told += 1

    def out(self) -> tuple[str, ...]:
        """What workers find."""
        signed = read_stock(self.state_dir)
        return decode_stock(fmt.decode(signed, fmt.Signed).payload, SITE).out if signed else ()

    def refused(self, code: str) -> float:
        return self.metrics.counters.get(f'nearside_refused_total{{code="{code}"}}', 0)

    def run(self, *conditions: Callable[[], bool]) -> None:
        """Run news and updater until each condition in turn became true."""

        async def main() -> None:
            listener = News(self.origin, POP, self.refusals, lambda data: None, self.updater.hear)
            async with running(listener.run(), self.updater.run()):
                for condition in conditions:
                    await until(condition)

        self._runner.run(main())


@pytest.fixture
def world(tmp_path: Path, sim: OriginSim, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("RETRY_FIRST_S", "REFUSED_FIRST_S"):
        monkeypatch.setattr(tries, name, 0.02)
    with asyncio.Runner() as runner:
        yield World(tmp_path, sim, runner)


def test_each_new_list_is_laid_down_and_told(world: World) -> None:
    first = world.sim.put_stock("dune")

    def second() -> bool:
        if world.out() == ("dune",) and world.sim.stock_serial == 1:
            world.sim.put_stock("alien", "heat")
        return world.told == 2

    world.run(lambda: world.told == 1, second)
    assert world.out() == ("alien", "heat")
    assert world.updater.status()["serial"] == 2
    assert world.updater.status()["id"] != stock_id(fmt.encode(first))
    assert world.metrics.gauges["nearside_stock_out"] == 2


def test_an_origin_without_stock_is_no_failure(world: World) -> None:
    world.run(lambda: "GET stock" in world.sim.requests)
    assert (world.out(), world.origin.reach.failing) == ((), {})
    assert not world.refusals.last


def forged(sim: OriginSim) -> None:
    sim.put_stock("heat")
    sim.files["stock"] = sim.files["stock"][:-1] + bytes([sim.files["stock"][-1] ^ 1])


def of_another_role(sim: OriginSim) -> None:
    listed = sim.put_stock("heat")
    sim.files["stock"] = sim.sign(fmt.encode(listed), "catalog")


def of_another_site(sim: OriginSim) -> None:
    sim.put_stock("heat", site="shoes")


def older(sim: OriginSim) -> None:
    sim.put_stock("heat", serial=1)


def no_stock_at_all(sim: OriginSim) -> None:
    sim.stock_serial += 1
    sim.files["stock"] = sim.sign(b"\xc0", "online")


def a_rollout(sim: OriginSim) -> None:
    sim.stock_serial += 1
    sim.files["stock"] = sim.sign(fmt.encode(fmt.Rollout(fmt.FORMAT, SITE, 9, {"*": 1})), "online")


@pytest.mark.parametrize(
    ("bend", "code"),
    [
        (forged, "signature"),
        (of_another_role, "wrong-role"),
        (of_another_site, "foreign-site"),
        (older, "rollback"),
        (no_stock_at_all, "malformed"),
        (a_rollout, "malformed"),
    ],
)
def test_what_can_not_be_believed_leaves_the_old_list(
    world: World, bend: Callable[[OriginSim], None], code: str
) -> None:
    world.sim.put_stock("alien")
    world.sim.put_stock("dune")
    world.run(lambda: world.told == 1)
    bend(world.sim)
    world.run(lambda: world.refused(code) > 0)
    assert (world.out(), world.told) == (("dune",), 1)
    assert world.refusals.last[-1]["code"] == code


def test_after_a_restart_it_refuses_what_is_older(world: World) -> None:
    world.sim.put_stock("alien")
    world.sim.put_stock("dune")
    world.run(lambda: world.told == 1)
    world.restart()
    assert world.updater.serial == 2
    world.sim.put_stock("heat", serial=1)
    world.run(lambda: world.refused("rollback") > 0)
    assert world.out() == ("dune",)


@pytest.mark.parametrize("damage", [b"", b"\x00" * 500, None])
def test_a_damaged_or_lost_file_is_fetched_again(world: World, damage: bytes | None) -> None:
    world.sim.put_stock("dune")
    world.run(lambda: world.told == 1)
    if damage is None:
        stock_path(world.state_dir).unlink()
    else:
        stock_path(world.state_dir).write_bytes(damage)
    world.restart()
    assert world.refused("stock") == (damage is not None)
    world.run(lambda: world.told == 2)
    assert world.out() == ("dune",)


def test_what_could_not_be_fetched_is_tried_again(world: World) -> None:
    world.sim.put_stock("dune")
    world.sim.answers["stock"] = (500, httpx.ByteStream(b""))

    def back() -> bool:
        if "stock" in world.origin.reach.failing:
            world.sim.answers.clear()
        return world.out() == ("dune",)

    world.run(back)
    assert "stock" not in world.origin.reach.failing
