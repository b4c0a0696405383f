"""Reads a workspace with everything that can be said about it before its models are trained."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from compiler.problems import ERROR, Problem
from compiler.schema import schemas
from compiler.workspace import Workspace, WorkspaceError, read_workspace
from models.recipe import RECIPES, Recipe, check_settings, settings_of


def read_checked(folder: Path) -> Workspace:
    """Read a workspace and ask the recipes about the settings of its models, too.

    Raises
    ------
    WorkspaceError
        With every problem at once.
    """
    return read_workspace(folder, check_settings)


def validation_document(folder: Path) -> dict[str, Any]:
    """Every problem of a workspace as JSON, for editors and continuous integration."""
    found: tuple[Problem, ...]
    try:
        found = read_checked(folder).warnings
    except WorkspaceError as error:
        found = error.problems
    errors = sum(problem.severity == ERROR for problem in found)
    return {
        "workspace": str(folder),
        "errors": errors,
        "warnings": len(found) - errors,
        "problems": [asdict(problem) for problem in found],
    }


def workspace_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schemas of a workspace's files, by name, with the recipes that there are."""
    return schemas({name: _settings(recipe) for name, recipe in RECIPES.items()})


def _settings(recipe: Recipe) -> dict[str, dict[str, Any]]:
    return {name: setting.schema() for name, setting in settings_of(recipe.name).items()}
