"""A small shop with stock, countries, ages, brands and dates: for recommenders that look at these."""

from collections.abc import Mapping
from pathlib import Path

from compiler.build import compile_workspace
from compiler.workspace import read_workspace
from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.decide.types import Context, Muted
from tests.workspaces.make import SITE, make_workspace, train_models

GENRES = ("crime", "drama", "horror", "noir", "satire")
BRANDS = ("acme", "best", "cine")
N_ITEMS = 60
NEW = 5
"""The last items, which nobody viewed yet."""


def item(number: int) -> str:
    return f"i{number:02d}"


def genres(number: int) -> set[str]:
    return {GENRES[number % 5], GENRES[number * number % 5]}


def countries(number: int) -> set[str]:
    """Where an item may be seen; nowhere said is everywhere."""
    return set(("", "DE", "DE|AT", "FR")[number % 4].split("|")) - {""}


def _row(number: int) -> str:
    age = "" if number % 3 == 0 else str(6 * (number % 3 + 1))
    lists = "|".join(sorted(genres(number))), "|".join(sorted(countries(number)))
    cells = (
        item(number),
        f"Item {number}",
        lists[0],
        BRANDS[number % 3],
        int(number % 7 != 0),
        lists[1],
        age,
    )
    return ",".join(map(str, (*cells, f"2026-01-{1 + number % 28:02d}", number))) + "\n"


CATALOG = "id,title,genre,brand,stock,countries,age,added,price\n" + "".join(map(_row, range(N_ITEMS)))

START_S = 1_700_000_000
VIEWS = "user,item,timestamp\n" + "".join(
    f"u{user},{item((user * 7 + turn * (turn + user)) % (N_ITEMS - NEW))},{START_S + 60 * user + turn}\n"
    for user in range(80)
    for turn in range(7)
)

FILES: Mapping[str, str | None] = {
    "site.yaml": """\
site: films
placements: [hero, recommended, trending]
attributes:
  geo.country: {type: string, source: "header:x-geo-country"}
  visitor.age: {type: number, source: "fact:age"}
  visitor.owned: {type: string, source: "fact:owned"}
items: {path: "/film/{item}", topics: genre}
consent: {cookie: consent, default: contextual}
""",
    "rules/audiences.yaml": None,
    "content/welcome.html": None,
    "content/app.html": None,
    "content/summer.txt": None,
    "rules/campaigns.yaml": """\
campaigns:
  - {id: for-you, placement: recommended, show: {recommender: mine, card: film, limit: 6}}
  - {id: popular, placement: trending, show: {recommender: popular, card: film, limit: 6}}
""",
    "catalogs/films.csv": CATALOG,
    "interactions.csv": VIEWS,
    "models/also.yaml": "recipe: item-item\ninteractions: interactions.csv\n",
}


def shop_engine(folder: Path, recommender: str, changes: Mapping[str, str | None] | None = None) -> Engine:
    """The engine of the shop with ``recommenders/mine.yaml``."""
    files = {**FILES, "recommenders/mine.yaml": recommender, **(changes or {})}
    workspace = read_workspace(make_workspace(folder / "workspace", files))
    compile_workspace(workspace, train_models(workspace), folder / "bundle")
    return Engine.load(open_bundle(folder / "bundle", SITE))


def asks(
    *history: int,
    seed: int = 0,
    muted: Muted | None = None,
    placements: tuple[str, ...] = ("recommended",),
    **attributes: str | float,
) -> Context:
    """A context; ``geo_country`` is the attribute ``geo.country``."""
    named = {name.replace("_", "."): value for name, value in attributes.items()}
    viewed = tuple(map(item, history))
    return Context(0, seed, "full", dict(named), viewed, placements, muted=muted or Muted())


def listed(engine: Engine, context: Context) -> list[int]:
    """The numbers of the items that stand there."""
    slots = [slot for slot in engine.decide(context).slots if slot.placement == "recommended"]
    return [int(name[1:]) for slot in slots for name in slot.items]
