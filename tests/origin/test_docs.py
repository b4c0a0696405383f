"""docs/origin.md says everything: routes, settings, error codes."""

import ast
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from origin.server.api import make_app
from origin.server.settings import PREFIX, Settings
from tests.origin.world import Keys

ROOT = Path(__file__).resolve().parents[2]
DOCS = (ROOT / "docs" / "origin.md").read_text(encoding="utf-8")


def test_every_route(settings: Settings, keys: Keys) -> None:
    for route in make_app(settings, [keys.origin]).routes:
        path = route.path.removeprefix("/v1/sites/{site}").replace(":int", "")
        for method in route.methods - {"HEAD"}:
            assert f"| {method} `{path}` |" in DOCS


def test_every_setting() -> None:
    for field in fields(Settings):
        assert f"`{PREFIX}{field.name.upper()}`" in DOCS


REACHED = [path for room in ("server", "store") for path in (ROOT / "origin" / room).glob("*.py")]


def codes() -> Iterator[str]:
    """The codes that stand in calls of `RefusedError` and `BundleError` of what requests reach."""
    for path in REACHED:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("RefusedError", "BundleError"):
                position = 1 if getattr(node.func, "id", "") == "RefusedError" else 0
                if isinstance(node.args[position], ast.Constant):
                    yield node.args[position].value


def test_every_error_code() -> None:
    found = set(codes()) | {"damaged", "record", "no-route", "method", "interface", "signature"}
    assert len(found) > 25
    assert [code for code in sorted(found) if f"`{code}`" not in DOCS] == []
