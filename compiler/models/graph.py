"""Merges trained models into the one ONNX graph of a bundle."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import onnx
from msgspec import structs
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from compiler.models.context import NO_CONTEXTS, Contexts, own_context
from compiler.models.hygiene import check_constants, tidy
from compiler.models.scans import cut_nodes, scan_nodes, seen_nodes
from compiler.models.shortlists import (
    found_by,
    leaves_out,
    list_nodes,
    pool_nodes,
    short_nodes,
    shortlist_of,
    shortlists,
    widened,
)
from compiler.recommenders.graph import NEVER, Pool, Stage
from edge.bundle.arrays import Array
from edge.bundle.features import CONTEXT
from edge.bundle.format import ModelsPlan, RecommenderPlan
from edge.bundle.stock import INPUT as STOCK
from edge.decide.operators import check_graph
from edge.errors import GivenError

OPSET: Final = 18
IR_VERSION: Final = 8
"""Old enough for every onnxruntime that the edge allows."""

GRAPH_ARTIFACT: Final = "graph"
MAX_HISTORY: Final = 50
SHARED: Final = frozenset({"history", "weight"})
NO_STAGE: Final = Stage()


class ScoreModel(Protocol):
    """What a trained model must offer: a score graph and a reference that gives the same numbers.

    `scores_graph` is ONNX: inputs ``history`` (int32, (batch, length), padded
    with ``len(items)``), ``weight`` (float32, same shape, 0 where padded),
    `arrays` by name and, where it has `features`, ``context`` (float32, (batch, len(features)), NaN
    where missing); output ``scores`` (float32, (batch, len(items))).
    """

    @property
    def items(self) -> tuple[str, ...]:
        """The catalog's item ids, in its order."""

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the numbers that it takes in of a context, in order."""

    @property
    def scores_graph(self) -> bytes:
        """A serialized ONNX model."""

    @property
    def arrays(self) -> Mapping[str, Array]:
        """What the graph's other inputs are bound to."""

    @property
    def excludes_seen(self) -> bool:
        """Whether a list leaves out what the history holds."""

    def score(
        self,
        history: NDArray[np.int32],
        weight: NDArray[np.float32],
        context: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """The scores, computed without ONNX."""


@dataclass(frozen=True)
class RecommenderSpec:
    """One recommender: the model of the same name, and another one where nothing is known of a visitor."""

    name: str
    limit: int
    fallback: str | None = None


@dataclass(frozen=True, eq=False)
class MergedGraph:
    """The graph, how the edge calls it, the arrays to pack by artifact name, what its models take in.

    `whole` is the graph with all scores of models that are listed from shortlists, too: onnxruntime would
    compute them, whether an output asks for them or not.
    """

    graph: bytes
    plan: ModelsPlan
    arrays: dict[str, dict[str, Array]]
    contexts: Contexts = NO_CONTEXTS
    whole: bytes = b""


def merge(
    models: Mapping[str, ScoreModel],
    specs: Sequence[RecommenderSpec],
    max_history: int = MAX_HISTORY,
    stage: Stage = NO_STAGE,
    contexts: Contexts = NO_CONTEXTS,
) -> MergedGraph:
    """One deterministic graph for all recommenders, sharing what they share.

    Inputs are ``history``, ``weight``, ``stock`` and ``model/NAME/ARRAY``; outputs ``items/NAME``
    (int32, (batch, limit), -1 where no item is left) and ``scores/NAME`` (float32).
    Models that no recommender names are left out. The pools of `stage` have such outputs, too; their arrays
    and, where they have gates, ``gate`` (int32, (batch, gates)) are inputs. Where models take in something
    of the context, so is ``context`` (float32, (batch, columns)).

    Raises
    ------
    GivenError
        ``recommender`` or ``model-graph``: a name is missing or doubled, a limit
        is no positive number, catalogs differ, or a graph holds what is not allowed.
    """
    used = _used_models(models, specs, stage.pools)
    n_items = _n_items(models, used)
    ordered = sorted(specs, key=lambda spec: spec.name)
    sketch = _Sketch(n_items, contexts)
    for name in used:
        part = _Part(name, models[name], contexts.width(name))
        sketch.add(part.nodes, part.constants)
        sketch.inputs += part.inputs
    for name, times in _short_parts(models, ordered, stage.pools):
        wide = models[name] if times == 1 else widened(models[name], times)
        sketch.add(*short_nodes(name, shortlist_of(wide), times))
    for part_of_list in _lists(models, ordered, contexts):
        sketch.add(*part_of_list)
    if stage.pools:
        _add_stage(sketch, stage, n_items)
    keep = [f"model/{name}/scores" for name in used]
    keep += [own_context(name) for name in used if contexts.width(name)]
    whole, asked = sketch.serialize(keep), _asked_for(sketch.nodes, sketch.outputs)
    lean = [name for name in keep if name in asked]
    graph = whole if lean == keep else sketch.serialize(lean)
    plan = _plan(models, used, ordered, max_history, contexts)
    plan = structs.replace(
        plan,
        bindings=plan.bindings | (stage.bindings() if stage.pools else {}),
        recommenders=plan.recommenders + _pool_plans(stage.pools, contexts),
        gates=stage.gates if stage.pools else 0,
        columns=contexts.columns,
    )
    arrays = {f"arrays/{name}": dict(models[name].arrays) for name in used}
    return MergedGraph(graph, plan, arrays, contexts, whole)


class _Sketch:
    """A graph in the making, with what all parts of it share."""

    def __init__(self, n_items: int, contexts: Contexts) -> None:
        stock = helper.make_tensor_value_info(STOCK, TensorProto.FLOAT, [n_items + 1])
        history = _value("history", TensorProto.INT32, "length")
        self.inputs = [history, _value("weight", TensorProto.FLOAT, "length"), stock, *contexts.inputs()]
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, Array] = {}
        self.outputs: list[ValueInfoProto] = []
        self.add(*seen_nodes(n_items))
        self.add(*contexts.nodes())

    def add(
        self,
        nodes: Sequence[NodeProto],
        constants: Mapping[str, Array],
        outputs: Sequence[ValueInfoProto] = (),
    ) -> None:
        """Put a part behind those that there are."""
        self.nodes += nodes
        self.constants |= constants
        self.outputs += outputs

    def serialize(self, keep: Sequence[str]) -> bytes:
        """The graph, with these values as they are called."""
        return _serialize(self.nodes, self.inputs, self.outputs, self.constants, keep)


def _add_stage(sketch: _Sketch, stage: Stage, n_items: int) -> None:
    """The pools, and what they share."""
    sketch.inputs += stage.inputs()
    sketch.add(stage.nodes(), stage.constants())
    sketch.constants[":padding"] = np.array(n_items, np.int32)
    sketch.constants[":last_item"] = np.array(n_items - 1, np.int32)
    for pool in stage.pools:
        open_ = f"list/{pool.name}/open"
        nodes = pool_nodes(pool.name, pool.items, open_) if pool.width else cut_nodes(pool.name, open_)
        limit: dict[str, Array] = {f"list/{pool.name}/limit": np.array([pool.size], np.int64)}
        sketch.add(nodes, limit, _outputs(pool.name, pool.size))


def reference_items(
    models: Mapping[str, ScoreModel], spec: RecommenderSpec, history: Sequence[int]
) -> list[int]:
    """What `spec` must list for a history, computed without ONNX; ties go to the lower position."""
    return [position for position, _ in reference_list(models, spec, history)]


def reference_list(
    models: Mapping[str, ScoreModel],
    spec: RecommenderSpec,
    history: Sequence[int],
    contexts: Contexts = NO_CONTEXTS,
    row: Sequence[float] = (),
) -> list[tuple[int, float]]:
    """The same, each item with its score, for a row of the columns of `contexts`."""
    known = np.array([history], np.int32).reshape(1, -1)
    weight = np.ones(known.shape, np.float32)
    goes = len(history) or spec.fallback is None or contexts.knows(spec.name, row)
    name = spec.name if goes else str(spec.fallback)
    taken = contexts.of(name, [row])
    is_short = bool(shortlists(models, spec.name, spec.fallback))
    found = found_by(models[name], known, weight) if is_short and leaves_out(models[name]) else None
    if found is None:
        scores = models[name].score(known, weight, taken)[0].copy()
        items = np.arange(len(scores))
    else:
        items, scores = found[0][0], found[1][0].copy()
    if models[spec.name].excludes_seen:
        scores[np.isin(items, known[0])] = NEVER
    best = np.argsort(-scores, kind="stable")[: spec.limit]
    return [(int(items[place]), float(scores[place])) for place in best if scores[place] != NEVER]


class _Part:
    """A model's score graph with every name put under the model's own."""

    def __init__(self, name: str, model: ScoreModel, width: int) -> None:
        self._prefix = f"model/{name}/"
        proto = onnx.load_model_from_string(model.scores_graph)
        self._check(name, proto, model, width)
        made = SHARED | {CONTEXT}
        self.inputs = [self._renamed(value) for value in proto.graph.input if value.name not in made]
        self.constants = {
            self._prefix + tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer
        }
        self.nodes = [self._node(node) for node in proto.graph.node]

    def _check(self, name: str, proto: onnx.ModelProto, model: ScoreModel, width: int) -> None:
        if len(model.features) != width:
            message = (
                f"it takes in {len(model.features)} numbers of the context, and its features are {width}"
            )
            raise GivenError("model-graph", f"model {name!r}: {message}")
        wanted = SHARED | set(model.arrays) | ({CONTEXT} if width else set())
        found = {value.name for value in proto.graph.input}
        if found != wanted:
            raise GivenError("model-graph", f"model {name!r}: inputs {sorted(found)}, not {sorted(wanted)}")
        if [value.name for value in proto.graph.output] != ["scores"]:
            raise GivenError("model-graph", f"model {name!r}: its one output must be 'scores'")
        for key, array in model.arrays.items():
            if not np.isfinite(array).all():
                raise GivenError("model-graph", f"model {name!r}: array {key!r} holds NaN or infinity")

    def _name(self, name: str) -> str:
        return name if name in SHARED or not name else self._prefix + name

    def _renamed(self, value: ValueInfoProto) -> ValueInfoProto:
        copy = ValueInfoProto()
        copy.CopyFrom(value)
        copy.name = self._name(value.name)
        return copy

    def _node(self, node: NodeProto) -> NodeProto:
        copy = NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = [self._name(name) for name in node.input]
        copy.output[:] = [self._name(name) for name in node.output]
        copy.name, copy.doc_string = "", ""
        return copy


def _used_models(
    models: Mapping[str, ScoreModel], specs: Sequence[RecommenderSpec], pools: Sequence[Pool]
) -> list[str]:
    names = [spec.name for spec in specs] + [pool.name for pool in pools]
    if not names or len(set(names)) != len(names):
        raise GivenError("recommender", f"recommenders must be named, each once: {names}")
    for spec in specs:
        if spec.limit < 1:
            raise GivenError("recommender", f"{spec.name!r}: limit must be at least 1, not {spec.limit}")
    used = {name for spec in specs for name in (spec.name, spec.fallback) if name is not None}
    used |= {pool.model for pool in pools}
    if missing := sorted(used - set(models)):
        raise GivenError("recommender", f"no trained model {', '.join(missing)}; train it first")
    return sorted(used)


def _plan(
    models: Mapping[str, ScoreModel],
    used: Sequence[str],
    specs: Sequence[RecommenderSpec],
    max_history: int,
    contexts: Contexts,
) -> ModelsPlan:
    n_items = len(models[used[0]].items)
    bindings = {
        f"model/{name}/{key}": (f"arrays/{name}", key) for name in used for key in sorted(models[name].arrays)
    }
    recommenders = tuple(
        RecommenderPlan(
            spec.name, f"items/{spec.name}", f"scores/{spec.name}", min(spec.limit, n_items),
            columns=contexts.read([spec.name, spec.fallback or spec.name]),
        )
        for spec in specs
    )  # fmt: skip
    return ModelsPlan(GRAPH_ARTIFACT, n_items, max_history, bindings, recommenders, stock=True)


def _pool_plans(pools: Sequence[Pool], contexts: Contexts) -> tuple[RecommenderPlan, ...]:
    return tuple(
        RecommenderPlan(
            pool.name, f"items/{pool.name}", f"scores/{pool.name}", pool.size, pool=True,
            columns=contexts.read([pool.model]),
        )
        for pool in pools
    )  # fmt: skip


def _n_items(models: Mapping[str, ScoreModel], used: Sequence[str]) -> int:
    items = models[used[0]].items
    for name in used:
        if models[name].items != items:
            raise GivenError(
                "model-graph", f"models {used[0]!r} and {name!r} know different items; train both again"
            )
    return len(items)


def _value(name: str, type_: int, columns: int | str) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, type_, ["batch", columns])


def _short_parts(
    models: Mapping[str, ScoreModel], specs: Sequence[RecommenderSpec], pools: Sequence[Pool]
) -> list[tuple[str, int]]:
    """The models whose shortlists are asked for, and how many times as much as for a list each looks at."""
    found = {(name, 1) for spec in specs for name in shortlists(models, spec.name, spec.fallback)}
    return sorted(found | {(pool.model, pool.width) for pool in pools if pool.width})


def _lists(
    models: Mapping[str, ScoreModel], specs: Sequence[RecommenderSpec], contexts: Contexts
) -> Iterator[tuple[list[NodeProto], dict[str, Array], list[ValueInfoProto]]]:
    """Nodes, constants and outputs of each recommender: of shortlists where there are, else of all scores."""
    for spec in specs:
        limit = min(spec.limit, len(models[spec.name].items))
        short = shortlists(models, spec.name, spec.fallback)
        known, asking, tables = contexts.known_nodes(spec.name)
        if short:
            nodes = list_nodes(spec.name, spec.fallback)
        else:
            nodes = scan_nodes(spec.name, spec.fallback, models[spec.name].excludes_seen, known)
        constants = tables | {f"list/{spec.name}/limit": np.array([limit], np.int64)}
        yield asking + nodes, constants, _outputs(spec.name, limit)


def _outputs(name: str, limit: int) -> list[ValueInfoProto]:
    return [
        _value(f"items/{name}", TensorProto.INT32, limit),
        _value(f"scores/{name}", TensorProto.FLOAT, limit),
    ]


def _asked_for(nodes: Sequence[NodeProto], outputs: Sequence[ValueInfoProto]) -> set[str]:
    """All values that the outputs depend on."""
    wanted = {value.name for value in outputs}
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(node.input)
    return wanted


def _serialize(
    nodes: list[NodeProto],
    inputs: list[ValueInfoProto],
    outputs: list[ValueInfoProto],
    constants: Mapping[str, Array],
    keep: Sequence[str],
) -> bytes:
    initializers = [numpy_helper.from_array(array, name) for name, array in sorted(constants.items())]
    graph = helper.make_graph(nodes, "recommenders", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="")
    model.ir_version = IR_VERSION
    model = tidy(model, keep)
    check_constants(model)
    onnx.checker.check_model(model, full_check=True)
    data = bytes(model.SerializeToString(deterministic=True))
    check_graph(data)
    return data
