"""The public cases of the dialect that experimentation SDKs share, each to the letter."""

import json
from pathlib import Path
from typing import Any

import pytest

from edge.rules.evaluate import evaluate


@pytest.fixture(scope="module")
def cases(suites_dir: Path) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = json.loads((suites_dir / "targeting" / "cases.json").read_text("utf-8"))
    return found


def test_conditions(cases: dict[str, list[Any]]) -> None:
    wrong = [
        name
        for name, condition, attributes, expected, *groups in cases["evalCondition"]
        if evaluate(condition, attributes, *groups) is not expected
    ]
    assert len(cases["evalCondition"]) > 100
    assert wrong == []
