"""`nearside decide --explain` tells where a visitor stands, in words that agree with the decision."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.errors import ConfigError
from edge.rules.bucketing import bucket
from origin.commands import app
from tests.workspaces.make import EXPERIMENTS, make_bundle


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small workspace with experiments, compiled."""
    return make_bundle(tmp_path_factory.mktemp("explained"), EXPERIMENTS)


def told(
    bundle: Path, folder: Path, *, country: str = "DE", options: tuple[str, ...] = (), **given: object
) -> str:
    file = folder / "context.json"
    file.write_text(json.dumps({"attributes": {"geo.country": country}, **given}), encoding="utf-8")
    result = CliRunner().invoke(app, ["decide", str(bundle), "--context", str(file), *options])
    if isinstance(result.exception, ConfigError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def unit(low: float, high: float) -> str:
    """A visitor whose place in hero-words is there, and whom no holdout holds."""
    return next(
        name
        for name in (f"{n:032x}" for n in range(10_000))
        if low <= (bucket("hero-words", name, 2) or 0.0) < high
        and min(bucket("quiet-2026", name, 2) or 0.0, bucket("never", name, 2) or 0.0) >= 0.1
    )


def test_the_bucket_is_told(tested: Path, tmp_path: Path) -> None:
    visitor = unit(0.5, 0.77)
    text = told(tested, tmp_path, unit=visitor, options=("--explain",))
    assert "hero: campaign words shows content warm (experiment hero-words, variation warm)\n" in text
    place = bucket("hero-words", visitor, 2)
    parts = "control 0 to 0.45, warm 0.5 to 0.77, cool 0.8 to 0.98"
    assert f"experiment hero-words: variation warm; the bucket is {place:g}, of {parts}\n" in text
    assert f"holdout quiet: not held out; the bucket is {bucket('quiet-2026', visitor, 2):g}, held" in text
    assert "kept away: lists:exclusive\n" in text


def test_who_is_not_enrolled_is_told_why(tested: Path, tmp_path: Path) -> None:
    text = told(tested, tmp_path, options=("--explain",))
    assert "experiment hero-words: not enrolled, as the visitor's id is missing\n" in text
    assert "holdout never: nobody without an id is held out\n" in text
    text = told(tested, tmp_path, unit=unit(0.46, 0.49), options=("--explain",))
    assert "experiment hero-words: not enrolled: in the part of no variation; the bucket is 0.4" in text
    text = told(tested, tmp_path, country="US", options=("--explain",))
    assert "trending: campaign popular shows 3 items of popular\n" in text


def test_what_sticks_and_what_is_demanded_is_told(tested: Path, tmp_path: Path) -> None:
    more = {"unit": unit(0.5, 0.77), "assigned": [["hero-words", 1, "cool"]]}
    text = told(tested, tmp_path, options=("--explain",), **more)
    assert "experiment hero-words: variation cool, which sticks to the visitor; the bucket" in text
    text = told(tested, tmp_path, options=("--explain",), forced={"hero-words": "control"})
    assert "hero: campaign words shows the default (experiment hero-words, variation control)\n" in text
    assert "experiment hero-words: variation control, as a tester demands\n" in text


def test_as_json_the_decision_has_them_too(tested: Path, tmp_path: Path) -> None:
    document = json.loads(told(tested, tmp_path, unit=unit(0.8, 0.98)))
    (hero,) = [slot for slot in document["slots"] if slot["placement"] == "hero"]
    assert (hero["experiment"], hero["variation"], hero["propensity"]) == ("hero-words", "cool", 0.18)
    assert document["excluded"] == ["lists:exclusive"]


def test_below_the_tier_full_there_is_no_unit(tested: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no unit"):
        told(tested, tmp_path, unit="a", tier="session")
