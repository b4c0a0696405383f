"""Compiles trained models: one graph, its plan and arrays, and golden lists."""

from collections.abc import Mapping, Sequence
from operator import attrgetter

import msgspec
from msgspec.structs import replace

from compiler.draft import Draft, interface
from compiler.features.definitions import are_trained
from compiler.golden import golden_lists
from compiler.models.budget_check import check_budgets
from compiler.models.certificate import Carded, certify
from compiler.models.context import Contexts
from compiler.models.graph import MAX_HISTORY, MergedGraph, RecommenderSpec, merge
from compiler.models.hoist import hoist
from compiler.models.stale import compare_settings, note_changed_file
from compiler.problems import Problems
from compiler.recommenders.graph import Stage
from compiler.recommenders.parts import NO_PARTS, Parts
from compiler.types import Workspace
from edge.bundle import format as fmt
from edge.bundle.arrays import pack
from edge.bundle.certificate import Certificate
from edge.bundle.features import Column
from edge.bundle.recommender_format import SHADOW, SHADOW_GRAPH, SHADOW_PLAN
from edge.errors import GivenError

MIN_LIMIT = 10
"""A recommender lists at least that many, so that few changes to rules need the models' key."""


Trained = Carded
"""A trained model, what it was trained with (``recipe``, ``settings``), and real rows of that."""


def recommender_interface(plan: fmt.RecommenderPlan, columns: Sequence[Column] = ()) -> str:
    """What rules require and models provide for a recommender: its name, length and outputs.

    Of one that takes in a context, the attributes that it is made from are part of it.
    """
    outputs = ",".join(sorted((plan.items_output, plan.scores_output)))
    read = sorted({(columns[at].attribute, columns[at].text) for at in plan.columns})
    return interface(f"{plan.name}:{plan.limit}:{outputs}" + (f":{read}" if read else ""))


def contexts_of(workspace: Workspace, specs: Sequence[RecommenderSpec], stage: Stage) -> Contexts:
    """What the models of a graph take in of a context."""
    used = {name for spec in specs for name in (spec.name, spec.fallback)}
    used |= {pool.model for pool in stage.pools}
    taken = {config.name: config.features for config in workspace.models if config.name in used}
    return Contexts(taken, workspace.features.by_name)


def listed_contexts(workspace: Workspace, parts: Parts) -> Contexts:
    """The same of the graph that lists."""
    return contexts_of(workspace, _specs(workspace, parts), parts.stage)


def draft_models(
    workspace: Workspace,
    trained: Mapping[str, Trained],
    items: str,
    problems: Problems,
    parts: Parts = NO_PARTS,
) -> Draft:
    """The models' manifest; one without plan and graph where the workspace has no models.

    `items` is the interface that the catalog provides: positions mean nothing with another one.
    """
    draft = Draft("models")
    golden: tuple[fmt.ModelsGolden, ...] = ()
    if workspace.models and _check(workspace, trained, problems):
        specs = _specs(workspace, parts)
        longest = max_history(workspace, trained, parts)
        try:
            trained = hoist(trained)
            known = contexts_of(workspace, specs, parts.stage)
            merged = merge(trained, specs, longest, parts.stage, known)
            shadow = _shadow(workspace, trained, longest, parts) if parts.shadow.pools else None
        except GivenError as error:
            problems.error("models", 0, "model", str(error), "train the models again")
            return draft
        draft.requires |= {"items": items, **parts.interface}
        parts.put_models(draft)
        _put_graphs(draft, merged, shadow, workspace, parts)
        asked = [*specs, *_of_pools(specs, parts.stage)]
        certificate = certify(merged, trained, asked, workspace.models, problems)
        if shadow is not None:
            others = _of_pools(asked, parts.shadow)
            certificate = _both(certificate, certify(shadow, trained, others, workspace.models, problems))
        check_budgets(workspace, certificate, trained, problems)
        draft.put("certificate", "certificate", fmt.encode(certificate))
        length, catalog = merged.plan.max_history, workspace.catalog
        golden = golden_lists(trained, specs, catalog, length, known) if specs else ()
    draft.put("golden", "golden", msgspec.msgpack.encode(golden, order="deterministic"))
    return draft


def _shadow(
    workspace: Workspace, trained: Mapping[str, Trained], max_history: int, parts: Parts
) -> MergedGraph:
    """The graph of challengers."""
    known = contexts_of(workspace, (), parts.shadow)
    return merge(trained, (), max_history, parts.shadow, known)


def _put_graphs(
    draft: Draft, merged: MergedGraph, shadow: MergedGraph | None, workspace: Workspace, parts: Parts
) -> None:
    """Add the graph and, beside it, that of challengers; they share the arrays of models."""
    draft.put(merged.plan.graph, "graph", merged.graph)
    draft.put("plan", "plan", fmt.encode(_with_purposes(merged.plan, workspace, parts)))
    arrays = merged.arrays
    if shadow is not None:
        draft.put(SHADOW_GRAPH, SHADOW, shadow.graph)
        draft.put(SHADOW_PLAN, SHADOW, fmt.encode(_with_purposes(shadow.plan, workspace, parts)))
        arrays = {**shadow.arrays, **arrays}
    for name, values in arrays.items():
        draft.put(name, "arrays", pack(values))
    for plan in merged.plan.recommenders:
        draft.provides[f"recommender/{plan.name}"] = recommender_interface(plan, merged.plan.columns)


def _of_pools(specs: Sequence[RecommenderSpec], stage: Stage) -> list[RecommenderSpec]:
    """A list of each model that is asked for candidates alone."""
    listed = {spec.name for spec in specs}
    models = {pool.model: pool.size for pool in stage.pools if pool.model not in listed}
    return [RecommenderSpec(model, size) for model, size in sorted(models.items())]


def _both(one: Certificate, other: Certificate) -> Certificate:
    return Certificate(tuple(sorted(one.models + other.models, key=attrgetter("name"))))


def _with_purposes(plan: fmt.ModelsPlan, workspace: Workspace, parts: Parts) -> fmt.ModelsPlan:
    """The plan with what each model needs a grant for."""
    purposes = {model.name: model.purposes for model in workspace.models}
    recommenders = tuple(
        replace(one, purposes=purposes[parts.models.get(one.name, one.name)]) for one in plan.recommenders
    )
    return replace(plan, recommenders=recommenders)


def max_history(workspace: Workspace, trained: Mapping[str, Trained], parts: Parts = NO_PARTS) -> int:
    """As many items as the most demanding model looks at; one graph takes in one history."""
    used = {*(spec.name for spec in _specs(workspace, parts)), *parts.models.values()}
    asked = (trained[name].card.get("settings", {}).get("max_history") for name in sorted(used))
    return max(int(most or MAX_HISTORY) for most in asked)


def _specs(workspace: Workspace, parts: Parts) -> list[RecommenderSpec]:
    """A list for each model, but for those that only recommenders use."""
    shows = workspace.shows()
    shown = {show.recommender for show in shows}
    wanted = {
        model.name: MIN_LIMIT
        for model in workspace.models
        if model.name in shown or model.name not in parts.used
    }
    for show in shows:
        if show.recommender in wanted:
            wanted[show.recommender] = max(wanted[show.recommender], show.limit)
    return [
        RecommenderSpec(model.name, wanted[model.name], model.fallback or None)
        for model in workspace.models
        if model.name in wanted
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
        elif not are_trained(config.features, workspace.features.by_name, model.features, model.card):
            message = f"model {config.name!r} was trained with other features"
            problems.error(config.path, 0, "stale-model", message, "run `nearside train` again")
        else:
            compare_settings(config, model.card, problems)
            file = workspace.folder / str(config.settings.get("model", ""))
            note_changed_file(config, file, model.card.get("brought"), problems)
            continue
        fits = False
    return fits
