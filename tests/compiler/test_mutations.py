"""Two hundred broken files: each mistake is told in the file and on the line where it is."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from compiler.init import TEMPLATES, template_names
from compiler.problems import ERROR, Problem
from compiler.workspace import WorkspaceError
from origin.training.validation import read_checked
from tests.compiler.mutations import Mutation, chosen, mutations
from tests.workspaces.make import FILES, make_workspace

COUNT = 200
MAX_TOLD = 5
"""Errors in its file that one mistake may be told as; others may need what it takes away."""

EVERY_KEY: Mapping[str, str] = {
    "site.yaml": """\
site: films
placements:
  - name: hero
    choose: best
    default: welcome
  - recommended
  - trending
front: nearside
blocks: [offers, news, help]
redirects:
  hosts: [shop.example.com]
attributes:
  utm.campaign:
    type: string
    source: "query:utm_campaign"
    values: [spring, summer]
  basket.value: {type: number, source: "cookie:basket"}
  url.query.sort: {type: string}
  app.version: {type: string, source: "header:x-app-version"}
  network.address: {type: string, source: "header:x-address"}
audiences:
  vip: {list: vip.csv, by: visitor.id}
behaviours:
  noir-views:
    where: {item.genre: {$in: [noir, crime]}}
    window: 7d
    measure: count
  genres: {measure: distinct, of: item.genre, window: 30d}
  offers: {event: page, path: "/offers/**", window: 1d}
items:
  path: "/film/{item}"
consent:
  cookie: consent
  default: contextual
holdouts:
  - id: never
    share: 0.05
    of: site
    seed: never
""",
    "rules/campaigns.yaml": """\
layouts:
  help-first:
    order: [help, news]
    hide: offers
  swapped: {swap: [[offers, news]]}
groups:
  dach: [DE, AT]
  odd: [1, 3]
audiences:
  alpine:
    geo.country: {$in: [AT, CH]}
    visitor.visits: {$gte: 2, $lt: 10, $exists: true}
  offices:
    url.path:
      $regex: "^/sport(/|$)"
    time.now: {$before: "2027-01-01T00:00:00+01:00"}
  grouped:
    geo.country: {$inGroup: dach}
    visitor.visits: {$notInGroup: odd}
  not-spring:
    $or:
      - utm.campaign: {$nin: [spring]}
      - $not: {basket.value: {$gt: 3, $lte: 30}}
    url.path: {$url: /film/*}
  every-operator:
    url.path: {$eq: /a, $ne: /b, $ini: [/A], $nini: [/b], $type: string}
    referrer.path: {$notRegex: b, $regexi: a, $notRegexi: b}
    app.version: {$veq: 1.2.3, $vne: 1.2.4, $vgt: 1.0.0, $vgte: 1.0.1, $vlt: 2.0.0, $vlte: 1.9.0}
    network.address: {$cidr: [192.0.2.0/24]}
    time.now:
      $not: {$after: "2027-01-01T00:00:00+01:00"}
    $nor:
      - device.type: tablet

campaigns:
  - id: welcome
    placement: hero
    priority: 3
    programme: spring
    exclusive: loud
    value:
      base: 2
      plus: {visitor.visits: 0.5, visitor.new: -1}
    show:
      content: welcome
  - id: alpine-summer
    audience: alpine
    placement: [hero, trending]
    priority: 20
    value: 1.5
    schedule:
      start: "2026-06-01T00:00:00+02:00"
      end: "2026-09-01T00:00:00+02:00"
      timezone: Europe/Berlin
      weekly:
        - days: [sat, sun]
          from: "10:00"
          to: "20:00"
        - {days: fri, from: "22:00", to: "02:00"}
    show: {content: summer}
  - id: for-you
    audience:
      $and:
        - visitor.items: {$gte: 1}
        - device.type: mobile
    placement: recommended
    show: {recommender: taste, card: film, limit: 4}
  - id: tested
    audience: offices
    placement: trending
    exclusive: loud
    show: {experiment: words}
  - id: helped
    audience: {device.type: tablet}
    show: {layout: help-first}
  - id: arranged
    audience: {device.type: desktop}
    priority: 2
    show:
      layout:
        order: [news, offers]
  - id: led
    audience: {url.path: /old}
    show: {redirect: "https://shop.example.com/new"}
  - id: drawn
    audience: grouped
    placement: hero
    show: {bandit: greeting}
  - id: listed
    audience: not-spring
    placement: [trending, recommended]
    show: {experiment: lists}
""",
    "rules/experiments.yaml": """\
experiments:
  - id: words
    hash: visitor.id
    hashVersion: 2
    seed: words
    coverage: 0.9
    sticky: 1
    namespace: {name: front, range: [0, 0.5]}
    variations:
      - key: control
        weight: 0.5
        show: nothing
      - {key: warm, weight: 0.5, show: {content: welcome}}
  - id: lists
    ranges: [[0, 0.4], [0.4, 0.9]]
    variations:
      - key: rules
        show:
          trending: {content: summer}
          recommended: nothing
      - key: model
        show:
          trending: {recommender: popular, card: film, limit: 2}
bandits:
  - id: greeting
    floor: 0.05
    arms:
      - {key: warm, weight: 0.7, show: {content: welcome}}
      - key: quiet
        weight: 0.3
        show: nothing
  - id: evening
    arms: [{key: a, show: {content: summer}}, {key: b, show: nothing}]
holdouts:
  - id: quiet
    share: 0.1
    of: [spring]
    seed: quiet-2026
  - {id: loud, share: 0.02, of: welcome}
""",
    "rules/audiences.yaml": "audiences: {}\n",
    "vip.csv": "id\nanna\nben\n",
}
"""A workspace with all keys of docs/workspace.md and docs/experiments.md."""


def _workspaces(folder: Path) -> dict[str, Path]:
    found = {name: folder / name for name in template_names()}
    for name, path in found.items():
        shutil.copytree(TEMPLATES / name, path)
    return {**found, "every-key": make_workspace(folder / "every-key", EVERY_KEY)}


def _sources() -> dict[tuple[str, str], str]:
    """The YAML files of all workspaces."""
    found = {}
    for name in template_names():
        for file in sorted((TEMPLATES / name).glob("**/*.yaml")):
            found[name, file.relative_to(TEMPLATES / name).as_posix()] = file.read_text()
    every = {**FILES, **EVERY_KEY}
    return found | {("every-key", path): text for path, text in every.items() if path.endswith(".yaml")}


def _all() -> list[Mutation]:
    return [m for (name, path), text in _sources().items() for m in mutations(name, path, text)]


MUTATIONS = chosen(_all(), COUNT)


@pytest.fixture(scope="module")
def workspaces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return _workspaces(tmp_path_factory.mktemp("workspaces"))


def _errors(folder: Path) -> list[Problem]:
    try:
        read_checked(folder)
    except WorkspaceError as error:
        return [problem for problem in error.problems if problem.severity == ERROR]
    return []


def _wrong(mutation: Mutation, folder: Path) -> str:
    """What is wrong with how the mutation is told; empty where nothing is."""
    _, text, lines, code, _ = mutation.broken
    file = folder / mutation.path
    whole = file.read_text()
    file.write_text(text)
    try:
        errors = _errors(folder)
    finally:
        file.write_text(whole)
    told = "\n".join(map(str, errors)) or "nothing is told"
    places = {(e.path, e.line) for e in errors if re.fullmatch(code, e.code)}
    if places.isdisjoint((mutation.path, line) for line in lines):
        return f"not told on line {sorted(lines)} as {code}:\n{told}"
    here = sum(error.path == mutation.path for error in errors)
    return "" if here <= MAX_TOLD else f"told as {here} errors:\n{told}"


def test_the_workspaces_are_fine_as_they_are(workspaces: dict[str, Path]) -> None:
    assert not [error for folder in workspaces.values() for error in _errors(folder)]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_a_broken_file_is_told_where_it_is(mutation: Mutation, workspaces: dict[str, Path]) -> None:
    assert not _wrong(mutation, workspaces[mutation.workspace])
