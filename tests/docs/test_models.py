"""The pages of models and of networks name every recipe and setting, with its default."""

from pathlib import Path

import pytest

from models.recipe import NETWORKS, RECIPES, settings_of
from models.settings import COMMON

DOCS = Path(__file__).resolve().parents[2] / "docs"
MODELS, NEURAL = ((DOCS / name).read_text() for name in ("models.md", "neural.md"))


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_every_recipe_and_setting_has_its_row(recipe: str) -> None:
    page = NEURAL if RECIPES[recipe] in NETWORKS else MODELS
    assert f"| `{recipe}` |" in page.partition("## Recipes")[2].partition("## Settings")[0]
    for name, setting in settings_of(recipe).items():
        default = setting.default if isinstance(setting.default, str) else f"{setting.default:g}"
        owner, where = ("all", MODELS) if name in COMMON else (f"`{recipe}`", page)
        assert f"| {owner} | `{name}` | `{default}` | {setting.about}" in where
        assert f"| `{recipe}` | `{name}` |" not in (MODELS if page is NEURAL else NEURAL)
