"""The whole loop, once: visitors come, their pages are compared, and what they did is accounted for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import httpx

from compiler.workspace import read_workspace
from edge.decide.types import DecisionRecord, Event
from origin import lake
from origin.demo import gallery
from origin.demo.compared import Difference, differences, of_genre, same_outside
from origin.demo.films import popular
from origin.demo.processes import program
from origin.demo.stage import SITE, Stage
from origin.demo.told import Told
from origin.demo.visits import Visit, Visitors
from origin.demo.workspace_files import INTERACTIONS

TASTE: Final = "Sci-Fi"
WATCHED: Final = 5
ARRIVAL_TIMEOUT_S: Final = 20.0
REPLAY_TIMEOUT_S: Final = 60.0


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


def run(stage: Stage, told: Told) -> bool:
    """Let the visitors come and check everything; whether all of it holds.

    Raises
    ------
    DemoError
        A part of the demo failed, so that nothing can be said.
    """
    checks = Checks(told)
    with told.step("Two visitors, and somebody who said no") as step:
        visitors = Visitors(stage.site, stage.pops[0].url, stage.keys / "edge.json")
        plain = visitors.without_edge()
        refuser = visitors.without_consent()
        phone = visitors.on_a_phone_in_germany()
        watcher = visitors.science_fiction_watcher(_favourites(stage))
        saved = gallery.save([plain, phone, watcher], stage.folder / "pages", lambda p: _fetch(stage, p))
        step.done(f"pages saved, side by side in {saved}")
    with told.step("What they did reaches the origin") as step:
        decisions, events = _arrived(stage, [phone, watcher])
        step.done(f"{len(decisions)} decisions, {len(events)} events")
    _compare(stage, checks, [plain, phone, watcher], decisions)
    told.heading("Checks")
    _check_pages(checks, plain, refuser, [phone, watcher])
    _check_taste(stage, checks, watcher, decisions)
    _check_lake(checks, [phone, watcher], decisions, events)
    _check_replay(stage, checks, len(decisions))
    return not checks.failed


def _favourites(stage: Stage) -> list[str]:
    """Films of the taste that many know, without those that everybody has seen: they say little."""
    liked = popular(stage.workspace / INTERACTIONS)
    of_taste = {film.id for film in stage.films if film.genre_names[0] == TASTE}
    return [item for item in liked if item in of_taste][WATCHED : 2 * WATCHED]


def _fetch(stage: Stage, path: str) -> bytes:
    return httpx.get(stage.site + path, timeout=10.0).raise_for_status().content


def _arrived(stage: Stage, visits: Sequence[Visit]) -> tuple[list[DecisionRecord], list[Event]]:
    """All that is in the lake, once it is complete and the PoPs have shipped their last."""
    wanted = sum(visit.decisions + visit.views + len(visit.events) for visit in visits)

    def complete() -> bool:
        return (
            sum(1 for _ in lake.decisions(stage.lake, SITE)) + sum(1 for _ in lake.events(stage.lake, SITE))
            >= wanted
        )

    stage.processes.wait("what visitors did, in the lake", complete, ARRIVAL_TIMEOUT_S)
    # A stopped PoP has shipped all that it had: what would come twice has come by now.
    for pop in stage.pops:
        stage.processes.stop(pop.process)
    return list(lake.decisions(stage.lake, SITE)), list(lake.events(stage.lake, SITE))


def _compare(
    stage: Stage, checks: Checks, visits: Sequence[Visit], decisions: Sequence[DecisionRecord]
) -> None:
    """Tell what differs between the first page, the site's own, and the others."""
    plain, *personal = visits
    workspace = read_workspace(stage.workspace)
    records = {record.id: record for record in decisions}
    for visit in personal:
        record = records.get(visit.decision)
        found: list[Difference] = differences(plain.page, visit, record, workspace) if record else []
        checks.told.differences(visit.who, found)
        if not found:
            checks.hold(f"The page of {visit.who} is personalized", False)


def _check_pages(checks: Checks, plain: Visit, refuser: Visit, visits: Sequence[Visit]) -> None:
    outside = all(same_outside(plain.page, visit.page) for visit in visits)
    checks.hold("Outside of placements, all bytes are the site's", outside)
    checks.hold("Without consent, the page is the site's, byte for byte", refuser.page == plain.page)
    different = len({plain.page, *(visit.page for visit in visits)}) == len(visits) + 1
    checks.hold("Each visitor has another page", different)


def _check_taste(stage: Stage, checks: Checks, watcher: Visit, decisions: Sequence[DecisionRecord]) -> None:
    slots = [slot for record in decisions if record.id == watcher.decision for slot in record.slots]
    items = next((slot.items for slot in slots if slot.placement == "recommended"), ())
    count, share = of_genre(items, stage.films, TASTE), _share(stage)
    recommended = f"Recommended to a {TASTE} watcher: {count} of {len(items)} are {TASTE}"
    checks.hold(f"{recommended}, where {share:.0%} of all films are", count >= 2 * share * len(items) > 0)
    checks.hold("None of them was looked at before", not set(items) & set(_favourites(stage)))


def _share(stage: Stage) -> float:
    """How much of the catalogue is of the taste."""
    return sum(TASTE in film.genre_names for film in stage.films) / len(stage.films)


def _check_lake(
    checks: Checks,
    visits: Sequence[Visit],
    decisions: Sequence[DecisionRecord],
    events: Sequence[Event],
) -> None:
    ids = [record.id for record in decisions]
    wanted = sum(visit.decisions for visit in visits)
    here = {visit.decision for visit in visits} <= set(ids)
    once = len(ids) == len(set(ids)) == wanted
    checks.hold(f"{wanted} decisions were made, and are in the lake once", once and here)
    keys = [(event.decision, event.kind, event.item, event.n) for event in events]
    wanted = sum(visit.views + len(visit.events) for visit in visits)
    reported = {event for visit in visits for event in visit.events}
    here = reported <= {(event.kind, event.item) for event in events}
    claim = f"{wanted} events happened (films looked at, seen, clicked), and are in the lake once"
    checks.hold(claim, here and len(keys) == len(set(keys)) == wanted)


def _check_replay(stage: Stage, checks: Checks, decisions: int) -> None:
    arguments = (program("nearside"), "replay", str(stage.bundle), str(stage.lake))
    status, output = stage.processes.ask("replay", arguments, REPLAY_TIMEOUT_S)
    identical = re.search(r"([\d,]+) identical", output)
    count = int(identical[1].replace(",", "")) if identical else 0
    holds = status == 0 and count == decisions
    checks.hold(f"nearside replay: {count} of {decisions} decisions identical", holds)
    if not holds:
        checks.told.detail(output.strip())
