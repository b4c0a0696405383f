"""Every example of docs/choosing.md compiles without a warning, and does what the page says."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from compiler.build import compile_workspace
from compiler.rules.walk import Walk
from compiler.workspace import Workspace, read_workspace
from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.decide.types import DEFAULT, Context
from origin.explain.explanation import explain
from origin.explain.rules_view import View
from tests.workspaces.make import FILES, SITE, make_workspace, train_models

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "choosing.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
TEXTS = {"content/warm.txt": "Come in", "content/cool.txt": "Chill"}
PLACEMENTS = ("hero", "recommended", "trending")


def example(folder: Path, text: str) -> Workspace:
    """The small workspace with an example's rules in the place of its own."""
    bare: Mapping[str, str | None] = {"rules/campaigns.yaml": None, "rules/audiences.yaml": None}
    placements, rules = text, ""
    if "value:" in text:
        placements, rules = next(part for part in EXAMPLES if "choose: best" in part), text
    elif not text.startswith("placements:"):
        placements, rules = "placements: [hero, recommended, trending]\n", text
    site = FILES["site.yaml"].replace("placements: [hero, recommended, trending]\n", placements)
    changes = {**bare, **TEXTS, "site.yaml": site, "rules/example.yaml": rules or "campaigns: []\n"}
    return read_workspace(make_workspace(folder / "workspace", changes))


def load(workspace: Workspace, folder: Path) -> Engine:
    compile_workspace(workspace, train_models(workspace), folder / "bundle")
    return Engine.load(open_bundle(folder / "bundle", SITE))


def context(seed: int = 0, unit: str = "", **attributes: Any) -> Context:
    named = {name.replace("_", "."): value for name, value in attributes.items()}
    return Context(0, seed, "full" if unit else "contextual", named, (), PLACEMENTS, unit)


def seen(engine: Engine, **attributes: Any) -> dict[str, str]:
    slots = engine.decide(context(**attributes)).slots
    return {slot.placement: slot.content or slot.variation for slot in slots}


def shares(engine: Engine, contexts: list[Context]) -> dict[str, float]:
    found = Counter(str([s.variation or s.content for s in engine.decide(c).slots]) for c in contexts)
    return {name: count / len(contexts) for name, count in found.items()}


def near(found: Mapping[str, float], wanted: Mapping[str, float]) -> bool:
    return found.keys() == wanted.keys() and all(abs(found[n] - wanted[n]) < 0.04 for n in wanted)


SEEDS = [context(seed) for seed in range(2000)]
VISITORS = [context(0, f"{n:032x}") for n in range(2000)]

CLAIMS: Mapping[str, Callable[[Engine], bool]] = {
    "id: for-phones": lambda e: (
        seen(e) == {"hero": "warm"} and seen(e, device_type="mobile") == {"hero": "cool"}
    ),
    "choose: best": lambda e: seen(e) == {},
    "id: usual, placement: hero, value": lambda e: (
        seen(e) == {"hero": "app"}
        and seen(e, behaviour_dramas=2) == {"hero": "warm"}
        and seen(e, behaviour_crime=3) == seen(e, behaviour_crime=3, behaviour_dramas=3) == {"hero": "cool"}
        and seen(e, behaviour_crime=3, visitor_new=True) == {"hero": "app"}
    ),
    "{name: hero, default: cool}": lambda e: seen(e) == {"hero": "cool"},
    "id: greeting": lambda e: near(shares(e, SEEDS), {"['warm']": 0.7, "['cool']": 0.2, "['quiet']": 0.1}),
    "id: twice": lambda e: near(
        shares(e, SEEDS), {str([one, two]): 0.25 for one in ("warm", "cool") for two in ("warm", "cool")}
    ),
    "id: gently": lambda e: (
        near(shares(e, VISITORS), {"['shown']": 0.2, "['cool']": 0.8})
        and shares(e, SEEDS) == {"['cool']": 1.0}
    ),
}


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_each_example_does_what_the_page_says(text: str, tmp_path: Path) -> None:
    workspace = example(tmp_path, text)
    assert [problem for problem in workspace.warnings if problem.path.startswith("rules/")] == []
    engine, walk = load(workspace, tmp_path), Walk(workspace)
    (claim,) = [claim for name, claim in CLAIMS.items() if re.search(rf"{re.escape(name)}[\n,:}}]", text)]
    assert claim(engine)
    for asked in (*SEEDS[:50], *VISITORS[:50]):
        won = walk.won({}, asked.unit, asked.seed)
        told = {p: (name, part) for p, (name, part) in zip(PLACEMENTS, won, strict=True) if name}
        slots = [slot for slot in engine.decide(asked).slots if slot.policy != DEFAULT]
        assert {s.placement: (s.policy, s.variation) for s in slots} == told


@pytest.mark.parametrize(
    ("campaign", "asked", "begins"),
    [
        ("id: greeting", context(7), "bandit greeting"),
        ("id: drama-night", context(behaviour_dramas=2), "drama-night"),
    ],
)
def test_the_line_of_explain_is_what_the_command_prints(
    campaign: str, asked: Context, begins: str, tmp_path: Path
) -> None:
    (text,) = [text for text in EXAMPLES if campaign in text]
    engine = load(example(tmp_path, text), tmp_path)
    told = explain(View(open_bundle(tmp_path / "bundle", SITE)), asked, engine.decide(asked))
    shown = next(line for line in PAGE.splitlines() if line.startswith(begins))
    assert shown in [line.strip() for line in told]
