"""Golden decisions: they cover the bundle, and they catch what differs."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.conditions import parse
from compiler.golden import MAX_CAMPAIGNS, golden_winners, meet
from compiler.oracle import evaluate
from compiler.site import BUILT_IN
from compiler.workspace import read_workspace
from edge.bundle import format as fmt
from edge.bundle.arrays import pack, unpack
from edge.bundle.reader import Bundle, artifact_path, open_bundle
from edge.decide.golden import check
from edge.errors import BundleError
from edge.worker import facts
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
    assert evaluate(written, meet(condition, TYPES)) is not condition.impossible


def test_each_campaign_has_a_context_that_meets_it(tmp_path: Path) -> None:
    workspace = read_workspace(make_workspace(tmp_path))
    golden = golden_winners(workspace.campaigns, workspace.site)
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
    golden = golden_winners(workspace.campaigns, workspace.site)
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


def _replace(bundle: Bundle, role: str, name: str, body: bytes) -> Bundle:
    """The bundle again, with one artifact exchanged, as its own signer could."""
    manifest = bundle.manifests[role]
    artifact = fmt.Artifact(
        name, next(a.kind for a in manifest.artifacts if a.name == name), fmt.digest(body), len(body)
    )
    artifacts = tuple(artifact if a.name == name else a for a in manifest.artifacts)
    (artifact_path(bundle.folder, artifact.sha256)).write_bytes(body)
    new = msgspec.structs.replace(manifest, artifacts=artifacts)
    (bundle.folder / f"{role}.manifest").write_bytes(fmt.encode(new))
    return open_bundle(bundle.folder, SITE)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return open_bundle(make_bundle(tmp_path), SITE)


def _refused(bundle: Bundle) -> str:
    with pytest.raises(BundleError) as caught:
        check(bundle)
    assert caught.value.code == "golden"
    return str(caught.value)


def test_another_winner_is_caught(bundle: Bundle) -> None:
    golden = fmt.decode(bundle.read(bundle.one("rules", "golden")), list[fmt.RulesGolden])
    golden[0] = fmt.RulesGolden(golden[0].attributes, ("app", *golden[0].winners[1:]))
    message = _refused(_replace(bundle, "rules", "golden", msgspec.msgpack.encode(golden)))
    assert "'hero'" in message
    assert "'app'" in message


def test_another_index_is_caught(bundle: Bundle) -> None:
    arrays = dict(unpack(bundle.read(bundle.one("rules", "index"))))
    arrays["default"] = np.zeros_like(arrays["default"])
    arrays["absent"] = np.zeros_like(arrays["absent"])
    _refused(_replace(bundle, "rules", "index", pack(arrays)))


def test_other_scores_are_caught(bundle: Bundle) -> None:
    arrays = dict(unpack(bundle.read(bundle.artifacts("models", "arrays")["arrays/popular"])))
    arrays["score"] = -arrays["score"]
    assert "'popular' lists" in _refused(_replace(bundle, "models", "arrays/popular", pack(arrays)))


def test_golden_lists_of_unknown_items_are_caught(bundle: Bundle) -> None:
    golden = fmt.decode(bundle.read(bundle.one("models", "golden")), list[fmt.ModelsGolden])
    golden[1] = fmt.ModelsGolden(("nosferatu",), golden[1].items)
    assert "catalog lacks" in _refused(_replace(bundle, "models", "golden", msgspec.msgpack.encode(golden)))


def test_lists_of_other_recommenders_are_caught(bundle: Bundle) -> None:
    golden = fmt.decode(bundle.read(bundle.one("models", "golden")), list[fmt.ModelsGolden])
    golden[0] = fmt.ModelsGolden((), {"taste": golden[0].items["taste"]})
    _refused(_replace(bundle, "models", "golden", msgspec.msgpack.encode(golden)))


def test_too_many_golden_decisions_are_caught(bundle: Bundle) -> None:
    golden = [fmt.RulesGolden({}, ("", "", ""))] * 5000
    assert "more than" in _refused(_replace(bundle, "rules", "golden", msgspec.msgpack.encode(golden)))


def test_winners_of_other_placements_are_caught(bundle: Bundle) -> None:
    golden = [fmt.RulesGolden({}, ("",))]
    assert "1 winners for 3" in _refused(_replace(bundle, "rules", "golden", msgspec.msgpack.encode(golden)))


def test_the_edge_reads_every_built_in_attribute() -> None:
    assert set(BUILT_IN) == set(facts._BUILTIN)
