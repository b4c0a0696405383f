"""Changes what edges serve: what a person orders, as calls to the origin."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from edge.bundle import format as fmt
from edge.bundle.format import Rollout
from edge.errors import ConfigError, OriginError
from origin.keys import PublisherKeys
from origin.publishing.client import OriginClient
from origin.wire import RolloutEntry

ATTEMPTS: Final = 5
ALL: Final = "*"


@dataclass(frozen=True)
class Orderer:
    """Where the origin is, who asks, and in whose name and why."""

    url: str
    keys: PublisherKeys
    author: str
    reason: str


@dataclass(frozen=True)
class Moved:
    """A rollout that was ordered: its serial, and the revision before and after; 0 is none."""

    serial: int
    before: int
    after: int


def to(orderer: Orderer, number: int, pop: str = ALL) -> Moved:
    """Let a PoP serve a revision, or all of them, whatever they were named before.

    Killed campaigns stay killed.
    """
    return _move(orderer, pop, lambda client, rollout: number)


def back(orderer: Orderer, pop: str = ALL) -> Moved:
    """Let a PoP, or all, serve what it served before: the newest older revision that it ever had.

    Raises
    ------
    ConfigError
        ``rollout``: it never served an older one.
    """

    def before(client: OriginClient, rollout: Rollout) -> int:
        current = rollout.revision_for(pop)
        older = served(client.rollouts(), pop, current)
        if not older:
            who = "all PoPs" if pop == ALL else f"PoP {pop!r}"
            raise ConfigError("rollout", f"{who} never served an older revision than {current}")
        return max(older)

    return _move(orderer, pop, before)


def unpin(orderer: Orderer, pop: str) -> Moved:
    """Let a PoP serve what all others do.

    Raises
    ------
    ConfigError
        ``rollout``: it does already.
    """

    def change(client: OriginClient, rollout: Rollout) -> dict[str, Any]:
        if pop not in rollout.pops or pop == ALL:
            raise ConfigError("rollout", f"PoP {pop!r} is not named by the rollout in force")
        return {"pops": {name: number for name, number in rollout.pops.items() if name != pop}}

    return _order(orderer, pop, change)


def kill(orderer: Orderer, campaigns: Iterable[str]) -> int:
    """Switch campaigns off at all PoPs, now; returns the rollout's serial."""
    wanted = frozenset(campaigns)
    return _order(orderer, ALL, lambda _, rollout: {"kill": sorted({*rollout.kill} | wanted)}).serial


def revive(orderer: Orderer, campaigns: Iterable[str]) -> int:
    """Take campaigns off the kill list; returns the rollout's serial."""
    wanted = frozenset(campaigns)
    return _order(orderer, ALL, lambda _, rollout: {"kill": sorted({*rollout.kill} - wanted)}).serial


def served(history: Sequence[RolloutEntry], pop: str, below: int) -> set[int]:
    """The revisions older than `below` that a PoP was ever to serve."""
    found = {entry.pops.get(pop, entry.pops.get(ALL, 0)) for entry in history}
    return {number for number in found if 0 < number < below}


def _move(orderer: Orderer, pop: str, target: Callable[[OriginClient, Rollout], int]) -> Moved:
    def change(client: OriginClient, rollout: Rollout) -> dict[str, Any]:
        number = target(client, rollout)
        return {"pops": {ALL: number} if pop == ALL else {**rollout.pops, pop: number}}

    return _order(orderer, pop, change)


def _order(orderer: Orderer, pop: str, change: Callable[[OriginClient, Rollout], dict[str, Any]]) -> Moved:
    """Read, change, write; once more when somebody else changed the rollout in between."""
    with OriginClient(orderer.url, orderer.keys) as client:
        for attempt in range(1, ATTEMPTS + 1):
            rollout = client.rollout() or Rollout(fmt.FORMAT, orderer.keys.site, 0, {})
            wanted = change(client, rollout)
            who = {"author": orderer.author, "reason": orderer.reason}
            try:
                serial = client.post_rollout({**wanted, **who, "after": rollout.serial}).serial
            except OriginError as error:
                if error.code != "stale" or attempt == ATTEMPTS:
                    raise
                continue
            pops = wanted.get("pops", rollout.pops)
            after = pops.get(pop, pops.get(ALL, 0))
            return Moved(serial, rollout.revision_for(pop), after)
    raise AssertionError("the last attempt returns or raises")
