"""The page of predictions names every recipe, setting and metric, and its example is a model file."""

import re
from pathlib import Path

import pytest
import yaml

from models.predict.recipe import COMMON, PREDICTIONS, check_settings, settings_of
from models.settings import Choice
from tests.models.predict.test_card import CHANCES, WANTED

PAGE = (Path(__file__).resolve().parents[2] / "docs/predictions.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("recipe", sorted(PREDICTIONS))
def test_every_recipe_and_setting_has_its_row(recipe: str) -> None:
    recipes, _, settings = PAGE.partition("## Settings")
    assert f"| `{recipe}` |" in recipes
    for name, setting in settings_of(recipe).items():
        default = setting.default if isinstance(setting, Choice) else f"{setting.default:g}"
        owner = "all" if name in COMMON else f"`{recipe}`"
        assert f"| {owner} | `{name}` | `{default}` | {setting.about}" in settings


def test_no_row_is_of_a_setting_that_there_is_not() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| `([a-z_]+)` \| `", PAGE, re.MULTILINE)
    assert len(rows) > 40
    assert [row for row in rows if row[1] not in settings_of(row[0])] == []


def test_every_metric_of_a_card_is_explained() -> None:
    metrics = set.union(CHANCES, {"r2", "mae"}, *WANTED.values())
    assert [name for name in sorted(metrics) if f"`{name}`" not in PAGE.partition("## Cards")[2]] == []


def test_the_example_is_a_model() -> None:
    (example,) = re.findall(r"```yaml\n(recipe:.*?)```", PAGE, re.DOTALL)
    config = yaml.safe_load(example)
    assert check_settings(config["recipe"], {})
    assert config.keys() == {"recipe", "data", "label", "features", "time", "by"}
