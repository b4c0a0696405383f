"""The models page names every recipe and setting, with its default."""

from pathlib import Path

import pytest

from models.recipe import RECIPES, settings_of
from models.settings import COMMON

PAGE = (Path(__file__).resolve().parents[2] / "docs/models.md").read_text()


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_every_recipe_and_setting_has_its_row(recipe: str) -> None:
    assert f"| `{recipe}` |" in PAGE.partition("## Recipes")[2].partition("## Settings")[0]
    for name, setting in settings_of(recipe).items():
        default = setting.default if isinstance(setting.default, str) else f"{setting.default:g}"
        owner = "all" if name in COMMON else f"`{recipe}`"
        assert f"| {owner} | `{name}` | `{default}` | {setting.about}" in PAGE
