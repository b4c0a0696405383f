"""docs/bring-your-own.md names every model that is refused and every file that is read, and runs."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiler.workspace import read_workspace
from edge.decide.inference import MAX_RUN_BYTES
from models.bring.files import MLFLOW, SUFFIXES
from models.bring.recommender import SUFFIXES as RANKING
from models.bring.refusals import INSTEAD
from models.recipe import BROUGHT
from origin.training.recommenders import train_workspace
from tests.hostile.models import HOSTILE
from tests.workspaces.make import FILES, make_workspace

TEXT = (Path(__file__).parents[2] / "docs" / "bring-your-own.md").read_text(encoding="utf-8")


def test_hostile_models_are_those_that_are_tried() -> None:
    rows = TEXT.split("| kind | models |\n| --- | --- |\n")[1].split("\n\n")[0].splitlines()
    named = [name.strip() for row in rows for name in row.strip("| ").split("|")[1].split("·")]
    assert named == list(HOSTILE)
    assert len(named) >= 30


def test_files_are_those_that_are_read() -> None:
    named = re.findall(r"`(\.[a-z]+)`", TEXT.split("| ends in | is |")[1].split("\n\n")[0])
    assert named == [*SUFFIXES, MLFLOW]


def test_what_cannot_be_brought_is_in_the_table() -> None:
    table = TEXT.split("## What can't be brought")[1].split("\n\n")[1]
    named = set(re.findall(r"[A-Z]\w+", table))
    families = tuple(re.findall(r"`(\w+)\*`", table))
    missing = [n for n in INSTEAD if n not in named and not n.startswith(families) and "KMeans" not in n]
    assert missing == []


def test_bounds_are_those_of_the_code() -> None:
    assert f"{MAX_RUN_BYTES >> 20} MB fails alone" in TEXT


RECOMMENDER = TEXT.split("## A recommender\n")[1].split("\n## Words")[0]


def test_files_of_recommenders_are_those_that_are_read() -> None:
    named = re.findall(r"^\| `(\.[a-z]+)` \|", RECOMMENDER, re.MULTILINE)
    assert sorted(named) == sorted(RANKING)


def test_settings_of_recommenders_are_in_their_table() -> None:
    for name, setting in BROUGHT.settings.items():
        default = setting.default if isinstance(setting.default, str) else f"{setting.default:g}"
        shown = f"`{default}` " if default else ""
        assert f"| `{name}` | {shown}| {setting.about}" in RECOMMENDER


VIEWS, SCORER = re.findall(r"```python\n(.*?)```", RECOMMENDER, re.DOTALL)
BY_VECTORS, BY_SCORER = re.findall(r"```yaml\n(.*?)```", RECOMMENDER, re.DOTALL)


class Fitted:
    """Stands for a model of `implicit`."""

    item_factors = np.random.default_rng(0).normal(size=(8, 4))
    user_factors = np.random.default_rng(1).normal(size=(7, 4))


def _train(folder: Path, taste: str, code: str, monkeypatch: pytest.MonkeyPatch, **given: Any) -> None:
    """Run code in a workspace, as a data scientist would, and train the model that it writes."""
    made = make_workspace(folder, {"models/taste.yaml": taste, "data/views.csv": FILES["interactions.csv"]})
    items = ["alien", "brazil", "casablanca", "dune", "eva", "fargo", "gilda", "heat"]
    monkeypatch.chdir(made)
    exec(code, {"items": items, "users": [f"u{n}" for n in range(7)], **given})
    (done,) = train_workspace(read_workspace(made), ["taste"])
    assert done.model.card["aligned"] == {"known": 8, "unknown": 0, "missing": 0}
    assert done.model.card["parity"]["overlap"] > 0.9


def test_the_example_of_vectors_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _train(tmp_path, BY_VECTORS, VIEWS, monkeypatch, model=Fitted())


@pytest.mark.filterwarnings("ignore")
def test_the_example_of_a_scorer_runs(tmp_path: Path, torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    _train(tmp_path, BY_SCORER + "fallback: popular\n", SCORER, monkeypatch)
