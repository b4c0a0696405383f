"""What a history amounts to: means and shares of what was viewed, as attributes."""

import json
from pathlib import Path

import numpy as np
import pytest

from compiler.workspace import WorkspaceError, read_workspace
from edge.bundle.arrays import pack, unpack
from edge.bundle.reader import Bundle, open_bundle
from edge.bundle.strings import Strings
from edge.decide.engine import Engine
from edge.decide.tastes import MAX_REMEMBERED, Tastes
from edge.errors import BundleError
from edge.visitor.state import VisitorState
from edge.worker.active import Active
from edge.worker.attributes.facts import Request
from origin.audience.sample import Stated
from origin.audience.size import measure
from origin.explain.contexts import read_context
from origin.explain.rules_view import View
from tests.edge.worker.conftest import Worker
from tests.workspaces.make import FILES, SITE, make_bundle, make_workspace

YEARS = (1979, 1985, 1996, "", 1946, 1995, 1942, 1954)
ROWS = FILES["catalogs/films.csv"].splitlines()
CATALOG = "\n".join(
    [f"{ROWS[0]},year", *(f"{row},{year}" for row, year in zip(ROWS[1:], YEARS, strict=True))]
)
ATTRIBUTES = """\
attributes:
  taste.year: {type: number, source: "history:year"}
  taste.crime: {type: number, source: "history:genre=crime"}
"""
RULES = """\
audiences:
  old: {taste.year: {$gt: 0, $lt: 1960}}
campaigns:
  - {id: old, audience: old, placement: hero, show: {content: app}}
  - {id: crime, audience: {taste.crime: {$gte: 0.5}}, placement: trending, show: {content: app}}
"""
CHANGES = {
    "site.yaml": FILES["site.yaml"].replace("attributes:\n", ATTRIBUTES),
    "catalogs/films.csv": CATALOG,
    "rules/audiences.yaml": None,
    "rules/campaigns.yaml": RULES,
}
GENRES = {row.split(",")[0]: row.split(",")[2] for row in ROWS[1:]}
YEAR = dict(zip(GENRES, YEARS, strict=True))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return open_bundle(make_bundle(tmp_path_factory.mktemp("tastes"), CHANGES), SITE)


def _attributes(engine: Engine, *items: str, tier: str = "full") -> dict[str, object]:
    request = Request("/", b"", {})
    request.tier, request.state = tier, VisitorState(items=items)
    return dict(Active(engine).reader.attributes(request))


def test_a_page_knows_the_mean_and_the_share(bundle: Bundle) -> None:
    engine = Engine.load(bundle)
    assert engine.reads == ("taste.crime", "taste.year")
    items = [item for item in GENRES if YEAR[item]][:4]
    shares = [GENRES[item] == "crime" for item in items]
    wanted = {"taste.year": np.mean([YEAR[item] for item in items]), "taste.crime": np.mean(shares)}
    assert _attributes(engine, *items) == pytest.approx(wanted)
    (unknown,) = [item for item in GENRES if not YEAR[item]]
    assert set(_attributes(engine, unknown)) == {"taste.crime"}


def test_without_a_history_there_is_none(bundle: Bundle) -> None:
    engine = Engine.load(bundle)
    assert _attributes(engine) == {}
    assert _attributes(engine, "gone-from-the-catalog") == {}
    assert _attributes(engine, "alien", tier="contextual") == {}


def test_what_is_remembered_is_bounded_and_the_same(bundle: Bundle) -> None:
    engine = Engine.load(bundle)
    first = engine.tastes.of(("alien",))
    for number in range(MAX_REMEMBERED + 10):
        engine.tastes.of((f"else{number}", "alien"))
    assert len(engine.tastes._remembered) <= MAX_REMEMBERED
    assert engine.tastes.of(["alien"]) == first


def test_a_written_context_has_them_by_its_history(bundle: Bundle, tmp_path: Path) -> None:
    view = View(bundle)
    file = tmp_path / "context.json"
    file.write_text(json.dumps({"history": ["alien"]}))
    context = read_context(file, view)
    assert context.attributes["taste.year"] == YEAR["alien"]
    file.write_text(json.dumps({"history": ["alien"], "attributes": {"taste.year": 1900}}))
    assert read_context(file, view).attributes["taste.year"] == 1900
    file.write_text(json.dumps({"history": ["alien"], "tier": "contextual"}))
    assert "taste.year" not in read_context(file, view).attributes


def test_audiences_are_counted_by_them(bundle: Bundle, tmp_path: Path) -> None:
    view, file = View(bundle), tmp_path / "contexts.jsonl"
    file.write_text("\n".join(json.dumps({"history": [item]}) for item in GENRES))
    (old,) = measure(view, Stated(file, view).requests()).audiences
    assert old.requests == sum(bool(year) and int(year) < 1960 for year in YEARS)


@pytest.mark.parametrize(
    ("written", "code", "said"),
    [
        ('{type: number, source: "history:yeer"}', "unknown-name", "did you mean 'year'"),
        ('{type: number, source: "history:genre"}', "wrong-type", "history:genre=VALUE"),
        ('{type: string, source: "history:year"}', "wrong-type", "type: number"),
        ('{type: number, source: "history:"}', "bad-value", "history:COLUMN"),
        ('{type: number, source: "history:genre=krime"}', "unknown-value", "did you mean 'crime'"),
    ],
)
def test_a_mistake_is_told_with_its_line(written: str, code: str, said: str, tmp_path: Path) -> None:
    site = CHANGES["site.yaml"].replace('{type: number, source: "history:year"}', written)  # type: ignore[union-attr]
    try:
        found = read_workspace(make_workspace(tmp_path, {**CHANGES, "site.yaml": site})).warnings
    except WorkspaceError as error:
        found = error.problems
    (problem,) = [problem for problem in found if problem.code == code]
    assert (problem.path, problem.line) == ("site.yaml", 4)
    assert said in problem.hint


def test_arrays_that_do_not_fit_are_refused(bundle: Bundle) -> None:
    items = Strings(unpack(bundle.read(bundle.one("catalog", "items"))), "ids")
    for array in (np.zeros(3, np.float32), np.zeros(len(items), np.uint8)):
        with pytest.raises(BundleError, match="'a' does not fit the items"):
            Tastes(unpack(pack({"a": array})), items)
    with pytest.raises(BundleError, match="more than"):
        Tastes({f"a{n}": np.zeros(len(items), np.float32) for n in range(257)}, items)


def test_an_apps_history_counts(bundle: Bundle, tmp_path: Path) -> None:
    worker = Worker(tmp_path, Engine.load(bundle))
    old = next(item for item in GENRES if YEAR[item] and int(YEAR[item]) < 1960)
    asked = {"history": [old], "tier": "full", "placements": ["hero"]}
    assert b'"old"' in worker.post("/_nearside/decide", asked).body
    assert b'"old"' not in worker.post("/_nearside/decide", {**asked, "tier": "contextual"}).body
