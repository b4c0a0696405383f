"""Compiles rules: campaigns as bits of the index, what they show, contents, golden winners."""

from collections.abc import Mapping

import msgspec
import numpy as np

from compiler.catalog.holes import put_holes
from compiler.catalog.manifest import card_interface
from compiler.conditions.index import build
from compiler.draft import Draft
from compiler.features.tastes import put_tastes
from compiler.golden import golden_winners
from compiler.predictions.manifest import require_predictions
from compiler.recommenders.parts import NO_PARTS, Parts
from compiler.rules.behaviours import put_behaviours
from compiler.rules.best import by_value
from compiler.rules.caps import put_reports
from compiler.rules.choices import Find, choices, used_bandits, used_experiments
from compiler.rules.lists import put_lists
from compiler.rules.page import page_actions
from compiler.rules.purposes import used_purposes
from compiler.rules.walk import strongest_first
from compiler.rules.written import put_written
from compiler.types import Campaign, Show, Workspace
from edge.bundle import format as fmt
from edge.bundle.arrays import Array, pack
from edge.bundle.strings import pack_strings
from edge.consent.policy import ASKED
from edge.decide.campaigns import BANDIT, CONTENT, EXPERIMENT, LAYOUT, RECOMMENDER, REDIRECT

Shown = tuple[str, str, int]


def draft_rules(workspace: Workspace, interfaces: Mapping[str, str], parts: Parts = NO_PARTS) -> Draft:
    """The rules' manifest; `interfaces` are what models and catalog provide."""
    draft = Draft("rules")
    shown = sorted({_shown(show) for show in workspace.shows() if show.recommender})
    schema = _schema(workspace, tuple(shown))
    draft.provides["schema"] = draft.put("schema", "schema", fmt.encode(schema))
    by_placement = [
        [(campaign, clause) for campaign in campaigns for clause in campaign.condition.clauses]
        for campaigns in order_campaigns(workspace.campaigns, workspace.placements, workspace.site.best)
    ]
    # Alternatives of one campaign are neighbours, so the highest bit is still the strongest campaign's.
    bits = [campaign for owned in by_placement for campaign, _ in owned]
    types = {attribute.name: attribute.type for attribute in workspace.site.attributes}
    clauses = [clause for owned in by_placement for _, clause in owned]
    draft.put("index", "index", pack(build(clauses, types)))
    find = _finder(workspace, shown)
    starts = np.cumsum([0, *map(len, by_placement)]).astype(np.uint32)
    draft.put("campaigns", "campaigns", pack({"starts": starts, **_campaigns(workspace, bits, find)}))
    owners = [[campaign for campaign, _ in owned] for owned in by_placement]
    found = choices(workspace, find, dict(zip(workspace.placements, owners, strict=True)))
    if found is not None:
        draft.put("experiments", "experiments", fmt.encode(found))
    ids = pack_strings("ids", [content.id.encode() for content in workspace.contents])
    bodies = pack_strings("bodies", [content.body for content in workspace.contents])
    draft.put("contents", "contents", pack(ids | bodies))
    put_holes(draft, workspace.contents)
    put_behaviours(draft, workspace.site.behaviours, workspace.catalog, interfaces)
    put_reports(draft, workspace.site, workspace.campaigns)
    put_lists(draft, workspace.site.lists)
    put_tastes(draft, workspace.site, workspace.catalog, interfaces["items"])
    put_written(draft, workspace)
    page = page_actions(workspace)
    if page is not None:
        draft.put("page", "page", fmt.encode(page))
    require_predictions(draft, workspace, interfaces)
    golden = golden_winners(workspace)
    draft.put("golden", "golden", msgspec.msgpack.encode(golden, order="deterministic"))
    parts.put_rules(draft, interfaces)
    made = {finish.name for finish in parts.rules.finishes}
    for recommender, card, _ in shown:
        if recommender not in made:
            draft.requires[f"recommender/{recommender}"] = interfaces[f"recommender/{recommender}"]
        draft.requires[f"card/{card}"] = card_interface(card)
    return draft


def order_campaigns(
    campaigns: tuple[Campaign, ...], placements: tuple[str, ...], best: frozenset[str]
) -> list[list[Campaign]]:
    """Each placement's campaigns, the strongest last.

    That is the greatest priority, and among equals the first id; where the best is shown, the greatest base
    of the value before these.
    """
    ordered = strongest_first(campaigns)[::-1]
    found = [[c for c in ordered if placement in c.placements] for placement in placements]
    return [by_value(c) if name in best else c for name, c in zip(placements, found, strict=True)]


def _shown(show: Show) -> Shown:
    return show.recommender, show.card, show.limit


def _schema(workspace: Workspace, shown: tuple[Shown, ...]) -> fmt.RulesSchema:
    site, placements = workspace.site, workspace.placements
    policy = site.consent.policy(used_purposes(workspace))
    held = {ASKED + purpose.name for purpose in policy.purposes} if policy else set()
    attributes = tuple(a for a in site.attributes if not a.name.startswith(ASKED) or a.name in held)
    return fmt.RulesSchema(
        attributes, placements, shown, site.item_path, site.consent.cookie, site.consent.default, policy
    )


def _finder(workspace: Workspace, shown: list[Shown]) -> Find:
    contents = {content.id: position for position, content in enumerate(workspace.contents)}
    lists = {entry: position for position, entry in enumerate(shown)}
    page = page_actions(workspace) or fmt.PageActions()
    layouts = {layout.id: position for position, layout in enumerate(page.layouts)}
    redirects = {url: position for position, url in enumerate(page.redirects)}

    def find(show: Show) -> tuple[int, int]:
        if show.layout:
            return LAYOUT, layouts[show.layout]
        if show.redirect:
            return REDIRECT, redirects[show.redirect]
        return (RECOMMENDER, lists[_shown(show)]) if show.recommender else (CONTENT, contents[show.content])

    return find


def _campaigns(workspace: Workspace, bits: list[Campaign], find: Find) -> dict[str, Array]:
    owners = {campaign.id: position for position, campaign in enumerate(workspace.campaigns)}
    tested = {experiment.id: position for position, experiment in enumerate(used_experiments(workspace))}
    drawn = {bandit.id: position for position, bandit in enumerate(used_bandits(workspace))}

    def action(campaign: Campaign) -> tuple[int, int]:
        if campaign.experiment:
            return EXPERIMENT, tested[campaign.experiment]
        return (BANDIT, drawn[campaign.bandit]) if campaign.bandit else find(campaign.show)

    actions = [action(campaign) for campaign in bits]
    return {
        "campaign": np.array([owners[c.id] for c in bits], np.uint32),
        "action": np.array([action for action, _ in actions], np.uint8),
        "target": np.array([target for _, target in actions], np.uint32),
        **pack_strings("ids", [campaign.id.encode() for campaign in workspace.campaigns]),
    }
