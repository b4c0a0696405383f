"""A context as people write it holds what an edge would see."""

import json
from pathlib import Path

import pytest

from edge.bundle.reader import open_bundle
from edge.errors import ConfigError
from origin.explain.contexts import read_context
from origin.explain.rules_view import View
from tests.workspaces.make import FILES, make_bundle


def _read(bundle: Path, folder: Path, **given: object) -> dict[str, object]:
    file = folder / "context.json"
    file.write_text(json.dumps(given), encoding="utf-8")
    context = read_context(file, View(open_bundle(bundle, "films")))
    return {"now_ms": context.now_ms, **context.attributes}


def test_now_gives_the_attributes_of_time(bundle: Path, tmp_path: Path) -> None:
    # Midnight in Vienna is still Thursday in UTC.
    found = _read(bundle, tmp_path, now="2026-05-01T00:30:00+02:00", tier="contextual")
    assert found == {
        "now_ms": 1_777_588_200_000,
        "time.now": 1_777_588_200_000,
        "time.hour": 22,
        "time.weekday": 4,
        "time.date": "2026-04-30",
        "consent.tier": "contextual",
    }


def test_the_history_counts_only_where_the_tier_allows_one(bundle: Path, tmp_path: Path) -> None:
    assert _read(bundle, tmp_path, history=["alien", "dune"], tier="full")["visitor.items"] == 2
    assert "visitor.items" not in _read(bundle, tmp_path, history=["alien"], tier="contextual")


def test_lists_are_of_texts(bundle: Path, tmp_path: Path) -> None:
    found = _read(bundle, tmp_path, history=["alien", "dune"], tier="session")
    assert found["visitor.last_items"] == ["alien", "dune"]
    with pytest.raises(ConfigError, match="lists are of texts"):
        _read(bundle, tmp_path, attributes={"visitor.last_items": ["alien", 3]})
    with pytest.raises(ConfigError, match="is a string, not the strings"):
        _read(bundle, tmp_path, attributes={"geo.country": ["DE"]})


def test_what_is_written_counts(bundle: Path, tmp_path: Path) -> None:
    attributes = {"time.hour": 3, "visitor.items": 9}
    found = _read(bundle, tmp_path, now="2026-05-01T00:30:00Z", history=["alien"], attributes=attributes)
    assert (found["time.hour"], found["visitor.items"]) == (3, 9)


@pytest.mark.parametrize(("now", "said"), [("2026-05-01T00:30:00", "no zone"), ("tomorrow", "context")])
def test_a_time_that_nobody_can_place_is_refused(bundle: Path, tmp_path: Path, now: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        _read(bundle, tmp_path, now=now)


VIP = "0" * 31 + "1"
LISTS = "audiences: {vip: {list: vip.csv, by: visitor.id}, firms: {list: firms.csv, by: utm.campaign}}\n"


@pytest.mark.parametrize(
    ("given", "vip", "firms"),
    [
        ({"unit": VIP}, True, False),
        ({"unit": "0" * 32}, False, False),
        ({}, False, False),
        ({"tier": "contextual", "attributes": {"utm.campaign": "acme"}}, False, True),
        ({"unit": VIP, "attributes": {"audience.vip": False}}, False, False),
    ],
)
def test_lists_are_looked_up(given: dict[str, object], vip: bool, firms: bool, tmp_path: Path) -> None:
    rules = FILES["rules/campaigns.yaml"].replace(
        "id: welcome\n", "id: welcome\n    audience: {$or: [{audience.vip: true}, {audience.firms: true}]}\n"
    )
    files = {"site.yaml": FILES["site.yaml"] + LISTS, "rules/campaigns.yaml": rules}
    bundle = make_bundle(tmp_path, files | {"vip.csv": f"{VIP}\n", "firms.csv": "acme\n"})
    found = _read(bundle, tmp_path, **given)
    assert (found["audience.vip"], found["audience.firms"]) == (vip, firms)


def test_a_misspelt_name_is_told_with_the_nearest(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"no attribute 'geo.county' in this bundle; did you mean 'geo.country'"
    ):
        _read(bundle, tmp_path, attributes={"geo.county": "AT"})
    with pytest.raises(ConfigError, match=r"no placement 'heros'; did you mean 'hero'"):
        _read(bundle, tmp_path, placements=["heros"])


@pytest.mark.parametrize(
    ("forced", "said"),
    [
        ({"word": "warm"}, r"no experiment or bandit 'word' to force; did you mean 'words'"),
        ({"words": "wram"}, r"'words' has no variation 'wram'; did you mean 'warm'"),
        ({"words": "warm"}, ""),
    ],
)
def test_what_a_tester_demands_is_there(forced: dict[str, str], said: str, tmp_path: Path) -> None:
    rules = FILES["rules/campaigns.yaml"] + (
        "  - {id: try, placement: hero, priority: 99, show: {experiment: words}}\n"
        "experiments:\n"
        "  - id: words\n"
        "    variations: [{key: none, show: nothing}, {key: warm, show: {content: app}}]\n"
    )
    bundle = make_bundle(tmp_path, {"rules/campaigns.yaml": rules})
    if not said:
        _read(bundle, tmp_path, forced=forced)
        return
    with pytest.raises(ConfigError, match=said):
        _read(bundle, tmp_path, forced=forced)


CONSENT = "consent: {cookie: consent, purposes: {ads: {}, service: {tier: session}}}"


@pytest.fixture(scope="module")
def consenting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = FILES["site.yaml"].replace("consent: {cookie: consent, default: contextual}", CONSENT)
    site = site.replace('"header:x-geo-country"}', '"header:x-geo-country", purposes: ads}')
    return make_bundle(tmp_path_factory.mktemp("purposes"), {"site.yaml": site})


@pytest.mark.parametrize(
    ("given", "granted"),
    [
        ({}, ("ads", "service")),
        ({"tier": "session"}, ("service",)),
        ({"tier": "contextual"}, ()),
        ({"purposes": ["ads"]}, ("ads",)),
        ({"purposes": []}, ()),
    ],
)
def test_purposes_are_those_of_the_tier_or_as_written(
    consenting: Path, tmp_path: Path, given: dict[str, object], granted: tuple[str, ...]
) -> None:
    found = _read(consenting, tmp_path, attributes={"geo.country": "AT"}, **given)

    assert {name for name, value in found.items() if name.startswith("consent.purpose.") and value} == {
        f"consent.purpose.{name}" for name in granted
    }
    assert ("geo.country" in found) is ("ads" in granted)


def test_an_unknown_purpose_is_refused(consenting: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no purpose 'adz'"):
        _read(consenting, tmp_path, purposes=["adz"])
