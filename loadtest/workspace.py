"""A workspace of any size for benchmarks: campaigns over ten attributes, films, invented visitors."""

import csv
import json
import random
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from compiler.build import compile_workspace
from compiler.workspace import read_workspace
from loadtest.client import COUNTRIES
from models.data.interactions import read_csv
from models.recipe import train

SITE = """\
site: films
placements: [hero, recommended, trending]
attributes:
  geo.country: {type: string, source: "header:x-geo-country"}
  utm.campaign: {type: string, source: "query:utm_campaign"}
items: {path: "/film/{item}"}
consent: {cookie: consent, default: contextual}
"""
CARD = """\
<li class="card" data-item="{{ id }}">
<a href="/film/{{ id }}"><b>{{ title }}</b><small>{{ year }}</small></a></li>
"""
CAMPAIGNS_PER_FILE = 1000
CONTENTS = 50


def write_workspace(folder: Path, campaigns: int, items: int = 1682, seed: int = 1) -> Path:
    """Write a workspace; half of the campaigns compete for the hero, the others choose how to recommend."""
    rng = random.Random(seed)
    for name in ("rules", "content", "catalogs/cards", "models", "data"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "site.yaml").write_text(SITE)
    (folder / "catalogs/cards/poster.html").write_text(CARD)
    for number in range(CONTENTS):
        text = f"<div class='banner'><h1>Offer {number}</h1><p>{'Only at the cinema. ' * 10}</p></div>"
        (folder / f"content/offer-{number}.html").write_text(text)
    _write_campaigns(folder / "rules", campaigns, rng)
    _write_catalog(folder, items)
    _write_interactions(folder / "data/interactions.csv", items, seed)
    common = "interactions: data/interactions.csv\n"
    (folder / "models/popular.yaml").write_text("recipe: popularity\n" + common)
    (folder / "models/taste.yaml").write_text("recipe: ease\nfallback: popular\n" + common)
    return folder


def build(folder: Path, campaigns: int, items: int = 1682, seed: int = 1) -> Path:
    """Write, train and compile; the bundle's folder."""
    workspace = read_workspace(write_workspace(folder / "workspace", campaigns, items, seed))
    ids = [item.id for item in workspace.catalog.items]
    models = {
        config.name: train(config.name, config.recipe, read_csv(config.interactions, ids), config.settings)
        for config in workspace.models
    }
    compile_workspace(workspace, models, folder / "bundle")
    return folder / "bundle"


def _write_campaigns(folder: Path, count: int, rng: random.Random) -> None:
    campaigns = [_campaign(number, rng) for number in range(count - 2)]
    campaigns += [
        _shown(count - 2, "recommended", {"recommender": "taste", "card": "poster", "limit": 6}),
        _shown(count - 1, "trending", {"recommender": "popular", "card": "poster", "limit": 6}),
    ]
    for start in range(0, count, CAMPAIGNS_PER_FILE):
        part = campaigns[start : start + CAMPAIGNS_PER_FILE]
        lines = ",\n".join(json.dumps(campaign) for campaign in part)
        (folder / f"campaigns-{start}.yaml").write_text(f'{{"campaigns": [\n{lines}\n]}}\n')


def _shown(number: int, placement: str, show: Mapping[str, object]) -> dict[str, object]:
    return {"id": f"campaign-{number}", "placement": placement, "show": dict(show)}


def _campaign(number: int, rng: random.Random) -> dict[str, object]:
    placement = rng.choice(("hero", "hero", "recommended", "trending"))
    if placement == "hero":
        show: dict[str, object] = {"content": f"offer-{number % CONTENTS}"}
    else:
        recommender = "taste" if placement == "recommended" else "popular"
        show = {"recommender": recommender, "card": "poster", "limit": 6}
    return {
        **_shown(number, placement, show),
        "priority": rng.randint(1, 1000),
        "audience": _condition(number, rng),
    }


def _condition(number: int, rng: random.Random) -> dict[str, object]:
    """Three attributes always, seven now and then: some hold for a request, most do not."""
    condition: dict[str, object] = {
        "geo.country": {"$in": rng.sample(COUNTRIES, 3)},
        "device.type": rng.choice(("mobile", "desktop", "tablet")),
        "visitor.visits": {"$gte": rng.randint(0, 5), "$lt": rng.randint(6, 60)},
    }
    sometimes: tuple[tuple[float, str, object], ...] = (
        (0.5, "utm.campaign", f"c{rng.randint(0, 500)}"),
        (0.3, "url.path", f"/film/{rng.randint(0, 2000)}"),
        (0.3, "time.hour", {"$gte": rng.randint(0, 12)}),
        (0.3, "time.now", {"$lt": 1.9e12 + number}),
        (0.3, "language", rng.choice(("de", "en", "fr"))),
        (0.1, "time.weekday", {"$lte": rng.randint(1, 7)}),
        (0.1, "visitor.items", {"$gte": rng.randint(0, 9)}),
    )
    return condition | {name: value for share, name, value in sometimes if rng.random() < share}


def _write_catalog(folder: Path, items: int) -> None:
    with (folder / "catalogs/films.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("id", "title", "year"))
        rows.writerows((item, f"The Film of Number {item}", 1950 + item % 75) for item in range(1, items + 1))


def _write_interactions(path: Path, items: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("user", "item", "timestamp"))
        for user in range(500):
            seen = 1 + np.minimum(
                np.abs(rng.normal(user % 7 * items / 10, items / 8, 60)).astype(int), items - 1
            )
            rows.writerows(
                (f"u{user}", int(item), 1_700_000_000 + turn) for turn, item in enumerate(set(seen))
            )
