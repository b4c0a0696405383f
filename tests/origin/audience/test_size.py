"""Audience sizes: equal to deciding each request, with what a log can't tell said, not guessed."""

import json
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from compiler.conditions.oracle import evaluate
from compiler.workspace import read_workspace
from edge.bundle.reader import open_bundle
from edge.decide.types import Context, DecisionRecord, Value
from edge.errors import ConfigError
from edge.events import spool
from origin.audience.sample import Log, Stated
from origin.audience.size import CAP, SCHEDULE, CampaignSize, Sizes, measure
from origin.commands.root import app
from origin.explain.rules_view import View
from origin.lake.replay import load_engine
from origin.training.preview import open_rules, preview
from tests.workspaces.make import EXPERIMENTS, FILES, make_bundle, make_workspace

PLACEMENTS = ("hero", "recommended", "trending")
JULY_MS = 1_783_000_000_000


def requests(bundle: str, count: int, *, leave_out: tuple[str, ...] = ()) -> list[DecisionRecord]:
    """What an edge would have written down: some visitors come again, some are not known."""
    random, found = Random(3), []
    for number in range(count):
        attributes: dict[str, Value] = {
            "geo.country": random.choice(["DE", "FR", "AT", "CH"]),
            "device.type": random.choice(["mobile", "desktop"]),
            "visitor.visits": random.randint(1, 12),
            "utm.campaign": "spring",
        }
        attributes = {name: value for name, value in attributes.items() if name not in leave_out}
        visitor = f"{random.randint(0, 60):032x}" if random.random() < 0.8 else ""
        now = JULY_MS + random.choice([0, 365 * 86_400_000])
        page = tuple(name for name in PLACEMENTS if random.random() < 0.8)
        tier = "full" if visitor else "contextual"
        context = Context(now, number, tier, attributes, ("alien",) if visitor else (), page)
        found.append(
            DecisionRecord(f"{number:032x}", "films", "lab", bundle, 1, "", (), visitor, context, ())
        )
    return found


def write(path: Path, records: list[DecisionRecord]) -> Path:
    path.write_bytes(b"".join(map(spool.frame, records)))
    return path


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small workspace with experiments, compiled."""
    return make_bundle(tmp_path_factory.mktemp("audience"), EXPERIMENTS)


def campaigns(sizes: Sizes) -> dict[str, CampaignSize]:
    return {size.id: size for size in sizes.campaigns}


def test_counts_are_those_of_deciding_each_request(bundle: Path, tmp_path: Path) -> None:
    records = requests("elsewhere", 600)
    view = View(open_bundle(bundle, "films"))
    sizes = measure(view, Log(write(tmp_path / "a.seg", records), view).requests())
    engine = load_engine(bundle)
    workspace = read_workspace(bundle.parent / "workspace")
    gets: Counter[str] = Counter()
    reached: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for record in records:
        attributes = {**record.context.attributes, "time.now": record.context.now_ms}
        context = replace(record.context, attributes=attributes, unit=record.visitor)
        gets.update(set(engine.winners(context).values()))
        within.update(a.name for a in workspace.audiences if evaluate(a.written, attributes))
        for campaign in workspace.campaigns:
            on_page = set(campaign.placements) & set(record.context.placements)
            reached[campaign.id] += bool(on_page) and evaluate(campaign.whom, attributes)
    assert {size.name: size.requests for size in sizes.audiences} == dict(within)
    found = campaigns(sizes)
    assert {name: size.requests for name, size in found.items()} == {name: gets[name] for name in found}
    assert {name: size.reached for name, size in found.items()} == {name: reached[name] for name in found}
    assert all(size.reached == size.requests + size.lost.total() for size in found.values())
    # Nothing is lost to what nobody can name.
    kinds = {kind for size in found.values() for kind, _ in size.lost}
    assert kinds == {"campaign", "holdout", "experiment", "exclusive", SCHEDULE}
    assert found["alpine-summer"].lost[SCHEDULE, ""] > 0
    known = {record.visitor for record in records} - {""}
    assert (sizes.requests, sizes.visitors) == (600, len(known))
    assert sizes.anonymous == sum(not record.visitor for record in records)
    assert sizes.worth < 400
    mobile = {r.visitor for r in records if r.visitor and r.context.attributes["device.type"] == "mobile"}
    (on_the_go,) = [size for size in sizes.audiences if size.name == "on-the-go"]
    assert on_the_go.visitors == len(mobile)
    assert on_the_go.low < on_the_go.requests / 600 < on_the_go.high


def test_a_workspace_counts_as_its_bundle(bundle: Path, tmp_path: Path) -> None:
    log = write(tmp_path / "a.seg", requests("elsewhere", 80))
    sizes = []
    for source in (bundle, bundle.parent / "workspace"):
        view = open_rules(source)
        sizes.append(measure(view, Log(log, view).requests()))
    assert sizes[0] == sizes[1]


def with_weather(tmp_path: Path) -> View:
    site = FILES["site.yaml"].replace(
        "attributes:\n", 'attributes:\n  weather.sky: {type: string, source: "header:x-sky"}\n'
    )
    rules = """\
audiences: {rain: {weather.sky: rain}, dry: {weather.sky: {$ne: rain}}}
campaigns:
  - {id: umbrellas, audience: dry, placement: hero, priority: 99, show: {content: app}}
"""
    changes = {"site.yaml": site, "rules/weather.yaml": rules}
    return preview(read_workspace(make_workspace(tmp_path / "weather", changes)))


def test_what_the_log_does_not_hold_is_named_and_takes_no_part(tmp_path: Path) -> None:
    view = with_weather(tmp_path)
    sizes = measure(view, Log(write(tmp_path / "a.seg", requests("old", 50)), view).requests())
    assert sizes.unknown == {"weather.sky": ["audience dry", "audience rain", "campaign umbrellas"]}
    by_name = {size.name: size for size in sizes.audiences}
    assert (by_name["rain"].of, by_name["on-the-go"].of) == (0, 50)
    found = campaigns(sizes)
    assert (found["umbrellas"].of, found["umbrellas"].requests) == (0, 0)
    # Whoever is missing there would meet it; nobody loses to it all the same.
    assert all(("campaign", "umbrellas") not in size.lost for size in found.values())
    assert found["welcome"].requests > 0


def test_of_several_bundles_each_tells_what_it_read(tmp_path: Path) -> None:
    view = with_weather(tmp_path)
    newer = [
        replace(r, context=replace(r.context, attributes={**r.context.attributes, "weather.sky": "rain"}))
        for r in requests("new", 20)
    ]
    log = write(tmp_path / "a.seg", [*requests("old", 30), *newer])
    sizes = measure(view, Log(log, view).requests())
    by_name = {size.name: size for size in sizes.audiences}
    assert (by_name["rain"].of, by_name["rain"].requests, by_name["rain"].lacking) == (
        20,
        20,
        ("weather.sky",),
    )
    assert campaigns(sizes)["umbrellas"].of == 20


def test_what_nobody_had_is_known_where_the_bundle_is_at_hand(bundle: Path, tmp_path: Path) -> None:
    engine = load_engine(bundle)
    records = requests(engine.id, 40, leave_out=("device.type",))
    other = make_bundle(tmp_path, {"content/app.html": "<p>Another</p>\n"})
    view = open_rules(other)
    log = write(tmp_path / "a.seg", records)
    assert "device.type" in measure(view, Log(log, view).requests()).unknown
    assert measure(view, Log(log, view, bundle).requests()).unknown == {}
    # The bundle itself is at hand anyway.
    own = open_rules(bundle)
    assert measure(own, Log(log, own).requests()).unknown == {}


def test_what_follows_from_a_decision_needs_no_log_of_it(tmp_path: Path) -> None:
    site = FILES["site.yaml"] + "audiences: {vip: {list: vip.csv, by: visitor.id}}\n"
    rules = """\
audiences:
  agreed: {consent.tier: full}
  viewed: {visitor.items: {$gte: 1}}
  in-july: {time.date: {$gte: "2026-07-01", $lt: "2026-08-01"}}
  members: {audience.vip: true}
"""
    changes = {"site.yaml": site, "rules/more.yaml": rules, "vip.csv": f"{1:032x}\n{2:032x}\n"}
    view = preview(read_workspace(make_workspace(tmp_path / "w", changes)))
    records = requests("old", 300)
    sizes = measure(view, Log(write(tmp_path / "a.seg", records), view).requests())
    by_name = {size.name: size for size in sizes.audiences}
    known = sum(bool(record.visitor) for record in records)
    assert by_name["agreed"].requests == by_name["viewed"].requests == known
    assert by_name["in-july"].requests == sum(r.context.now_ms == JULY_MS for r in records)
    members = [r for r in records if r.visitor in (f"{1:032x}", f"{2:032x}")]
    assert by_name["members"].requests == by_name["vip"].requests == len(members) > 0
    assert by_name["vip"].visitors == 2
    assert sizes.unknown == {}


def test_a_cap_that_the_log_does_not_tell_is_said(tmp_path: Path) -> None:
    rules = """\
campaigns:
  - {id: teaser, placement: hero, priority: 99, cap: {impressions: 3, days: 7}, show: {content: app}}
"""
    view = preview(read_workspace(make_workspace(tmp_path / "w", {"rules/capped.yaml": rules})))
    records = [replace(r, context=replace(r.context, placements=("hero",))) for r in requests("old", 60)]
    known = sum(bool(record.visitor) for record in records)
    teaser = campaigns(measure(view, Log(write(tmp_path / "a.seg", records), view).requests()))["teaser"]
    assert (teaser.reached, teaser.requests, teaser.at_most) == (60, known, True)
    assert teaser.lost == {(CAP, ""): 60 - known}
    counted = [
        replace(r, context=replace(r.context, attributes={**r.context.attributes, "cap.teaser.7d": n % 4}))
        for n, r in enumerate(records)
    ]
    teaser = campaigns(measure(view, Log(write(tmp_path / "b.seg", counted), view).requests()))["teaser"]
    wanted = sum(bool(r.visitor) and n % 4 < 3 for n, r in enumerate(counted))
    assert (teaser.requests, teaser.at_most) == (wanted, False)


def test_who_is_led_elsewhere_is_lost_to_others(tmp_path: Path) -> None:
    rules = "campaigns: [{id: moved, audience: {geo.country: DE}, show: {redirect: /de}}]\n"
    view = preview(read_workspace(make_workspace(tmp_path / "w", {"rules/moved.yaml": rules})))
    old = requests("old", 40)
    sizes = measure(view, Log(write(tmp_path / "a.seg", old), view).requests())
    assert sizes.unknown == {"page.redirect": ["campaign moved"]}
    asked = [replace(r, context=replace(r.context, placements=("page.redirect", "trending"))) for r in old]
    found = campaigns(measure(view, Log(write(tmp_path / "b.seg", asked), view).requests()))
    germans = sum(r.context.attributes["geo.country"] == "DE" for r in old)
    assert found["moved"].requests == found["popular"].lost["redirect", "moved"] == germans > 0


def test_an_older_bundle_and_an_empty_log_are_refused(bundle: Path, tmp_path: Path) -> None:
    view = open_rules(bundle)
    with pytest.raises(ConfigError, match="no request"):
        measure(view, Log(write(tmp_path / "a.seg", []), view).requests())
    older = View(view.bundle)
    object.__setattr__(older, "written", None)
    with pytest.raises(ConfigError, match="compile it again"):
        measure(older, [])


def test_contexts_of_a_folder_a_list_and_lines(bundle: Path, tmp_path: Path) -> None:
    mobile = {"attributes": {"device.type": "mobile"}, "unit": "a", "placements": ["hero"]}
    other = {"attributes": {"device.type": "desktop"}}
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/a.json").write_text(json.dumps(mobile, indent=1))
    (tmp_path / "folder/b.json").write_text(json.dumps(other))
    (tmp_path / "list.json").write_text(json.dumps([mobile, other]))
    (tmp_path / "lines.jsonl").write_text(f"{json.dumps(mobile)}\n\n{json.dumps(other)}\n")
    view = open_rules(bundle)
    found = [
        measure(view, Stated(tmp_path / name, view).requests())
        for name in ("folder", "list.json", "lines.jsonl")
    ]
    assert found[0] == found[1] == found[2]
    assert (found[0].requests, found[0].visitors) == (2, 1)
    assert campaigns(found[0])["mobile-hero"].requests == 1
    (tmp_path / "lines.jsonl").write_text(f'{json.dumps(mobile)}\n{{"tier": "all"}}\n')
    with pytest.raises(ConfigError, match=r"lines\.jsonl:2: tier is one of"):
        measure(view, Stated(tmp_path / "lines.jsonl", view).requests())
    (tmp_path / "list.json").write_text('[{}, {"attributes": {"geo.county": "DE"}}]')
    with pytest.raises(ConfigError, match=r"list\.json, context 2: no attribute 'geo.county'"):
        measure(view, Stated(tmp_path / "list.json", view).requests())


def run(*options: object) -> str:
    result = CliRunner().invoke(app, ["audience", *map(str, options)])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command(bundle: Path, tmp_path: Path) -> None:
    log = write(tmp_path / "a.seg", requests("elsewhere", 100))
    text = run(bundle.parent / "workspace", "--log", log)
    assert text.startswith("100 requests, 2026-07-02 13:46 to 2027-07-02 13:46 UTC: ")
    document = json.loads(run(bundle, "--log", log, "--json"))
    by_name = {entry["name"]: entry for entry in document["audiences"]}
    assert by_name["on-the-go"]["requests"] == round(by_name["on-the-go"]["share"] * 100)
    (words,) = [entry for entry in document["campaigns"] if entry["id"] == "words"]
    assert words["requests"] + sum(lost["requests"] for lost in words["lost"]) == words["reached"]
    (tmp_path / "less").mkdir()
    log = write(tmp_path / "less/a.seg", requests("elsewhere", 9, leave_out=("device.type",)))
    text = run(bundle, "--log", log)
    assert (
        "device.type cannot be known from this log; it matters to audience on-the-go, campaign mobile-"
        in text
    )
    assert json.loads(run(bundle, "--log", log, "--json"))["audiences"][1]["requests"] is None
    assert CliRunner().invoke(app, ["audience", str(bundle)]).exit_code == 2
