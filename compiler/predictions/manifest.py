"""Compiles trained predictions into the models' manifest: their graph, its plan, golden rows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from compiler.draft import Draft, interface
from compiler.features.definitions import are_trained
from compiler.features.golden_rows import golden_rows
from compiler.features.oracle import rows_of
from compiler.features.reading import PATH as FEATURES
from compiler.models.budget_check import check_predictions
from compiler.models.hoist import hoist_predictions
from compiler.models.stale import compare_settings, note_changed_file
from compiler.models.types import PredictionConfig
from compiler.predictions.certificate import certify_predictions
from compiler.predictions.graph import JoinedPredictions, PredictionModel, PredictionSpec, join
from compiler.predictions.reading import plain_name, prediction_of
from compiler.problems import Problems
from compiler.rules.reads import reads_of
from compiler.types import Workspace
from edge.bundle import format as fmt
from edge.bundle.arrays import pack
from edge.bundle.certificate import KIND as CERTIFICATE
from edge.bundle.features import Column, Features, needed
from edge.bundle.predictions import ARRAYS_KIND, GRAPH_KIND, KIND, PREFIX, PredictionGolden, PredictionPlan
from edge.decide import words
from edge.errors import GivenError

GOLDEN_ROWS: Final = 48
BROUGHT: Final = "brought"
POINTER: Final = ".mlflow"
"""A file that says where a model is, and is none."""

TEXTS: Final = (
    "",
    "a",
    "cheap flights to Rome",
    "WHERE is my order 4711?",
    "größe 38 schuhe",
    "東京 ホテル",
    "!",
)
"""What texts are in golden rows."""

Predicted = Mapping[str, PredictionModel]
UNTRAINED: Final[Predicted] = {}


def put_predictions(draft: Draft, workspace: Workspace, trained: Predicted, problems: Problems) -> None:
    """Add the predictions of a workspace, where it has some; notes those that are not trained, or stale."""
    configs = workspace.predictions
    unfit = [config for config in configs if not _fits(config, trained, workspace, problems)]
    if unfit or not configs:
        return
    specs = [_spec(config, trained[config.name]) for config in configs]
    trained = hoist_predictions(trained)
    try:
        joined = join(trained, specs, workspace.features.by_name)
    except GivenError as error:
        problems.error("models", 0, "model", str(error), "train the models again")
        return
    certificate = certify_predictions(joined, trained, workspace, problems)
    check_predictions(workspace, certificate, trained, problems)
    draft.put("certificate/predictions", CERTIFICATE, fmt.encode(certificate))
    draft.put(joined.plan.graph, GRAPH_KIND, joined.graph)
    for name, arrays in joined.arrays.items():
        draft.put(name, ARRAYS_KIND, pack(arrays))
    golden = tuple(_golden(joined, trained, configs, workspace.features.by_name))
    draft.put(KIND, KIND, fmt.encode(msgspec.structs.replace(joined.plan, golden=golden)))
    for plan in joined.plan.predictions:
        draft.provides[f"prediction/{plan.name}"] = _interface(plan, joined.plan.columns)


def require_predictions(draft: Draft, workspace: Workspace, provided: Mapping[str, str]) -> None:
    """Note in the rules' manifest which predictions rules read."""
    read = read_predictions_of(workspace)
    for name in sorted(read):
        draft.requires[f"prediction/{name}"] = provided[f"prediction/{name}"]


def read_predictions_of(workspace: Workspace) -> set[str]:
    """The names of the predictions that campaigns read, and the recommenders that they show."""
    names = {name for campaign in workspace.campaigns for name in reads_of(campaign.condition)}
    names |= {name for campaign in workspace.campaigns for name, _ in campaign.worth.terms}
    names |= {experiment.hash for experiment in workspace.experiments}
    names |= {name for recommender in workspace.recommenders for name in recommender.reads}
    found = (prediction_of(name, workspace.predictions) for name in names)
    return {config.name for config in found if config is not None}


def note_unused_predictions(workspace: Workspace, problems: Problems) -> None:
    """Warn of predictions that no campaign reads, and of features that no model takes in."""
    read = read_predictions_of(workspace)
    for config in workspace.predictions:
        if config.name not in read:
            hint = f"read {PREFIX}{config.name} in a condition, or delete it: it makes the bundle larger"
            problems.warn(config.path, 0, "unused", f"no campaign reads model {config.name!r}", hint)
    features = workspace.features
    taken = {name for config in workspace.predictions for name in config.features}
    taken = taken.union(*(config.features for config in workspace.models))
    used = {one.name for one in needed(taken, features.by_name)}
    for name, line in features.lines.items():
        if name not in used:
            problems.warn(
                FEATURES, line, "unused", f"no model takes in feature {name!r}", "use it, or delete it"
            )


def _spec(config: PredictionConfig, model: PredictionModel) -> PredictionSpec:
    """Its outputs in the order in which the model has them."""
    names = {plain_name(trained): name for name, trained in config.outputs.items()}
    outputs = tuple(names[plain_name(output)] for output in model.outputs) if names else ()
    return PredictionSpec(config.name, config.features, config.purposes, config.text, outputs)


def _interface(plan: PredictionPlan, columns: Sequence[Column]) -> str:
    """What rules require of a prediction: which attributes it is, and from which it is made."""
    read = sorted({(columns[at].attribute, columns[at].text) for at in plan.columns} | {(plan.text, True)})
    return interface(repr((plan.name, plan.outputs, plan.names_winner, read)))


def _fits(config: PredictionConfig, trained: Predicted, workspace: Workspace, problems: Problems) -> bool:
    """Whether a prediction was trained as the workspace has it now."""
    model, features = trained.get(config.name), workspace.features.by_name
    what, again = f"model {config.name!r}", "run `nearside train` again"
    if model is None:
        problems.error(config.path, 0, "untrained", f"{what} has not been trained", "run `nearside train`")
        return False
    if model.card.get("recipe") != config.recipe:
        message = f"{what} was trained by {model.card.get('recipe')!r}"
        problems.error(config.path, 0, "stale-model", message, again)
        return False
    if config.text:
        fits = model.features == (config.text,) and bool(model.words)
    else:
        fits = not model.words and are_trained(config.features, features, model.features, model.card)
    if not fits:
        problems.error(config.path, 0, "stale-model", f"{what} was trained with other features", again)
        return False
    compare_settings(config, model.card, problems)
    if config.recipe == BROUGHT and config.data.suffix != POINTER:
        note_changed_file(config, config.data, model.card.get("data"), problems)
    return _fits_outputs(config, model, workspace, problems)


def _fits_outputs(
    config: PredictionConfig, model: PredictionModel, workspace: Workspace, problems: Problems
) -> bool:
    """Whether its outputs are those that rules may speak of."""
    what = f"model {config.name!r}"
    outputs = [plain_name(output) for output in model.outputs] if len(model.outputs) > 1 else []
    if sorted(outputs) != sorted(map(plain_name, config.outputs.values())) or len({*outputs}) < len(outputs):
        stated = ", ".join(config.outputs.values()) or "one number"
        message = f"{what} predicts {', '.join(model.outputs) if outputs else 'one number'}, not {stated}"
        hint = f"write `outputs: [{', '.join(outputs)}]`" if outputs else "leave `outputs` out"
        problems.error(config.path, config.line, "stale-model", message, hint)
        return False
    winner = PREFIX + config.name
    for campaign in workspace.campaigns:
        if outputs and not model.names_winner and winner in {*reads_of(campaign.condition)}:
            message = (
                f"campaign {campaign.id!r} reads {winner!r}, and the outputs of that model do not compete"
            )
            hint = f"read one of them: {winner}.{next(iter(config.outputs))}"
            problems.error(campaign.path, campaign.line, "unknown-name", message, hint)
            return False
    return True


def _golden(
    joined: JoinedPredictions, trained: Predicted, configs: Sequence[PredictionConfig], features: Features
) -> Iterator[PredictionGolden]:
    """Rows with what the references answer to them."""
    columns = joined.plan.columns
    rows = list(golden_rows(columns, GOLDEN_ROWS))
    reads = any(plan.text for plan in joined.plan.predictions)
    texts = [TEXTS[turn % len(TEXTS)] if reads else "" for turn in range(len(rows))]
    answers = []
    for plan in joined.plan.predictions:
        config = next(config for config in configs if config.name == plan.name)
        taken = rows_of(config.features, features, columns, rows)
        if plan.text:
            taken = words.rows(texts, plan.words)
        answers.append(trained[plan.name].reference(taken).tolist())
    for row, text, each in zip(rows, texts, zip(*answers, strict=True), strict=True):
        yield PredictionGolden(row, tuple(tuple(map(float, answer)) for answer in each), text)
