"""Layouts and redirects as people write them: the page of examples, mistakes where they are, and doubts."""
# ruff: noqa: E501 -- the tables read best with one case in a line

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from compiler.build import compile_workspace
from compiler.rules.walk import Walk
from compiler.workspace import Workspace, WorkspaceError, read_workspace
from edge.bundle.format import Layout
from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.decide.types import Context
from edge.pages.layout import lay_out
from edge.pages.plan import scan
from edge.worker.turn.whole_page import location
from tests.workspaces.make import ACTIONS, FILES, SITE, make_workspace, train_models

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "actions.md").read_text(encoding="utf-8")
EXAMPLES = [text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "site.yaml" not in text]
SITE_YAML = FILES["site.yaml"] + "blocks: [offers, news, about]\nredirects: {hosts: [shop.example.com]}\n"
BARE: Mapping[str, str | None] = {"rules/campaigns.yaml": None, "rules/audiences.yaml": None}


def read(folder: Path, rules: str) -> Workspace:
    texts = {"content/warm.txt": "Come in"}
    changes = {**BARE, **texts, "site.yaml": SITE_YAML, "rules/page.yaml": rules}
    return read_workspace(make_workspace(folder / "workspace", changes))


def load(workspace: Workspace, folder: Path) -> Engine:
    compile_workspace(workspace, train_models(workspace), folder / "bundle")
    return Engine.load(open_bundle(folder / "bundle", SITE))


def shown(engine: Engine, unit: str = "", **attributes: Any) -> dict[str, str]:
    named = {name.replace("_", "."): value for name, value in attributes.items()}
    context = Context(0, 0, "full" if unit else "contextual", named, (), engine.schema.placements, unit)
    return {slot.placement: slot.content for slot in engine.decide(context).slots if slot.content}


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_each_example_compiles_without_a_warning_about_it(text: str, tmp_path: Path) -> None:
    workspace = read(tmp_path, text)
    assert [problem for problem in workspace.warnings if problem.path.startswith("rules/")] == []
    engine, walk = load(workspace, tmp_path), Walk(workspace)
    for unit in (f"{n:032x}" for n in range(40)):
        for attributes in ({}, {"url.path": "/"}, {"url.path": "/landing"}, {"visitor.visits": 3}):
            context = Context(0, 0, "full", attributes, (), workspace.placements, unit)
            won = zip(workspace.placements, walk.won(attributes, unit), strict=True)
            assert engine.winners(context) == {placement: name for placement, (name, _) in won if name}


def test_the_examples_do_what_the_page_says(tmp_path: Path) -> None:
    first, named, moved, tried, both = EXAMPLES
    engine = load(read(tmp_path / "1", first), tmp_path / "1")
    assert shown(engine, visitor_visits=3) == {"page.layout": "order news, offers"}
    assert shown(engine, visitor_visits=2) == {}
    engine = load(read(tmp_path / "2", named), tmp_path / "2")
    assert shown(engine, visitor_visits=3, device_type="mobile") == {"page.layout": "short"}
    engine = load(read(tmp_path / "3", moved), tmp_path / "3")
    june, may = 1_781_000_000_000, 1_778_000_000_000
    assert shown(engine, url_path="/spring", time_now=june) == {"page.redirect": "/summer"}
    assert shown(engine, url_path="/spring", time_now=may) == {}
    engine = load(read(tmp_path / "4", tried), tmp_path / "4")
    units = [f"{n:032x}" for n in range(400)]
    halves = [
        sum(bool(shown(engine, unit, url_path=path)) for unit in units) / 400 for path in ("/", "/landing")
    ]
    assert all(0.42 < half < 0.58 for half in halves)
    engine = load(read(tmp_path / "5", both), tmp_path / "5")
    seen = {str(shown(engine, unit)) for unit in units}
    assert seen == {"{}", str({"hero": "warm", "page.layout": "hide about"})}


BLOCKS = re.findall(
    r"^\| [^|]+ \| `(<.*?)` \| `((?:order|swap|hide): .*?)` \| `(.*?)` \|$", PAGE, re.MULTILINE
)


@pytest.mark.parametrize(("page", "layout", "out"), BLOCKS)
def test_a_layout_does_what_its_row_says(page: str, layout: str, out: str) -> None:
    said = yaml.safe_load(layout)
    hide = [said["hide"]] if isinstance(said.get("hide"), str) else said.get("hide", ())
    pairs = tuple((one, other) for one, other in said.get("swap", ()))
    found = lay_out(scan(page.encode()), Layout("x", tuple(said.get("order", ())), tuple(hide), pairs))
    assert found.page.decode() == out


LED = re.findall(r"^\| `(/[^`]*)` \| `([^`]*)` \| `([^`]*)` \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("asked", "where", "url"), LED)
def test_a_redirect_leads_where_its_row_says(asked: str, where: str, url: str) -> None:
    assert location(url, asked.partition("?")[2].encode()).decode() == where


def test_the_page_has_its_rows() -> None:
    assert (len(EXAMPLES), len(BLOCKS), len(LED)) == (5, 9, 5)


def campaign(show: str, more: str = "") -> str:
    return f"campaigns:\n- id: a\n  audience: {{url.path: /from}}\n{more}  show: {show}\n"


LINE = 4
MISTAKES = {
    "an unknown block": (campaign("{layout: {order: [news, ofers]}}"), LINE, "unknown-name", "'offers'"),
    "a block twice": (campaign("{layout: {order: [news, offers, news]}}"), LINE, "duplicate-id", "twice"),
    "a block twice over": (campaign("{layout: {hide: news, swap: [[news, about]]}}"), LINE, "duplicate-id", "'news' twice"),
    "one block in order": (campaign("{layout: {order: [news]}}"), LINE, "bad-value", "single block"),
    "no pair": (campaign("{layout: {swap: [[news, about, offers]]}}"), LINE, "bad-value", "no pair"),
    "no list of pairs": (campaign("{layout: {swap: [news, about]}}"), LINE, "bad-value", "no pair"),
    "nothing": (campaign("{layout: {}}"), LINE, "empty", "changes nothing"),
    "an unknown key": (campaign("{layout: {oder: [news, about]}}"), LINE, "unknown-key", "'order'"),
    "an unknown layout": (campaign("{layout: newsfirst}", "").replace("campaigns:", "layouts:\n  news-first: {order: [news, offers]}\ncampaigns:"), LINE + 2, "unknown-name", "'news-first'"),
    "two layouts of a name": ("layouts:\n  a: {hide: news}\n  a: {hide: about}\n", 3, "duplicate-key", "'a'"),
    "a layout with a bad name": ("layouts:\n  A b: {hide: news}\n", 2, "bad-id", "a layout"),
    "two things at once": (campaign("{layout: {hide: news}, redirect: /x}"), LINE, "missing-key", "needs one of"),
    "a layout in a place": (campaign("{layout: {hide: news}}", "  placement: hero\n"), 4, "bad-value", "'hero'"),
    "a content on the whole page": (campaign("{content: app}", "  placement: page.layout\n"), 4, "bad-value", "'page.layout'"),
    "a redirect in the layout": (campaign("{redirect: /x}", "  placement: page.layout\n"), 4, "bad-value", "'page.layout'"),
    "a cap": (campaign("{layout: {hide: news}}", "  cap: {impressions: 3, days: 7}\n"), 2, "bad-value", "nothing counts"),
    "another host": (campaign("{redirect: 'https://evil.example/'}"), LINE, "redirect", "not allowed"),
    "nearly that host": (campaign("{redirect: 'https://shop.example.com.evil.example/'}"), LINE, "redirect", "not allowed"),
    "another port": (campaign("{redirect: 'https://shop.example.com:8443/'}"), LINE, "redirect", "not allowed"),
    "two slashes": (campaign("{redirect: //evil.example/}"), LINE, "redirect", "one slash"),
    "a backslash": (campaign("{redirect: '/\\evil.example'}"), LINE, "redirect", "percent-encoded"),
    "a script": (campaign("{redirect: 'javascript:alert(1)'}"), LINE, "redirect", "path of the site"),
    "no encryption": (campaign("{redirect: 'http://shop.example.com/'}"), LINE, "redirect", "https"),
    "a user": (campaign("{redirect: 'https://shop.example.com@evil.example/'}"), LINE, "redirect", "https"),
    "no path": (campaign("{redirect: sale}"), LINE, "redirect", "path of the site"),
    "dots": (campaign("{redirect: /a/../b}"), LINE, "redirect", "dots"),
    "hidden dots": (campaign("{redirect: /a/%2e%2E/b}"), LINE, "redirect", "dots"),
    "our own": (campaign("{redirect: /_nearside/me}"), LINE, "redirect", "Nearside's own"),
    "a line break": (campaign('{redirect: "/a\\nb"}'), LINE, "redirect", "percent-encoded"),
    "not ASCII": (campaign("{redirect: /käse}"), LINE, "redirect", "percent-encoded"),
    "a hole": (campaign("{redirect: '/x/{{ geo.city }}'}"), LINE, "redirect", "hole"),
    "a layout for a placement": ("experiments:\n- id: e\n  variations:\n  - key: a\n    show:\n      hero: {layout: {hide: news}}\ncampaigns:\n- {id: c, placement: hero, show: {experiment: e}}\n", 6, "bad-value", "'hero'"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_told_where_it_is(case: str, tmp_path: Path) -> None:
    rules, line, code, said = MISTAKES[case]
    with pytest.raises(WorkspaceError) as caught:
        read(tmp_path, rules)
    errors = [problem for problem in caught.value.problems if problem.severity == "error"]
    assert [(problem.path, problem.line, problem.code) for problem in errors] == [
        ("rules/page.yaml", line, code)
    ]
    assert said in str(errors[0])


@pytest.mark.parametrize(
    ("more", "line", "said"),
    [
        ("blocks: [a, b, a]\n", 8, "block 'a' twice"),
        ("blocks: A\n", 8, "a block"),
        ("redirects: {hosts: ['https://x.example']}\n", 8, "host alone"),
        ("redirects: {}\n", 8, "'hosts'"),
        ("redirects: {hosts: [x.example], host: 1}\n", 8, "unknown key"),
    ],
)
def test_a_mistake_in_the_site_is_told_where_it_is(more: str, line: int, said: str, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError) as caught:
        read_workspace(make_workspace(tmp_path, {"site.yaml": FILES["site.yaml"] + more}))
    (error,) = [problem for problem in caught.value.problems if problem.severity == "error"]
    assert (error.path, error.line) == ("site.yaml", line)
    assert said in str(error)


DOUBTS = {
    "hides everything": (campaign("{layout: {hide: [news, about, offers]}}"), "hides-everything", "hides all blocks"),
    "an unused layout": ("layouts:\n  a: {hide: news}\n", "unused", "no campaign shows the layout 'a'"),
    "holds where it leads": (campaign("{redirect: /from}"), "redirect-loop", "still holds"),
    "holds by a pattern": (campaign("{redirect: /b}").replace("/from", "{$regex: '^/'}"), "redirect-loop", "still holds"),
    "every page": (campaign("{redirect: /b}").replace("url.path: /from", "device.type: mobile"), "redirect-loop", "every page"),
    "everybody": (campaign("{redirect: /b}").replace("{url.path: /from}", "{}"), "redirect-loop", "every page"),
    "by a variation": ("experiments:\n- {id: e, variations: [{key: a, show: {redirect: /from}}]}\n" + campaign("{experiment: e}"), "redirect-loop", "still holds"),
    "a chain": (campaign("{redirect: /b}") + "- {id: b, audience: {url.path: /b/}, show: {redirect: /c}}\n", "redirect-loop", "'b' leads nobody"),
    "an unknown item": (campaign("{redirect: /film/alein}"), "redirect-nowhere", "'alein'"),
    "always beaten": (campaign("{layout: {hide: news}}") + "- {id: b, priority: 1, show: {layout: {hide: about}}}\n", "shadowed", "'page.layout'"),
}  # fmt: skip


@pytest.mark.parametrize("case", DOUBTS)
def test_what_is_hardly_meant_is_told(case: str, tmp_path: Path) -> None:
    rules, code, said = DOUBTS[case]
    found = [problem for problem in read(tmp_path, rules).warnings if problem.path == "rules/page.yaml"]
    assert [problem.code for problem in found] == [code]
    assert said in str(found[0])


@pytest.mark.parametrize(
    "rules",
    [
        campaign("{redirect: /to}"),
        campaign("{redirect: /film/alien}"),
        campaign("{redirect: /to}").replace("url.path: /from", "utm.campaign: spring"),
        campaign("{redirect: 'https://shop.example.com/from'}"),
        campaign("{redirect: /from/more}"),
        campaign("{layout: {hide: [news, about]}}"),
    ],
)
def test_what_may_be_meant_is_left_in_peace(rules: str, tmp_path: Path) -> None:
    assert [problem for problem in read(tmp_path, rules).warnings if problem.path == "rules/page.yaml"] == []


def test_a_long_layout_has_a_name_of_its_own_and_a_bound(tmp_path: Path) -> None:
    names = [f"block-{n}" for n in range(60)]
    site = FILES["site.yaml"] + f"blocks: [{', '.join(names)}]\n"
    rules = "".join(
        f"- {{id: c{n}, audience: {{device.type: t{n}}}, show: {{layout: {{order: [{', '.join(order)}]}}}}}}\n"
        for n, order in enumerate((names, names, [*names[:-2], names[-1], names[-2]]))
    )
    changes = {"site.yaml": site, "rules/page.yaml": "campaigns:\n" + rules}
    workspace = read_workspace(make_workspace(tmp_path, changes))
    assert len(workspace.layouts) == 2
    assert all(len(layout.name) < 200 for layout in workspace.layouts)


def test_without_layouts_and_redirects_the_bundle_is_as_it_was(tmp_path: Path) -> None:
    workspace = read_workspace(make_workspace(tmp_path / "workspace", {"site.yaml": SITE_YAML}))
    engine = load(workspace, tmp_path)
    assert not engine.page.asks
    assert engine.schema.placements == ("hero", "recommended", "trending")
    assert not open_bundle(tmp_path / "bundle", SITE).artifacts("rules", "page")


def test_the_same_rules_give_the_same_bytes(tmp_path: Path) -> None:
    ids = set()
    for name in ("a", "b"):
        workspace = read_workspace(make_workspace(tmp_path / name / "workspace", ACTIONS))
        ids.add(load(workspace, tmp_path / name).id)
    assert len(ids) == 1
