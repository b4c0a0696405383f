"""docs/workspace.md names everything that a workspace may hold."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from compiler.problems import CODES
from compiler.site import BUILT_IN, TYPES
from edge.decide.types import CONSENT_TIERS
from origin.explain.contexts import ContextFile
from origin.training.validation import workspace_schemas

SCHEMAS = workspace_schemas()


@pytest.fixture(scope="module")
def page(docs: Path) -> str:
    return (docs / "workspace.md").read_text(encoding="utf-8")


def _keys(schema: Any) -> Iterator[str]:
    """The names of all properties, of attributes and operators too; settings are told by the schema alone."""
    if isinstance(schema, list):
        for part in schema:
            yield from _keys(part)
    elif isinstance(schema, dict):
        properties = schema.get("properties", {})
        yield from (name for name, part in properties.items() if part is not True)
        for name, part in schema.items():
            if name not in ("allOf", "if"):
                yield from _keys(part)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_key(name: str, page: str) -> None:
    keys = set(_keys(SCHEMAS[name]))
    assert len(keys) >= 3
    lacking = [key for key in sorted(keys) if f"`{key}`" not in page and f"\n### {key}\n" not in page]
    assert [key for key in lacking if f"`{key}:" not in page] == []


def test_every_code_type_tier_and_attribute(page: str) -> None:
    names = [*CODES, *TYPES, *CONSENT_TIERS, *BUILT_IN]
    assert [name for name in names if f"`{name}`" not in page] == []
    assert [code for code, meaning in CODES.items() if f"| `{code}` | {meaning} |" not in page] == []


def test_every_key_of_a_context(page: str) -> None:
    keys = [field.name for field in msgspec.structs.fields(ContextFile)]
    assert [key for key in keys if f"`{key}`" not in page] == []


def test_every_folder_of_a_new_workspace(page: str) -> None:
    for path in ("site.yaml", "rules/", "content/", "catalogs/", "models/", "data/", "contexts/", ".schema/"):
        assert f"| `{path}" in page
