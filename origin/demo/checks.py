"""What must hold once the demo's visitors were there: each claim, and how it is found out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import comb
from typing import Final

from edge.decide.types import DecisionRecord, Event
from origin.demo.compared import of_genre, same_outside, shown
from origin.demo.crowd import TASTE, Crowd
from origin.demo.films import Film
from origin.demo.processes import program
from origin.demo.stage import Stage
from origin.demo.told import Told
from origin.demo.visits import Visit

REPLAY_TIMEOUT_S: Final = 60.0
LUCK: Final = 0.01
"""Above this probability, chance alone may have made a list."""


@dataclass
class Checks:
    """What must hold, and whether it does."""

    told: Told
    failed: list[str] = field(default_factory=list)

    def hold(self, claim: str, holds: bool) -> None:
        """Note and tell whether a claim holds."""
        self.told.check(claim, holds)
        if not holds:
            self.failed.append(claim)


@dataclass(frozen=True)
class Log:
    """All that is in the lake."""

    decisions: Sequence[DecisionRecord]
    events: Sequence[Event]

    def of(self, visit: Visit) -> DecisionRecord | None:
        """The decision behind a visit's page."""
        return next((record for record in self.decisions if record.id == visit.decision), None)


def pages(checks: Checks, plain: Visit, refuser: Visit, personal: Sequence[Visit]) -> None:
    """The site's bytes stay the site's."""
    outside = all(same_outside(plain.page, visit.page) for visit in personal)
    checks.hold("Outside of placements, all bytes are the site's", outside)
    checks.hold("Without consent, the page is the site's, byte for byte", refuser.page == plain.page)
    different = len({plain.page, *(visit.page for visit in personal)}) == len(personal) + 1
    checks.hold("Each visitor has another page", different)


def taste(checks: Checks, films: Sequence[Film], record: DecisionRecord, looked: Sequence[str]) -> None:
    """What is recommended follows what was looked at, more than chance or the common taste would."""
    items = shown(record, "recommended")
    count, common = of_genre(items, films, TASTE), of_genre(shown(record, "trending"), films, TASTE)
    share = sum(TASTE in film.genre_names for film in films) / len(films)
    by_chance = at_least(count, len(items), share)
    claim = f"Recommended to a {TASTE} watcher: {count} of {len(items)} are {TASTE}"
    claim += f" ({share:.0%} of all films are: chance would do it once in {1 / by_chance:,.0f} lists;"
    claim += f" of what trends, {common} are)"
    checks.hold(claim, by_chance < LUCK and count > common)
    checks.hold("None of them was looked at before", bool(items) and not set(items) & set(looked))


def at_least(count: int, tries: int, share: float) -> float:
    """The probability of `count` hits or more among independent tries."""
    return sum(
        comb(tries, hits) * share**hits * (1 - share) ** (tries - hits) for hits in range(count, tries + 1)
    )


def learned(checks: Checks, before: DecisionRecord, after: DecisionRecord, crowd: Crowd) -> None:
    """The second revision recommends what the visitors in between found, to the same visitor."""
    same = before.context.history == after.context.history and before.visitor == after.visitor
    checks.hold("The visitor who came back is the same, with the same history", same)
    old, new = shown(before, "recommended"), shown(after, "recommended")
    entered = set(new) - set(old)
    found = entered & crowd.looked.keys()
    claim = (
        f"Revision {after.revision} recommends {len(entered)} films that revision {before.revision} did not"
    )
    claim += f"; new visitors had looked at {'all' if found == entered else len(found)} of them"
    checks.hold(claim, len(found) * 2 > len(entered) > 0)


def only_models_changed(checks: Checks, stage: Stage) -> None:
    """Nothing but what was learned is another."""
    old, new = (stage.bundle(number) for number in (1, 2))
    changed = [
        role
        for role in ("rules", "models", "catalog")
        if (old / f"{role}.manifest").read_bytes() != (new / f"{role}.manifest").read_bytes()
    ]
    checks.hold(f"Between the revisions, only this changed: {', '.join(changed)}", changed == ["models"])


def lake(checks: Checks, visits: Sequence[Visit], crowd: Crowd, log: Log) -> None:
    """All that happened is in the lake, once."""
    ids = [record.id for record in log.decisions]
    wanted = sum(visit.decisions for visit in visits) + crowd.decisions
    here = {visit.decision for visit in visits} <= set(ids)
    once = len(ids) == len(set(ids)) == wanted
    checks.hold(f"{wanted} decisions were made, and are in the lake once", once and here)
    keys = [(event.decision, event.kind, event.item, event.n) for event in log.events]
    wanted = sum(visit.views + len(visit.events) for visit in visits) + crowd.views
    reported = {event for visit in visits for event in visit.events}
    here = reported <= {(event.kind, event.item) for event in log.events}
    claim = f"{wanted} events happened (films looked at, seen, clicked), and are in the lake once"
    checks.hold(claim, here and len(keys) == len(set(keys)) == wanted)


def places(checks: Checks, visits: Sequence[Visit], log: Log) -> None:
    """Each decision was made at the PoP that the visitor came by."""
    records = [(visit, log.of(visit)) for visit in visits]
    right = all(record is not None and record.pop == visit.pop for visit, record in records)
    pops = sorted({record.pop for record in log.decisions})
    checks.hold(f"Decisions were made where visitors came by: {', '.join(pops)}", right and len(pops) > 1)


def replay(checks: Checks, stage: Stage, log: Log) -> None:
    """Every decision can be made again, by the bundle that made it."""
    arguments = (program("nearside"), "replay", str(stage.bundles), str(stage.lake))
    status, output = stage.processes.ask("replay", arguments, REPLAY_TIMEOUT_S)
    identical = re.search(r"([\d,]+) identical", output)
    count = int(identical[1].replace(",", "")) if identical else 0
    revisions = sorted({record.revision for record in log.decisions})
    holds = status == 0 and count == len(log.decisions) and len(revisions) > 1
    claim = f"nearside replay, revisions {' and '.join(map(str, revisions))}"
    checks.hold(f"{claim}: {count} of {len(log.decisions)} decisions identical", holds)
    if not holds:
        checks.told.detail(output.strip())
