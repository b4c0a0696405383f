"""A campaign with alternatives and patterns through the whole way: workspace, bundle, engine."""

from pathlib import Path
from typing import Any

import pytest

from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.decide.types import Context
from tests.workspaces.make import SITE, make_bundle

RULES = """\
campaigns:
  - id: welcome
    placement: hero
    show: {content: welcome}
  - id: films
    audience:
      $or:
        - url.path: {$regex: "^/film/"}
        - geo.country: {$in: [AT, CH]}
          visitor.visits: {$gte: 2}
    placement: [hero, trending]
    priority: 10
    show: {content: summer}
  - id: not-mobile
    audience: {$not: {device.type: mobile, geo.country: DE}}
    placement: hero
    priority: 5
    show: {content: app}
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tmp_path_factory.mktemp("alternatives")
    return Engine.load(
        open_bundle(make_bundle(folder, {"rules/campaigns.yaml": RULES, "rules/audiences.yaml": None}), SITE)
    )


def winner(engine: Engine, attributes: dict[str, Any], killed: tuple[str, ...] = ()) -> str:
    context = Context(0, 0, "contextual", attributes, (), ("hero",))
    return engine.winners(context, killed).get("hero", "")


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"url.path": "/film/7", "geo.country": "DE", "device.type": "mobile"}, "films"),
        ({"url.path": "/", "geo.country": "AT", "visitor.visits": 2}, "films"),
        ({"url.path": "/", "geo.country": "AT", "visitor.visits": 1}, "not-mobile"),
        ({"url.path": "/", "geo.country": "DE", "device.type": "desktop"}, "not-mobile"),
        ({"url.path": "/", "geo.country": "DE", "device.type": "mobile"}, "welcome"),
        ({}, "not-mobile"),
    ],
)
def test_every_alternative_is_the_same_campaign(engine: Engine, attributes: Any, expected: str) -> None:
    assert winner(engine, attributes) == expected


def test_a_killed_campaign_loses_all_its_alternatives(engine: Engine) -> None:
    for attributes in ({"url.path": "/film/7"}, {"geo.country": "AT", "visitor.visits": 2}):
        assert winner(engine, attributes, ("films",)) == "not-mobile"


def test_what_only_patterns_read_is_read(engine: Engine) -> None:
    assert "url.path" in engine.reads


def test_the_bundle_is_found_again(tmp_path: Path) -> None:
    first, second = (
        make_bundle(tmp_path / name, {"rules/campaigns.yaml": RULES, "rules/audiences.yaml": None})
        for name in "ab"
    )
    assert open_bundle(first, SITE).id == open_bundle(second, SITE).id
