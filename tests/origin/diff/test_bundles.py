"""What changes between two bundles, in words: each subject has its lines, what stays has none."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edge.bundle.reader import open_bundle
from edge.errors import BundleError, ConfigError, OriginError
from origin.diff.bundles import BundleDiff, diff
from origin.publishing.client import OriginClient
from origin.publishing.comparison import Sources, compare, compare_with_active
from origin.publishing.download import download
from origin.publishing.publish import publish
from tests.origin.world import Keys
from tests.workspaces.make import ACTIONS, EXPERIMENTS, FILES, make_bundle

CAMPAIGNS = FILES["rules/campaigns.yaml"]
Changed = Callable[[dict[str, str]], BundleDiff]


@pytest.fixture
def changed(bundle: Path, tmp_path: Path) -> Changed:
    def make(files: dict[str, str]) -> BundleDiff:
        other = make_bundle(tmp_path / "changed", files)
        return diff(open_bundle(bundle, "films"), open_bundle(other, "films"))

    return make


def test_the_same_bundle_differs_in_nothing(bundle: Path) -> None:
    opened = open_bundle(bundle, "films")
    found = diff(opened, opened)
    assert (found.changes, found.changed_contexts) == ({}, 0)
    assert set(found.download_bytes.values()) == {0}
    assert found.contexts > 0


def test_actions_contents_and_campaigns(changed: Changed) -> None:
    rules = CAMPAIGNS.replace("{content: app}", "{content: news}").replace("id: popular", "id: loved")
    found = changed({"rules/campaigns.yaml": rules, "content/news.html": "<p>News</p>\n"})
    assert found.changes["campaigns"] == [
        "campaign added: loved",
        "campaign removed: popular",
        "campaign mobile-hero in hero: content app → content news",
    ]
    assert found.changes["contents"] == ["content added: news"]
    assert "trending: popular → loved in" in "\n".join(found.changes["conditions"])
    assert found.changed_contexts > 0
    assert found.download_bytes["rules"] > 0
    assert found.download_bytes["models"] == found.download_bytes["catalog"] == 0


def test_layouts_and_redirects(bundle: Path, tmp_path: Path) -> None:
    page = ACTIONS["rules/page.yaml"]
    other = page.replace("order: [news, offers]", "hide: legal").replace("/film/alien?from=old", "/film/dune")
    one = open_bundle(make_bundle(tmp_path / "one", ACTIONS), "films")
    two = open_bundle(make_bundle(tmp_path / "two", {**ACTIONS, "rules/page.yaml": other}), "films")
    found = diff(one, two)
    assert found.changes["layouts"] == ["layout changed: news-first"]
    assert found.changes["campaigns"] == [
        "campaign moved in page.redirect: redirect to /film/alien?from=old → redirect to /film/dune"
    ]
    begun = diff(open_bundle(bundle, "films"), one)
    assert "placement added: page.layout, page.redirect" in begun.changes["site"]
    assert begun.changes["layouts"] == [
        "layout added: hide about; swap offers with news, hide offers, about, news-first"
    ]


def test_priority_is_told_by_who_wins_over_whom(changed: Changed) -> None:
    found = changed({"rules/campaigns.yaml": CAMPAIGNS.replace("priority: 10", "priority: 30")})
    assert found.changes["campaigns"] == ["priority in hero: mobile-hero now wins over alpine-summer"]


def test_placements_of_a_campaign(changed: Changed) -> None:
    found = changed({"rules/campaigns.yaml": CAMPAIGNS.replace("[hero, trending]", "[hero]")})
    assert found.changes["campaigns"] == ["campaign alpine-summer is not in trending any more"]


def test_conditions_show_by_who_wins_in_sample_contexts(changed: Changed) -> None:
    audiences = FILES["rules/audiences.yaml"].replace("device.type: mobile", "language: fr")
    found = changed({"rules/audiences.yaml": audiences})
    assert found.changes["conditions"][:2] == [
        "attribute that decisions read: added: language",
        "attribute that decisions read: removed: device.type",
    ]
    assert any("mobile-hero" in line for line in found.changes["conditions"][2:])
    assert found.changes["audiences"] == ['audience on-the-go: device.type is "mobile" → language is "fr"']
    assert "campaigns" not in found.changes


def test_rewritten_rules_are_told_in_words(changed: Changed) -> None:
    rules = (
        CAMPAIGNS.replace("audience: on-the-go", "audience: {device.type: {$in: [mobile, tablet]}}")
        .replace('end: "2026-09-01T00:00:00+02:00"', 'end: "2026-09-02T00:00:00+02:00"')
        .replace("priority: 20", "priority: 21\n    exclusive: loud")
        .replace("id: welcome\n", "id: welcome\n    audience: alpine\n")
    )
    found = changed(
        {"rules/campaigns.yaml": rules, "rules/more.yaml": "audiences: {phones: {device.type: tv}}\n"}
    )
    assert found.changes["audiences"] == ['audience added: phones (device.type is "tv")']
    assert found.changes["campaigns"] == [
        "campaign alpine-summer runs from sun 2026-05-31 22:00 until mon 2026-08-31 22:00 UTC"
        " → from sun 2026-05-31 22:00 until tue 2026-09-01 22:00 UTC",
        "campaign alpine-summer is of the group (none) → loud",
        "campaign mobile-hero is for audience on-the-go → device.type is one of mobile, tablet",
        "campaign welcome is for everyone → audience alpine",
    ]


def test_a_change_that_is_too_long_to_show_is_told(tmp_path: Path) -> None:
    many = ", ".join(f"c{n:02}" for n in range(30))
    files = {"rules/more.yaml": f"audiences: {{many: {{geo.country: {{$in: [{many}]}}}}}}\n"}
    first = make_bundle(tmp_path / "first", files)
    other = {"rules/more.yaml": files["rules/more.yaml"].replace("c29", "c99")}
    second = make_bundle(tmp_path / "second", other)
    (line,) = diff(open_bundle(first, "films"), open_bundle(second, "films")).changes["audiences"]
    assert line.startswith("audience many: geo.country is one of c00, c01")
    assert line.endswith("and 22 more (it differs in what is too long to show)")


def test_caps(tmp_path: Path) -> None:
    found = []
    for name, cap in (("first", "{impressions: 3, days: 7}"), ("second", "{impressions: 1, per: visit}")):
        rules = CAMPAIGNS.replace("    show: {content: app}", f"    cap: {cap}\n    show: {{content: app}}")
        found.append(open_bundle(make_bundle(tmp_path / name, {"rules/campaigns.yaml": rules}), "films"))
    assert diff(*found).changes["campaigns"] == [
        "campaign mobile-hero is shown 3 times in 7 days → once a visit"
    ]


def test_saved_groups(tmp_path: Path) -> None:
    found = []
    for name, values in (("first", "DE, AT"), ("second", "AT, CH, LI")):
        audiences = "audiences: {speakers: {geo.country: {$inGroup: german}}}\n"
        rules = f"groups: {{german: [{values}]}}\n{audiences}"
        found.append(open_bundle(make_bundle(tmp_path / name, {"rules/more.yaml": rules}), "films"))
    assert diff(*found).changes == {"audiences": ["group german: 2 values added, 1 removed"]}


def test_the_ids_of_a_list(tmp_path: Path) -> None:
    site = FILES["site.yaml"] + "audiences: {vip: {list: vip.csv, by: visitor.id}}\n"
    bundles = [
        make_bundle(tmp_path / name, {"site.yaml": site, "vip.csv": f"{digit * 32}\n"})
        for name, digit in (("first", "0"), ("second", "1"))
    ]
    found = diff(*(open_bundle(one, "films") for one in bundles))
    assert found.changes == {"audiences": ["ids of list changed: vip"]}


def test_site_and_models_and_catalog(changed: Changed) -> None:
    found = changed(
        {
            "site.yaml": FILES["site.yaml"].replace("default: contextual", "default: session"),
            "models/taste.yaml": FILES["models/taste.yaml"].replace("regularization: 1", "regularization: 9"),
            "catalogs/films.csv": FILES["catalogs/films.csv"].replace("heat,Heat,crime", "ikiru,Ikiru,drama"),
        }
    )
    assert found.changes["site"] == ["consent default: contextual → session"]
    assert any(line.startswith("arrays of model changed:") for line in found.changes["models"])
    assert found.changes["catalog"] == ["item added: ikiru", "item removed: heat"]
    assert all(found.download_bytes[role] > 0 for role in ("rules", "models", "catalog"))


def test_cards_and_limits(changed: Changed) -> None:
    found = changed(
        {
            "catalogs/films.csv": FILES["catalogs/films.csv"].replace("Heat,crime", "Heat,thriller"),
            "rules/campaigns.yaml": CAMPAIGNS.replace("limit: 3", "limit: 5"),
        }
    )
    assert found.changes["catalog"] == ["card film renders 1 item anew: heat"]
    assert found.changes["campaigns"] == [
        "campaign popular in trending: 3 items of popular as film → 5 items of popular as film"
    ]


def test_against_the_revision_in_force(
    *, bundle: Path, other_bundle: Path, served: str, keys: Keys, tmp_path: Path
) -> None:
    assert compare_with_active(bundle, keys.publisher, served, tmp_path) is None
    publish(bundle, served, keys.publisher, "ann", "")
    found = compare_with_active(other_bundle, keys.publisher, served, tmp_path)
    assert found is not None
    assert list(found.changes) == ["campaigns"]
    # Neither the models' arrays nor what the other bundle holds too came from the origin.
    kinds = {a.kind for m in open_bundle(bundle, "films").manifests.values() for a in m.artifacts}
    assert {"graph", "arrays"} <= kinds
    fetched = list((tmp_path / "active-1/artifacts").iterdir())
    assert sum(path.stat().st_nlink > 1 for path in fetched) > sum(
        path.stat().st_nlink == 1 for path in fetched
    )


def test_a_downloaded_bundle_is_verified(*, bundle: Path, served: str, keys: Keys, tmp_path: Path) -> None:
    publish(bundle, served, keys.publisher, "ann", "")
    with OriginClient(served, keys.publisher) as client:
        got = download(client, 1, tmp_path / "got")
        assert open_bundle(got.folder, "films").id == got.id == open_bundle(bundle, "films").id
        with pytest.raises(OriginError, match="no-revision"):
            download(client, 2, tmp_path / "none")
        held = tmp_path / "data/sites/films/artifacts" / got.one("rules", "schema").sha256
        held.write_bytes(held.read_bytes()[::-1])
        with pytest.raises(BundleError, match="artifact-hash"):
            download(client, 1, tmp_path / "bad")
    with pytest.raises(ConfigError, match="the same"):
        compare("1", "1", Sources(tmp_path), None)


def test_experiments_and_holdouts(bundle: Path, changed: Changed, tmp_path: Path) -> None:
    added = changed(EXPERIMENTS)
    assert (
        "experiment added: hero-words (control 45.0%, warm 27.0%, cool 18.0%)" in added.changes["experiments"]
    )
    assert "holdout added: never (5.0%)" in added.changes["experiments"]
    first = open_bundle(make_bundle(tmp_path / "first", EXPERIMENTS), "films")
    rules = (
        EXPERIMENTS["rules/experiments.yaml"]
        .replace("weight: 0.3, show: {content: warm}", "weight: 0.4, show: {content: cool}")
        .replace("weight: 0.5, show: nothing", "weight: 0.4, show: nothing")
        .replace("sticky: 1", "sticky: 2")
        .replace("seed: lists", "seed: lists-2")
        .replace("share: 0.1", "share: 0.2")
    )
    site = EXPERIMENTS["site.yaml"].replace("id: never", "id: nobody")
    files = {**EXPERIMENTS, "rules/experiments.yaml": rules, "site.yaml": site}
    found = diff(first, open_bundle(make_bundle(tmp_path / "second", files), "films"))
    assert found.changes["experiments"] == [
        "experiment hero-words: control 45.0%, warm 27.0%, cool 18.0%"
        " → control 36.0%, warm 36.0%, cool 18.0%",
        "experiment hero-words: sticky 1 → 2",
        "experiment hero-words, variation warm in hero: content warm → content cool",
        "experiment rules-or-model divides visitors anew, by another seed, hash or namespace",
        "holdout added: nobody (5.0%)",
        "holdout removed: never",
        "holdout quiet: 10.0% → 20.0%",
    ]
    assert diff(first, first).changes == {}
