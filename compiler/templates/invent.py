"""Invents the visitors of the templates: who looked at what, and when; the same rows on every run.

``python -m compiler.templates.invent`` writes each template's data/interactions.csv anew.
"""

import csv
import io
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
INTERACTIONS: Final = "data/interactions.csv"
ROWS: Final = 600
VISITORS: Final = 75
LOYALTY: Final = 0.8
"""How often visitors stay with the group of items that they like."""

DAY_S: Final = 86_400


@dataclass(frozen=True)
class World:
    """One template's catalog, the column that groups its items, and the days that its log covers."""

    catalog: str
    group: str
    days: int


WORLDS: Final = {
    "films": World("catalogs/films.csv", "genre", 60),
    "shop": World("catalogs/products.csv", "category", 90),
    "news": World("catalogs/articles.csv", "section", 4),
}
_BEGIN_S: Final = 1_790_000_000


def interactions(template: str) -> str:
    """The template's log as CSV, oldest row first."""
    world = WORLDS[template]
    with (FOLDER / template / world.catalog).open(encoding="utf-8", newline="") as file:
        groups: dict[str, list[str]] = {}
        for row in csv.DictReader(file):
            groups.setdefault(row[world.group], []).append(row["id"])
    chance = random.Random(template)  # noqa: S311 - invented data, no secrets
    visits = [visit for number in range(VISITORS) for visit in _visits(number, groups, world, chance)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["user", "item", "timestamp"])
    writer.writerows((user, item, moment) for moment, user, item in sorted(visits))
    return text.getvalue()


def _visits(
    number: int, groups: dict[str, list[str]], world: World, chance: random.Random
) -> list[tuple[int, str, str]]:
    """One visitor's way: mostly within one group, the group's first items more often."""
    names = list(groups)
    liked = names[number % len(names)]
    moment = _BEGIN_S + chance.randrange(world.days * DAY_S // 2)
    seen: list[str] = []
    while len(seen) < ROWS // VISITORS:
        group = groups[liked if chance.random() < LOYALTY else chance.choice(names)]
        item = group[int(len(group) * chance.random() ** 1.5)]
        seen += [item] if item not in seen else []
        if len(set(seen) & set(groups[liked])) == len(groups[liked]):
            liked = chance.choice(names)
    gaps = [chance.randrange(60, world.days * DAY_S // 16) for _ in seen]
    moments = [moment + sum(gaps[:place]) for place in range(len(seen))]
    return [(when, f"visitor-{number + 1:02}", item) for when, item in zip(moments, seen, strict=True)]


def main() -> None:
    """Write the logs of all templates."""
    for template in WORLDS:
        (FOLDER / template / INTERACTIONS).write_text(interactions(template), encoding="utf-8")


if __name__ == "__main__":
    main()
