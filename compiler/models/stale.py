"""Warns of models that were trained with other settings than the workspace has now."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from compiler.models.types import ModelConfig, PredictionConfig
from compiler.problems import Problems
from edge.bundle import format as fmt


def compare_settings(
    config: ModelConfig | PredictionConfig, card: Mapping[str, Any], problems: Problems
) -> None:
    """Note what differs from what was asked for; what was found to be smallest has its own."""
    settings = {**card.get("settings", {}), **card.get("asked", {})}
    if card.get("smallest") != config.smallest:
        message = f"model {config.name!r} was trained with another `smallest`"
        problems.warn(config.path, config.line, "stale-model", message, "run `nearside train` again")
    for key, value in config.settings.items():
        if settings.get(key) != value:
            message = f"model {config.name!r} was trained with {key} {settings.get(key)}, not {value}"
            problems.warn(config.path, config.line, "stale-model", message, "run `nearside train` again")


def note_changed_file(
    config: ModelConfig | PredictionConfig, file: Path, digest: object, problems: Problems
) -> None:
    """Note a file that a model was brought from, and that has become another since."""
    if digest and file.is_file() and fmt.digest(file.read_bytes()) != digest:
        message = f"{file.name} has changed since model {config.name!r} was brought from it"
        problems.warn(config.path, config.line, "stale-model", message, "run `nearside train` again")
