"""Checks the attributes that campaigns read against where the site has them from."""

from collections.abc import Iterable, Iterator

from compiler.conditions import Condition
from compiler.problems import Problems
from compiler.site import PATH as SITE_PATH
from compiler.types import Campaign, Site
from edge.worker.place import BY_ADDRESS, FRONTS, NO_FRONT


def reads_of(condition: Condition) -> Iterator[str]:
    """The attributes that a condition looks at."""
    for clause in condition.clauses:
        yield from clause.constraints
        for literal in clause.literals:
            yield from literal.names


def check_sources(campaigns: Iterable[Campaign], site: Site, problems: Problems) -> None:
    """Note campaigns for places that nothing tells: they would never be shown, and nobody would know why."""
    untold = {a.name for a in site.attributes if a.source == f"front:{NO_FRONT}"}
    fronts = ", ".join((*FRONTS, BY_ADDRESS))
    for campaign in campaigns:
        for name in sorted(untold.intersection(reads_of(campaign.condition))):
            message = f"campaign {campaign.id!r} reads {name!r}, and {SITE_PATH} does not say who tells it"
            hint = f"write `front:` there with one of {fronts}, or give {name} a source under `attributes:`"
            problems.error(campaign.path, campaign.line, "no-source", message, hint)
