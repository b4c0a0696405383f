"""Attributes from the JSON that an app sends along: of their type, or missing; never an error."""

from pathlib import Path
from typing import Any

import pytest

from edge.bundle.format import Attribute
from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.worker.attributes.body import attributes_of_body
from tests.edge.worker.conftest import Worker
from tests.workspaces.make import FILES, SITE, make_bundle

DECIDE = "/_nearside/decide"
SITE_YAML = FILES["site.yaml"].replace(
    "attributes:\n",
    'attributes:\n  cart.total: {type: number, source: "body:cart.total"}\n'
    '  unread: {type: string, source: "body:unread"}\n',
)
RULES = """\
campaigns:
  - {id: rich, audience: {cart.total: {$gte: 50}}, placement: hero, priority: 99, show: {content: app}}
"""


def read(type_: str, path: str, body: Any) -> Any:
    attribute = Attribute("x", type_, f"body:{path}")
    return attributes_of_body((attribute,), ("x",), body).get("x")


@pytest.mark.parametrize(
    ("type_", "path", "body", "value"),
    [
        ("number", "a.b", {"a": {"b": 3}}, 3.0),
        ("number", "a.b", {"a": {"b": "3"}}, None),
        ("number", "a.b", {"a": {"b": True}}, None),
        ("number", "a.b", {"a": {"b": 10**400}}, None),
        ("number", "a.b", {"a": {"b": float("inf")}}, None),
        ("number", "a.b", {"a.b": 3}, None),
        ("number", "a.0", {"a": [3]}, None),
        ("string", "a", {"a": "x"}, "x"),
        ("string", "a", {"a": "x" * 513}, None),
        ("string", "a", {"a": None}, None),
        ("string", "a", {"a": {"b": "x"}}, None),
        ("string", "a.b.c", {"a": {"b": "x"}}, None),
        ("boolean", "a", {"a": False}, False),
        ("boolean", "a", {"a": 1}, None),
        ("string", "a", {}, None),
    ],
)
def test_a_value_is_of_its_type_or_missing(type_: str, path: str, body: Any, value: Any) -> None:
    found = read(type_, path, body)
    assert (found, type(found)) == (value, type(value))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    changes = {"site.yaml": SITE_YAML, "rules/rich.yaml": RULES}
    folder = make_bundle(tmp_path_factory.mktemp("body"), changes)
    return Engine.load(open_bundle(folder, SITE))


@pytest.fixture
def worker(tmp_path: Path, engine: Engine) -> Worker:
    return Worker(tmp_path, engine)


@pytest.mark.parametrize(
    ("ask", "campaign"),
    [
        ({"body": {"cart": {"total": 79.5}, "unread": "secret"}}, "rich"),
        ({"body": {"cart": {"total": 9}}}, "welcome"),
        ({"body": {"cart": "none"}}, "welcome"),
        ({"body": {"cart": {"total": 9}}, "attributes": {"cart.total": 99}}, "rich"),
        ({}, "welcome"),
    ],
)
def test_rules_see_what_an_app_sends(worker: Worker, ask: dict[str, Any], campaign: str) -> None:
    answer = worker.post(DECIDE, {"placements": ["hero"], **ask})
    assert [slot["campaign"] for slot in answer.json["slots"]] == [campaign]
    (record,) = worker.decisions()
    assert "unread" not in record.context.attributes
    assert engine_of(worker).decide(record.context).slots == record.slots


def engine_of(worker: Worker) -> Engine:
    engine = worker.holder.active.engine
    assert isinstance(engine, Engine)
    return engine


def test_a_body_that_is_no_object_is_refused(worker: Worker) -> None:
    answer = worker.post(DECIDE, {"placements": ["hero"], "body": [1]})
    assert (answer.status, answer.json["error"]["code"]) == (400, "malformed")


def test_in_pages_it_is_missing(worker: Worker) -> None:
    worker.get("/", {"cookie": "consent=full"})
    (record,) = worker.decisions()
    assert "cart.total" not in record.context.attributes
