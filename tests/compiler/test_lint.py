"""What a marketer hardly means is told in words, with its line; what is meant is left in peace."""

from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.conditions.check import parse
from compiler.conditions.implication import implies
from compiler.conditions.oracle import evaluate
from compiler.rules.lint_campaigns import past_campaigns
from compiler.workspace import read_workspace
from tests.workspaces.make import FILES, make_workspace

SITE = FILES["site.yaml"].replace(
    "attributes:\n", "attributes:\n  plan: {type: string, source: cookie:plan, values: [free, team, firm]}\n"
)
FRONT = "front: vercel\n" + SITE.replace(
    '  geo.country: {type: string, source: "header:x-geo-country"}\n', ""
)


def _warnings(folder: Path, rules: str, *codes: str, site: str = SITE) -> list[str]:
    made = make_workspace(folder, {"site.yaml": site, "rules/more.yaml": rules})
    found = read_workspace(made).warnings
    return [str(problem) for problem in found if problem.path == "rules/more.yaml" and problem.code in codes]


def _audience(folder: Path, condition: str, *codes: str, site: str = SITE) -> list[str]:
    return _warnings(folder, f"audiences:\n  a:\n    {condition}\n", *codes, site=site)


@pytest.mark.parametrize(
    ("condition", "line", "said", "hint"),
    [
        ("device.type: moblie", 3, "'moblie', and device.type is never that: it can be mobile", "'mobile'"),
        ("device:\n      type: {$in: [mobile,\n        Tablet]}", 5, "'Tablet'", "'tablet'"),
        ("$or:\n      - plan: teem\n      - plan: firm", 4, "plan is never that: it can be free", "'team'"),
        ("plan: {$not: {$eq: Free}}", 3, "'Free'", "'free'"),
        ("plan: {$nini: [TEAM, fre]}", 3, "'fre'", "'free'"),
        ("referrer.type: {$ne: mail}", 3, "direct, internal, search", ""),
    ],
)  # fmt: skip
def test_a_value_that_never_comes(condition: str, line: int, said: str, hint: str, tmp_path: Path) -> None:
    (found,) = _audience(tmp_path, condition, "unknown-value")
    assert found.startswith(f"rules/more.yaml:{line}: warning [unknown-value] audience 'a' names ")
    assert said in found
    assert hint in found


@pytest.mark.parametrize(
    "condition",
    ["plan: team", "plan: {$ini: [TEAM]}", "plan: {$regex: '^x'}", "plan: null", "utm.campaign: anything"],
)
def test_values_that_come_are_fine(condition: str, tmp_path: Path) -> None:
    assert _audience(tmp_path, condition, "unknown-value", "impossible", "missing-as-zero") == []


@pytest.mark.parametrize(
    ("condition", "line", "said", "hint"),
    [
        ("geo.city: Graz\n    geo.country: Germany", 4, "'Germany', and geo.country is never written so", ""),
        ("geo.country: {$in: [AT, de]}", 3, "two capital letters", "(did you mean 'DE'?)"),
        ("language: {$ne: de-AT}", 3, "without a region", "(did you mean 'de'?)"),
        ("time.date: {$gte: 1.5.2026}", 3, "a date, such as 2026-05-01", ""),
        ("$not: {url.path: {$url: [/films, '/films?sort=new']}}", 3, "'/films?sort=new'", "url.query.NAME"),
    ],
)
def test_a_text_that_no_value_is_written_like(
    condition: str, line: int, said: str, hint: str, tmp_path: Path
) -> None:
    (found,) = _audience(tmp_path, condition, "unknown-value", site=FRONT)
    assert found.startswith(f"rules/more.yaml:{line}: warning [unknown-value] audience 'a' names ")
    assert said in found
    assert hint in found


@pytest.mark.parametrize(
    ("condition", "site"),
    [
        ("geo.country: austria", SITE),  # a header of the site's own says it as it likes
        ("geo.country: {$lt: K}", FRONT),
        ("geo.country: T1", FRONT),
        ("language: {$ini: [DE]}", FRONT),
        ("time.date: {$gte: '2026-05', $lt: '2027'}", FRONT),
        ("url.path: {$url: /film/:id}", FRONT),
    ],
)
def test_texts_that_a_value_is_written_like_are_fine(condition: str, site: str, tmp_path: Path) -> None:
    assert _audience(tmp_path, condition, "unknown-value", site=site) == []


@pytest.mark.parametrize(
    ("condition", "line", "said"),
    [
        ("visitor.visits: {$gte: 5, $lt: 3}", 3, "what it demands of visitor.visits excludes itself"),
        ("device.type: mobile\n    $and: [{device.type: tablet}]", 3, "device.type excludes itself"),
        ("geo.country: AT\n    time.hour: {$gt: 23}", 4, "time.hour is 0 to 23"),
        ("time.weekday: 0", 3, "time.weekday is 1 to 7"),
        ("time.now: {$exists: false}", 3, "time.now is never missing"),
        ("plan: {$in: [x, y]}", 3, "plan is free, team, firm"),
        ("visitor.visits: {$lt: 0, $exists: true}", 3, "visitor.visits is at least 0"),
    ],
)
def test_a_condition_that_never_holds(condition: str, line: int, said: str, tmp_path: Path) -> None:
    (found,) = _audience(tmp_path, condition, "impossible")
    assert found.startswith(f"rules/more.yaml:{line}: warning [impossible] audience 'a' can never hold: ")
    assert said in found


def test_one_of_several_ways_that_never_holds_is_no_matter(tmp_path: Path) -> None:
    assert _audience(tmp_path, "$or: [{time.hour: 24}, {time.hour: 3}]", "impossible") == []


def test_an_audience_that_a_schedule_excludes(tmp_path: Path) -> None:
    rules = """
campaigns:
  - id: late
    audience: {time.now: {$gt: 1900000000000}}
    placement: hero
    schedule: {end: 2026-06-01, timezone: Europe/Berlin}
    show: {content: app}
"""
    (found,) = _warnings(tmp_path, rules, "impossible")
    assert (
        "campaign 'late' can never match: what it demands of time.now excludes itself (see its audience"
        in found
    )


@pytest.mark.parametrize(
    ("condition", "line"),
    [
        ("visitor.visits: {$lt: 3}", 3),
        ("device.type: mobile\n    visitor:\n      visits:\n        $ne: 2\n        $lte: 3", 7),
        ("$not: {visitor.visits: {$gte: 3}}", 3),
    ],
)
def test_a_missing_number_that_counts_as_zero(condition: str, line: int, tmp_path: Path) -> None:
    (found,) = _audience(tmp_path, condition, "missing-as-zero")
    assert found.startswith(f"rules/more.yaml:{line}: warning [missing-as-zero] audience 'a' also holds for ")


@pytest.mark.parametrize(
    "condition",
    [
        "visitor.visits: {$lt: 3, $exists: true}",
        "visitor.visits: {$gte: 1, $lt: 3}",
        "$or: [{visitor.visits: {$exists: false}}, {visitor.visits: {$lt: 3}}]",
        "visitor.visits: {$gte: 0, $lt: 3}",
        "time.hour: {$lt: 12}",
        "visitor.visits: {$gt: 3}",
    ],
)
def test_who_says_what_a_missing_number_means_is_left_in_peace(condition: str, tmp_path: Path) -> None:
    assert _audience(tmp_path, condition, "missing-as-zero") == []


def _campaign(name: str, audience: str, priority: int = 0, more: str = "") -> str:
    return (
        f"  - id: {name}\n    audience: {audience}\n    placement: trending\n    priority: {priority}\n"
        f"    show: {{content: app}}\n{more}"
    )


ALPINE = "{geo.country: {$in: [AT, CH]}}"
ALPINE_PHONES = "{geo.country: AT, device.type: mobile}"


def _shadowed(folder: Path, *campaigns: str) -> list[str]:
    return _warnings(folder, "campaigns:\n" + "".join(campaigns), "shadowed")


def test_a_campaign_behind_one_that_always_holds_with_it(tmp_path: Path) -> None:
    (found,) = _shadowed(tmp_path, _campaign("wide", ALPINE, 90), _campaign("narrow", ALPINE_PHONES, 80))
    assert found.startswith(
        "rules/more.yaml:7: warning [shadowed] campaign 'narrow' never shows in 'trending'"
    )
    assert "'wide' (rules/more.yaml:2) could too, and is stronger (priority 90)" in found
    assert "raise its priority above 90" in found


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("{}", ALPINE_PHONES),
        ("{visitor.visits: {$gte: 2}}", "{visitor.visits: {$gt: 2, $lt: 9}}"),
        ("{visitor.visits: {$gte: 2}}", "{visitor.visits: {$in: [2, 5]}}"),
        ("{device.type: {$ne: mobile}}", "{device.type: tablet}"),
        ("{device.type: {$ne: mobile}}", "{device.type: {$nin: [mobile, tablet]}}"),
        ("{$or: [{geo.country: AT}, {language: de}]}", "{language: de, device.type: mobile}"),
        ("{url.path: {$regex: ^/a}}", "{url.path: {$regex: ^/a}, language: de}"),
        ("{geo.country: {$exists: true}}", "{geo.country: AT}"),
    ],
)
def test_what_a_weaker_condition_is(wide: str, narrow: str, tmp_path: Path) -> None:
    assert _shadowed(tmp_path, _campaign("wide", wide, 90), _campaign("narrow", narrow, 80))
    assert not _shadowed(tmp_path / "other", _campaign("wide", wide, 80), _campaign("narrow", narrow, 90))


@pytest.mark.parametrize(
    ("stronger", "campaign"),
    [
        (_campaign("a", ALPINE_PHONES, 90), _campaign("b", ALPINE)),
        (_campaign("a", "{visitor.visits: {$lt: 3}}", 90), _campaign("b", "{visitor.visits: {$lt: 4}}")),
        (_campaign("a", "{device.type: {$ne: mobile}}", 90), _campaign("b", "{geo.country: AT}")),
        (_campaign("a", "{}", 90, "    exclusive: one\n"), _campaign("b", ALPINE)),
        (
            _campaign("a", "{}", 90, "    schedule: {start: 2026-01-01, timezone: Europe/Berlin}\n"),
            _campaign("b", ALPINE),
        ),
        (
            _campaign("a", "{}", 90),
            _campaign("b", ALPINE) + "holdouts:\n  - {id: out, share: 0.1, of: [a]}\n",
        ),
    ],
)
def test_a_campaign_that_shows_now_and_then(stronger: str, campaign: str, tmp_path: Path) -> None:
    assert _shadowed(tmp_path, stronger, campaign) == []


TYPES = {"s": "string", "n": "number", "b": "boolean"}


def _condition(random: Random, depth: int = 2) -> dict[str, object]:
    made: dict[str, object] = {}
    for _ in range(random.randint(1, 2)):
        kind = random.randrange(7 if depth else 5)
        if kind == 0:
            made["s"] = {random.choice(["$in", "$nin"]): random.sample(["x", "y", "z"], random.randint(1, 3))}
        elif kind == 1:
            made["n"] = {random.choice(["$gt", "$gte", "$lt", "$lte"]): random.randint(-1, 3)}
        elif kind == 2:
            made["n"] = {"$gte": random.randint(-1, 2), "$lte": random.randint(0, 3), "$ne": 1}
        elif kind == 3:
            made["b"] = random.choice([True, False])
        elif kind == 4:
            made[random.choice("snb")] = {"$exists": random.choice([True, False])}
        elif kind == 5:
            made["$or"] = [_condition(random, depth - 1) for _ in range(2)]
        else:
            made["$not"] = _condition(random, depth - 1)
    return made


CONTEXTS = [
    {name: value for name, value in (("s", s), ("n", n), ("b", b)) if value is not None}
    for s in ("w", "x", "y", "z", None)
    for n in (-1, 0, 0.5, 1, 2, 3, 4, None)
    for b in (True, False, None)
]


@settings(max_examples=400, deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_condition_that_is_called_weaker_holds_wherever_the_other_does(random: Random) -> None:
    one, two = _condition(random), _condition(random)
    both = {"$and": [one, two]}
    one_, two_, both_ = (parse(written, TYPES) for written in (one, two, both))
    assert implies(one_, one_)
    if implies(one_, two_):
        assert all(evaluate(two, context) for context in CONTEXTS if evaluate(one, context)), (one, two)
    if implies(one_, both_):
        assert all(evaluate(two, context) for context in CONTEXTS if evaluate(one, context)), (one, two)


def _day(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_a_campaign_whose_time_is_over(tmp_path: Path) -> None:
    weekly = (
        "    schedule: {start: 2026-01-01, end: 2026-02-01, timezone: Europe/Berlin, weekly: [{days: sat}]}\n"
    )
    rules = "campaigns:\n" + _campaign("saturdays", "{}", 1, weekly) + _campaign("open", "{}")
    workspace = read_workspace(make_workspace(tmp_path, {"rules/more.yaml": rules}))
    assert past_campaigns(workspace, _day("2026-01-31T22:00")) == ()
    (found,) = past_campaigns(workspace, _day("2026-02-01T00:00"))
    assert (found.path, found.line, found.code) == ("rules/more.yaml", 2, "past")
    assert "is over: it can't show any more since 2026-01-31 23:00 UTC" in found.message
