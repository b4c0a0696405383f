"""`nearside decide --explain` tells where a visitor stands, in words that agree with the decision."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from edge.bundle import format as fmt
from edge.bundle.reader import open_bundle
from edge.decide.types import Context
from edge.errors import ConfigError
from edge.rules.bucketing import bucket
from origin.commands.root import app
from origin.explain.considered import Asked
from origin.explain.race import Race
from origin.explain.rules_view import View
from origin.explain.schedule_words import closed
from tests.workspaces.make import ACTIONS, EXPERIMENTS, make_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
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
    """A visitor whose place in hero-words is there, and asked no holdout holds."""
    return next(
        name
        for name in (f"{n:032x}" for n in range(10_000))
        if low <= (bucket("hero-words", name, 2) or 0.0) < high
        and min(bucket("quiet-2026", name, 2) or 0.0, bucket("never", name, 2) or 0.0) >= 0.1
    )


def test_the_bucket_is_told(bundle: Path, tmp_path: Path) -> None:
    visitor = unit(0.5, 0.77)
    text = told(bundle, tmp_path, unit=visitor, options=("--explain",))
    assert "hero: campaign words shows content warm (experiment hero-words, variation warm)\n" in text
    place = bucket("hero-words", visitor, 2)
    parts = "control 0 to 0.45, warm 0.5 to 0.77, cool 0.8 to 0.98"
    assert f"experiment hero-words: variation warm; the bucket is {place:g}, of {parts}\n" in text
    assert f"holdout quiet: not held out; the bucket is {bucket('quiet-2026', visitor, 2):g}, held" in text
    assert "  lists, priority 20: holds, but words of its group loud is on the page\n" in text


def test_who_is_not_enrolled_is_told_why(bundle: Path, tmp_path: Path) -> None:
    text = told(bundle, tmp_path, options=("--explain",))
    assert "experiment hero-words: not enrolled, as the visitor's id is missing\n" in text
    missing = "what it divides by is missing"
    assert f"  words, priority 30: holds, but not in experiment hero-words: {missing}\n" in text
    assert "holdout never: nobody without an id is held out\n" in text
    text = told(bundle, tmp_path, unit=unit(0.46, 0.49), options=("--explain",))
    assert "experiment hero-words: not enrolled: in the part of no variation; the bucket is 0.4" in text
    text = told(bundle, tmp_path, country="US", options=("--explain",))
    assert "trending: campaign popular shows 3 items of popular\n" in text


def test_what_sticks_and_what_is_demanded_is_told(bundle: Path, tmp_path: Path) -> None:
    more = {"unit": unit(0.5, 0.77), "assigned": [["hero-words", 1, "cool"]]}
    text = told(bundle, tmp_path, options=("--explain",), **more)
    assert "experiment hero-words: variation cool, which sticks to the visitor; the bucket" in text
    text = told(bundle, tmp_path, options=("--explain",), forced={"hero-words": "control"})
    assert "hero: campaign words shows the default (experiment hero-words, variation control)\n" in text
    assert "experiment hero-words: variation control, as a tester demands\n" in text


def test_as_json_the_decision_has_them_too(bundle: Path, tmp_path: Path) -> None:
    document = json.loads(told(bundle, tmp_path, unit=unit(0.8, 0.98)))
    (hero,) = [slot for slot in document["slots"] if slot["placement"] == "hero"]
    assert (hero["experiment"], hero["variation"], hero["propensity"]) == ("hero-words", "cool", 0.18)
    assert document["excluded"] == ["lists:exclusive"]


def test_below_the_tier_full_there_is_no_unit(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no unit"):
        told(bundle, tmp_path, unit="a", tier="session")


def held(holdout: str) -> str:
    return next(
        name for name in (f"{n:032x}" for n in range(10_000)) if (bucket(holdout, name, 2) or 1.0) < 0.05
    )


def test_each_placement_tells_all_who_wanted_it(bundle: Path, tmp_path: Path) -> None:
    attributes = {"geo.country": "FR", "device.type": "mobile", "visitor.visits": 1}
    given = {"attributes": attributes, "placements": ["hero"], "now": "2026-05-31T23:59:00+02:00"}
    text = told(bundle, tmp_path, options=("--explain", "--kill", "mobile-hero"), **given)
    assert text.split("experiment ")[0] == (
        "hero: campaign welcome shows content welcome\n"
        '  words, priority 30: no, geo.country is "FR", not "DE"\n'
        "  alpine-summer, priority 20: no, starts sun 2026-05-31 22:00 UTC, and it is sun 2026-05-31 21:59"
        ' there; and geo.country is "FR", not one of AT, CH\n'
        "  mobile-hero, priority 10: no, it is killed\n"
        "  welcome, priority 0: wins\n"
    )


def test_the_held_out_are_told_by_which_holdout(bundle: Path, tmp_path: Path) -> None:
    text = told(bundle, tmp_path, unit=held("never"), placements=["trending"], options=("--explain",))
    assert "trending: the default\n" in text
    assert "  popular, priority 0: holds, but holdout never holds the visitor out\n" in text
    assert "holdout never: held out; the bucket is 0.0" in text


def test_saved_groups_are_told_by_name(tmp_path: Path) -> None:
    rules = "groups: {germanic: [DE, AT]}\ncampaigns:\n" + "".join(
        f"  - {{id: {name}, audience: {{geo.country: {{{operator}: germanic}}}}, placement: hero,"
        " show: {content: app}}\n"
        for name, operator in (("in-it", "$inGroup"), ("not-in-it", "$notInGroup"))
    )
    bundle = make_bundle(tmp_path, {"rules/groups.yaml": rules})
    text = told(bundle, tmp_path, country="FR", placements=["hero"], options=("--explain",))
    assert '  in-it, priority 0: no, geo.country is "FR", not of the group germanic\n' in text
    text = told(bundle, tmp_path, country="DE", placements=["hero"], options=("--explain",))
    assert '  not-in-it, priority 0: no, geo.country is "DE", and must not be of the group germanic\n' in text


CAPPED = """\
campaigns:
  - id: teaser
    placement: hero
    priority: 99
    cap: [{impressions: 3, days: 7}, {impressions: 1, per: visit}]
    recency: {hours: 24}
    until: click
    show: {content: app}
"""


@pytest.fixture(scope="module")
def capped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("capped"), {"rules/capped.yaml": CAPPED})


@pytest.mark.parametrize(
    ("given", "fate"),
    [
        ({}, "wins"),
        ({"cap.teaser.7d": 2, "cap.teaser.visit": 0, "cap.teaser.last": 30.0}, "wins"),
        ({"cap.teaser.7d": 3}, "no, it was shown 3 times, of 3 times in 7 days"),
        ({"cap.teaser.visit": 1}, "no, it was shown once, of once a visit"),
        ({"cap.teaser.last": 2.25}, "no, it was shown 2.2 hours ago, and rests for 1 day"),
        ({"cap.teaser.click": 400.0}, "no, the visitor's click ended it"),
    ],
)
def test_why_a_capped_campaign_rests(
    capped: Path, tmp_path: Path, given: dict[str, float], fate: str
) -> None:
    text = told(capped, tmp_path, options=("--explain",), attributes=given, placements=["hero"])
    assert f"  teaser, priority 99: {fate}\n" in text


def test_without_a_state_nothing_capped_is_shown(capped: Path, tmp_path: Path) -> None:
    text = told(capped, tmp_path, options=("--explain",), tier="contextual", placements=["hero"])
    why = "it is capped, and in the consent tier contextual nothing is counted"
    assert f"  teaser, priority 99: no, {why}\n" in text


def test_who_is_led_elsewhere_sees_no_winner(tmp_path: Path) -> None:
    rules = "campaigns: [{id: moved, audience: {geo.country: DE}, show: {redirect: /de}}]\n"
    bundle = make_bundle(tmp_path, {"rules/moved.yaml": rules})
    text = told(bundle, tmp_path, options=("--explain",))
    assert "page.redirect: campaign moved leads to /de\n  moved, priority 0: wins\n" in text
    assert "  welcome, priority 0: holds, but moved leads the visitor elsewhere\n" in text
    text = told(bundle, tmp_path, country="FR", options=("--explain",))
    assert "  welcome, priority 0: wins\n" in text


def test_of_very_many_the_first_that_hold_are_told(tmp_path: Path) -> None:
    campaigns = "".join(
        f"  - {{id: c{n:03}, audience: {{visitor.visits: {n}}}, placement: hero, show: {{content: app}}}}\n"
        for n in range(2, 90)
    )
    bundle = make_bundle(tmp_path, {"rules/many.yaml": f"campaigns:\n{campaigns}"})
    text = told(
        bundle, tmp_path, attributes={"visitor.visits": 80}, placements=["hero"], options=("--explain",)
    )
    assert text.startswith("hero: campaign c080 shows content app\n")
    assert "  c080, priority 0: wins\n" in text
    assert "  welcome, priority 0: holds, and c080 is stronger\n" in text
    assert text.endswith("  and 51 more, of which 0 hold, and are weaker\n")


def test_an_older_bundle_says_so(bundle: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(bundle, tmp_path / "older")
    file = bundle / "rules.manifest"
    manifest = fmt.decode(file.read_bytes(), fmt.Manifest)
    kept = tuple(artifact for artifact in manifest.artifacts if artifact.kind != "written")
    file.write_bytes(fmt.encode(msgspec.structs.replace(manifest, artifacts=kept)))
    text = told(bundle, tmp_path, options=("--explain",))
    assert "hero: campaign welcome shows content welcome\n  (this bundle was compiled before" in text


def test_words_agree_with_the_index_in_every_sample_context(bundle: Path) -> None:
    view = View(open_bundle(bundle, "films"))
    assert view.written is not None
    asked = Asked(view.written)
    seen = {True: 0, False: 0}
    for golden in view.goldens:
        context = Context(0, 0, "full", dict(golden.attributes), (), view.schema.placements, golden.unit)
        race = Race(view, context, view.alive())
        for campaign in view.written.campaigns:
            now = golden.attributes.get("time.now")
            why = closed(campaign.when, int(now) if isinstance(now, int | float) else None)
            why = why or asked.failure(campaign, golden.attributes)
            for position in campaign.placements:
                holds = campaign.id in race.matched(view.schema.placements[position])
                assert holds == (why == ""), (campaign.id, golden.attributes, why)
                seen[holds] += 1
    assert min(seen.values()) > 50


@pytest.fixture(scope="module")
def acting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small workspace with layouts and redirects, compiled."""
    return make_bundle(tmp_path_factory.mktemp("acting"), ACTIONS)


def test_a_layout_is_explained_as_what_wins_the_page(acting: Path, tmp_path: Path) -> None:
    output = told(acting, tmp_path, options=("--explain",))
    assert "page.layout: campaign readers shows layout news-first\n  " in output
    assert "no-hero, priority 5: no, geo.country" in output
    slots = json.loads(told(acting, tmp_path))["slots"]
    assert {
        "placement": "page.layout",
        "campaign": "readers",
        "layout": "news-first",
        "propensity": 1.0,
    } in slots


def test_of_a_page_that_leads_elsewhere_nothing_else_is_seen(acting: Path, tmp_path: Path) -> None:
    given = {"attributes": {"geo.country": "DE", "url.path": "/shop"}}
    output = told(acting, tmp_path, options=("--explain",), **given)
    assert "page.redirect: campaign shop leads to https://shop.example.com/films" in output
    assert "hero: not seen, as the visitor is led elsewhere" in output
    (slot,) = json.loads(told(acting, tmp_path, **given))["slots"]
    assert slot["redirect"] == "https://shop.example.com/films"
