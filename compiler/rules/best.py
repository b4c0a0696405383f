"""Reads what campaigns are worth, and compiles the placements that show the best of those that fit."""

from collections.abc import Mapping, Sequence
from typing import Final

from compiler.files.fields import Fields
from compiler.files.yaml_lines import Node
from compiler.problems import Problems, nearest
from compiler.types import Campaign, Placement, Worth
from edge.bundle import format as fmt
from edge.decide.best import STEPS

MAX_NUMBER: Final = 1_000_000
_ABOUT: Final = 1e-6


def read_worth(fields: Fields, types: Mapping[str, str]) -> Worth | None:
    """A campaign's ``value``: a number, or a base and what attributes add to it; None where there is none."""
    node = fields.node("value")
    if node is None:
        return None
    if not isinstance(node.value, dict):
        return Worth(_steps(fields.number("value", -MAX_NUMBER, MAX_NUMBER) or 0.0, "value", fields))
    inner = fields.inside(node, "value")
    base = _steps(inner.number("base", -MAX_NUMBER, MAX_NUMBER) or 0.0, "base", inner)
    plus = inner.mapping("plus")
    terms = [] if plus is None else _terms(inner.inside(plus, "plus"), plus, types)
    inner.close()
    return Worth(base, tuple(sorted(terms)))


def _terms(fields: Fields, node: Node, types: Mapping[str, str]) -> list[tuple[str, int]]:
    assert isinstance(node.value, dict)
    known = [name for name, type_ in types.items() if type_ in ("number", "boolean")]
    found = []
    for name, entry in node.value.items():
        weight = entry.value
        if name not in known:
            message = f"names {name!r}, which is no attribute that is a number, or true or false"
            fields.error(entry.line, "unknown-name", message, nearest(name, known))
        elif isinstance(weight, bool) or not isinstance(weight, int | float):
            fields.error(entry.line, "wrong-type", f"has {entry.kind()} for {name!r}", "it takes a number")
        elif not -MAX_NUMBER <= weight <= MAX_NUMBER:
            hint = f"use {-MAX_NUMBER:,} to {MAX_NUMBER:,}"
            fields.error(entry.line, "bad-value", f"has {weight} for {name!r}", hint)
        elif weight:
            found.append((name, _steps(weight, name, fields, entry.line)))
    if len(found) > fmt.MAX_TERMS:
        fields.error(node.line, "too-large", f"has {len(found)} attributes", f"at most {fmt.MAX_TERMS}")
    return found


def _steps(number: float, key: str, fields: Fields, line: int = 0) -> int:
    found = round(number * STEPS)
    if abs(number * STEPS - found) > _ABOUT:
        hint = "use up to three decimals"
        fields.error(line or fields.line_of(key), "bad-value", f"has {key} {number}", hint)
    return found


def by_value(campaigns: Sequence[Campaign]) -> list[Campaign]:
    """In the order of their bases; among equals as they were."""
    return sorted(campaigns, key=lambda campaign: campaign.worth.base)


def best_of(owners: Sequence[Campaign], ranked: Sequence[Campaign]) -> fmt.Best:
    """What the engine picks by.

    Parameters
    ----------
    owners
        The campaign of each bit, by value.
    ranked
        The same campaigns, each once, the strongest last.
    """
    terms = sorted({campaign.worth.terms for campaign in owners})
    formulas = {formula: number for number, formula in enumerate(terms)}
    ranks = {campaign.id: rank for rank, campaign in enumerate(ranked)}
    return fmt.Best(
        tuple(terms),
        tuple(campaign.worth.base for campaign in owners),
        tuple(formulas[campaign.worth.terms] for campaign in owners),
        tuple(ranks[campaign.id] for campaign in owners),
    )


def check_values(places: Sequence[Placement], campaigns: Sequence[Campaign], problems: Problems) -> None:
    """Note values that are missing or in vain, and more ways to count than an engine takes."""
    best = {place.name for place in places if place.best}
    for campaign in campaigns:
        _check_value(campaign, sorted(best.intersection(campaign.placements)), problems)
    for place in places:
        formulas = {c.worth.terms for c in campaigns if place.best and place.name in c.placements}
        if len(formulas) > fmt.MAX_FORMULAS:
            message = f"the campaigns of {place.name!r} count their values in {len(formulas)} ways"
            hint = f"at most {fmt.MAX_FORMULAS} may differ in what they add to the base"
            problems.error(place.path, place.line, "too-large", message, hint)


def _check_value(campaign: Campaign, asked: Sequence[str], problems: Problems) -> None:
    place = (campaign.path, campaign.line)
    if asked and not campaign.valued:
        message = f"campaign {campaign.id!r} has no value, so that it counts as 0 in {asked[0]!r}"
        problems.warn(*place, "value", message, "add `value: 0`, or what it is worth")
    elif campaign.valued and not asked:
        message = f"campaign {campaign.id!r} has a value, and no placement of it shows the best"
        hint = "write {name: PLACEMENT, choose: best} in site.yaml, or delete the value"
        problems.warn(*place, "value", message, hint)
