"""Checks the attributes that campaigns read against where the site has them from."""

from collections.abc import Iterable, Iterator

from compiler.conditions.check import Condition
from compiler.problems import Problems
from compiler.recommenders.types import RecommenderConfig
from compiler.site import PATH as SITE_PATH
from compiler.types import Campaign, Site
from edge.worker.attributes.place import BY_ADDRESS, FRONTS, NO_FRONT


def reads_of(condition: Condition) -> Iterator[str]:
    """The attributes that a condition looks at."""
    for clause in condition.clauses:
        yield from clause.constraints
        for literal in clause.literals:
            yield from literal.names


def check_sources(
    campaigns: Iterable[Campaign], recommenders: Iterable[RecommenderConfig], site: Site, problems: Problems
) -> None:
    """Note campaigns and recommenders for places that nothing tells: nobody would know why."""
    untold = {a.name for a in site.attributes if a.source == f"front:{NO_FRONT}"}
    fronts = ", ".join((*FRONTS, BY_ADDRESS))
    readers = [(f"campaign {c.id!r}", c.path, c.line, {*reads_of(c.condition)}) for c in campaigns]
    readers += [(f"recommender {r.name!r}", r.path, r.line, {*r.reads}) for r in recommenders]
    for who, path, line, reads in readers:
        for name in sorted(untold & reads):
            message = f"{who} reads {name!r}, and {SITE_PATH} does not say who tells it"
            hint = f"write `front:` there with one of {fronts}, or give {name} a source under `attributes:`"
            problems.error(path, line, "no-source", message, hint)
