"""A PoP's agent at rest, beside an origin in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge.agent import news, ship, tries
from edge.agent.metrics import Metrics
from edge.agent.news import News
from edge.agent.origin import Origin
from edge.agent.refusals import Refusals
from edge.agent.store import Store
from edge.agent.sync import Updater
from edge.agent.trust import Trust
from edge.agent.trusted import TrustedSet
from edge.bundle.active import read_active
from tests.edge.origin_sim import SITE, TOKEN, OriginSim

POP = "vienna"


class World:
    """An updater and its surroundings; `restart` makes them anew, as a new process would."""

    def __init__(self, state_dir: Path, sim: OriginSim, runner: asyncio.Runner) -> None:
        self.state_dir, self.sim, self._runner = state_dir, sim, runner
        self.checked: list[Path] = []
        self.told = 0
        self.restart()

    def restart(self) -> None:
        """Forget all that is not on disk."""
        self.metrics = Metrics()
        self.refusals = Refusals(self.metrics)
        self.origin = Origin("http://origin", SITE, lambda: TOKEN, self.sim)
        store = Store(self.state_dir)
        active = store.active()
        trusted = TrustedSet(Trust(self.sim.keys()), POP, active.serial if active else 0)
        self.updater = Updater(trusted, self.origin, store, self.refusals, self.check)
        self.updater.tell = self.tell
        self.updater.resume()

    async def check(self, folder: Path, site: str) -> None:
        """Stands for the golden check."""
        assert site == SITE
        self.checked.append(folder)

    def tell(self) -> None:
        """Stands for the workers."""
        self.told += 1

    def refused(self, code: str) -> float:
        """How often something was refused with the code."""
        return self.metrics.counters.get(f'nearside_refused_total{{code="{code}"}}', 0)

    def in_force(self) -> int:
        """The revision that workers find."""
        active = read_active(self.state_dir)
        return active.revision if active else 0

    def run(self, *conditions: Callable[[], bool]) -> None:
        """Run news and updater until each condition in turn became true."""

        async def main() -> None:
            listener = News(self.origin, POP, self.refusals, self.updater.offer)
            async with running(listener.run(), self.updater.run()):
                for condition in conditions:
                    await until(condition)

        self._runner.run(main())


@asynccontextmanager
async def running(*parts: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run the parts beside the block; a part that fails, fails it."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        yield
    finally:
        for task in tasks:
            if task.done():
                task.result()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], bool], timeout_s: float = 5) -> None:
    """Wait until it is true."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (
        (tries, "RETRY_FIRST_S"),
        (news, "RECONNECT_FIRST_S"),
        (news, "RECONNECT_MOST_S"),
        (ship, "PAUSE_S"),
        (ship, "RETRY_FIRST_S"),
    ):
        monkeypatch.setattr(module, name, 0.02)


@pytest.fixture
def sim() -> OriginSim:
    """An origin with nothing published."""
    return OriginSim()


@pytest.fixture
def world(tmp_path: Path, sim: OriginSim) -> Iterator[World]:
    """A PoP without a bundle."""
    with asyncio.Runner() as runner:
        yield World(tmp_path / "state", sim, runner)
