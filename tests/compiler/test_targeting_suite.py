"""The public cases of the dialect that experimentation SDKs share, each to the letter."""

import json
from pathlib import Path
from typing import Any

import pytest

from compiler.growthbook.meaning import evaluate_feature, from_context, run_experiment
from edge.rules import bucketing
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


def rounded(value: Any) -> Any:
    return [rounded(one) for one in value] if isinstance(value, list | tuple) else round(value, 6)


def test_buckets(cases: dict[str, list[Any]]) -> None:
    for *given, expected in cases["hash"]:
        assert bucketing.bucket(*given) == expected, given
    for count, expected in cases["getEqualWeights"]:
        assert rounded(bucketing.equal_weights(count)) == rounded(expected)
    for name, given, expected in cases["getBucketRange"]:
        assert rounded(bucketing.bucket_ranges(*given)) == rounded(expected), name
    for name, place, ranges, expected in cases["chooseVariation"]:
        assert bucketing.choose_variation(place, ranges) == expected, name
    for name, visitor, (namespace, *part), expected in cases["inNamespace"]:
        assert bucketing.in_namespace(visitor, namespace, part) is expected, name


def test_features(cases: dict[str, list[Any]]) -> None:
    found = {
        name: evaluate_feature(key, *from_context(context)) for name, context, key, _ in cases["feature"]
    }
    assert found == {name: expected for name, _, _, expected in cases["feature"]}


def test_experiments(cases: dict[str, list[Any]]) -> None:
    for name, context, experiment, *expected in cases["run"]:
        result = run_experiment(experiment, *from_context(context))
        assert [result["value"], result["inExperiment"], result["hashUsed"]] == expected, name
