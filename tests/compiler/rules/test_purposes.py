"""Purposes are kept apart: what a campaign is for, and what the data that it reads may serve."""

from pathlib import Path

import pytest

from compiler.workspace import WorkspaceError, read_workspace
from tests.workspaces.make import EXPERIMENTS, FILES, make_workspace

SITE = FILES["site.yaml"].replace('"header:x-geo-country"}', '"header:x-geo-country", purposes: statistics}')
TASTE = FILES["models/taste.yaml"] + "purposes: personalised_content\n"
RULE = """\
campaigns:
  - id: new
    placement: hero
    {extra}
    show: {show}
"""


def problems(folder: Path, extra: str, show: str, **files: str) -> list[str]:
    rules = RULE.format(extra=extra, show=show)
    changes = {"site.yaml": SITE, "models/taste.yaml": TASTE, "rules/new.yaml": rules, **files}
    audiences = "audiences: {alpine: {visitor.visits: 2}, on-the-go: {device.type: mobile}}\n"
    changes["rules/audiences.yaml"] = audiences
    try:
        found = read_workspace(make_workspace(folder, changes)).warnings
    except WorkspaceError as error:
        found = error.problems
    return [str(problem) for problem in found if problem.code == "purpose"]


AT = "audience: {geo.country: AT}"
LIST = "{recommender: taste, card: film}"


@pytest.mark.parametrize(
    ("extra", "show"),
    [
        (f"{AT}\n    purposes: statistics", "{content: app}"),  # the same
        (AT, "{content: app}"),  # it says no purpose of its own
        ("audience: {device.type: mobile}", LIST),  # what it reads may serve anything
    ],
)
def test_what_fits_is_fine(tmp_path: Path, extra: str, show: str) -> None:
    assert problems(tmp_path, extra, show) == []


@pytest.mark.parametrize(
    ("extra", "show"),
    [
        (f"{AT}\n    purposes: [statistics, store]", "{content: app}"),  # one of two
        (AT, LIST),  # the model's purpose is the campaign's
        ("purposes: store", "{content: holes}"),  # by a hole of its content
        (f"{AT}\n    purposes: 1", "{content: app}"),
    ],
)
def test_what_may_not_be_served_is_refused(tmp_path: Path, extra: str, show: str) -> None:
    holes = {"content/holes.txt": 'In {{ geo.country | default: "your country" }}\n'}
    (told,) = problems(tmp_path, extra, show, **(holes if "holes" in show else {}))

    assert told.startswith("rules/new.yaml:2: error [purpose] campaign 'new' is for ")
    assert "reads 'geo.country', which may serve statistics only" in told


@pytest.mark.parametrize("shown", ["near", "tried", "behind", "popular"])
def test_what_models_of_a_list_take_in_counts(tmp_path: Path, shown: str) -> None:
    """Of the model, of a challenger, and of what it falls back to; popular takes in nothing."""
    near = "recipe: two-tower\ninteractions: interactions.csv\n"
    files = {
        "features.yaml": "features: {country: {attribute: geo.country, one_hot: [AT]}}\n",
        "models/near.yaml": f"{near}features: country\n",
        "models/behind.yaml": f"{near}fallback: near\n",
        "recommenders/tried.yaml": "model: popular\nchallenger: {model: near, share: 0.1}\n",
    }
    told = problems(tmp_path, "purposes: store", f"{{recommender: {shown}, card: film}}", **files)
    assert [problem.startswith("rules/new.yaml:2") for problem in told] == [True] * (shown != "popular")


def test_what_an_experiment_may_show_counts(tmp_path: Path) -> None:
    changes = {**EXPERIMENTS, "site.yaml": SITE, "models/taste.yaml": TASTE}
    with pytest.raises(WorkspaceError) as caught:
        read_workspace(make_workspace(tmp_path, changes))

    told = {p.message.split("'")[1] for p in caught.value.problems if p.code == "purpose"}
    assert told == {"lists", "lists-alone"}  # of which one variation asks the model


def test_a_tier_that_keeps_a_cookie_without_asking_to_store_is_doubted(tmp_path: Path) -> None:
    policy = "sources: [{tcf: {full: [1, 5], session: 11, contextual: 11}}]"
    site = FILES["site.yaml"].replace("cookie: consent, default: contextual", policy)
    warnings = read_workspace(make_workspace(tmp_path, {"site.yaml": site})).warnings

    assert [(p.line, p.code) for p in warnings if p.code == "no-store"] == [(7, "no-store")]
    assert "'session'" in next(p.message for p in warnings if p.code == "no-store")
