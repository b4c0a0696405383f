"""Joins features and trained predictions into the one graph that the edge runs before it matches rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from compiler.features.nodes import FeatureNodes
from compiler.models.graph import IR_VERSION, OPSET
from compiler.models.hygiene import check_constants, tidy
from edge.bundle.arrays import Array
from edge.bundle.features import CONTEXT, Features, columns_of, flattened, needed
from edge.bundle.predictions import PredictionPlan, Predictions
from edge.decide.operators import check_graph
from edge.errors import GivenError

GRAPH_ARTIFACT: Final = "prediction-graph"
INPUT: Final = "features"
OUTPUT: Final = "prediction"


class PredictionModel(Protocol):
    """What a trained prediction must offer: a graph, and a reference that gives the same numbers.

    `graph` is ONNX: inputs ``features`` (float32, (batch, len(features)), NaN where missing; `words` columns
    where it reads a text) and `arrays` by name; output ``prediction`` (float32, (batch, len(outputs))).
    """

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the numbers of a row, in order."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what is predicted."""

    @property
    def names_winner(self) -> bool:
        """Whether the answer is the name of the greatest output."""

    @property
    def words(self) -> int:
        """The width of the row that is made of a text; 0 where it reads none."""

    @property
    def graph(self) -> bytes:
        """A serialized ONNX model."""

    @property
    def arrays(self) -> Mapping[str, Array]:
        """What the graph's other inputs are bound to."""

    @property
    def card(self) -> Mapping[str, Any]:
        """How it came about; all JSON."""

    @property
    def sample(self) -> Mapping[str, Array]:
        """Real rows of its training data, of `models.data.sample`; may be empty."""

    def reference(self, rows: NDArray[np.float32], /) -> NDArray[np.float32]:
        """The predictions, computed without ONNX."""


@dataclass(frozen=True)
class PredictionSpec:
    """One prediction: the model of the same name, and what it is made from and used for.

    `text` is the attribute that it reads instead of features. `outputs` are their names in rules.
    """

    name: str
    features: tuple[str, ...]
    purposes: tuple[str, ...] = ()
    text: str = ""
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class JoinedPredictions:
    """The graph, how the edge calls it, and the arrays to pack by artifact name."""

    graph: bytes
    plan: Predictions
    arrays: dict[str, dict[str, Array]]


def join(
    models: Mapping[str, PredictionModel], specs: Sequence[PredictionSpec], features: Features
) -> JoinedPredictions:
    """One deterministic graph for all predictions; what features they share is computed once.

    Inputs are ``context`` (float32, (batch, columns)) and ``model/NAME/ARRAY``; outputs ``prediction/NAME``.

    Raises
    ------
    GivenError
        ``model-graph``: a graph has other inputs or outputs than it must, or holds what is not allowed.
    """
    ordered = sorted(specs, key=lambda spec: spec.name)
    plan = _plan(models, ordered, features)
    inputs = [_value(CONTEXT, len(plan.columns))] if plan.columns else []
    texts = {one.text_input: one.words for one in plan.predictions if one.text}
    inputs += [_value(name, width) for name, width in sorted(texts.items())]
    nodes, constants = _vectors(ordered, features)
    parts, outputs = [], []
    for spec, one in zip(ordered, plan.predictions, strict=True):
        width = one.words or len(list(flattened(spec.features, features)))
        part = _Part(spec.name, models[spec.name], width, one.text_input if one.text else "")
        parts.append(part)
        nodes, constants, inputs = nodes + part.nodes, constants | part.constants, inputs + part.inputs
        outputs.append(_value(f"{OUTPUT}/{spec.name}", len(one.outputs)))
    graph = _serialize(nodes, (inputs, outputs), constants, parts)
    arrays = {f"predictions/{s.name}": dict(models[s.name].arrays) for s in ordered if models[s.name].arrays}
    return JoinedPredictions(graph, plan, arrays)


def _vectors(specs: Sequence[PredictionSpec], features: Features) -> tuple[list[NodeProto], dict[str, Array]]:
    """Nodes from the context to what each model takes in."""
    asking = [spec for spec in specs if spec.features]
    if not asking:
        return [], {}
    made = FeatureNodes([name for spec in asking for name in spec.features], features, CONTEXT)
    for spec in asking:
        made.vector(spec.features, f"model/{spec.name}/{INPUT}")
    return made.nodes, made.constants


class _Part:
    """A prediction's graph with every name put under the model's own."""

    def __init__(self, name: str, model: PredictionModel, width: int, text_input: str) -> None:
        self._name, self._prefix, self._text_input = name, f"model/{name}/", text_input
        self.features = self._prefix + INPUT
        proto = onnx.load_model_from_string(model.graph)
        self.opsets = {entry.domain: entry.version for entry in proto.opset_import}
        self._check(proto, model, width)
        self.inputs = [self._renamed(value) for value in proto.graph.input if value.name != INPUT]
        self.constants = {
            self._prefix + tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer
        }
        self.nodes = [self._node(node) for node in proto.graph.node]

    def _check(self, proto: ModelProto, model: PredictionModel, width: int) -> None:
        wanted = {INPUT, *model.arrays}
        found = {value.name for value in proto.graph.input}
        if found != wanted:
            raise self._wrong(f"inputs {sorted(found)}, not {sorted(wanted)}")
        if [value.name for value in proto.graph.output] != [OUTPUT]:
            raise self._wrong(f"its one output must be {OUTPUT!r}")
        columns = {v.name: v.type.tensor_type.shape.dim[-1].dim_value for v in proto.graph.input}[INPUT]
        if columns != width:
            raise self._wrong(f"it takes in {columns} numbers, and its features are {width}")
        for key, array in model.arrays.items():
            if not np.isfinite(array).all():
                raise self._wrong(f"array {key!r} holds NaN or infinity")
        if self.opsets.get("") != OPSET:
            raise self._wrong(f"it is of opset {self.opsets.get('')}, not {OPSET}")

    def _wrong(self, message: str) -> GivenError:
        return GivenError("model-graph", f"model {self._name!r}: {message}")

    def _renamed(self, value: ValueInfoProto) -> ValueInfoProto:
        copy = ValueInfoProto()
        copy.CopyFrom(value)
        copy.name = self._prefix + value.name
        return copy

    def _node(self, node: NodeProto) -> NodeProto:
        copy = NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = [self._taken(name) for name in node.input]
        copy.output[:] = [self._own(name) for name in node.output]
        copy.name, copy.doc_string = "", ""
        return copy

    def _taken(self, name: str) -> str:
        text = name == INPUT and self._text_input
        return text or (name and self._prefix + name)

    def _own(self, name: str) -> str:
        return f"{OUTPUT}/{self._name}" if name == OUTPUT else name and self._prefix + name


def _plan(
    models: Mapping[str, PredictionModel], specs: Sequence[PredictionSpec], features: Features
) -> Predictions:
    columns = columns_of(needed([name for spec in specs for name in spec.features], features))
    bindings = {
        f"model/{spec.name}/{key}": (f"predictions/{spec.name}", key)
        for spec in specs
        for key in sorted(models[spec.name].arrays)
    }
    plans = []
    for spec in specs:
        model = models[spec.name]
        read = sorted({columns.index(column) for column in columns_of(needed(spec.features, features))})
        plan = PredictionPlan(
            spec.name, f"{OUTPUT}/{spec.name}", spec.outputs or model.outputs, tuple(read),
            model.names_winner, spec.purposes, spec.text, model.words,
        )  # fmt: skip
        plans.append(plan)
    return Predictions(GRAPH_ARTIFACT, columns, bindings, tuple(plans))


def _value(name: str, columns: int) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", columns])


Values = list[ValueInfoProto]


def _serialize(
    nodes: list[NodeProto],
    ends: tuple[Values, Values],
    constants: Mapping[str, Array],
    parts: Sequence[_Part],
) -> bytes:
    initializers = [numpy_helper.from_array(array, name) for name, array in sorted(constants.items())]
    graph = helper.make_graph(nodes, "predictions", *ends, initializers)
    opsets = {domain: version for part in parts for domain, version in sorted(part.opsets.items())}
    imports = [
        helper.make_opsetid(domain, version) for domain, version in sorted({**opsets, "": OPSET}.items())
    ]
    model = helper.make_model(graph, opset_imports=imports, producer_name="")
    model.ir_version = IR_VERSION
    # Of these values a certificate asks what the model makes.
    model = tidy(model, [part.features for part in parts])
    check_constants(model)
    onnx.checker.check_model(model, full_check=True)
    data = bytes(model.SerializeToString(deterministic=True))
    check_graph(data)
    return data
