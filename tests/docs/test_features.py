"""docs/features.md: every example in it is run."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from compiler.features.oracle import rows_of
from compiler.types import Workspace
from compiler.workspace import read_workspace
from edge.bundle.features import columns_of, flattened, needed
from edge.decide.row import RowMaker
from models.predict.recipe import check_settings
from models.tables.features import matrix
from tests.workspaces.make import FILES, make_workspace

PAGE = (Path(__file__).resolve().parents[2] / "docs/features.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
ROW = re.compile(r"\| `(\{attribute: .*?\})` \| `(\{.*?\})` \| `(\[.*?\])` \|")
EXAMPLES = ROW.findall(PAGE)
TYPES = {"string": pa.string(), "number": pa.float64(), "boolean": pa.bool_()}

SITE = FILES["site.yaml"] + "behaviours: {crime-7d: {window: 7d, where: {item.genre: horror}}}\n"
SEGMENT = "recipe: segments\ndata: data/sessions.csv\nfeatures: [visits]\noutputs: [bargain, other]\n"


def _workspace(folder: Path, changes: dict[str, str]) -> Workspace:
    site = SITE.replace("attributes:\n", "attributes:\n  url.query.q: {type: string}\n")
    return read_workspace(
        make_workspace(folder, {"site.yaml": site, **changes}), check_predictions=check_settings
    )


def _holding(words: str) -> str:
    (found,) = [block for block in BLOCKS if words in block]
    return found


def test_each_block_is_known() -> None:
    assert len(BLOCKS) == 6
    assert len(EXAMPLES) >= 12


def test_the_whole_page_is_one_workspace(tmp_path: Path) -> None:
    """All its features, its models, and audiences by these."""
    campaigns = "".join(
        f"  - {{id: {name}, audience: {name}, placement: hero, show: {{content: app}}}}\n"
        for name in ("likely", "bargains", "surely-flights")
    )
    names = ("sessions", "queries", "views", "users")
    data = dict.fromkeys((f"data/{name}.csv" for name in names), "")
    workspace = _workspace(
        tmp_path,
        {
            **data,
            "features.yaml": _holding("phone-by-daytime"),
            "models/buy.yaml": _holding("label: bought"),
            "models/near.yaml": _holding("recipe: svd"),
            "models/intent.yaml": _holding("recipe: intent"),
            "models/segment.yaml": SEGMENT,
            "rules/one.yaml": _holding("model.buy"),
            "rules/two.yaml": _holding("model.segment") + f"campaigns:\n{campaigns}",
        },
    )
    names = [config.name for config in workspace.predictions]
    assert names == ["buy", "intent", "segment"]
    (near,) = [config for config in workspace.models if config.name == "near"]
    assert near.features == ("country", "device", "daytime")
    features = workspace.features.by_name
    assert "device=mobile*daytime=below-6" in flattened(["phone-by-daytime"], features)


@pytest.mark.parametrize(("feature", "attributes", "numbers"), EXAMPLES)
def test_an_example_holds(feature: str, attributes: str, numbers: str, tmp_path: Path) -> None:
    workspace = _workspace(tmp_path, {"features.yaml": f"features:\n  a: {feature}\n"})
    features, given = workspace.features.by_name, json.loads(attributes)
    wanted = np.array([[np.nan if number is None else number for number in json.loads(numbers)]])
    columns = columns_of(needed(["a"], features))
    rows = rows_of(["a"], features, columns, [RowMaker(columns).row(given)])
    np.testing.assert_allclose(rows, wanted, rtol=1e-6)
    types = {attribute.name: attribute.type for attribute in workspace.site.attributes}
    table = {
        column.attribute: pa.array([given.get(column.attribute)], TYPES[types[column.attribute]])
        for column in columns
    }
    np.testing.assert_allclose(matrix(pa.table(table), ["a"], features), wanted, rtol=1e-6)


def test_the_keys_of_a_model_are_those_of_its_schema(docs: Path) -> None:
    schema: Any = json.loads((docs / "schema" / "model.json").read_text(encoding="utf-8"))
    (prediction,) = [one for one in schema["anyOf"] if "data" in one["properties"]]
    keys = {name for name, part in prediction["properties"].items() if part is not True}
    table = PAGE[PAGE.index("| key | what it is |") :].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", " ".join(row.split("|")[1] for row in table.splitlines()))) == keys
