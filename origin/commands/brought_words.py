"""Says in words how a model that was brought compares with what it was made of."""

from collections.abc import Mapping
from typing import Any

from origin.explain.counted import counted


def brought_lines(name: str, card: Mapping[str, Any]) -> list[str]:
    """What its file held of the catalog, and how alike lists are; nothing of what was trained here."""
    if "brought" not in card:
        return []
    items, parity = card["aligned"], card["parity"]
    lines = [
        f"{name}: {items['known']:,} of the catalog's {items['known'] + items['missing']:,} items"
        + (f", {counted(items['unknown'], 'item')} that the catalog lacks" if items["unknown"] else ""),
        f"{name}: after {counted(parity['histories'], 'real history', 'real histories')}"
        f" {parity['overlap']:.1%} of what it lists its source lists, too"
        f" ({parity['lists']:.1%} of the lists of 10 are the same)",
    ]
    if card.get("left_out"):
        lines.append(f"{name}: {card['left_out']}")
    if "users" in card:
        lines.append(f"{name}: of what users' own vectors list, their histories list {card['users']:.1%}")
    if card["metrics"]:
        lines.append(f"{name}: its metrics flatter it where it has been trained on these interactions")
    return lines


def prediction_line(name: str, card: Mapping[str, Any]) -> str:
    """On how many rows a brought prediction answers as its source does; empty of what was trained here."""
    parity = card.get("parity")
    if parity is None:
        return ""
    given = "real" if card.get("rows") else "made-up"
    asked = f"{counted(parity['rows'], given + ' row')}, {parity['missing']:,} with a value missing"
    asked += f" and {parity['unseen']:,} with one never seen"
    answer = f"within {parity['max_error']:.1g} of" if parity["max_error"] else "the same as"
    needs = "; it has no answer where a value is missing" if parity["needs_all"] else ""
    return f"{name}: {card['source']}; on {asked} {answer} its source{needs}"
