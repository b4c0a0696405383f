"""Attributes that are means over a visitor's history: checked against the catalog, and worked out by item."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compiler.catalog.about import BETWEEN
from compiler.draft import Draft
from compiler.problems import Problems, nearest
from compiler.rules.behaviours import ITEM, column_types
from compiler.types import Catalog, Site
from edge.bundle import format as fmt
from edge.bundle.arrays import pack
from edge.bundle.strings import Strings, pack_strings
from edge.decide.tastes import KIND, MAX_TASTES, SOURCE, Tastes

PREFIX: Final = f"{SOURCE}:"
PATH: Final = "site.yaml"


def tastes_of(site: Site) -> list[fmt.Attribute]:
    """The attributes of a site that are such means."""
    return [attribute for attribute in site.attributes if attribute.source.startswith(PREFIX)]


def check_tastes(site: Site, catalog: Catalog, problems: Problems) -> None:
    """Note columns that the catalog does not have, or not so, and attributes that are no number."""
    asked = tastes_of(site)
    types = column_types(catalog) if asked else {}
    for number, attribute in enumerate(asked, 1):
        place = (PATH, site.lines.get(attribute.name, 0))
        if number > MAX_TASTES:
            message = f"there are {len(asked)} attributes of the history"
            problems.error(*place, "too-large", message, f"at most {MAX_TASTES}")
            return
        _check(attribute, types, catalog, place, problems)


def _check(
    attribute: fmt.Attribute,
    types: Mapping[str, str],
    catalog: Catalog,
    place: tuple[str, int],
    problems: Problems,
) -> None:
    column, _, value = _parts(attribute)
    what, known = f"attribute {attribute.name!r}", types.get(ITEM + column)
    if attribute.type != "number":
        message = f"{what} is a mean, and has type {attribute.type!r}"
        problems.error(*place, "wrong-type", message, "write `type: number`")
    elif known is None:
        hint = nearest(column, [name.removeprefix(ITEM) for name in types])
        problems.error(*place, "unknown-name", f"{what} has an unknown column {column!r}", hint)
    elif not value and known != "number":
        message = f"{what} is the mean of {column!r}, which is not a number for every item"
        hint = f"for the share of one of its values write {PREFIX}{column}=VALUE"
        problems.error(*place, "wrong-type", message, hint)
    elif value and value not in (seen := {v for item in catalog.items for v in _cell(item.values[column])}):
        message = f"{what} is the share of {value!r}, which no item has in {column!r}"
        problems.warn(*place, "unknown-value", message, nearest(value, seen))


def put_tastes(draft: Draft, site: Site, catalog: Catalog, items: str) -> None:
    """Add what each item counts for; `items` is the interface of the catalog."""
    asked = tastes_of(site)
    if asked:
        draft.put(KIND, KIND, pack({one.name: numbers(one, catalog) for one in asked}))
        draft.requires["items"] = items


def make_tastes(site: Site, catalog: Catalog) -> Tastes:
    """The means as an edge has them, without a bundle."""
    ids = Strings(pack_strings("ids", [item.id.encode() for item in catalog.items]), "ids")
    return Tastes({one.name: numbers(one, catalog) for one in tastes_of(site)}, ids)


def numbers(attribute: fmt.Attribute, catalog: Catalog) -> NDArray[np.float32]:
    """By item: the number in the column, or whether it has the value; NaN where the cell is empty."""
    column, _, value = _parts(attribute)
    cells = [item.values[column] for item in catalog.items]
    if value:
        return np.array([float(value in _cell(cell)) if cell else np.nan for cell in cells], np.float32)
    return np.array([float(cell) if cell else np.nan for cell in cells], np.float32)


def _parts(attribute: fmt.Attribute) -> Sequence[str]:
    return attribute.source.removeprefix(PREFIX).partition("=")


def _cell(cell: str) -> list[str]:
    """The values in a cell, as of topics."""
    return [part.strip() for part in BETWEEN.split(cell)]
