"""Doubts about redirects: those that could lead in circles, or to what is not there."""

from typing import Final
from urllib.parse import unquote, urlsplit

from compiler.conditions.normalize import Clause
from compiler.golden import meet
from compiler.problems import Problems, nearest
from compiler.types import Bandit, Campaign, Experiment, Workspace
from edge.decide.page import plain_path

URL_PATH: Final = "url.path"
OF_A_LINK: Final = ("url.", "utm.", "referrer.")
"""How attributes begin that one request has, and the visitor's next one has not."""


def note_circles(workspace: Workspace, problems: Problems) -> None:
    """Warn of redirects that hold where they lead, or only where others lead, and of unknown items."""
    tested: list[Experiment | Bandit] = [*workspace.experiments, *workspace.bandits]
    urls = {part.id: _urls(part) for part in tested}
    led = [
        (campaign, _paths(urls.get(campaign.experiment or campaign.bandit, {campaign.redirect})))
        for campaign in workspace.campaigns
    ]
    items = frozenset(item.id for item in workspace.catalog.items)
    everywhere = {plain_path(path) for _, paths in led for path in paths}
    for campaign, paths in led:
        for path in paths:
            _note_item(campaign, path, (workspace.site.item_path, items), problems)
        why = next(filter(None, (_holds_at(campaign, path, workspace) for path in paths)), "")
        hint = f"say by {URL_PATH} which pages it is about"
        left = _left(campaign)
        if not why and paths and left and left <= everywhere:
            why = "leads nobody: redirects lead to its pages, and none leads on from there"
            hint = "let the others lead to where this one does"
        if why:
            message = f"campaign {campaign.id!r} {why}"
            problems.warn(campaign.path, campaign.line, "redirect-loop", message, hint)


def _urls(part: Experiment | Bandit) -> set[str]:
    """Where its variations or arms lead."""
    parts = part.variations if isinstance(part, Experiment) else part.arms
    return {show.redirect for one in parts for show in one.shows.values()}


def _paths(urls: set[str]) -> list[str]:
    """Those of the site itself."""
    return [unquote(urlsplit(url).path) for url in sorted(urls) if url.startswith("/")]


def _holds_at(campaign: Campaign, path: str, workspace: Workspace) -> str:
    """What is wrong where someone at the path meets the campaign, too; in words."""
    clauses = [clause for clause in campaign.condition.clauses if not clause.impossible]
    if not all(any(name.startswith(OF_A_LINK) for name in _names(clause)) for clause in clauses):
        return "is about every page: who meets its audience can open none but the one that it leads to"
    types = {attribute.name: attribute.type for attribute in workspace.site.attributes}
    about = [clause for clause in clauses if URL_PATH in _names(clause)]
    if any(campaign.meets({**meet(clause, types), URL_PATH: path}) for clause in about):
        return "still holds at the page that it leads to; there it does nothing"
    return ""


def _names(clause: Clause) -> set[str]:
    return {*clause.constraints, *(name for literal in clause.literals for name in literal.names)}


def _left(campaign: Campaign) -> set[str]:
    """The pages that it leads away from, if its audience lists them."""
    found: set[str] = set()
    for clause in campaign.condition.clauses:
        constraint = clause.constraints.get(URL_PATH)
        if constraint is None or constraint.allowed is None:
            return set()
        found |= {plain_path(str(value)) for value in constraint.allowed}
    return found


def _note_item(campaign: Campaign, path: str, known: tuple[str, frozenset[str]], problems: Problems) -> None:
    before, hole, after = known[0].partition("{item}")
    if not hole or not path.startswith(before) or not path.endswith(after):
        return
    item = path[len(before) : len(path) - len(after)]
    if "/" not in item and item not in known[1]:
        message = f"campaign {campaign.id!r} leads to the item {item!r}, which the catalog lacks"
        problems.warn(campaign.path, campaign.line, "redirect-nowhere", message, nearest(item, known[1]))
