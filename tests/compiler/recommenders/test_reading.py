"""recommenders/*.yaml: what is wrong in them is told where it is; what is right is read."""

from pathlib import Path

import pytest
import yaml

from compiler.build import compile_workspace
from compiler.recommenders.types import Challenger, Explore
from compiler.workspace import Workspace, WorkspaceError, read_workspace
from edge.bundle.certificate import load_certificate
from edge.bundle.reader import open_bundle
from origin.training.validation import workspace_schemas
from tests.compiler.json_schema import accepts
from tests.workspaces import shop
from tests.workspaces.make import SITE, make_workspace, train_models

FULL = """\
model: taste
fallback: [also, popular]
confident: {score: 0.1, items: 3, history: 2}
fill: false
seen: keep
only:
  - {where: {item.stock: {$gt: 0}}}
  - {column: countries, has: geo.country}
  - {column: age, at_most: visitor.age, unknown: keep}
  - {when: {device.type: mobile}, where: {item.genre: drama}}
boost:
  - {where: {item.brand: acme}, times: 1.5}
  - {where: {item.brand: best}, plus: -0.5}
  - {newest: added, half_life: 30d, times: 2}
pin: [{item: i03, at: 2}]
at_most: {brand: 2}
diverse: {weight: 0.3, by: [genre, brand]}
explore: {slot: 5, share: 0.1, of: 20, where: {item.price: {$lt: 9}}}
new_items: {like: genre}
leave_out: [visitor.owned, visitor.last_items]
consider: 40
challenger: {model: also, share: 0.2}
"""


def _read(folder: Path, text: str, changes: dict[str, str | None] | None = None) -> Workspace:
    files = {**shop.FILES, "recommenders/mine.yaml": text, **(changes or {})}
    return read_workspace(make_workspace(folder / "workspace", files))


def test_all_that_can_be_said_is_read(tmp_path: Path) -> None:
    workspace = _read(tmp_path, FULL)
    (config,) = workspace.recommenders
    assert config.models == ("taste", "also", "popular")
    assert (config.least, config.items, config.history) == (0.1, 3, 2)
    assert (config.fill, config.keeps_seen, config.consider) == (False, True, 40)
    assert [one.is_static for one in config.filters] == [True, False, False, False]
    assert config.pins == (("i03", 1),)
    assert config.explore is not None
    assert config.explore == Explore(4, 0.1, 20, config.explore.where)
    assert config.challenger == Challenger("also", 0.2)
    assert config.reads == (
        "device.type",
        "geo.country",
        "visitor.age",
        "visitor.last_items",
        "visitor.owned",
    )
    assert workspace.warnings == ()
    compile_workspace(workspace, train_models(workspace), tmp_path / "bundle")
    bundle = open_bundle(tmp_path / "bundle", SITE)
    assert bundle.artifacts("models", "shadow").keys() == {"shadow/plan", "shadow/graph"}
    certified = load_certificate(bundle)
    assert certified is not None
    assert [one.name for one in certified.models] == ["also", "popular", "taste"]


def test_the_schema_takes_it_and_refuses_some_of_the_mistakes() -> None:
    schema = workspace_schemas()["recommender"]
    assert accepts(schema, yaml.safe_load(FULL))
    refused = {text for text, _, _, _ in CASES if not accepts(schema, yaml.safe_load(text))}
    # What is left are names in other files, and two values beside each other.
    assert len(refused) > len(CASES) // 2


def test_a_model_falls_back_as_its_own_file_says(tmp_path: Path) -> None:
    assert _read(tmp_path, "model: taste\n").recommenders[0].models == ("taste", "popular")


def test_two_compilations_give_the_same_bundle(tmp_path: Path) -> None:
    workspace = _read(tmp_path, FULL)
    bundles = []
    for name in ("one", "two"):
        compile_workspace(workspace, train_models(workspace), tmp_path / name)
        bundles.append(open_bundle(tmp_path / name, SITE).id)
    assert bundles[0] == bundles[1]


CASES = [
    ("fallback: popular\n", 1, "missing-key", "has no 'model'"),
    ("model: tast\n", 1, "unknown-name", "has an unknown model 'tast'"),
    ("model: taste\nfallback: [popular, popular]\n", 2, "bad-value", "falls back to 'popular' twice"),
    ("model: taste\nfallback: [none]\n", 2, "unknown-name", "has an unknown fallback 'none'"),
    ("model: taste\nonli: []\n", 2, "unknown-key", "has an unknown key 'onli'"),
    ("model: taste\nonly: [{}]\n", 2, "missing-key", "has no 'where'"),
    ("model: taste\nonly:\n- {where: {item.stok: 1}}\n", 3, "condition/attribute", "item.stok"),
    ("model: taste\nonly:\n- {where: {item.stock: many}}\n", 3, "condition/type", "many"),
    ("model: taste\nonly:\n- {column: land, has: geo.country}\n", 3, "unknown-name", "unknown column 'land'"),
    ("model: taste\nonly:\n- {column: countries, has: visitor.age}\n", 3, "unknown-name", "of type string"),
    ("model: taste\nonly:\n- {column: genre, at_most: visitor.age}\n", 3, "wrong-type", "not a number"),
    (
        "model: taste\nonly:\n- {column: age, at_most: visitor.age, unknown: no}\n",
        3,
        "bad-value",
        "unknown 'no'",
    ),
    (
        "model: taste\nonly:\n- {when: {device.typ: x}, where: {item.stock: 1}}\n",
        3,
        "condition/attribute",
        "typ",
    ),
    ("model: taste\nboost:\n- {where: {item.stock: 1}}\n", 3, "missing-key", "needs `times` or `plus`"),
    ("model: taste\nboost:\n- {where: {item.stock: 1}, times: 0}\n", 3, "bad-value", "has times 0"),
    ("model: taste\nboost:\n- {newest: added, times: 2}\n", 3, "missing-key", "has no 'half_life'"),
    ("model: taste\nboost:\n- {newest: added, half_life: 3w, times: 2}\n", 3, "bad-value", "half_life '3w'"),
    ("model: taste\npin:\n- {item: i03}\n", 3, "missing-key", "has no 'at'"),
    ("model: taste\npin:\n- {item: i03, at: 1}\n- {item: i04, at: 1}\n", 4, "duplicate-id", "place 1 again"),
    ("model: taste\nat_most: {band: 2}\n", 2, "unknown-name", "unknown column 'band'"),
    ("model: taste\ndiverse: {weight: 2, by: genre}\n", 2, "bad-value", "has weight 2"),
    ("model: taste\ndiverse: {weight: 1}\n", 2, "missing-key", "has no 'by'"),
    ("model: taste\nexplore: {slot: 2}\n", 2, "missing-key", "has no 'share'"),
    ("model: taste\nnew_items: {}\n", 2, "missing-key", "has no 'like'"),
    ("model: taste\nleave_out: visitor.age\n", 2, "unknown-name", "no attribute of texts"),
    ("model: taste\nchallenger: {model: taste, share: 0.1}\n", 2, "bad-value", "'taste' with itself"),
    ("model: taste\nseen: hide\n", 2, "bad-value", "has seen 'hide'"),
    ("model: taste\nfill: perhaps\n", 2, "wrong-type", "has text as 'fill'"),
]


@pytest.mark.parametrize(("text", "line", "code", "said"), CASES, ids=range(len(CASES)))
def test_mistakes_are_told_where_they_are(text: str, line: int, code: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError) as caught:
        _read(tmp_path, text)
    found = [p for p in caught.value.problems if p.path == "recommenders/mine.yaml"]
    assert any(p.line == line and p.code == code and said in p.message for p in found), found


def test_a_recommender_has_a_name_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"has the name of models/taste\.yaml"):
        _read(tmp_path, FULL, {"recommenders/taste.yaml": "model: taste\n"})


def test_what_nobody_shows_is_told_and_what_recommenders_use_is_not(tmp_path: Path) -> None:
    workspace = _read(tmp_path, "model: taste\n", {"recommenders/other.yaml": "model: also\n"})
    assert [(p.path, p.code) for p in workspace.warnings] == [
        ("models/also.yaml", "unused"),
        ("recommenders/other.yaml", "unused"),
    ]


def test_dates_that_are_none_are_told(tmp_path: Path) -> None:
    workspace = _read(tmp_path, "model: taste\nboost: [{newest: title, half_life: 1d, times: 2}]\n")
    with pytest.raises(WorkspaceError, match=r"holds 'Item 0', which is no time"):
        compile_workspace(workspace, train_models(workspace), tmp_path / "bundle")


def test_a_place_that_nobody_tells_is_noted(tmp_path: Path) -> None:
    text = "model: taste\nonly: [{column: countries, has: geo.country}]\n"
    site = "\n".join(line for line in str(shop.FILES["site.yaml"]).splitlines() if "geo.country" not in line)
    with pytest.raises(
        WorkspaceError, match=r"recommender 'mine' reads 'geo.country', and site.yaml does not"
    ):
        _read(tmp_path, text, {"site.yaml": site})
