"""Writes a small, complete workspace, and compiles it: for every test that needs a bundle."""

from collections.abc import Container, Mapping
from pathlib import Path

from compiler.build import compile_workspace
from compiler.workspace import Workspace, read_workspace
from models.data.interactions import read_csv
from models.recipe import Trained, train

SITE = "films"

FILES: Mapping[str, str] = {
    "site.yaml": """\
site: films
placements: [hero, recommended, trending]
attributes:
  utm.campaign: {type: string, source: "query:utm_campaign"}
  geo.country: {type: string, source: "header:x-geo-country"}
items: {path: "/film/{item}"}
consent: {cookie: consent, default: contextual}
""",
    "rules/audiences.yaml": """\
audiences:
  on-the-go:
    device.type: mobile
  alpine:
    geo.country: {$in: [AT, CH]}
    visitor.visits: {$gte: 2, $lt: 10}
""",
    "rules/campaigns.yaml": """\
campaigns:
  - id: welcome
    placement: hero
    show: {content: welcome}
  - id: mobile-hero
    audience: on-the-go
    placement: hero
    priority: 10
    show: {content: app}
  - id: alpine-summer
    audience: alpine
    placement: [hero, trending]
    priority: 20
    schedule: {start: "2026-06-01T00:00:00+02:00", end: "2026-09-01T00:00:00+02:00"}
    show: {content: summer}
  - id: for-you
    placement: recommended
    show: {recommender: taste, card: film, limit: 4}
  - id: popular
    placement: trending
    show: {recommender: popular, card: film, limit: 3}
""",
    "content/welcome.html": '<p class="hero">Welcome to <em>our</em> films</p>\n',
    "content/app.html": '<p>Take films along: <a href="/app">the app</a></p>\n',
    "content/summer.txt": 'Summer & "mountains" <3\n',
    "catalogs/films.csv": """\
id,title,genre
alien,Alien,horror
brazil,Brazil,satire
casablanca,Casablanca,romance
dune,"Dune, Part One",science fiction
eva,Eva <script>alert(1)</script>,drama
fargo,Fargo,crime
gilda,Gilda,noir
heat,Heat,crime
""",
    "catalogs/cards/film.html": """\
<a class="card" data-item="{{ id }}" href="/film/{{ id|urlencode }}">
  <b>{{ title }}</b> <span>{{ genre }}</span>
</a>
""",
    "models/popular.yaml": "recipe: popularity\ninteractions: interactions.csv\nhalf_life_days: 30\n",
    "models/taste.yaml": """\
recipe: ease
interactions: interactions.csv
regularization: 1
fallback: popular
""",
    "interactions.csv": "user,item,timestamp\n"
    + "".join(
        f"u{user},{item},{1_700_000_000 + 3600 * (7 * user + turn)}\n"
        for user, items in enumerate(
            (
                ["alien", "dune", "brazil"],
                ["alien", "dune", "fargo"],
                ["casablanca", "gilda"],
                ["casablanca", "gilda", "eva"],
                ["fargo", "heat"],
                ["heat", "fargo", "alien"],
                ["dune", "brazil"],
            )
        )
        for turn, item in enumerate(items)
    ),
}


EXPERIMENTS: Mapping[str, str] = {
    "site.yaml": FILES["site.yaml"] + "holdouts:\n  - {id: never, share: 0.05, of: site, seed: never}\n",
    "rules/experiments.yaml": """\
experiments:
  - id: hero-words
    sticky: 1
    coverage: 0.9
    variations:
      - {key: control, weight: 0.5, show: nothing}
      - {key: warm, weight: 0.3, show: {content: warm}}
      - {key: cool, weight: 0.2, show: {content: cool}}
  - id: rules-or-model
    hash: visitor.id
    hashVersion: 1
    seed: lists
    namespace: {name: lists, range: [0, 0.8]}
    ranges: [[0, 0.4], [0.4, 0.9]]
    variations:
      - key: rules
        show:
          trending: {content: warm}
          recommended: nothing
      - key: model
        show:
          trending: {recommender: popular, card: film, limit: 2}
          recommended: {recommender: taste, card: film, limit: 3}
holdouts:
  - {id: quiet, share: 0.1, of: [spring], seed: quiet-2026}
campaigns:
  - id: words
    audience: {geo.country: DE}
    placement: hero
    priority: 30
    programme: spring
    exclusive: loud
    show: {experiment: hero-words}
  - id: lists
    audience: {geo.country: DE}
    placement: [trending, recommended]
    priority: 20
    exclusive: loud
    show: {experiment: rules-or-model}
  - id: lists-alone
    audience: {geo.country: FR}
    placement: [trending, recommended]
    priority: 20
    show: {experiment: rules-or-model}
""",
    "content/warm.txt": "Come in\n",
    "content/cool.txt": "Chill\n",
}
"""Files that add experiments, a holdout and an exclusive group."""

BANDITS: Mapping[str, str] = {
    "rules/bandits.yaml": """\
bandits:
  - id: greeting
    floor: 0.05
    arms:
      - {key: warm, weight: 0.62, show: {content: warm}}
      - {key: cool, weight: 0.33, show: {content: cool}}
      - {key: quiet, weight: 0.05, show: nothing}
  - id: lists
    arms:
      - key: words
        show:
          trending: {content: warm}
          recommended: nothing
      - key: items
        show:
          trending: {recommender: popular, card: film, limit: 2}
          recommended: {recommender: taste, card: film, limit: 3}
holdouts:
  - {id: none-of-it, share: 0.2, of: loud, seed: none-of-it}
campaigns:
  - {id: greet, placement: hero, priority: 50, programme: loud, show: {bandit: greeting}}
  - {id: listed, placement: [trending, recommended], priority: 50, show: {bandit: lists}}
""",
    "content/warm.txt": "Come in\n",
    "content/cool.txt": "Chill\n",
}
"""Files that add bandits, and a holdout of one of them."""


ACTIONS: Mapping[str, str] = {
    "site.yaml": FILES["site.yaml"]
    + "blocks: [offers, news, about, legal]\nredirects: {hosts: [shop.example.com]}\n"
    + "holdouts:\n  - {id: never, share: 0.05, of: site, seed: never}\n",
    "rules/page.yaml": """\
layouts:
  news-first: {order: [news, offers]}
experiments:
  - id: blocks
    sticky: 1
    variations:
      - {key: control, show: nothing}
      - {key: short, show: {layout: {hide: about, swap: [[offers, news]]}}}
      - {key: mixed, show: {hero: {content: app}, page.layout: {layout: news-first}}}
  - id: landing
    variations:
      - {key: old, show: nothing}
      - {key: new, show: {redirect: /new-landing}}
campaigns:
  - id: readers
    audience: {geo.country: DE}
    show: {layout: news-first}
  - id: no-hero
    audience: {geo.country: FR}
    priority: 5
    show: {layout: {hide: [offers, about]}}
  - id: tried
    audience: {geo.country: AT}
    placement: [hero, page.layout]
    priority: 7
    show: {experiment: blocks}
  - id: moved
    audience: {url.path: /old, geo.country: {$ne: AT}}
    programme: moves
    schedule: {start: "2020-01-01T00:00:00Z"}
    show: {redirect: "/film/alien?from=old"}
  - id: shop
    audience: {url.path: /shop}
    show: {redirect: "https://shop.example.com/films"}
  - id: landing
    audience: {url.path: /landing}
    show: {experiment: landing}
holdouts:
  - {id: stays, share: 0.1, of: [moves], seed: stays}
""",
}
"""Files that add layouts and redirects, alone and in experiments."""


def make_workspace(folder: Path, changes: Mapping[str, str | bytes | None] | None = None) -> Path:
    """Write the workspace into `folder`; `changes` add or replace files, None leaves one out."""
    for path, text in {**FILES, **(changes or {})}.items():
        if text is None:
            continue
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def train_models(workspace: Workspace, without: Container[str] = ()) -> dict[str, Trained]:
    """Train all models of a small workspace but for some, in milliseconds."""
    items = [item.id for item in workspace.catalog.items]
    return {
        config.name: train(config.name, config.recipe, read_csv(config.interactions, items), config.settings)
        for config in workspace.models
        if config.name not in without
    }


def make_bundle(folder: Path, changes: Mapping[str, str | bytes | None] | None = None) -> Path:
    """Write the workspace into ``folder/workspace``, train, and compile it into ``folder/bundle``."""
    workspace = read_workspace(make_workspace(folder / "workspace", changes))
    compile_workspace(workspace, train_models(workspace), folder / "bundle")
    return folder / "bundle"
