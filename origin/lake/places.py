"""What the places of lists hide, from what was shown and clicked, and which views began there."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from models.data.positions import Shown, noticed
from origin.lake import reader as lake
from origin.lake.learn import lake_interactions, seconds
from origin.lake.tables import DECISIONS, EVENTS

LEAST_CLICKS: Final = 100
"""Of a placement; fewer say nothing of its places, which then all count alike."""

CLICK_TO_VIEW_S: Final = 1800
"""A view of what was clicked within this time before came from the click."""

Lists = dict[tuple[str, str], list[str]]
Clicks = dict[tuple[str, str], set[str]]


@dataclass(frozen=True)
class Place:
    """A place of a placement's lists, 1 the first, and the chance that what stands there is noticed."""

    placement: str
    place: int
    shown: int
    clicked: int
    chance: float


class PlacedView(NamedTuple):
    """A row of a model's interactions; `noticed` is 1 where the visitor came from no list."""

    user: str
    item: str
    timestamp: int
    noticed: float


def read_places(root: Path, site: str) -> list[Place]:
    """The places of each placement that lists items. Memory grows with what was shown.

    Raises
    ------
    ConfigError
        ``data``: the folder is no origin's.
    """
    lists, clicks = _lists(root, site), _clicks(root, site)
    found: list[Place] = []
    for placement in sorted({placement for _, placement in lists}):
        keys = [key for key in lists if key[1] == placement]
        found += _places(placement, [(lists[key], clicks.get(key, set())) for key in keys])
    return found


def placed_views(root: Path, site: str, places: list[Place]) -> Iterator[PlacedView]:
    """What `lake_interactions` gives, each with the chance of the place in which its visitor clicked it."""
    chances = {(one.placement, one.place): one.chance for one in places}
    began = _began(root, site, chances)
    for user, item, timestamp in lake_interactions(root, site):
        before = [row for row in began.get((user, item), ()) if 0 <= timestamp - row[0] <= CLICK_TO_VIEW_S]
        yield PlacedView(user, item, timestamp, round(max(before)[1], 6) if before else 1.0)


def _lists(root: Path, site: str) -> Lists:
    return {
        (row["id"], slot["placement"]): slot["items"]
        for row in lake.rows(root, site, DECISIONS, ["id", "slots", "teaches"])
        for slot in (row["slots"] if row["teaches"] else ())
        if slot["items"]
    }


def _clicks(root: Path, site: str) -> Clicks:
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for row in lake.rows(root, site, EVENTS, ["decision", "placement", "kind", "item"]):
        if row["kind"] == "click":
            found[row["decision"], row["placement"]].add(row["item"])
    return found


def _places(placement: str, pages: list[tuple[list[str], set[str]]]) -> list[Place]:
    codes: dict[str, int] = {}
    rows = [
        (codes.setdefault(item, len(codes)), place, item in clicked)
        for items, clicked in pages
        for place, item in enumerate(items)
    ]
    things, at, clicks = (np.array(column) for column in zip(*rows, strict=True))
    shown, clicked = np.bincount(at), np.bincount(at, clicks)
    known = clicked.sum() >= LEAST_CLICKS
    chances = noticed(Shown(things, at, clicks.astype(np.float64))) if known else np.ones(len(shown))
    return [
        Place(placement, place + 1, int(shown[place]), int(clicked[place]), float(chances[place]))
        for place in range(len(shown))
    ]


def _began(
    root: Path, site: str, chances: dict[tuple[str, int], float]
) -> dict[tuple[str, str], list[tuple[int, float]]]:
    """By visitor and item: when it was clicked in a list, in seconds since 1970, and the place's chance."""
    lists = _lists(root, site)
    found: defaultdict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    columns = ["decision", "placement", "kind", "item", "visitor", "happened"]
    for row in lake.rows(root, site, EVENTS, columns):
        items = lists.get((row["decision"], row["placement"]), [])
        if row["kind"] == "click" and row["visitor"] and row["item"] in items:
            chance = chances[row["placement"], items.index(row["item"]) + 1]
            found[row["visitor"], row["item"]].append((seconds(row["happened"]), chance))
    return found
