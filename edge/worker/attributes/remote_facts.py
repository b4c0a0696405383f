"""Facts in a Redis of the PoP: asked for together, remembered for a while, given up on while it is slow."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

from cachetools import TTLCache

from edge.errors import ConfigError
from edge.visitor.facts import NO_FACTS, Facts, facts_of, hash_of, remote_name
from edge.worker.counters import Counters

log = logging.getLogger(__name__)

MAX_BATCH: Final = 64
KNOWN_S: Final = 30.0
"""For how long an answer is remembered, that nothing is known, too."""
MAX_KNOWN_BYTES: Final = 8 << 20
OVERHEAD_BYTES: Final = 512
MAX_FAILURES: Final = 3
"""In a row; then nobody waits for it for `REST_S`. One batch tries it again after that."""
REST_S: Final = 5.0
GIVE_UP_S: Final = 1.0
"""For how long one answer is waited for beside the pages: it may serve those that come next."""

Keys = Sequence[tuple[int, bytes]]


class Values(Protocol):
    """Where values are found by their names."""

    async def values(self, names: list[bytes]) -> Sequence[bytes | None]:
        """Those of the names, in their order.

        Raises
        ------
        OSError
            They can't be had.
        """

    async def close(self) -> None:
        """Close what is open."""


@dataclass(frozen=True, slots=True)
class Naming:
    """Under which names the facts about a visitor may be: one for each key that is held."""

    site: str
    keys: Keys

    def of(self, visitor: bytes) -> list[bytes]:
        """The names, those of the newest key first."""
        site = self.site
        return [remote_name(site, number, hash_of(site, key, visitor)) for number, key in self.keys]


class RemoteFacts:
    """Where facts are found after they were looked up.

    Whoever wants some waits no longer than the budget; what comes later serves the next page. One
    question is under way at a time, for all who ask meanwhile.
    """

    def __init__(
        self,
        held: Values,
        names: Naming,
        counters: Counters,
        budget_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._held = held
        self._names = names
        self._budget_s = budget_s
        self._counters = counters
        self._clock = clock
        self._known: TTLCache[bytes, Facts] = TTLCache(MAX_KNOWN_BYTES, KNOWN_S, clock, _size)
        self._wanted: dict[bytes, asyncio.Future[None]] = {}
        self._asked: dict[bytes, asyncio.Future[None]] = {}
        self._asking: asyncio.Task[None] | None = None
        self._failures, self._rests_until_s = 0, 0.0

    def renew(self, keys: Keys) -> None:
        """Look up by other keys from now on."""
        self._names = Naming(self._names.site, keys)
        self._known.clear()

    def get(self, visitor: bytes) -> Facts:
        """See `FactStore`: what was looked up, at once."""
        found: Facts = self._known.get(visitor, NO_FACTS)
        return found

    async def look_up(self, visitor: bytes) -> None:
        """Make what is told of this visitor known, if that can be had in time."""
        if visitor in self._known:
            self._count("known")
            return
        if self._clock() < self._rests_until_s:
            self._count("resting")
            return
        done = self._asked.get(visitor) or self._wanted.get(visitor)
        if done is None:
            done = self._wanted[visitor] = asyncio.get_running_loop().create_future()
            if self._asking is None:
                self._asking = asyncio.create_task(self._ask_all())
        try:
            async with asyncio.timeout(self._budget_s):
                await asyncio.shield(done)
        except TimeoutError:
            self._count("late")

    async def close(self) -> None:
        """Ask nothing more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        await self._held.close()

    async def _ask_all(self) -> None:
        try:
            await asyncio.sleep(0)  # for those of the same turn
            while self._wanted:
                names = list(islice(self._wanted, MAX_BATCH))
                self._asked = {visitor: self._wanted.pop(visitor) for visitor in names}
                await self._ask_some(names)
                for done in self._asked.values():
                    done.set_result(None)
                self._asked = {}
        finally:
            self._asking = None

    async def _ask_some(self, visitors: list[bytes]) -> None:
        naming, begun_s = self._names, self._clock()
        names = [name for visitor in visitors for name in naming.of(visitor)]
        try:
            async with asyncio.timeout(GIVE_UP_S):
                values = list(await self._held.values(names))
        except (OSError, TimeoutError) as error:
            self._count("failed", len(visitors))
            self._fail(f"{type(error).__name__}")
            return
        each = len(naming.keys)
        for number, visitor in enumerate(visitors):
            told = next(filter(None, values[number * each : (number + 1) * each]), None)
            found = NO_FACTS if told is None else facts_of(told)
            self._known[visitor] = found
            self._count("found" if found else "unknown")
        if self._clock() - begun_s > self._budget_s:
            self._fail("too slow")
        else:
            self._failures = 0

    def _fail(self, why: str) -> None:
        self._failures += 1
        if self._failures >= MAX_FAILURES:
            self._rests_until_s = self._clock() + REST_S
            log.warning("no facts for %d s: Redis failed %d times, %s", REST_S, self._failures, why)

    def _count(self, outcome: str, amount: int = 1) -> None:
        self._counters.add(f'nearside_facts_total{{outcome="{outcome}"}}', amount)


def _size(facts: Facts) -> int:
    return OVERHEAD_BYTES + sum(len(name) + len(value) for name, value in facts.items())


class RedisClient:
    """One connection to a Redis, made when it is first needed.

    Raises
    ------
    ConfigError
        ``facts``: no such URL, or redis-py is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            from redis.asyncio import Redis  # noqa: PLC0415 - an extra; it takes 12 MB
            from redis.asyncio.retry import Retry  # noqa: PLC0415
            from redis.backoff import NoBackoff  # noqa: PLC0415
            from redis.exceptions import RedisError  # noqa: PLC0415
        except ImportError as error:
            raise ConfigError("facts", "facts in a Redis need the extra `redis`") from error
        self._error = RedisError
        try:
            self._redis = Redis.from_url(
                url,
                max_connections=1,
                retry=Retry(NoBackoff(), 0),
                socket_timeout=GIVE_UP_S,
                socket_connect_timeout=GIVE_UP_S,
            )
        except ValueError as error:
            raise ConfigError("facts", f"--facts is no URL of a Redis: {error}") from error

    async def values(self, names: list[bytes]) -> Sequence[bytes | None]:
        """See `Values`."""
        try:
            found = await self._redis.mget(names)
        except self._error as error:
            raise OSError(str(error)) from error
        return [value if isinstance(value, bytes) else None for value in found]

    async def close(self) -> None:
        """Close the connection."""
        await self._redis.aclose()
