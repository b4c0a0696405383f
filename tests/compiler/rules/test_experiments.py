"""Experiments and holdouts as people write them: the page of examples, and mistakes where they are."""
# ruff: noqa: E501 -- the table of mistakes reads best with one in a line

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from compiler.build import compile_workspace
from compiler.golden import golden_winners
from compiler.rules.walk import Walk
from compiler.workspace import Workspace, WorkspaceError, read_workspace
from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.decide.types import Context
from tests.workspaces.make import EXPERIMENTS, FILES, SITE, make_workspace, train_models

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "experiments.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"\n#{2,3} ([^\n]*)\n(?:(?!\n##).)*?```yaml\n(.*?)```", PAGE, re.DOTALL))
TEXTS = {"content/warm.txt": "Come in", "content/cool.txt": "Chill"}
UNITS = tuple(f"{n:032x}" for n in range(2000))
PLACEMENTS = ("hero", "recommended", "trending")


def example(folder: Path, text: str) -> Workspace:
    """The small workspace with an example's rules in the place of its own."""
    bare: Mapping[str, str | None] = {"rules/campaigns.yaml": None, "rules/audiences.yaml": None}
    return read_workspace(make_workspace(folder / "workspace", {**bare, **TEXTS, "rules/example.yaml": text}))


def load(workspace: Workspace, folder: Path) -> Engine:
    compile_workspace(workspace, train_models(workspace), folder / "bundle")
    return Engine.load(open_bundle(folder / "bundle", SITE))


def context(unit: str, placements: tuple[str, ...] = PLACEMENTS, **attributes: Any) -> Context:
    named = {name.replace("_", "."): value for name, value in attributes.items()}
    return Context(0, 0, "full", named, (), placements, unit)


def shares(engine: Engine, placement: str = "hero", **attributes: Any) -> dict[str, float]:
    """How many of the visitors see which variation there; '' for those who are in none."""
    found = Counter(
        next(
            (s.variation for s in engine.decide(context(u, **attributes)).slots if s.placement == placement),
            "",
        )
        for u in UNITS
    )
    return {name: count / len(UNITS) for name, count in found.items()}


def near(found: Mapping[str, float], **wanted: float) -> bool:
    named = {name.replace("_", ""): share for name, share in wanted.items()}
    return found.keys() == named.keys() and all(abs(found[n] - share) < 0.04 for n, share in named.items())


ALL = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("text", ALL, ids=range(len(ALL)))
def test_each_example_compiles_without_a_warning_about_it(text: str, tmp_path: Path) -> None:
    workspace = example(tmp_path, text)
    assert [p for p in workspace.warnings if p.path.startswith("rules/")] == []
    engine, walk = load(workspace, tmp_path), Walk(workspace)
    for unit in UNITS[:50]:
        won = walk.won({}, unit)
        expected = {p: name for p, (name, _) in zip(PLACEMENTS, won, strict=True) if name}
        assert engine.winners(context(unit)) == expected


CLAIMS: Mapping[str, Any] = {
    "A first experiment": lambda e: near(shares(e), control=0.5, warm=0.5),
    "variations": lambda e: near(shares(e, "trending"), default=1 / 3, rules=1 / 3, model=1 / 3),
    "weight": lambda e: near(shares(e), control=0.9, bold=0.1),
    "coverage": lambda e: near(shares(e), _=0.9, a=0.05, b=0.05),
    "ranges": lambda e: near(shares(e), _=0.6, a=0.2, b=0.2),
    "seed, hashVersion": lambda e: near(shares(e), a=0.5, b=0.5),
    "hash": lambda e: (
        shares(e) == {"": 1.0}
        and sorted(shares(e, geo_country=c) == {"b": 1.0} for c in ("AT", "DE", "FR", "IT"))[-1]
    ),
    "namespace": lambda e: near(shares(e), a=0.5, b=0.5),
    "sticky": lambda e: e.decide(context(UNITS[0])).assigned[0][:2] == ("keep", 1),
    "Holdouts": lambda e: (
        0.03 < sum(e.winners(context(u)).get("hero") == "always" for u in UNITS) / 2000 < 0.07
    ),
    "One of several: exclusive": lambda e: (
        e.winners(context("")) == {"hero": "big-offer", "trending": "usual"}
        and e.winners(context("", ("trending",))) == {"trending": "small-offer"}
    ),
}


@pytest.mark.parametrize("heading", EXAMPLES)
def test_each_example_does_what_the_page_says(heading: str, tmp_path: Path) -> None:
    assert CLAIMS[heading](load(example(tmp_path, EXAMPLES[heading]), tmp_path))


def test_factors_are_independent(tmp_path: Path) -> None:
    (text,) = [text for text in ALL if "words-factor" in text]
    engine = load(example(tmp_path, text), tmp_path)
    pairs = Counter(tuple(s.variation for s in engine.decide(context(u)).slots) for u in UNITS)
    assert len(pairs) == 4
    assert all(abs(count / len(UNITS) - 0.25) < 0.04 for count in pairs.values())


def test_every_key_is_told() -> None:
    for key in (
        "coverage",
        "exclusive",
        "hash",
        "hashVersion",
        "holdouts",
        "id",
        "key",
        "name",
        "namespace",
        "of",
    ):
        assert f"`{key}" in PAGE or f" {key}\n" in PAGE or f"{key}:" in PAGE, key
    assert EXAMPLES.keys() == CLAIMS.keys()


def experiment(
    text: str, variations: str = "[{key: a, show: nothing}, {key: b, show: {content: app}}]"
) -> str:
    shown = "campaigns:\n  - {id: e, placement: hero, show: {experiment: e}}\n"
    return f"experiments:\n  - id: e\n    {text}\n    variations: {variations}\n{shown}"


def holdout(text: str) -> str:
    return f"holdouts:\n  # one\n  - {{{text}}}\n"


def campaign(text: str) -> str:
    return f"campaigns:\n  # one\n  - {{id: c, placement: hero, {text}}}\n"


MISTAKES: Mapping[str, tuple[str, int, str]] = {
    "no id": ("experiments:\n  - variations: []\n", 2, "missing-key"),
    "bad id": (experiment("").replace("id: e", "id: E!"), 2, "bad-id"),
    "no variations": ("experiments:\n  - {id: e}\n", 2, "missing-key"),
    "empty variations": (experiment("", "[]"), 4, "bad-value"),
    "too many variations": (experiment("", "[" + "{key: a, show: nothing}, " * 65 + "]"), 4, "bad-value"),
    "variation twice": (experiment("", "[{key: a, show: nothing}, {key: a, show: nothing}]"), 4, "duplicate-id"),
    "variation without a key": (experiment("", "[{show: nothing}]"), 4, "missing-key"),
    "bad key": (experiment("", "[{key: A, show: nothing}]"), 4, "bad-id"),
    "shows something": (experiment("", "[{key: a, show: something}]"), 4, "wrong-type"),
    "shows a number": (experiment("", "[{key: a, show: 7}]"), 4, "wrong-type"),
    "shows no more": (experiment("", "[{key: a, show: {content: gone}}]"), 4, "unknown-name"),
    "shows both": (experiment("", "[{key: a, show: {content: app, recommender: taste}}]"), 4, "missing-key"),
    "shows {}": (experiment("", "[{key: a, show: {}}]"), 4, "missing-key"),
    "unknown placement": (experiment("", "[{key: a, show: {heroo: {content: app}}}]"), 4, "unknown-name"),
    "placement shows text": (experiment("", "[{key: a, show: {hero: app}}]"), 4, "wrong-type"),
    "unknown key of a variation": (experiment("", "[{key: a, show: nothing, wait: 1}]"), 4, "unknown-key"),
    "some weights": (experiment("", "[{key: a, weight: 0.5, show: nothing}, {key: b, show: nothing}]"), 4, "missing-key"),
    "weights of 2": (experiment("", "[{key: a, weight: 1, show: nothing}, {key: b, weight: 1, show: nothing}]"), 4, "bad-value"),
    "negative weight": (experiment("", "[{key: a, weight: -1, show: nothing}]"), 4, "bad-value"),
    "weight is text": (experiment("", "[{key: a, weight: half, show: nothing}]"), 4, "wrong-type"),
    "coverage in percent": (experiment("coverage: 50"), 3, "bad-value"),
    "coverage is true": (experiment("coverage: true"), 3, "wrong-type"),
    "hash version": (experiment("hashVersion: 3"), 3, "bad-value"),
    "sticky is 0": (experiment("sticky: 0"), 3, "bad-value"),
    "long seed": (experiment("seed: " + "x" * 129), 3, "bad-value"),
    "unknown hash": (experiment("hash: visitor.ip"), 3, "unknown-name"),
    "hash of a boolean": (experiment("hash: visitor.new"), 3, "unknown-name"),
    "namespace without a range": (experiment("namespace: {name: n}"), 3, "missing-key"),
    "namespace of three": (experiment("namespace: {name: n, range: [0, 0.5, 1]}"), 3, "bad-value"),
    "namespace backwards": (experiment("namespace: {name: n, range: [0.5, 0.2]}"), 3, "bad-value"),
    "namespace of truth": (experiment("namespace: {name: n, range: [false, true]}"), 3, "bad-value"),
    "ranges for one": (experiment("ranges: [[0, 1]]"), 3, "bad-value"),
    "ranges overlap": (experiment("ranges: [[0, 0.6], [0.5, 1]]"), 3, "bad-value"),
    "ranges beyond": (experiment("ranges: [[0, 0.6], [0.6, 2]]"), 3, "bad-value"),
    "ranges and coverage": (experiment("coverage: 1\n    ranges: [[0, 0.5], [0.5, 1]]"), 4, "bad-value"),
    "unknown key": (experiment("covrage: 1"), 3, "unknown-key"),
    "experiment is text": ("experiments: [e]\n", 1, "wrong-type"),
    "experiments are a mapping": ("experiments: {}\n", 1, "wrong-type"),
    "unknown experiment": (campaign("show: {experiment: gone}"), 3, "unknown-name"),
    "experiment and content": (campaign("show: {experiment: e, content: app}"), 3, "unknown-key"),
    "bad programme": (campaign("programme: Spring!, show: {content: app}"), 3, "bad-id"),
    "bad group": (campaign("exclusive: Loud!, show: {content: app}"), 3, "bad-id"),
    "holdout without a share": (holdout("id: h, of: site"), 3, "missing-key"),
    "holdout of nothing": (holdout("id: h, share: 0.1"), 3, "missing-key"),
    "holdout in percent": (holdout("id: h, share: 10, of: site"), 3, "bad-value"),
    "holdout of the unknown": (holdout("id: h, share: 0.1, of: welcom"), 3, "unknown-name"),
    "holdout without an id": (holdout("share: 0.1, of: site"), 3, "missing-key"),
    "bad holdout id": (holdout("id: H!, share: 0.1, of: site"), 3, "bad-id"),
    "holdout twice": (holdout("id: h, share: 0.1, of: site") + "  - {id: h, share: 0.1, of: site}\n", 4, "duplicate-id"),
    "unknown key of a holdout": (holdout("id: h, share: 0.1, of: site, off: 1"), 3, "unknown-key"),
    "too many holdouts": ("holdouts:\n" + "".join(f"  - {{id: h{n}, share: 0, of: site}}\n" for n in range(65)), 66, "too-large"),
    "too many groups": ("campaigns:\n" + "".join(f"  - {{id: c{n}, placement: hero, exclusive: g{n}, show: {{content: app}}}}\n" for n in range(1025)), 0, "too-large"),
}  # fmt: skip


@pytest.mark.parametrize("case", [name for name, (_, _, code) in MISTAKES.items() if code])
def test_a_mistake_is_told_where_it_is(case: str, tmp_path: Path) -> None:
    text, line, code = MISTAKES[case]
    with pytest.raises(WorkspaceError) as caught:
        read_workspace(make_workspace(tmp_path, {"rules/more.yaml": text}))
    told = [p for p in caught.value.problems if p.severity == "error"]
    assert (line, code) in [(p.line, p.code) for p in told], told
    assert all(p.hint for p in told)


def test_an_experiment_twice_names_the_other(tmp_path: Path) -> None:
    one = experiment("")
    with pytest.raises(WorkspaceError, match=r"also on rules/a\.yaml:2"):
        read_workspace(
            make_workspace(tmp_path, {"rules/a.yaml": one, "rules/b.yaml": one.split("campaigns")[0]})
        )


def warned(tmp_path: Path, text: str) -> list[tuple[int, str]]:
    found = read_workspace(make_workspace(tmp_path, {"rules/more.yaml": text}))
    return [(p.line, p.code) for p in found.warnings if p.path == "rules/more.yaml"]


def test_what_is_in_vain_gets_a_warning(tmp_path: Path) -> None:
    assert warned(tmp_path / "a", experiment("").split("campaigns")[0]) == [(2, "unused")]
    elsewhere = "[{key: a, show: {trending: {content: app}}}, {key: b, show: nothing}]"
    assert warned(tmp_path / "b", experiment("", elsewhere)) == [(2, "unused")]
    assert warned(tmp_path / "c", experiment("")) == []


def test_experiments_of_one_namespace_that_meet_get_a_warning(tmp_path: Path) -> None:
    def two(first: str, second: str) -> str:
        rows = "".join(
            f"  - {{id: {name}, namespace: {{name: n, range: {part}}}, variations: [{{key: a, show: nothing}}]}}\n"
            for name, part in (("a", first), ("b", second))
        )
        uses = "".join(f"  - {{id: {n}, placement: hero, show: {{experiment: {n}}}}}\n" for n in "ab")
        return f"experiments:\n{rows}campaigns:\n{uses}"

    assert warned(tmp_path / "a", two("[0, 0.6]", "[0.5, 1]")) == [(3, "overlap")]
    assert warned(tmp_path / "b", two("[0.5, 1]", "[0, 0.6]")) == [(2, "overlap")]
    assert warned(tmp_path / "c", two("[0, 0.5]", "[0.5, 1]")) == []
    assert warned(tmp_path / "d", two("[0, 0.5]", "[0.5, 0.5]")) == []


def test_golden_visitors_are_in_every_variation_and_outside(tmp_path: Path) -> None:
    workspace = read_workspace(make_workspace(tmp_path / "workspace", EXPERIMENTS))
    cases = golden_winners(workspace)
    seen = {variation for case in cases for variation in case.variations}
    assert seen >= {"", "control", "warm", "cool", "rules", "model"}
    assert {bool(case.unit) for case in cases} == {True, False}
    assert cases == golden_winners(workspace)
    plain = golden_winners(read_workspace(make_workspace(tmp_path / "plain", FILES)))
    assert not any(case.unit or case.variations for case in plain)
