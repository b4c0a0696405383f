"""Compiling whole workspaces."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from compiler.build import compile_workspace, verify_golden
from compiler.report import report_path
from compiler.workspace import WorkspaceError, read_workspace
from edge.bundle import format as fmt
from edge.bundle.arrays import unpack
from edge.bundle.reader import open_bundle
from edge.bundle.strings import Strings
from edge.decide import golden
from edge.decide.engine import Engine
from edge.decide.types import Context
from edge.errors import BundleError
from tests.conftest import ROOT
from tests.workspaces.make import SITE, make_bundle, make_workspace, train_models

ALL = ("hero", "recommended", "trending")


def _files(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def _context(history: tuple[str, ...] = (), **attributes: str | float | bool) -> Context:
    named = {name.replace("__", "."): value for name, value in attributes.items()}
    return Context(0, 0, "full", named, history, ALL)


def test_the_edge_decides_on_a_compiled_workspace(bundle_dir: Path) -> None:
    engine = Engine.load(open_bundle(bundle_dir, SITE))
    decision = engine.decide(_context(("alien", "dune"), device__type="mobile"))
    assert [(s.placement, s.policy, s.content) for s in decision.slots] == [
        ("hero", "mobile-hero", "app"),
        ("recommended", "for-you", ""),
        ("trending", "popular", ""),
    ]
    assert len(decision.slots[1].items) == 4
    assert not {"alien", "dune"} & set(decision.slots[1].items)
    assert engine.render(decision.slots[0]) == b'<p>Take films along: <a href="/app">the app</a></p>'
    assert engine.render(decision.slots[1]).count(b'class="card"') == 4


def test_manifests_hold_what_the_format_asks_for(bundle_dir: Path) -> None:
    bundle = open_bundle(bundle_dir, SITE)
    for kind in ("schema", "index", "campaigns", "contents", "golden"):
        assert bundle.one("rules", kind).name == kind
    assert set(bundle.artifacts("models", "arrays")) == {"arrays/popular", "arrays/taste"}
    assert set(bundle.artifacts("catalog", "cards")) == {"cards/film"}
    assert set(bundle.manifests["rules"].requires) == {
        "recommender/taste",
        "recommender/popular",
        "card/film",
    }
    assert bundle.manifests["models"].requires == {"items": bundle.one("catalog", "items").sha256}
    kept = {path.name for path in (bundle_dir / "artifacts").iterdir()}
    assert kept == {a.sha256 for m in bundle.manifests.values() for a in m.artifacts}


def test_the_strongest_campaign_wins_and_among_equals_the_first_id(tmp_path: Path) -> None:
    rows = "campaigns:\n" + "".join(
        f"- {{id: {id_}, placement: hero, priority: {priority}, show: {{content: app}}}}\n"
        for id_, priority in (("b", 30), ("a-2", 30), ("a", 30), ("z", 29), ("low", -5))
    )
    bundle = make_bundle(tmp_path, {"rules/more.yaml": rows})
    engine = Engine.load(open_bundle(bundle, SITE))
    hero = []
    killed: tuple[str, ...] = ()
    while (winner := engine.winners(_context(), killed).get("hero")) is not None:
        hero.append(winner)
        killed += (winner,)
    assert hero == ["a", "a-2", "b", "z", "welcome", "low"]


def test_schedule_bounds_are_start_in_and_end_out(bundle_dir: Path) -> None:
    engine = Engine.load(open_bundle(bundle_dir, SITE))
    start, end = 1780264800000, 1788213600000

    def wins(now: int) -> bool:
        context = _context(geo__country="AT", visitor__visits=2, time__now=now)
        return engine.winners(context).get("hero") == "alpine-summer"

    assert [wins(now) for now in (start - 1, start, end - 1, end)] == [False, True, True, False]


def test_a_recommender_lists_as_many_as_whatever_shows_most_of_it_wants(tmp_path: Path) -> None:
    seen = "".join(f"u{n % 5},f{n * 3 % 20:02},{n}\n" for n in range(60))
    changes = {
        "rules/more.yaml": "campaigns:\n- id: many\n  placement: trending\n"
        "  show: {recommender: popular, card: film, limit: 12}\n"
        "- {id: drawn, placement: trending, show: {bandit: arms}}\n"
        "bandits:\n- id: arms\n  arms:\n"
        "  - {key: a, show: {recommender: taste, card: film, limit: 11}}\n"
        "  - {key: b, show: nothing}\n",
        "catalogs/films.csv": "id,title,genre\n" + "".join(f"f{n:02},T,g\n" for n in range(20)),
        "interactions.csv": "user,item,timestamp\n" + seen,
    }
    bundle = open_bundle(make_bundle(tmp_path, changes), SITE)
    plan = fmt.decode(bundle.read(bundle.one("models", "plan")), fmt.ModelsPlan)
    assert {r.name: r.limit for r in plan.recommenders} == {"popular": 12, "taste": 11}
    schema = fmt.decode(bundle.read(bundle.one("rules", "schema")), fmt.RulesSchema)
    assert {("popular", "film", 12), ("taste", "film", 11)} <= set(schema.recommenders)


BARE: Mapping[str, str | bytes | None] = {
    "rules/campaigns.yaml": "campaigns:\n- {id: a, placement: hero, show: {content: app}}\n",
    "models/popular.yaml": None,
    "models/taste.yaml": None,
    "catalogs/films.csv": None,
    "catalogs/cards/film.html": None,
}


@pytest.mark.parametrize(
    "changes",
    [
        BARE,
        {**BARE, "rules/campaigns.yaml": None, "rules/audiences.yaml": None},
        {**BARE, "catalogs/films.csv": "id\nx\n"},
        {**BARE, "catalogs/films.csv": "id\n"},
    ],
)
def test_a_workspace_without_models_or_catalog_compiles(
    changes: Mapping[str, str | bytes | None], tmp_path: Path
) -> None:
    bundle = open_bundle(make_bundle(tmp_path, changes), SITE)
    assert bundle.artifacts("models", "graph") == bundle.artifacts("models", "plan") == {}
    assert len(Strings(unpack(bundle.read(bundle.one("catalog", "items"))), "ids")) <= 1
    golden.check(bundle)
    assert verify_golden(bundle)["histories"] == 0


def test_the_report_stands_beside_the_bundle(tmp_path: Path) -> None:
    workspace = read_workspace(make_workspace(tmp_path / "w", {"content/spare.txt": "x"}))
    report = compile_workspace(workspace, train_models(workspace), tmp_path / "out" / "b1")
    document = json.loads(report_path(tmp_path / "out" / "b1").read_text())
    assert document["bundle"] == report.bundle == open_bundle(tmp_path / "out" / "b1", SITE).id
    assert document["counts"]["campaigns"] == 5
    assert document["golden"]["histories"] == 32
    assert document["golden"]["contexts"] >= 5
    assert set(document["timings_ms"]) == {"catalog", "models", "rules", "write", "verify"}
    assert document["warnings"][0]["path"] == "content/spare.txt"
    sizes = {a["sha256"]: a["bytes"] for m in document["manifests"].values() for a in m["artifacts"]}
    assert document["bytes"] == sum(sizes.values())
    for piece in (report.bundle, "arrays/taste", "32 histories", "content/spare.txt: warning [unused]"):
        assert piece in report.text()
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["b1", "b1.report.json"]


def test_a_bundle_is_replaced_and_nothing_else_is(tmp_path: Path) -> None:
    workspace = read_workspace(make_workspace(tmp_path / "w"))
    trained = train_models(workspace)
    out = tmp_path / "b"
    out.mkdir()
    compile_workspace(workspace, trained, out)
    (out / "artifacts" / "stale").write_text("x")
    compile_workspace(workspace, trained, out)
    assert not (out / "artifacts" / "stale").exists()
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(out)
    for wrong in (tmp_path / "w", tmp_path / "file", tmp_path / "link"):
        with pytest.raises(WorkspaceError, match="no bundle"):
            compile_workspace(workspace, trained, wrong)
    assert (tmp_path / "w" / "site.yaml").is_file()


def test_a_failed_compilation_leaves_the_old_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = make_bundle(tmp_path)
    before = _files(out)
    workspace = read_workspace(tmp_path / "workspace")

    def fail(*_: object) -> None:
        raise BundleError("golden", "differs")

    monkeypatch.setattr(golden, "check", fail)
    with pytest.raises(BundleError, match="differs"):
        compile_workspace(workspace, train_models(workspace), out)
    assert _files(out) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle", "bundle.report.json", "workspace"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"models/taste.yaml": "recipe: popularity\ninteractions: interactions.csv\n"}, "stale-model"),
        ({"catalogs/films.csv": "id,title,genre\nalien,A,g\n"}, "stale-model"),
        ({"models/third.yaml": "recipe: ease\ninteractions: interactions.csv\n"}, "untrained"),
        ({"catalogs/cards/film.html": "{{ title|int / 0 }}"}, "template"),
    ],
)
def test_what_does_not_fit_the_models_is_told(changes: Mapping[str, str], code: str, tmp_path: Path) -> None:
    trained = train_models(read_workspace(make_workspace(tmp_path / "old")))
    workspace = read_workspace(make_workspace(tmp_path / "new", changes))
    with pytest.raises(WorkspaceError) as caught:
        compile_workspace(workspace, trained, tmp_path / "b")
    assert code in {problem.code for problem in caught.value.problems}
    assert not (tmp_path / "b").exists()


def test_other_settings_than_trained_with_are_a_warning(tmp_path: Path) -> None:
    trained = train_models(read_workspace(make_workspace(tmp_path / "old")))
    changes = {
        "models/popular.yaml": "recipe: popularity\ninteractions: interactions.csv\nhalf_life_days: 7\n"
    }
    workspace = read_workspace(make_workspace(tmp_path / "new", changes))
    report = compile_workspace(workspace, trained, tmp_path / "b")
    assert [(w.path, w.code) for w in report.warnings] == [("models/popular.yaml", "stale-model")]


def test_a_model_that_can_not_be_merged_is_a_problem(tmp_path: Path) -> None:
    workspace = read_workspace(make_workspace(tmp_path / "w"))
    trained = train_models(workspace)
    trained["taste"].arrays["value"][0, 0] = float("nan")  # type: ignore[index]
    with pytest.raises(WorkspaceError, match="NaN"):
        compile_workspace(workspace, trained, tmp_path / "b")


_COMPILE = """
import sys
from pathlib import Path
from tests.workspaces.make import make_bundle
make_bundle(Path(sys.argv[1]))
"""


def test_two_processes_compile_to_the_same_bytes(tmp_path: Path) -> None:
    bundles = []
    for seed in ("1", "4242"):
        folder = tmp_path / f"hash-{seed}"
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": str(ROOT),
            "TZ": f"UTC+{len(seed)}",
        }
        subprocess.run(
            [sys.executable, "-c", _COMPILE, str(folder)], check=True, env=environment, timeout=120
        )
        bundles.append(_files(folder / "bundle"))
    assert bundles[0] == bundles[1]
    assert len(bundles[0]) > 10


def test_nothing_of_the_clock_or_the_place_is_inside(bundle_dir: Path, tmp_path: Path) -> None:
    again = make_bundle(tmp_path / "elsewhere")
    assert _files(again) == _files(bundle_dir)
    assert not any(str(tmp_path).encode() in body for body in _files(again).values())
