"""The OpenAPI document: whole, consistent in itself, and what the application does.

That answers are what it says is held against every answer in the other tests, see `conforming`.
"""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from origin.server.api import make_app
from origin.server.endpoint import Body
from origin.server.routes import ENDPOINTS, document
from origin.server.settings import Settings
from tests.origin.test_docs import codes
from tests.origin.world import Keys

OPERATIONS = [(path, method, op) for path, ops in document()["paths"].items() for method, op in ops.items()]


@pytest.mark.anyio
async def test_it_is_served(client: httpx.AsyncClient) -> None:
    answer = await client.get("http://origin/openapi.json")
    assert answer.status_code == 200
    assert answer.json() == document()
    assert answer.json()["openapi"] == "3.1.0"


def test_every_route_and_method_is_in_it(settings: Settings, keys: Keys) -> None:
    routes = make_app(settings, [keys.origin]).routes
    served = {(r.path.replace(":int", ""), m.lower()) for r in routes for m in r.methods - {"HEAD"}}
    assert served == {(path, method) for path, method, _ in OPERATIONS if method != "head"}


def test_every_error_code_is_in_it() -> None:
    listed = {code for e in ENDPOINTS for of_status in e.all_errors().values() for code in of_status}
    # These two belong to no route; the document says so in its description.
    found = set(codes()) - {"no-route", "method"}
    assert found - listed == set()
    assert all(f"`{code}`" in document()["info"]["description"] for code in ("no-route", "method"))


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from ([node["$ref"]] if isinstance(node.get("$ref"), str) else [])
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from references(value)


def test_every_reference_leads_somewhere_and_no_schema_is_left_over() -> None:
    schemas = document()["components"]["schemas"]
    used = {ref.removeprefix("#/components/schemas/") for ref in references(document())}
    assert used == set(schemas)


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_an_operation_is_whole(path: str, method: str, operation: dict[str, Any]) -> None:
    assert operation["summary"].endswith(".") or ":" in operation["summary"]
    named = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
    assert named == set(re.findall(r"{(\w+)}", path))
    schemes = document()["components"]["securitySchemes"]
    for wanted in operation.get("security", []):
        assert set(wanted) <= set(schemes)
        assert {"401", "403"} <= set(operation["responses"])
    assert "500" in operation["responses"]
    assert ("requestBody" in operation) == (method in ("put", "post"))


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(ids) == len(set(ids))


def bodies() -> list[Body]:
    return [body for e in ENDPOINTS for body in (e.takes, e.answers) if body and body.example is not None]


@pytest.mark.parametrize("body", bodies())
def test_examples_are_of_their_types(body: Body) -> None:
    assert msgspec.convert(body.example, body.type_)
