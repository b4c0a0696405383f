"""Holds what models cost against what they may."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

from compiler.models.budgets import NETWORK, SUMS, TREES, Budget, Budgets
from compiler.models.types import ModelConfig
from compiler.problems import Problems
from compiler.types import Workspace
from edge.bundle.certificate import Certificate, Cost
from edge.decide.operators import check_graph

TREE_OPERATORS: Final = frozenset(("TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"))
NETWORK_OPERATORS: Final = frozenset(
    ("Elu", "Erf", "Gelu", "LayerNormalization", "LeakyRelu", "Relu", "Selu", "Sigmoid", "Softmax", "Tanh")
)
SHRINKS: Final = ("neighbours", "factors", "rounds", "trees", "leaves", "width", "hidden", "words")
"""Settings that say how much of a model is kept, where its recipe has them."""

SITE: Final = "site.yaml"


class Predicting(Protocol):
    """What of a prediction says how it can be made smaller."""

    @property
    def card(self) -> Mapping[str, Any]:
        """With its ``settings``."""


class Costed(Protocol):
    """What of a model says how it can be made smaller."""

    @property
    def scores_graph(self) -> bytes:
        """A serialized ONNX model."""

    @property
    def card(self) -> Mapping[str, Any]:
        """With its ``settings``."""


def check_budgets(
    workspace: Workspace, certificate: Certificate, trained: Mapping[str, Costed], problems: Problems
) -> None:
    """Note each model and each placement that costs more than it may."""
    budgets, costs = workspace.site.budgets, {model.name: model.cost for model in certificate.models}
    for config in workspace.models:
        if config.name in costs:
            _check_model(config, costs[config.name], trained[config.name], budgets, problems)
    for placement, models in _by_placement(workspace).items():
        used = [costs[name] for name in sorted(models) if name in costs]
        total = Cost(sum(cost.bytes for cost in used), sum(cost.operations for cost in used), 0)
        what = f"the models of placement {placement!r} ({', '.join(sorted(models))})"
        hint = "use fewer models there, or smaller ones; `nearside inspect` says what each costs"
        for message in _over(total, budgets.placement):
            path, line = budgets.placement.path or SITE, budgets.placement.line
            problems.error(path, line, "budget", f"{what}: together they take {message}", hint)


def check_predictions(
    workspace: Workspace, certificate: Certificate, trained: Mapping[str, Predicting], problems: Problems
) -> None:
    """Note each prediction that costs more than a model may."""
    costs = {model.name: model.cost for model in certificate.models}
    for config in workspace.predictions:
        budget = workspace.site.budgets.model.behind(config.budget)
        place = (budget.path or config.path, budget.line or config.line)
        for message in _over(costs[config.name], budget):
            hint = smaller(trained[config.name].card)
            problems.error(*place, "budget", f"model {config.name!r} takes {message}", hint)


def model_class(graph: bytes) -> str:
    """Which class of models a graph is of: its operators tell."""
    operators = check_graph(graph)
    if operators & TREE_OPERATORS:
        return TREES
    return NETWORK if operators & NETWORK_OPERATORS else SUMS


def _check_model(
    config: ModelConfig, cost: Cost, model: Costed, budgets: Budgets, problems: Problems
) -> None:
    budget = budgets.model.behind(config.budget)
    place = (budget.path or config.path, budget.line or config.line)
    for message in _over(cost, budget):
        problems.error(*place, "budget", f"model {config.name!r} takes {message}", smaller(model.card))
    kind = model_class(model.scores_graph)
    most = budgets.candidates[kind]
    if cost.candidates > most:
        message = (
            f"model {config.name!r} scores {cost.candidates:,} items for a page; {kind} may score {most:,}"
        )
        hint = f"let another model choose the candidates, or raise budgets.candidates.{kind} in {SITE}"
        problems.error(config.path, config.line, "budget", message, hint)


def smaller(card: Mapping[str, Any]) -> str:
    """What to do about a model that costs too much."""
    settings = card.get("settings", {})
    if card.get("recipe") == "brought" and "left_out" not in card:
        return "bring a smaller one, or allow a larger budget"
    ways = [f"fewer {name} than {settings[name]:g}" for name in SHRINKS if name in settings]
    if settings.get("storage", "int8") != "int8":
        ways.append("`storage: int8`")
    return ", ".join([*ways, "or a larger budget"]) + "; `nearside compress` shows what each costs in quality"


def _over(cost: Cost, budget: Budget) -> Iterator[str]:
    if budget.kb is not None and cost.bytes > budget.kb * 1000:
        yield f"{cost.bytes / 1000:,.0f} kB, more than {budget.kb:,.0f}"
    if budget.operations is not None and cost.operations > budget.operations:
        yield f"{cost.operations:,} operations a visitor, more than {budget.operations:,.0f}"


def _by_placement(workspace: Workspace) -> dict[str, set[str]]:
    """The models that may be asked for each placement; one that is a chain, or falls back, asks several."""
    found: dict[str, set[str]] = {}
    for placement, name in _asked(workspace):
        found.setdefault(placement, set()).update(_models(workspace, name))
    return found


def _asked(workspace: Workspace) -> Iterator[tuple[str, str]]:
    experiments = {experiment.id: experiment for experiment in workspace.experiments}
    bandits = {bandit.id: bandit for bandit in workspace.bandits}
    for campaign in workspace.campaigns:
        shows = [campaign.show]
        if campaign.experiment in experiments:
            shows = [s for v in experiments[campaign.experiment].variations for s in v.shows.values()]
        elif campaign.bandit in bandits:
            shows = [s for arm in bandits[campaign.bandit].arms for s in arm.shows.values()]
        for show in shows:
            if show.recommender:
                yield from ((placement, show.recommender) for placement in campaign.placements)


def _models(workspace: Workspace, name: str) -> set[str]:
    chains = {one.name: one.models for one in workspace.recommenders}
    fallbacks = {config.name: config.fallback for config in workspace.models}
    found: set[str] = set()
    waiting = list(chains.get(name, (name,)))
    while waiting:
        model = waiting.pop()
        if model and model not in found:
            found.add(model)
            waiting.append(fallbacks.get(model, ""))
    return found
