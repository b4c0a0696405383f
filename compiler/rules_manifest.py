"""Compiles rules: campaigns as bits of the index, what they show, contents, golden winners."""

from collections.abc import Mapping

import msgspec
import numpy as np

from compiler.catalog_manifest import card_interface
from compiler.draft import Draft
from compiler.golden import golden_winners
from compiler.index import build
from compiler.types import Campaign, Workspace
from edge.bundle import format as fmt
from edge.bundle.arrays import Array, pack
from edge.bundle.strings import pack_strings
from edge.decide.engine import CONTENT, RECOMMENDER

Shown = tuple[str, str, int]


def draft_rules(workspace: Workspace, recommenders: Mapping[str, str]) -> Draft:
    """The rules' manifest; `recommenders` are the interfaces that the models provide."""
    draft = Draft("rules")
    shown = sorted({_shown(c) for c in workspace.campaigns if c.recommender})
    schema = _schema(workspace, tuple(shown))
    draft.provides["schema"] = draft.put("schema", "schema", fmt.encode(schema))
    by_placement = [
        [(campaign, clause) for campaign in campaigns for clause in campaign.condition.clauses]
        for campaigns in order_campaigns(workspace.campaigns, workspace.site.placements)
    ]
    # Alternatives of one campaign are neighbours, so the highest bit is still the strongest campaign's.
    bits = [campaign for owned in by_placement for campaign, _ in owned]
    types = {attribute.name: attribute.type for attribute in workspace.site.attributes}
    clauses = [clause for owned in by_placement for _, clause in owned]
    draft.put("index", "index", pack(build(clauses, types)))
    starts = np.cumsum([0, *map(len, by_placement)]).astype(np.uint32)
    draft.put("campaigns", "campaigns", pack({"starts": starts, **_campaigns(workspace, bits, shown)}))
    ids = pack_strings("ids", [content.id.encode() for content in workspace.contents])
    bodies = pack_strings("bodies", [content.body for content in workspace.contents])
    draft.put("contents", "contents", pack(ids | bodies))
    golden = golden_winners(workspace.campaigns, workspace.site)
    draft.put("golden", "golden", msgspec.msgpack.encode(golden, order="deterministic"))
    for recommender, card, _ in shown:
        draft.requires[f"recommender/{recommender}"] = recommenders[f"recommender/{recommender}"]
        draft.requires[f"card/{card}"] = card_interface(card)
    return draft


def order_campaigns(campaigns: tuple[Campaign, ...], placements: tuple[str, ...]) -> list[list[Campaign]]:
    """Each placement's campaigns, the strongest last: greatest priority, among equals the first id."""
    # Two stable sorts, as ids run against priorities.
    ordered = sorted(campaigns, key=lambda campaign: campaign.id, reverse=True)
    ordered.sort(key=lambda campaign: campaign.priority)
    return [[c for c in ordered if placement in c.placements] for placement in placements]


def _shown(campaign: Campaign) -> Shown:
    return campaign.recommender, campaign.card, campaign.limit


def _schema(workspace: Workspace, shown: tuple[Shown, ...]) -> fmt.RulesSchema:
    site = workspace.site
    return fmt.RulesSchema(
        site.attributes, site.placements, shown, site.item_path, site.consent_cookie, site.consent_default
    )


def _campaigns(workspace: Workspace, bits: list[Campaign], shown: list[Shown]) -> dict[str, Array]:
    owners = {campaign.id: position for position, campaign in enumerate(workspace.campaigns)}
    contents = {content.id: position for position, content in enumerate(workspace.contents)}
    lists = {entry: position for position, entry in enumerate(shown)}
    action = [RECOMMENDER if c.recommender else CONTENT for c in bits]
    target = [lists[_shown(c)] if c.recommender else contents[c.content] for c in bits]
    return {
        "campaign": np.array([owners[c.id] for c in bits], np.uint32),
        "action": np.array(action, np.uint8),
        "target": np.array(target, np.uint32),
        **pack_strings("ids", [campaign.id.encode() for campaign in workspace.campaigns]),
    }
