"""`nearside decide --explain` says of each item why it is listed, in numbers that are the model's."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.decide.engine import Engine
from edge.decide.stock import Stock
from edge.decide.types import Context, Muted
from origin.commands.root import app
from origin.explain.listed import explain_lists
from tests.workspaces.shop import asks, item, shop_engine

TEXT = """\
model: taste
fallback: popular
only:
  - {where: {item.stock: {$gt: 0}}}
  - {column: countries, has: geo.country}
boost: [{where: {item.brand: acme}, times: 1.5}]
pin: [{item: i08, at: 2}]
at_most: {brand: 3}
explore: {slot: 5, share: 0.5, of: 10}
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder: Path = tmp_path_factory.mktemp("listed")
    return shop_engine(folder, TEXT)


def _lines(engine: Engine, context: Context) -> list[str]:
    return list(explain_lists(engine, context, engine.decide(context)))


def test_each_item_has_its_score_and_who_moved_it(engine: Engine) -> None:
    context = asks(3, 17, geo_country="DE", seed=5)
    (slot,) = engine.decide(context).slots
    head, *lines = _lines(engine, context)
    assert head == "recommended: mine lists by model taste, of 2 viewed items"
    told = [line.split() for line in lines if re.match(r"  \d ", line)]
    assert [words[1].rstrip(":") for words in told] == list(slot.items)
    for line in lines:
        if found := re.search(r"score ([\d.-]+), most by i\d\d ([+-][\d.]+), i\d\d ([+-][\d.]+)", line):
            score, *parts = map(float, found.groups())
            assert sum(parts) == pytest.approx(score, abs=2e-3)
    assert "  2 i08: pinned" in lines


def test_what_is_sold_out_is_told(engine: Engine) -> None:
    context = asks(3, 17, geo_country="DE")
    best, *_ = engine.decide(context).slots[0].items
    stock = Stock("some", 1, frozenset(engine.items.positions((best, item(8)))))
    lines = list(explain_lists(engine, context, engine.decide(context, stock=stock), stock))
    assert any(line.startswith(f"  not {best}, ") and line.endswith("out of stock") for line in lines)
    assert not any("pinned" in line for line in lines)


def test_boosts_are_told_with_what_they_made_of_the_score(engine: Engine) -> None:
    for line in _lines(engine, asks(3, 17, geo_country="DE")):
        found = re.search(
            r" i(\d\d): score ([\d.]+).*boosted to ([\d.]+) \(item.brand acme times 1.5\)", line
        )
        assert (found is not None) == (bool(re.match(r"  [134567] i", line)) and int(line[5:7]) % 3 == 0)
        if found:
            assert float(found[3]) == pytest.approx(1.5 * float(found[2]), rel=1e-3)


def test_filters_say_whom_they_take_out(engine: Engine) -> None:
    lines = _lines(engine, asks(3, 17, geo_country="DE"))
    assert "  only 1, item.stock $gt: 0: takes out 9 of 60" in lines
    assert "  only 2, countries has geo.country: takes out 15 of 60" in lines
    missed = [line for line in lines if line.startswith("  not ")]
    assert missed
    for line in missed:
        number = int(line[7:9])
        if "only 1" in line:
            assert number % 7 == 0
        if "only 2" in line:
            assert number % 4 == 3


def test_what_was_muted_viewed_or_tried_is_told(engine: Engine) -> None:
    muted = _lines(engine, asks(3, 17, geo_country="DE", muted=Muted((item(24),))))
    assert any(re.fullmatch(r"  not i24, [\d.]+: muted by the visitor", line) for line in muted)
    tried = [_lines(engine, asks(3, 17, geo_country="DE", seed=seed))[7] for seed in range(30)]
    assert 5 < sum(line.endswith("; tried, with a probability of 0.05") for line in tried) < 25
    assert all(line.startswith("  5 i") for line in tried)


def test_who_has_no_history_is_told_of_the_model_that_answers(engine: Engine) -> None:
    lines = _lines(engine, asks(geo_country="DE", placements=("recommended", "trending")))
    assert lines[0] == "recommended: mine lists by model popular, of no history"
    assert lines[-1] == "trending: popular lists, of no history"


def test_bare_models_are_explained_too(engine: Engine) -> None:
    head, first, *_ = _lines(engine, asks(3, placements=("trending",)))
    assert head == "trending: popular lists, of 1 viewed item"
    assert re.fullmatch(r"  1 i\d\d: score [\d.]+", first)


def test_the_command_prints_it(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "context.json"
    given = {"history": ["i03"], "attributes": {"geo.country": "DE"}, "placements": ["recommended"]}
    file.write_text(json.dumps(given), encoding="utf-8")
    command = ["decide", str(engine.bundle.folder), "--context", str(file), "--explain"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "recommended: mine lists by model taste, of 1 viewed item\n" in result.output
