"""What a checked model holds, as plain values: of one that lists, and of one that predicts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from compiler.models.budgets import Budget
from edge.bundle.features import Feature


@dataclass(frozen=True)
class ModelConfig:
    """models/NAME.yaml: a recipe, its data and its settings.

    Attributes
    ----------
    smallest : float or None
        The share of nDCG@10 that may be lost; None where the smallest model is not searched.
    features : tuple[str, ...]
        What it takes in of the context.
    users : Path or None
        What is known of users beside their interactions, to learn from.
    """

    name: str
    recipe: str
    interactions: Path
    fallback: str
    settings: dict[str, Any]
    path: str
    line: int
    purposes: tuple[str, ...] = ()
    smallest: float | None = None
    budget: Budget | None = None
    features: tuple[str, ...] = ()
    users: Path | None = None


@dataclass(frozen=True)
class PredictionConfig:
    """models/NAME.yaml of a prediction: a recipe, its data, the features or the text that it takes in.

    Attributes
    ----------
    outputs : Mapping[str, str]
        What it predicts, where that is more than one number: by their names in rules, those of training.
    columns : Mapping[str, str]
        Columns of the data by what they are for: ``label``, ``weight``, ``group``, ``treatment``, ``time``.
    by : tuple[str, ...]
        Columns by which visitors differ, for the card.
    smallest : float or None
        The share of its metric that may be lost; None where the smallest model is not searched.
    """

    name: str
    recipe: str
    data: Path
    features: tuple[str, ...]
    outputs: Mapping[str, str]
    columns: Mapping[str, str]
    settings: dict[str, Any]
    path: str
    line: int
    purposes: tuple[str, ...] = ()
    text: str = ""
    by: tuple[str, ...] = ()
    smallest: float | None = None
    budget: Budget | None = None


@dataclass(frozen=True)
class Features:
    """features.yaml; `lines` is where each feature stands."""

    by_name: Mapping[str, Feature] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)


NO_FEATURES: Final = Features()
