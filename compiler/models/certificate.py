"""Makes the certificate of a bundle's models, and refuses those whose graph is not the model."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from compiler.models.cost import model_cost
from compiler.models.graph import MergedGraph, RecommenderSpec
from compiler.models.parity import Measured, Sampled, measure
from compiler.models.shortlist_parity import finds_same
from compiler.models.shortlists import shortlist_of
from compiler.models.types import ModelConfig
from compiler.problems import Problems
from edge.bundle.certificate import Certificate, ModelCertificate

NAMED_ITEMS: Final = 5
"""Of a history, in an error."""


class Carded(Sampled, Protocol):
    """A model that says how it came about."""

    @property
    def card(self) -> Mapping[str, Any]:
        """See `models.trained.Trained`."""


def certify(
    merged: MergedGraph,
    models: Mapping[str, Carded],
    specs: Sequence[RecommenderSpec],
    configs: Sequence[ModelConfig],
    problems: Problems,
) -> Certificate:
    """Measure each model against its reference over real rows, and what it costs.

    A model that is further off than allowed is a problem of its file, with the row and the numbers.
    """
    tops = {spec.name: min(spec.limit, merged.plan.n_items) for spec in specs}
    found = measure(merged, {name: models[name] for name in tops}, tops)
    for config in configs:
        if config.name in found:
            _check(config, found[config.name], models[config.name].items, problems)
        if config.name in found and not finds_same(merged, config.name, models[config.name]):
            message = f"model {config.name!r} has a shortlist that finds other items than its reference"
            problems.error(config.path, config.line, "parity", message, "train the model again")
    return Certificate(
        tuple(
            _certificate(name, models[name], found[name], merged.plan.max_history) for name in sorted(found)
        )
    )


def _certificate(name: str, model: Carded, found: Measured, max_history: int) -> ModelCertificate:
    card = model.card
    return ModelCertificate(
        name,
        str(card.get("recipe", "")),
        dict(card.get("settings", {})),
        int(card.get("seed", 0)),
        str(card.get("data", "")),
        str(card.get("code", "")),
        str(card.get("split", "")),
        {key: value for key, value in card.get("metrics", {}).items() if isinstance(value, int | float)},
        found.parity,
        model_cost(model, max_history),
        card.get("found") if shortlist_of(model) else None,
    )


def _check(config: ModelConfig, found: Measured, items: Sequence[str], problems: Problems) -> None:
    if found.error <= found.parity.allowed or found.worst is None:
        return
    worst = found.worst
    past = ", ".join(items[position] for position in worst.history[:NAMED_ITEMS])
    more = f" and {len(worst.history) - NAMED_ITEMS} more" if len(worst.history) > NAMED_ITEMS else ""
    message = (
        f"model {config.name!r} is not what was trained: after {past or 'nothing'}{more} it gives item"
        f" {items[worst.item]!r} {worst.graph:.9g}, its reference {worst.reference:.9g};"
        f" the error is {found.error:.2g}, and {found.parity.allowed:.2g} is allowed"
        f" ({found.parity.rows:,} rows, {found.parity.flips:,} lists differ)"
    )
    problems.error(
        config.path, config.line, "parity", message, "train the model again, or tell its recipe's author"
    )
