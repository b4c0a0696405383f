"""Reads a workspace with everything that can be said about it before its models are trained."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from compiler.problems import ERROR, Problem
from compiler.rules.lint_campaigns import past_campaigns
from compiler.schema.documents import schemas
from compiler.workspace import Workspace, WorkspaceError, read_workspace
from models.predict import recipe as predict
from models.recipe import BROUGHT, RECIPES, check_settings, settings_of
from models.settings import Setting


def now_ms() -> int:
    """The instant by which a campaign is over, where nobody names another."""
    return time.time_ns() // 1_000_000


def doubts(workspace: Workspace, today_ms: int) -> tuple[Problem, ...]:
    """All warnings, those too that depend on the day: what is compiled never does."""
    return tuple(sorted((*workspace.warnings, *past_campaigns(workspace, today_ms))))


def read_checked(folder: Path) -> Workspace:
    """Read a workspace and ask the recipes about the settings of its models, too.

    Raises
    ------
    WorkspaceError
        With every problem at once.
    """
    return read_workspace(folder, check_settings, predict.check_settings)


def validation_document(folder: Path, today_ms: int | None = None) -> dict[str, Any]:
    """Every problem of a workspace as JSON, for editors and continuous integration."""
    found: tuple[Problem, ...]
    try:
        found = doubts(read_checked(folder), now_ms() if today_ms is None else today_ms)
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
    return schemas(
        {name: _settings(settings_of(name)) for name in (*RECIPES, BROUGHT.name)},
        {name: _settings(predict.settings_of(name)) for name in (*predict.PREDICTIONS, predict.BROUGHT)},
    )


def _settings(known: Mapping[str, Setting]) -> dict[str, dict[str, Any]]:
    return {name: setting.schema() for name, setting in known.items()}
