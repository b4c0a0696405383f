"""Every example of docs/rules.md does what the page says, and every operator has one."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from compiler.conditions.check import KNOWN, parse
from compiler.conditions.index import build
from compiler.conditions.oracle import conform, evaluate
from compiler.rules.audiences import REFERENCE
from compiler.workspace import read_workspace
from edge.bundle.arrays import pack, unpack
from edge.rules.index import Index
from tests.workspaces.make import make_workspace

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
TYPES = {
    "app.page": "string",
    "app.version": "string",
    "device.type": "string",
    "geo.country": "string",
    "language": "string",
    "network.address": "string",
    "time.now": "number",
    "url.path": "string",
    "url.query.sort": "string",
    "utm.campaign": "string",
    "visitor.last_items": "strings",
    "visitor.name": "string",
    "visitor.tags": "strings",
    "visitor.visits": "number",
}
GROUPS = {"vip": ["anna", "ben"]}
NAMED = {"alps": {"geo.country": {"$in": ["AT", "CH"]}}, "regulars": {"visitor.visits": {"$gte": 5}}}
EXAMPLES = re.findall(r"```yaml\n(.*?)```\n((?:- (?:holds|not): `[^\n]*`\n)+)", PAGE, re.DOTALL)


def operators(part: Any) -> set[str]:
    if isinstance(part, list):
        return {name for one in part for name in operators(one)}
    if not isinstance(part, dict):
        return set()
    return {name for name in part if name.startswith("$")} | operators(list(part.values()))


def expanded(condition: Any, folder: Path) -> Any:
    """The condition with the audiences of the page that it names."""
    if REFERENCE not in operators(condition):
        return condition
    rules = yaml.safe_dump({"audiences": {**NAMED, "shown": condition}})
    audiences = read_workspace(make_workspace(folder, {"rules/named.yaml": rules})).audiences
    return next(audience.written for audience in audiences if audience.name == "shown")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example[0].split("\n")[0])
def test_the_example_holds_for_whom_it_says(example: tuple[str, str], tmp_path: Path) -> None:
    condition = expanded(yaml.safe_load(example[0]), tmp_path)
    clauses = parse(condition, TYPES, GROUPS).clauses
    index = Index(unpack(pack(build(clauses, TYPES))))
    told = re.findall(r"- (holds|not): `(.*)`", example[1])
    assert {answer for answer, _ in told} == {"holds", "not"}
    for answer, text in told:
        visitor = json.loads(text)
        assert conform(visitor, TYPES) == visitor
        assert evaluate(condition, visitor, GROUPS) is (answer == "holds"), visitor
        assert bool(index.match(visitor, index.everyone)) is (answer == "holds"), visitor


def test_every_operator_has_an_example_and_a_heading() -> None:
    shown = {name for text, _ in EXAMPLES for name in operators(yaml.safe_load(text))}
    known = KNOWN | {"$and", "$or", "$nor", "$not", REFERENCE}
    assert shown == known
    headed = set(re.findall(r"`(\$\w+)`", "\n".join(re.findall(r"^### .*$", PAGE, re.MULTILINE))))
    assert headed == known
    assert PAGE.count("```yaml") == len(EXAMPLES)
