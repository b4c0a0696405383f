"""Every example of docs/recommenders.md compiles without a warning, and does what the page says."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from compiler.schema.recommenders import recommender_schema
from compiler.workspace import read_workspace
from edge.decide.engine import Engine
from origin.explain.listed import explain_lists
from tests.workspaces import shop
from tests.workspaces.make import make_workspace
from tests.workspaces.shop import BRANDS, asks, listed, shop_engine

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "recommenders.md").read_text(encoding="utf-8")
EXAMPLES = [text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if text.startswith("model:")]
FACTORS = {"models/factors.yaml": "recipe: svd\ninteractions: interactions.csv\nfactors: 8\n"}
HISTORIES: list[tuple[int, ...]] = [(), (3,), (10, 11), (20, 4, 31, 7)]


def _all(engine: Engine, holds: Callable[[int], bool], **attributes: str | float) -> bool:
    lists = [listed(engine, asks(*history, **attributes)) for history in HISTORIES]
    return all(len(found) == 6 for found in lists) and all(holds(n) for found in lists for n in found)


def _brands(engine: Engine) -> int:
    found = [Counter(BRANDS[n % 3] for n in listed(engine, asks(*history))) for history in HISTORIES]
    return max(max(counts.values()) for counts in found)


def _without(engine: Engine, bought: list[str | float], owned: str) -> list[int]:
    context = asks(3, visitor_owned=owned)
    context.attributes["visitor.bought"] = bought
    return listed(engine, context)


CLAIMS: dict[str, Callable[[Engine], bool]] = {
    "confident": lambda e: [n for n in listed(e, asks()) if n != 3][:5] == listed(e, asks(3))[:5],
    "only": lambda e: (
        _all(e, lambda n: n % 7 != 0 and n < 50 and n % 4 in (0, 1, 2), geo_country="DE")
        and _all(e, lambda n: n % 5 != 3 and n * n % 5 != 3, geo_country="DE", device_type="mobile")
        and _all(e, lambda n: n % 3 == 0 or 6 * (n % 3 + 1) <= 12, geo_country="DE", visitor_age=12)
    ),
    "diverse: .weight: 0.3, model": lambda e: (
        _all(e, lambda n: n >= 0) and e.around is not None and e.around.finishes["mine"].near == "factors"
    ),
    "leave_out": lambda e: (
        not {7, 8, 9} & {*_without(e, ["i07", "i08"], "i09")} and len(_without(e, ["i07"], "i09")) == 6
    ),
    "boost": lambda e: _all(e, lambda n: n >= 0),
    "pin": lambda e: all((listed(e, asks(*h))[0], listed(e, asks(*h))[2]) == (10, 22) for h in HISTORIES),
    "at_most": lambda e: _brands(e) == 2 and _all(e, lambda n: n >= 0),
    "explore": lambda e: (
        {e.decide(asks(3, seed=seed)).slots[0].propensity for seed in range(200)} == {0.8, round(0.2 / 30, 9)}
    ),
    "challenger": lambda e: (
        e.challengers is not None
        and (
            0.08
            < sum(bool(e.challengers.tried(e.decide(asks(3)).slots[0], n)) for n in range(999)) / 999
            < 0.12
        )
    ),
    "new_items": lambda e: _all(e, lambda n: n >= 0),
}


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_each_example_does_what_the_page_says(text: str, tmp_path: Path) -> None:
    engine = shop_engine(tmp_path, text, FACTORS if "factors" in text else None)
    (claim,) = [claim for name, claim in CLAIMS.items() if re.search(rf"^{name}:", text, re.MULTILINE)]
    assert claim(engine)
    warnings = read_workspace(tmp_path / "workspace").warnings
    assert [w for w in warnings if w.path.startswith("recommenders/")] == []


def test_every_key_is_told_of() -> None:
    _, schema = recommender_schema()
    assert [key for key in schema["properties"] if f"`{key}`" not in PAGE and f"`{key}:" not in PAGE] == []


def test_the_campaign_of_the_page_is_the_shops(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(campaigns:.*?)```", PAGE, re.DOTALL)
    files = {**shop.FILES, "rules/campaigns.yaml": text, "recommenders/mine.yaml": "model: taste\n"}
    workspace = read_workspace(make_workspace(tmp_path, files))
    assert [campaign.recommender for campaign in workspace.campaigns] == ["mine"]


def test_the_lines_of_explain_are_what_the_command_prints(tmp_path: Path) -> None:
    text = (
        "model: taste\nonly: [{where: {item.stock: {$gt: 0}}}, {column: countries, has: geo.country}]\n"
        "boost: [{where: {item.brand: acme}, times: 1.5}]\npin: [{item: i08, at: 2}]\n"
    )
    engine, context = shop_engine(tmp_path, text), asks(3, 17, geo_country="DE")
    told = list(explain_lists(engine, context, engine.decide(context)))
    (shown,) = re.findall(r"```\n(recommended: mine.*?)```", PAGE, re.DOTALL)
    assert [line for line in shown.splitlines() if line not in told] == [], told
