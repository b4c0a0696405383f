"""What is imported from GrowthBook decides as its SDKs do, through rules, bundle and engine."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.build import compile_workspace
from compiler.files.yaml_lines import read_yaml
from compiler.files.yaml_written import yaml_text
from compiler.growthbook.attributes import attribute
from compiler.growthbook.importing import Imported, convert, slug
from compiler.growthbook.meaning import evaluate_feature, from_context
from compiler.problems import Problems
from compiler.workspace import read_workspace
from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.decide.types import Context, Slot
from edge.rules.coercion import to_string

NOT_TAKEN = ("forcedVariations", "enabled", "qaMode", "forcedFeatureValues", "overrides", "groups")
"""What an SDK is told by the program around it, and no definition says."""


@pytest.fixture(scope="module")
def cases(suites_dir: Path) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = json.loads((suites_dir / "targeting" / "cases.json").read_text("utf-8"))
    return found


def load(found: Imported, folder: Path) -> Engine:
    files = {"site.yaml": yaml_text(found.site), "rules/imported.yaml": yaml_text(found.rules)}
    files |= {f"content/{name}.txt": text for name, text in found.contents.items()}
    for path, text in files.items():
        (folder / "workspace" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "workspace" / path).write_text(text, encoding="utf-8")
    compile_workspace(read_workspace(folder / "workspace"), {}, folder / "bundle")
    return Engine.load(open_bundle(folder / "bundle", "site"))


def visitor(attributes: Mapping[str, Any], placements: tuple[str, ...]) -> Context:
    identifier = attributes.get("id")
    unit = to_string(identifier) if identifier else ""
    return Context(0, 0, "full", dict(flat(attributes)), (), placements, unit)


def flat(attributes: Mapping[str, Any], prefix: str = "") -> Any:
    for name, value in attributes.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        elif value is not None:
            yield attribute(prefix + name), value


def decided(engine: Engine, found: Imported, key: str, attributes: Mapping[str, Any]) -> Slot | None:
    placement = found.placements[key]
    return next(iter(engine.decide(visitor(attributes, (placement,))).slots), None)


def test_features(cases: dict[str, list[Any]], tmp_path: Path) -> None:
    passed = []
    for number, (name, context, key, expected) in enumerate(cases["feature"]):
        if key not in (context.get("features") or {}) or any(context.get(told) for told in NOT_TAKEN):
            continue
        found = convert(context, "site")
        if found.left_out:
            continue
        engine = load(found, tmp_path / str(number))
        slot = decided(engine, found, key, context.get("attributes") or {})
        value = None if slot is None or not slot.fills else found.values[slot.content]
        assert value == expected["value"], name
        experiment = expected["source"] == "experiment"
        if experiment:
            assert slot is not None
            keys = [
                v["key"]
                for e in found.rules["experiments"]
                if e["id"] == slot.experiment
                for v in e["variations"]
            ]
            position = expected["experimentResult"]["variationId"]
            assert slot.variation in keys, name
            assert (
                slot.variation == keys[position] or slot.variation == expected["experimentResult"]["key"]
            ), name
        passed.append(name)
    assert len(passed) >= 20, passed


def test_experiments(cases: dict[str, list[Any]], tmp_path: Path) -> None:
    passed = []
    for number, (name, context, experiment, value, enrolled, hashed) in enumerate(cases["run"]):
        if any(told in context for told in NOT_TAKEN) or (enrolled and not hashed) or "url" in context:
            continue
        found = convert({"experiments": [experiment], "savedGroups": context.get("savedGroups")}, "site")
        if found.left_out:
            continue
        engine = load(found, tmp_path / str(number))
        slot = decided(engine, found, experiment["key"], context.get("attributes") or {})
        assert (slot is not None) is enrolled, name
        assert slot is None or found.values[slot.content] == value, name
        passed.append(name)
    assert len(passed) >= 29, passed


MANY: Mapping[str, Any] = {
    "features": {
        "Hero Words": {
            "defaultValue": "plain",
            "rules": [
                {"condition": {"deviceType": "mobile", "id": {"$inGroup": "vips"}}, "force": "vip"},
                {"condition": {"visits": {"$gte": 3}}, "coverage": 0.4, "force": "loyal", "hashVersion": 2},
                {
                    "key": "words",
                    "variations": ["plain", "warm", {"cold": True}],
                    "weights": [0.2, 0.3, 0.5],
                    "coverage": 0.9,
                    "seed": "w",
                    "namespace": ["front", 0.2, 0.9],
                    "meta": [{"key": "Control"}, {"key": "warm"}, {"key": "cold"}],
                    "hashVersion": 1,
                },
                {
                    "condition": {"country": {"$in": ["DE", "AT"]}},
                    "hashAttribute": "account",
                    "coverage": 0.5,
                    "force": "NO",
                },
            ],
        },
        "hero-words": {"defaultValue": False, "rules": [{"force": 1.5, "range": [0.2, 0.7]}]},
    },
    "savedGroups": {"vips": ["1", "5", "9"]},
}
GROUPS_ASKED = ("DE", "AT", "US")


def test_everybody_stays_in_their_variation(tmp_path: Path) -> None:
    found = convert(MANY, "site")
    assert found.left_out == []
    assert found.placements == {"Hero Words": "hero-words", "hero-words": "hero-words-2"}
    engine = load(found, tmp_path)
    seen = set()
    for number in range(600):
        told = {
            "id": str(number),
            "deviceType": "mobile" if number % 3 else "desktop",
            "visits": number % 5,
            "country": GROUPS_ASKED[number % 3],
            "account": f"a{number % 50}",
        }
        definitions, who = from_context({**MANY, "attributes": told})
        for key in MANY["features"]:
            expected = evaluate_feature(key, definitions, who)
            slot = decided(engine, found, key, told)
            assert slot is not None
            assert found.values[slot.content] == expected["value"], (key, told)
            seen.add(f"{key}: {expected['value']}")
    assert len(seen) == 8


def test_what_is_written_reads_as_people_write(tmp_path: Path) -> None:
    found = convert(MANY, "site")
    words = next(e for e in found.rules["experiments"] if e["seed"] == "w")
    assert words == {
        "id": "hero-words-3",
        "hashVersion": 1,
        "seed": "w",
        "namespace": {"name": "front", "range": [0.2, 0.9]},
        "coverage": 0.9,
        "variations": [
            {"key": "control", "weight": 0.2, "show": {"content": "hero-words-value-3"}},
            {"key": "warm", "weight": 0.3, "show": {"content": "hero-words-value-4"}},
            {"key": "cold", "weight": 0.5, "show": {"content": "hero-words-value-5"}},
        ],
    }
    assert found.site["attributes"]["device_type"] == {"type": "string", "source": "cookie:device_type"}
    assert found.site["attributes"]["visits"]["type"] == "number"
    assert found.contents["hero-words-value-5"] == '{"cold": true}'


LEFT_OUT: Mapping[str, Mapping[str, Any]] = {
    "prerequisites": {"force": 1, "parentConditions": [{"id": "other", "condition": {"value": True}}]},
    "filters": {"variations": [0, 1], "filters": [{"seed": "s", "ranges": [[0, 1]]}]},
    "bandit": {"contextualVariations": [0, 1], "contextualBanditRef": "b"},
    "ranges overlap": {"variations": [0, 1], "ranges": [[0, 0.6], [0.5, 1]]},
    "forced into one": {"variations": [0, 1], "force": None, "key": "e"} | {"variations": [0, 1]},
    "null": {"force": None},
    "empty text": {"force": ""},
    "condition can't be read": {"force": 1, "condition": {"tags": {"$size": {"$gt": 1}}}},
}


@pytest.mark.parametrize("why", LEFT_OUT)
def test_what_has_no_counterpart_is_told_by_feature_and_rule(why: str, tmp_path: Path) -> None:
    rule = LEFT_OUT[why]
    found = convert({"features": {"f": {"defaultValue": 7, "rules": [rule, {"force": 8}]}}}, "site")
    (line,) = found.left_out
    assert line.startswith("feature 'f', rule 1: ")
    wanted = {"forced into one": "null", "empty text": "empty text"}.get(why, why)
    assert wanted in line
    slot = decided(load(found, tmp_path), found, "f", {})
    assert slot is not None
    assert found.values[slot.content] == 8


def test_who_passes_through_gets_the_next_rule(tmp_path: Path) -> None:
    rules = [
        {"key": "held", "variations": [0, 1], "meta": [{"key": "out"}, {"key": "in", "passthrough": True}]},
        {"key": "words", "variations": ["a", "b"], "weights": [0.3, 0.7]},
    ]
    payload = {"features": {"f": {"defaultValue": 7, "rules": rules}}}
    found = convert(payload, "site")
    assert found.left_out == []
    engine = load(found, tmp_path)
    seen = set()
    for number in range(100):
        told = {"id": f"user-{number}"}
        expected = evaluate_feature("f", *from_context({**payload, "attributes": told}))["value"]
        slot = decided(engine, found, "f", told)
        assert slot is not None
        assert found.values[slot.content] == expected
        seen.add(expected)
    assert seen == {0, "a", "b"}


def test_rules_that_never_apply_leave_nothing() -> None:
    idle = [
        {"variations": [1]},
        {"variations": [1, 2], "active": False},
        {"variations": [1, 2], "status": "draft"},
        {"force": 1, "coverage": 0},
        {},
    ]
    found = convert({"features": {"f": {"rules": idle}}}, "site")
    assert (found.left_out, found.rules) == ([], {"campaigns": []})


TEXTS = st.text(max_size=12) | st.sampled_from(
    ["NO", "yes", "1e3", "0x1", "12:30", "null", "~", "- a", "a: b", "#", "2026-05-01"]
)
DOCUMENTS = st.recursive(
    TEXTS | st.booleans() | st.integers(-1000, 1000) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abc", min_size=1), DOCUMENTS, min_size=1, max_size=3))
def test_what_is_written_as_yaml_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, document: Any
) -> None:
    folder = tmp_path_factory.mktemp("yaml")
    text = yaml_text(document)
    if any(
        ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) < 0xE000
        for c in json.dumps(document, ensure_ascii=False)
    ):
        return
    (folder / "a.yaml").write_text(text, encoding="utf-8")
    problems = Problems()
    node = read_yaml(folder, "a.yaml", problems)
    # What no workspace may hold is refused, never read as something else.
    if node is not None:
        assert node.plain() == document
    else:
        assert "" in str(document) or problems


def test_names() -> None:
    assert slug("Hero Words!") == "hero-words"
    assert len(slug("x" * 100)) == 64
    assert [attribute(name) for name in ("deviceType", "geo.Country", "a-b", "1st", "URL", "ü")] == [
        *("device_type", "geo.country", "a_b", "a1st", "url", "x"),
    ]
