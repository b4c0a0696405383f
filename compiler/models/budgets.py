"""Reads what models may cost: `budgets` of site.yaml, and `budget` of models/NAME.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from compiler.files.fields import Fields

BUDGETS: Final = "budgets"
BUDGET: Final = "budget"
MOST: Final = 1e12

TREES, NETWORK, SUMS = "trees", "network", "sums"
CLASSES: Final[Mapping[str, int]] = {TREES: 200, NETWORK: 100_000, SUMS: 10_000_000}
"""Classes of models, and how many items one may score for a page; trees over 200 take half a millisecond."""


@dataclass(frozen=True)
class Budget:
    """What something may cost (None: nothing is said of it), and the place that says so."""

    kb: float | None = None
    operations: float | None = None
    path: str = ""
    line: int = 0

    def behind(self, own: "Budget | None") -> "Budget":
        """What `own` says, and this where it says nothing."""
        if own is None:
            return self
        kb = self.kb if own.kb is None else own.kb
        operations = self.operations if own.operations is None else own.operations
        return Budget(kb, operations, own.path, own.line)


@dataclass(frozen=True)
class Budgets:
    """Of each model, and of all models of a placement together; `candidates` by class of models."""

    model: Budget = Budget(1_000_000, 100_000_000)
    placement: Budget = Budget(2_000_000, 200_000_000)
    candidates: Mapping[str, int] = field(default_factory=lambda: dict(CLASSES))


DEFAULTS: Final = Budgets()


def read_budgets(fields: Fields) -> Budgets:
    """The budgets of a site; what it does not name has the default."""
    node = fields.mapping(BUDGETS)
    if node is None:
        return DEFAULTS
    inside = fields.inside(node, BUDGETS)
    model = DEFAULTS.model.behind(read_budget(inside, "model"))
    placement = DEFAULTS.placement.behind(read_budget(inside, "placement"))
    candidates = _read_candidates(inside)
    inside.close()
    return Budgets(model, placement, candidates)


def read_budget(fields: Fields, key: str = BUDGET) -> Budget | None:
    """One budget; None where nothing is said."""
    node = fields.mapping(key)
    if node is None:
        return None
    inside = fields.inside(node, key)
    kb, operations = inside.number("kB", 0, MOST), inside.number("operations", 0, MOST)
    inside.close()
    return Budget(kb, operations, fields.path, node.line)


def _read_candidates(fields: Fields) -> dict[str, int]:
    node = fields.mapping("candidates")
    if node is None:
        return dict(CLASSES)
    inside = fields.inside(node, "candidates")
    given = {name: inside.integer(name, 1, int(MOST)) for name in CLASSES}
    inside.close()
    return {name: CLASSES[name] if most is None else most for name, most in given.items()}


def budget_schema(about: str) -> dict[str, Any]:
    """One budget as JSON Schema."""
    number = {"type": "number", "minimum": 0, "maximum": MOST}
    keys = {
        "kB": {**number, "description": "Arrays and graph."},
        "operations": {**number, "description": "Multiply-adds for one visitor with a full history."},
    }
    return {"type": "object", "description": about, "properties": keys, "additionalProperties": False}


def budgets_schema() -> dict[str, Any]:
    """`budgets` as JSON Schema."""
    most = {"type": "integer", "minimum": 1, "maximum": int(MOST)}
    candidates = {
        "type": "object",
        "description": "How many items a model may score for a page, by the class of the model.",
        "properties": {name: {**most, "default": default} for name, default in CLASSES.items()},
        "additionalProperties": False,
    }
    keys = {
        "model": budget_schema("What each model may cost."),
        "placement": budget_schema("What all models of a placement may cost together."),
        "candidates": candidates,
    }
    about = "What models may cost; more is a compile error."
    return {"type": "object", "description": about, "properties": keys, "additionalProperties": False}
