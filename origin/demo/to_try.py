"""What to try while the demo runs: commands that work as they stand, pasted in this order."""

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from origin.demo.pops import Pop
from origin.demo.processes import DemoError, program
from origin.demo.stage import Stage

HEADLINE: Final = "grep '<h2>'"
PHONE: Final = "-A 'iPhone Mobile'"
ARRIVES: Final = "sleep 3"
"""Until a change is at the edges: who pastes several commands at once shall see it, too."""

LOCUST_FILE: Final = Path(__file__).parents[2] / "loadtest" / "locustfile.py"
_ASKED: Final = (
    '{"placements":["recommended"],"tier":"full","history":["%s","%s"],"attributes":{"visitor.items":2}}'
)


@dataclass(frozen=True)
class Try:
    """A command, what it is for, and what its output must hold; empty where that depends."""

    command: str
    purpose: str
    shows: str = ""


def all_of(stage: Stage) -> list[Try]:
    """Everything to try."""
    return [*_visits(stage), *_changes(stage), *_looks(stage)]


def _visits(stage: Stage) -> Iterator[Try]:
    """What different visitors get."""
    germany, states = (pop.url for pop in stage.pops)
    jar = shlex.quote(str(stage.cookies))
    watched = f"curl -s -b {jar} -c {jar}"
    agrees = f"{watched} -X POST '{germany}/consent?tier=full'"
    looks = f"{watched} -o /dev/null '{germany}/film/[1-2]'"
    asked = _ASKED % (stage.films[0].id, stage.films[1].id)
    feierabend, own = "Ein Film für die Fahrt nach Hause.", "Find the film you did not know"
    yield Try(f"curl -s {germany}/ {PHONE} | {HEADLINE}", "a phone in Germany", feierabend)
    yield Try(f"curl -s {states}/ {PHONE} | {HEADLINE}", "the same phone in the United States", own)
    campaign = f"curl -s '{germany}/?utm_campaign=scifi' | {HEADLINE}"
    yield Try(campaign, "somebody who comes by a campaign's link", "The universe is open late.")
    yield Try(f"curl -s {germany}/ {PHONE} -b consent=none | {HEADLINE}", "somebody who said no", own)
    yield Try(
        f"{agrees}; {looks}; {watched} {states}/ | {HEADLINE}",
        "somebody who says yes, looks at two films, and goes on by the other PoP",
        "Look around. We will learn what you like.",
    )
    yield Try(f"curl -s {germany}/_nearside/decide -d '{asked}'", "a decision for an app", '"recommender":')


def _changes(stage: Stage) -> Iterator[Try]:
    """What people at the origin can do."""
    nearside, states = _shown_program("nearside"), stage.pops[1].url
    client = f"--origin {stage.origin} --keys {shlex.quote(str(stage.keys / 'publisher.json'))}"
    workspace = shlex.quote(str(stage.workspace))
    rule = shlex.quote(str(stage.workspace / "rules/heroes.yaml"))
    phone, linked = (
        f"curl -s {states}/ {PHONE} | {HEADLINE}",
        f"curl -s '{states}/?utm_campaign=scifi' | {HEADLINE}",
    )
    own = "Find the film you did not know"
    edit = f"sed -i.old 's/DE, AT/DE, AT, US/' {rule} && rm {rule}.old"
    yield Try(edit, "edit a rule (or with an editor)")
    yield Try(f"{nearside} publish {workspace} {client}", "and publish it", "revision 2")
    yield Try(
        f"{ARRIVES}; {phone}",
        "the phone in the United States once more",
        "Ein Film für die Fahrt nach Hause.",
    )
    yield Try(f"{nearside} rollout to 1 {client}", "roll back, everywhere", "revision 1")
    yield Try(f"{ARRIVES}; {phone}", "as it was", own)
    yield Try(f"{nearside} rollout kill science-fiction {client}", "switch a campaign off", "killed")
    yield Try(f"{ARRIVES}; {linked}", "the campaign's link shows it no more", own)
    yield Try(f"{nearside} rollout kill --undo science-fiction {client}", "and on again")
    yield Try(f"{ARRIVES}; kill -STOP {stage.origin_pid}", "let the origin hang")
    yield Try(linked, "pages go on without it", "The universe is open late.")
    yield Try(f"kill -CONT {stage.origin_pid}", "and let it live again: nothing was lost")


def _looks(stage: Stage) -> Iterator[Try]:
    """What can be seen of it."""
    pop, nearside = stage.pops[0], _shown_program("nearside")
    workspace, lake = shlex.quote(str(stage.workspace)), shlex.quote(str(stage.lake))
    bundles = shlex.quote(str(stage.folder / "pops" / pop.name / "bundles"))
    yield Try(f"curl -s {pop.admin}/status", "what a PoP says of itself", '"revision"')
    yield Try(f"curl -s {pop.admin}/metrics | grep pages_total", "and counts", "nearside_pages_total")
    yield Try(f"{nearside} report {lake}", "what was shown, seen and clicked", "trending-now")
    yield Try(f"{nearside} replay {bundles} {lake}", "decide all of it again: the same?", "identical")
    yield Try(f"{nearside} train {workspace}", "train again, and measure the recommenders")
    locust = _locust(pop)
    if locust:
        yield Try(locust, "let many visitors come; see docs/demo.md", "Aggregated")


def _locust(pop: Pop) -> str:
    """The load test's command, where it is installed: it comes with the tools of development."""
    try:
        path = _shown_program("locust")
    except DemoError:
        return ""
    if not LOCUST_FILE.is_file():
        return ""
    script = shlex.quote(_near(LOCUST_FILE))
    return f"{path} -f {script} --headless -u 20 -r 5 -t 20s --only-summary --host {pop.url}"


def _shown_program(name: str) -> str:
    """How to call one of our programs from this folder; the other terminal's PATH may lack it."""
    return shlex.quote(_near(Path(program(name))))


def _near(path: Path) -> str:
    near = os.path.relpath(path)
    return str(path) if near.startswith("..") else near
