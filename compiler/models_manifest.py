"""Compiles trained models: one graph, its plan and arrays, and golden lists."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from compiler.certificate import Carded, certify
from compiler.draft import Draft, interface
from compiler.golden import golden_lists
from compiler.graph import MAX_HISTORY, RecommenderSpec, merge
from compiler.hoist import hoist
from compiler.problems import Problems
from compiler.types import ModelConfig, Workspace
from edge.bundle import format as fmt
from edge.bundle.arrays import pack
from edge.errors import GivenError

MIN_LIMIT = 10
"""A recommender lists at least that many, so that few changes to rules need the models' key."""


Trained = Carded
"""A trained model, what it was trained with (``recipe``, ``settings``), and real rows of that."""


def recommender_interface(plan: fmt.RecommenderPlan) -> str:
    """What rules require and models provide for a recommender: its name, length and outputs."""
    outputs = ",".join(sorted((plan.items_output, plan.scores_output)))
    return interface(f"{plan.name}:{plan.limit}:{outputs}")


def draft_models(
    workspace: Workspace, trained: Mapping[str, Trained], items: str, problems: Problems
) -> Draft:
    """The models' manifest; one without plan and graph where the workspace has no models.

    `items` is the interface that the catalog provides: positions mean nothing with another one.
    """
    draft = Draft("models")
    golden: tuple[fmt.ModelsGolden, ...] = ()
    if workspace.models and _check(workspace, trained, problems):
        specs = _specs(workspace)
        try:
            trained = hoist(trained)
            merged = merge(trained, specs, _max_history(trained, specs))
        except GivenError as error:
            problems.error("models", 0, "model", str(error), "train the models again")
            return draft
        draft.requires["items"] = items
        draft.put(merged.plan.graph, "graph", merged.graph)
        draft.put("plan", "plan", fmt.encode(_with_purposes(merged.plan, workspace)))
        for name, arrays in merged.arrays.items():
            draft.put(name, "arrays", pack(arrays))
        for plan in merged.plan.recommenders:
            draft.provides[f"recommender/{plan.name}"] = recommender_interface(plan)
        certificate = certify(merged, trained, specs, workspace.models, problems)
        draft.put("certificate", "certificate", fmt.encode(certificate))
        golden = golden_lists(trained, specs, workspace.catalog, merged.plan.max_history)
    draft.put("golden", "golden", msgspec.msgpack.encode(golden, order="deterministic"))
    return draft


def _with_purposes(plan: fmt.ModelsPlan, workspace: Workspace) -> fmt.ModelsPlan:
    """The plan with what each model needs a grant for."""
    purposes = {model.name: model.purposes for model in workspace.models}
    recommenders = tuple(replace(one, purposes=purposes[one.name]) for one in plan.recommenders)
    return replace(plan, recommenders=recommenders)


def _max_history(trained: Mapping[str, Trained], specs: Sequence[RecommenderSpec]) -> int:
    """As many items as the most demanding model looks at; one graph takes in one history."""
    asked = (trained[spec.name].card.get("settings", {}).get("max_history") for spec in specs)
    return max(int(most or MAX_HISTORY) for most in asked)


def _specs(workspace: Workspace) -> list[RecommenderSpec]:
    wanted = {model.name: MIN_LIMIT for model in workspace.models}
    for campaign in workspace.campaigns:
        if campaign.recommender:
            wanted[campaign.recommender] = max(wanted[campaign.recommender], campaign.limit)
    return [
        RecommenderSpec(model.name, wanted[model.name], model.fallback or None) for model in workspace.models
    ]


def _check(workspace: Workspace, trained: Mapping[str, Trained], problems: Problems) -> bool:
    items = tuple(item.id for item in workspace.catalog.items)
    fits = True
    for config in workspace.models:
        model = trained.get(config.name)
        if model is None:
            message = f"model {config.name!r} has not been trained"
            problems.error(config.path, 0, "untrained", message, "run `nearside train`")
        elif model.items != items:
            message = f"model {config.name!r} was trained on other items than the catalog has"
            problems.error(config.path, 0, "stale-model", message, "run `nearside train` again")
        elif model.card.get("recipe") != config.recipe:
            message = f"model {config.name!r} was trained by {model.card.get('recipe')!r}"
            problems.error(config.path, 0, "stale-model", message, "run `nearside train` again")
        else:
            _compare_settings(config, model.card.get("settings", {}), problems)
            continue
        fits = False
    return fits


def _compare_settings(config: ModelConfig, settings: Mapping[str, Any], problems: Problems) -> None:
    for key, value in config.settings.items():
        if settings.get(key) != value:
            message = f"model {config.name!r} was trained with {key} {settings.get(key)}, not {value}"
            problems.warn(config.path, config.line, "stale-model", message, "run `nearside train` again")
