"""Caps as conditions: what is written, what is compiled and what is counted say the same."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.conditions.index import build
from compiler.problems import Problems
from compiler.rules.caps import MAX_CAPS, with_caps
from compiler.types import Campaign
from compiler.workspace import WorkspaceError, read_workspace
from edge.bundle.arrays import pack, unpack
from edge.bundle.reader import open_bundle
from edge.decide.caps import Reports, load_reports
from edge.rules.index import Index
from tests.workspaces.make import FILES, SITE, make_bundle, make_workspace

RULES = """\
campaigns:
  - id: teaser
    audience: {device.type: mobile}
    placement: hero
    cap: [{impressions: 3, days: 7}, {impressions: 1, per: visit}]
    recency: {hours: 24}
    until: click
    show: {content: app}
"""


def campaigns(folder: Path, rules: str = RULES) -> dict[str, Campaign]:
    changes = {"rules/capped.yaml": rules}
    return {one.id: one for one in read_workspace(make_workspace(folder, changes)).campaigns}


@pytest.fixture(scope="module")
def teaser(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return campaigns(tmp_path_factory.mktemp("capped"))["teaser"]


def test_a_cap_is_an_attribute(teaser: Campaign) -> None:
    found = {cap.name: (cap.event, cap.measure, cap.window_s, cap.limit) for cap in teaser.caps}
    assert found == {
        "cap.teaser.7d": ("impression", "count", 7 * 86_400, 3),
        "cap.teaser.visit": ("impression", "visit", 0, 1),
        "cap.teaser.last": ("impression", "recency", 86_400, 86_400),
        "cap.teaser.click": ("click", "recency", 400 * 86_400, 0),
    }


COUNTS = st.none() | st.integers(0, 5) | st.floats(0, 50)


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        dict.fromkeys(("cap.teaser.7d", "cap.teaser.visit", "cap.teaser.last", "cap.teaser.click"), COUNTS)
    ),
    st.sampled_from([None, "none", "contextual", "session", "full"]),
)
def test_index_and_plain_evaluator_agree(
    teaser: Campaign, counts: dict[str, float | None], tier: str | None
) -> None:
    given_ = {"device.type": "mobile", "consent.tier": tier, **counts}
    attributes = {name: value for name, value in given_.items() if value is not None}
    types = dict.fromkeys(counts, "number") | {"device.type": "string", "consent.tier": "string"}
    index = Index(unpack(pack(build(teaser.condition.clauses, types))))
    assert bool(index.match(attributes, index.everyone)) == teaser.meets(attributes)
    wanted = (
        tier in ("session", "full")
        and (counts["cap.teaser.7d"] or 0) <= 2
        and (counts["cap.teaser.visit"] or 0) <= 0
        and (counts["cap.teaser.last"] is None or counts["cap.teaser.last"] >= 24)
        and counts["cap.teaser.click"] is None
    )
    assert teaser.meets(attributes) == wanted


def test_a_cap_takes_no_more_room_in_the_index(teaser: Campaign) -> None:
    assert len(teaser.condition.clauses) == 1


def test_what_is_capped_leaves_the_weaker_ones_alone(tmp_path: Path) -> None:
    more = "  - {id: fallback, placement: hero, priority: -1, show: {content: app}}\n"
    for_all = RULES.replace("    audience: {device.type: mobile}\n", "")
    workspace = make_workspace(tmp_path, {"rules/campaigns.yaml": for_all + more})
    assert [one for one in read_workspace(workspace).warnings if one.code == "shadowed"] == []


def test_an_audience_of_those_without_a_state_is_told(tmp_path: Path) -> None:
    rules = RULES.replace("device.type: mobile", "consent.tier: contextual")
    workspace = read_workspace(make_workspace(tmp_path, {"rules/capped.yaml": rules}))
    (found,) = [str(one) for one in workspace.warnings if one.code == "impossible"]
    assert (
        "campaign 'teaser' can never match: what it demands of consent.tier excludes itself (see its audience"
        in found
    )


def reports(folder: Path, changes: dict[str, str]) -> Reports | None:
    return load_reports(open_bundle(make_bundle(folder, changes), SITE))


def test_only_what_is_needed_is_in_the_bundle(tmp_path: Path) -> None:
    assert reports(tmp_path / "a", {}) is None
    site = FILES["site.yaml"]
    told = reports(tmp_path / "b", {"site.yaml": f"{site}events: [signup, login]\n"})
    assert told == Reports(("login", "signup"), (), everywhere=True)
    capped = reports(tmp_path / "c", {"rules/capped.yaml": RULES})
    assert capped is not None
    assert (capped.kinds, len(capped.caps), capped.everywhere) == ((), 4, False)
    bought = f"{site}behaviours:\n  bought: {{event: purchase, window: 7d}}\n"
    assert reports(tmp_path / "d", {"site.yaml": bought}) == Reports(everywhere=True)


def test_tags_stay_whatever_else_there_is(tmp_path: Path) -> None:
    alone = reports(tmp_path / "a", {"rules/capped.yaml": RULES})
    more = RULES.replace("id: teaser", "id: a") + RULES.replace("id: teaser", "id: z").partition("\n")[2]
    among = reports(tmp_path / "b", {"rules/capped.yaml": RULES, "rules/more.yaml": more})
    assert alone is not None
    assert among is not None
    tags = {cap.name: cap.tag for cap in among.caps}
    assert len(set(tags.values())) == len(tags) == 12
    assert {cap.name: cap.tag for cap in alone.caps}.items() <= tags.items()


def test_a_bundle_has_so_many_caps(tmp_path: Path, teaser: Campaign) -> None:
    problems = Problems()
    site = read_workspace(make_workspace(tmp_path)).site
    with_caps(site, [teaser] * (MAX_CAPS // 4), problems)
    with_caps(site, [teaser] * (MAX_CAPS // 4 + 1), problems)
    with pytest.raises(WorkspaceError, match="at most 1000"):
        problems.raise_errors()
