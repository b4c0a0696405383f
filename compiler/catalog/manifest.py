"""Compiles the catalog: item ids, each card rendered for each item, titles and topics."""

from compiler.catalog.about import put_about
from compiler.catalog.reading import render_cards
from compiler.draft import Draft, interface
from compiler.problems import Problems
from compiler.types import Workspace
from edge.bundle.arrays import pack
from edge.bundle.strings import pack_strings


def card_interface(card: str) -> str:
    """What rules require and the catalog provides for a card: that it is there."""
    return interface(f"card/{card}")


def draft_catalog(workspace: Workspace, problems: Problems) -> Draft:
    """The catalog's manifest; what fails to render is noted."""
    draft = Draft("catalog")
    ids = [item.id.encode() for item in workspace.catalog.items]
    draft.provides["items"] = draft.put("items", "items", pack(pack_strings("ids", ids)))
    put_about(draft, workspace.site.item_columns, workspace.catalog)
    for card in workspace.cards:
        bodies = render_cards(card, workspace.catalog, problems)
        draft.put(f"cards/{card.name}", "cards", pack(pack_strings("bodies", bodies)))
        draft.provides[f"card/{card.name}"] = card_interface(card.name)
    return draft
