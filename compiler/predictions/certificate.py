"""Certifies predictions: the compiled graph against each reference, over rows of the training data."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from compiler.models.cost import count_operations
from compiler.models.parity import ALLOWED, rounded_up
from compiler.models.types import PredictionConfig
from compiler.predictions.graph import INPUT, OUTPUT, JoinedPredictions, PredictionModel
from compiler.problems import Problems
from compiler.types import Workspace
from edge.bundle.arrays import Array
from edge.bundle.certificate import Certificate, Cost, ModelCertificate, Parity
from edge.bundle.predictions import PREFIX
from edge.decide.recommender import open_session

HALF: Final = 0.5
BATCH: Final = 1_000
EACH: Final = 10
"""One row of so many is tried with a value missing, too, and one with a value that was never seen."""

Rows = NDArray[np.float32]


def certify_predictions(
    joined: JoinedPredictions,
    models: Mapping[str, PredictionModel],
    workspace: Workspace,
    problems: Problems,
) -> Certificate:
    """Measure each prediction of the compiled graph against its reference, and what it costs."""
    found = []
    for config in workspace.predictions:
        model = models[config.name]
        rows = model.sample.get("rows", np.zeros((0, 1), np.float32))
        rows = rows if model.words else tried(rows)  # no word of a text can be missing
        graph, reference = run(joined, config.name, rows), _reference(model, rows)
        thresholds = () if model.names_winner else _thresholds(config.name, workspace)
        errors = _errors(graph, reference)
        flips = _flips(graph, reference, thresholds)
        parity = _parity(errors, flips, thresholds)
        if errors.size and errors.max() > ALLOWED:
            _refuse(config, (rows, graph, reference), errors, problems)
        found.append(_certificate(config, model, parity))
    return Certificate(tuple(sorted(found, key=lambda one: one.name)))


def tried(rows: Rows) -> Rows:
    """The rows, and some of them again with a value missing, and with one beyond all that were seen."""
    if not len(rows):
        return rows
    missing, unseen = rows[::EACH].copy(), rows[EACH // 2 :: EACH].copy()
    columns = rows.shape[1]
    missing[np.arange(len(missing)), np.arange(len(missing)) % columns] = np.nan
    greatest = np.where(np.isnan(rows), 0, np.abs(rows)).max(axis=0)
    place = np.arange(len(unseen)) % columns
    unseen[np.arange(len(unseen)), place] = 3 * greatest[place] + 1
    return np.concatenate([rows, missing, unseen])


def run(joined: JoinedPredictions, name: str, rows: Rows) -> Rows:
    """What the compiled graph makes of rows of one model's features."""
    if not len(rows):
        return np.zeros((0, 1), np.float32)
    session = open_session(_cut(joined, name, rows.shape[1]))
    wanted = {node.name for node in session.get_inputs()}
    bound = {
        key: joined.arrays[file][array]
        for key, (file, array) in joined.plan.bindings.items()
        if key in wanted
    }
    features = _input(joined, name)
    parts: list[Rows] = [
        session.run(None, {features: rows[start : start + BATCH], **bound})[0]
        for start in range(0, len(rows), BATCH)
    ]
    return np.concatenate(parts)


def _input(joined: JoinedPredictions, name: str) -> str:
    """What holds the numbers that a model takes in: made of the context, or of a text."""
    (plan,) = (one for one in joined.plan.predictions if one.name == name)
    return plan.text_input if plan.text else f"model/{name}/{INPUT}"


def _cut(joined: JoinedPredictions, name: str, width: int) -> bytes:
    """The compiled graph from one model's features to its predictions."""
    proto = onnx.load_model_from_string(joined.graph)
    start, end = _input(joined, name), f"{OUTPUT}/{name}"
    nodes = _between(proto.graph.node, start, end)
    read = {value for node in nodes for value in node.input}
    inputs = [value for value in proto.graph.input if value.name in read and value.name != start]
    outputs = [value for value in proto.graph.output if value.name == end]
    tensors = [tensor for tensor in proto.graph.initializer if tensor.name in read]
    features = helper.make_tensor_value_info(start, TensorProto.FLOAT, ["batch", width])
    graph = helper.make_graph(nodes, "prediction", [features, *inputs], outputs, tensors)
    model = helper.make_model(graph, opset_imports=list(proto.opset_import), producer_name="")
    model.ir_version = proto.ir_version
    return bytes(model.SerializeToString(deterministic=True))


def _between(nodes: Sequence[NodeProto], start: str, end: str) -> list[NodeProto]:
    wanted, found = {end}, []
    for node in reversed(nodes):
        if start not in node.output and wanted.intersection(node.output):
            wanted.update(node.input)
            found.append(node)
    return found[::-1]


def _reference(model: PredictionModel, rows: Rows) -> Rows:
    parts = [model.reference(rows[start : start + BATCH]) for start in range(0, len(rows), BATCH)]
    return np.concatenate(parts) if parts else np.zeros((0, 1), np.float32)


def _thresholds(name: str, workspace: Workspace) -> tuple[float, ...]:
    """What rules compare the prediction with, and one half."""
    found = {HALF}
    for campaign in workspace.campaigns:
        for clause in campaign.condition.clauses:
            for attribute, constraint in clause.constraints.items():
                if attribute == PREFIX + name or attribute.startswith(f"{PREFIX}{name}."):
                    found |= {constraint.low, constraint.high}
    return tuple(sorted(threshold for threshold in found if np.isfinite(threshold)))


def _errors(graph: Rows, reference: Rows) -> NDArray[np.float64]:
    """Of each row, as `Parity.error` counts it."""
    if not len(graph):
        return np.zeros(0)
    with np.errstate(invalid="ignore"):
        error = np.abs(graph.astype(np.float64) - reference)
    # No answer from both is the same answer; from one it is none.
    error[np.isnan(graph) & np.isnan(reference) | (graph == reference)] = 0
    error[np.isnan(error)] = np.inf
    finite = np.where(np.isfinite(reference), np.abs(reference), 0)
    found: NDArray[np.float64] = (error / np.maximum(1, finite.max(axis=1, keepdims=True))).max(axis=1)
    return found


def _flips(graph: Rows, reference: Rows, thresholds: Sequence[float]) -> int:
    """Rows with another decision; without thresholds the greatest output decides."""
    if not len(graph):
        return 0
    if not thresholds:
        return int((graph.argmax(axis=1) != reference.argmax(axis=1)).sum())
    cuts = np.array(thresholds, np.float32)
    sides = (graph[:, :, np.newaxis] >= cuts) != (reference[:, :, np.newaxis] >= cuts)
    return int(sides.any(axis=(1, 2)).sum())


def _parity(errors: NDArray[np.float64], flips: int, thresholds: Sequence[float]) -> Parity:
    rows = len(errors)
    agreement = int(1000 * (rows - flips) / rows) / 1000 if rows else 0.0
    error = rounded_up(float(errors.max(initial=0.0)))
    return Parity(rows, error, ALLOWED, 0, agreement, flips, tuple(thresholds))


def _refuse(
    config: PredictionConfig, told: tuple[Rows, Rows, Rows], errors: NDArray[np.float64], problems: Problems
) -> None:
    rows, graph, reference = told
    worst = int(errors.argmax())
    row = ", ".join(f"{value:g}" for value in rows[worst][:8].tolist())
    made, wanted = graph[worst].tolist(), reference[worst].tolist()
    message = (
        f"model {config.name!r} is not what was trained: of the row {row} it makes {made}, its reference"
        f" {wanted}; the error is {errors[worst]:.2g}, and {ALLOWED:.2g} is allowed"
    )
    hint = "train the model again, or tell its recipe's author"
    problems.error(config.path, config.line, "parity", message, hint)


def _certificate(config: PredictionConfig, model: PredictionModel, parity: Parity) -> ModelCertificate:
    card = model.card
    settings = {k: v for k, v in card.get("settings", {}).items() if isinstance(v, int | float | str)}
    figures = {k: v.get("value") if isinstance(v, dict) else v for k, v in card.get("metrics", {}).items()}
    metrics = {k: v for k, v in figures.items() if isinstance(v, int | float)}
    seed = int(settings.get("seed", 0))
    data, code, split = (str(card.get(key, "")) for key in ("data", "code", "split"))
    recipe = str(card.get("recipe", ""))
    return ModelCertificate(
        config.name, recipe, settings, seed, data, code, split, metrics, parity, _cost(model)
    )


def _cost(model: PredictionModel) -> Cost:
    proto = onnx.load_model_from_string(model.graph)
    shape = next(value for value in proto.graph.input if value.name == INPUT).type.tensor_type.shape
    arrays: dict[str, Array] = dict(model.arrays)
    feeds = {INPUT: np.zeros((1, shape.dim[1].dim_value), np.float32), **arrays}
    size = len(model.graph) + sum(array.nbytes for array in arrays.values())
    return Cost(size, count_operations(model.graph, feeds), 1)
