"""features.yaml: what is wrong with it is told where it is."""
# ruff: noqa: E501 -- the table of cases reads best with one case in a line

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiler.files.yaml_lines import read_yaml
from compiler.problems import Problem, Problems
from compiler.workspace import WorkspaceError, read_workspace
from edge.bundle.features import MAX_NUMBER, Column, flattened
from edge.decide.row import RowMaker
from tests.compiler.json_schema import accepts
from tests.compiler.schema.test_documents import SCHEMAS
from tests.workspaces.make import make_workspace

GOOD = """\
features:
  device: {attribute: device.type, one_hot: [mobile, desktop]}
  loyal: {attribute: visitor.visits, buckets: [2, 10], missing: 0}
  visits: {attribute: visitor.visits, clip: [0, 100], log: true}
  new: {attribute: visitor.new}
  country: {attribute: geo.country, code: [DE, AT]}
  told: {attribute: geo.country, present: true}
  both: {cross: [device, loyal]}
"""


def _read(folder: Path, text: str) -> tuple[Problem, ...]:
    try:
        return read_workspace(make_workspace(folder, {"features.yaml": text})).warnings
    except WorkspaceError as error:
        return error.problems


def test_features_are_read_and_each_number_has_a_name(tmp_path: Path) -> None:
    features = read_workspace(make_workspace(tmp_path, {"features.yaml": GOOD})).features
    assert features.lines["loyal"] == 3
    names = list(flattened(["both", "visits", "country", "told"], features.by_name))
    assert names[:3] == [
        "device=mobile*loyal=below-2",
        "device=mobile*loyal=2-to-10",
        "device=mobile*loyal=from-10",
    ]
    assert names[6:] == ["visits", "country", "told"]


MANY = list(range(64))

# What is wrong, its line, its code, and a part of what is said.
BROKEN: Mapping[str, tuple[str, int, str, str]] = {
    "attribute that is not there": ("  a: {attribute: device.tipe, present: true}", 2, "unknown-name", "device.type"),
    "text as a number": ("  a:\n    attribute: device.type", 3, "wrong-type", "one_hot"),
    "one_hot of a number": ("  a: {attribute: visitor.visits, one_hot: [a]}", 2, "wrong-type", "buckets"),
    "buckets that fall": ("  a:\n    attribute: visitor.visits\n    buckets: [3, 1]", 4, "bad-value", "[3.0, 1.0]"),
    "no cut": ("  a: {attribute: visitor.visits, buckets: []}", 2, "bad-value", "1 to 64"),
    "a text among the cuts": ('  a: {attribute: visitor.visits, buckets: [1, "2"]}', 2, "wrong-type", "text"),
    "two shapes": ("  a: {attribute: geo.country, one_hot: [a], present: true}", 2, "bad-value", "keep one"),
    "category twice": ("  a: {attribute: geo.country, code: [a, b, a]}", 2, "bad-value", "'a' twice"),
    "clip the wrong way": ("  a: {attribute: visitor.visits, clip: [9, 0]}", 2, "bad-value", "the most"),
    "clip of buckets": ("  a: {attribute: visitor.visits, buckets: [1], clip: [0, 9]}", 2, "bad-value", "numbers"),
    "missing of a text": ("  a: {attribute: geo.country, one_hot: [a], missing: 0}", 2, "bad-value", "'missing'"),
    "log that is no yes": ("  a: {attribute: visitor.visits, log: 10}", 2, "bad-value", "log: true"),
    "unknown key": ("  a: {attribute: visitor.visits, onehot: [a]}", 2, "unknown-key", "one_hot"),
    "no attribute": ("  a: {log: true}", 2, "missing-key", "attribute"),
    "bad name": ("  A b: {attribute: visitor.visits}", 2, "bad-id", "a-z"),
    "cross of a stranger": ("  a: {cross: [b, c]}\n  b: {attribute: visitor.new}", 2, "unknown-name", "'c'"),
    "cross of a cross": (
        "  a: {attribute: visitor.new}\n  b: {cross: [a, a]}\n  c: {cross: [a, b]}", 4, "unknown-name", "'b'"
    ),
    "cross of three": ("  a: {attribute: visitor.new}\n  b: {cross: [a, a, a]}", 3, "bad-value", "two"),
    "a list": ("  - attribute", 1, "wrong-type", "a mapping"),
    "a place that nothing tells": ("  a: {attribute: geo.city, present: true}", 2, "no-source", "front"),
    "list attribute": ("  a: {attribute: visitor.last_items, present: true}", 2, "unknown-name", "last_item"),
    "too many crossed": (f"  a: {{attribute: visitor.visits, buckets: {MANY}}}\n  b: {{cross: [a, a]}}\n  c: {{attribute: visitor.new}}", 3, "too-large", "4096"),
}  # fmt: skip
BEYOND = {
    "attribute that is not there", "text as a number", "one_hot of a number", "buckets that fall",
    "clip the wrong way", "cross of a stranger", "cross of a cross", "a place that nothing tells",
    "list attribute", "too many crossed",
}  # fmt: skip
"""What no schema can tell: names of other files, sums, two values beside each other."""


@pytest.mark.parametrize("case", BROKEN)
def test_a_mistake_is_told_with_its_line(case: str, tmp_path: Path) -> None:
    text, line, code, said = BROKEN[case]
    (problem,) = [p for p in _read(tmp_path, f"features:\n{text}\n") if p.severity == "error"]
    assert (problem.path, problem.line, problem.code) == ("features.yaml", line, code)
    assert said in f"{problem.message} {problem.hint}"


@pytest.mark.parametrize("case", BROKEN)
def test_the_schema_refuses_what_it_can_tell(case: str, tmp_path: Path) -> None:
    (tmp_path / "features.yaml").write_text(f"features:\n{BROKEN[case][0]}\n", encoding="utf-8")
    node = read_yaml(tmp_path, "features.yaml", Problems())
    assert node is not None
    assert accepts(SCHEMAS["features"], node.plain()) == (case in BEYOND)


def test_a_file_of_another_name_is_not_read_and_an_empty_one_is_told(tmp_path: Path) -> None:
    (problem,) = _read(tmp_path, "")
    assert (problem.code, problem.path) == ("empty", "features.yaml")


def test_values_of_another_type_and_beyond_all_bounds_are_missing() -> None:
    maker = RowMaker([Column("n"), Column("t", True, ("a", "b"))])

    def row(**attributes: Any) -> list[float]:
        return maker.row(attributes)

    assert row(n=True, t="b") == [1.0, 1.0]
    assert row(n=-2, t="else") == [-2.0, 2.0]
    missing: list[dict[str, Any]] = [
        {}, {"n": "3", "t": 1.0}, {"n": 2 * MAX_NUMBER, "t": ["a"]}, {"n": float("nan")}, {"n": 10**400},
    ]  # fmt: skip
    assert all(np.isnan(row(**attributes)).all() for attributes in missing)
