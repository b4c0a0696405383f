"""Golden decisions: they cover the bundle, and they catch what differs."""

from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from compiler.conditions.check import parse
from compiler.conditions.oracle import evaluate
from compiler.golden import MAX_CAMPAIGNS, golden_winners, meet
from compiler.site import BUILT_IN
from compiler.workspace import read_workspace
from edge.bundle import format as fmt
from edge.bundle.reader import open_bundle
from edge.decide.golden import check
from edge.worker.attributes.builtin import BUILTIN, clock_readers
from edge.worker.attributes.place import FRONTS
from tests.workspaces.make import SITE, make_bundle, make_workspace

TYPES = {"country": "string", "visits": "number", "new": "boolean"}
_VALUES = {
    "country": st.sampled_from(["AT", "DE", ""]),
    "visits": st.sampled_from([-1, 0, 1, 2.5, 1e300]),
    "new": st.booleans(),
}


@st.composite
def _terms(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(sorted(TYPES)))
    value = _VALUES[name]
    operators = ["$eq", "$in", "$exists"]
    if name != "new":  # excluding both booleans can't be met, and is not known to be impossible
        operators += ["$ne", "$nin"]
    if name == "visits":
        operators += ["$gt", "$gte", "$lt", "$lte"]
    operator = draw(st.sampled_from(operators))
    if operator == "$exists":
        return {name: {operator: draw(st.booleans())}}
    many = st.lists(st.none() | value, max_size=3)
    return {name: {operator: draw(many if operator in ("$in", "$nin") else value)}}


@given(st.lists(_terms(), max_size=5))
def test_the_context_made_for_a_condition_meets_it(terms: list[dict[str, Any]]) -> None:
    written = {"$and": terms}
    condition = parse(written, TYPES)
    assert evaluate(written, meet(condition.clauses[0], TYPES)) is not condition.impossible


def test_each_campaign_has_a_context_that_meets_it(tmp_path: Path) -> None:
    workspace = read_workspace(make_workspace(tmp_path))
    golden = golden_winners(workspace)
    for campaign in workspace.campaigns:
        assert any(evaluate(campaign.written, case.attributes) for case in golden), campaign.id
    assert {winner for case in golden for winner in case.winners} >= {
        "alpine-summer",
        "mobile-hero",
        "welcome",
    }
    assert len({msgspec.msgpack.encode(case.attributes, order="sorted") for case in golden}) == len(golden)


def test_golden_decisions_stay_few_with_many_campaigns(tmp_path: Path) -> None:
    rows = "".join(
        f"- {{id: c{n}, placement: hero, audience: {{utm.campaign: u{n}}}, show: {{content: app}}}}\n"
        for n in range(2 * MAX_CAMPAIGNS)
    )
    workspace = read_workspace(make_workspace(tmp_path, {"rules/more.yaml": "campaigns:\n" + rows}))
    golden = golden_winners(workspace)
    assert MAX_CAMPAIGNS / 2 < len(golden) <= 2 * MAX_CAMPAIGNS + 3


def test_histories_reach_from_none_to_more_than_the_graph_takes(tmp_path: Path) -> None:
    rows = "id,title,genre\n" + "".join(f"x{n},T,g\n" for n in range(80))
    seen = "user,item,timestamp\n" + "".join(f"u{n % 9},x{n * 7 % 80},{n}\n" for n in range(200))
    changes = {"catalogs/films.csv": rows, "interactions.csv": seen}
    bundle = open_bundle(make_bundle(tmp_path, changes), SITE)
    plan = fmt.decode(bundle.read(bundle.one("models", "plan")), fmt.ModelsPlan)
    golden = fmt.decode(bundle.read(bundle.one("models", "golden")), tuple[fmt.ModelsGolden, ...])
    lengths = {len(case.history) for case in golden}
    assert len(golden) == 32
    assert {0, 1} <= lengths
    assert max(lengths) > plan.max_history
    assert all(len(set(case.history)) == len(case.history) for case in golden)
    assert all(set(case.items) == {"popular", "taste"} for case in golden)
    check(bundle)


def test_the_edge_reads_every_built_in_attribute() -> None:
    for front in FRONTS.values():
        assert set(BUILT_IN) == {*BUILTIN, *clock_readers(None), *front}
