"""Compares the scores of the compiled graph with those of each model's reference, row by row."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from compiler.models.context import own_context
from compiler.models.graph import MergedGraph, ScoreModel
from compiler.models.hygiene import tidy
from compiler.models.real_rows import History, Rows, padded, real_rows
from edge.bundle.arrays import Array
from edge.bundle.certificate import Parity
from edge.decide.recommender import open_session

ALLOWED: Final = 1e-5
"""As `Parity.error` counts it: what float32 sums in another order may do."""

BATCH_SCORES: Final = 1 << 22
"""Rows of a call times items; some tens of megabytes for each model."""
MAX_BATCH: Final = 256
"""Rows of a call: 50 items with 1,000 neighbours each are half a megabyte for each row."""

Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Worst:
    """The row of the greatest error: its history, the item, and what graph and reference say of it."""

    history: tuple[int, ...]
    item: int
    graph: float
    reference: float


@dataclass
class _Tally:
    """What was found so far of one model."""

    rows: int = 0
    alike: int = 0
    flips: int = 0
    error: float = 0.0
    worst: Worst | None = None


@dataclass(frozen=True)
class Measured:
    """What a certificate says, and what a refusal does."""

    parity: Parity
    error: float
    worst: Worst | None


class Sampled(ScoreModel, Protocol):
    """A score model with real rows of its training data."""

    @property
    def sample(self) -> Mapping[str, Array]:
        """See `models.data.sample`; empty where there are none."""


def measure(
    merged: MergedGraph, models: Mapping[str, Sampled], tops: Mapping[str, int]
) -> dict[str, Measured]:
    """Parity of each model over its own real rows; `tops` says how many items each lists.

    The graph is the compiled one, cut to the models' own scores. Models that were trained on the
    same rows are asked in one call.
    """
    alike: dict[bytes, list[str]] = {}
    for name in sorted(models):
        arrays = models[name].sample
        key = b"".join(arrays[part].tobytes() for part in sorted(arrays))
        alike.setdefault(key, []).append(name)
    found: dict[str, Measured] = {}
    for names in alike.values():
        found |= _measure({name: models[name] for name in names}, merged, tops)
    return found


def _measure(
    models: Mapping[str, Sampled], merged: MergedGraph, tops: Mapping[str, int]
) -> dict[str, Measured]:
    """Parity of models that share their rows."""
    n_items, graph = merged.plan.n_items, _Graph(merged, list(models))
    tallies = {name: _Tally() for name in models}
    rows = real_rows(next(iter(models.values())).sample, n_items, merged.plan.max_history)
    for batch, context in _batches(rows, n_items):
        history, weight = padded(batch, n_items)
        for (name, model), scores in zip(models.items(), graph.run(history, weight, context), strict=True):
            top = tops[name] if model.excludes_seen else -tops[name]
            _compare(tallies[name], batch, scores, model.score(history, weight, context), top)
    return {name: _summed(tally, tops[name]) for name, tally in tallies.items()}


class _Graph:
    """The compiled graph, cut to the models' own scores."""

    def __init__(self, merged: MergedGraph, names: Sequence[str]) -> None:
        self._outputs = [f"model/{name}/scores" for name in names]
        self._taken = {own_context(name): merged.contexts.width(name) for name in names}
        cut = _cut(merged.whole or merged.graph, self._outputs, merged.plan.n_items, self._taken)
        self._session = open_session(cut)
        self._wanted = {node.name for node in self._session.get_inputs()}
        self._arrays = {
            name: merged.arrays[file][key]
            for name, (file, key) in merged.plan.bindings.items()
            if name in self._wanted
        }

    def run(self, history: History, weight: Scores, context: Scores | None) -> list[Scores]:
        """Scores of each model for a padded batch."""
        feeds = {"history": history, "weight": weight, **self._arrays}
        feeds |= {} if context is None else dict.fromkeys(self._taken, context)
        given = {name: array for name, array in feeds.items() if name in self._wanted}
        return list(self._session.run(self._outputs, given))


def _cut(graph: bytes, outputs: Sequence[str], n_items: int, taken: Mapping[str, int]) -> bytes:
    """The graph with other outputs, and without what they do not ask for.

    What models take in of a context, by name with its width, is an input, as it is to their references.
    """
    proto = onnx.load_model_from_string(graph)
    for node in [node for node in proto.graph.node if taken.get(node.output[0])]:
        proto.graph.node.remove(node)
    proto.graph.input.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])
        for name, width in taken.items()
        if width
    )
    del proto.graph.output[:]
    proto.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", n_items]) for name in outputs
    )
    proto = tidy(proto)
    used = {name for node in proto.graph.node for name in node.input}
    for value in [value for value in proto.graph.input if value.name not in used]:
        proto.graph.input.remove(value)
    return bytes(proto.SerializeToString(deterministic=True))


def _batches(rows: Rows, n_items: int) -> Iterator[Rows]:
    size = min(MAX_BATCH, max(1, BATCH_SCORES // n_items))
    for start in range(0, len(rows.histories), size):
        part, known = slice(start, start + size), rows.contexts
        yield Rows(rows.histories[part], None if known is None else known[part])


def _compare(tally: _Tally, rows: Sequence[History], graph: Scores, reference: Scores, top: int) -> None:
    """Add a batch; a negative `top` also lists what the history holds."""
    tally.rows += len(rows)
    equal = (graph == reference).all(axis=1)
    tally.alike += int(equal.sum())
    for row in np.flatnonzero(~equal).tolist():
        one, other = graph[row].copy(), reference[row].copy()
        _note_error(tally, rows[row], one, other)
        if top > 0:
            one[rows[row]] = other[rows[row]] = -np.inf
        lists = _best(one, abs(top)), _best(other, abs(top))
        tally.alike += lists[0] == lists[1]
        tally.flips += set(lists[0]) != set(lists[1])


def _note_error(tally: _Tally, history: History, graph: Scores, reference: Scores) -> None:
    with np.errstate(invalid="ignore"):
        error = np.where(graph == reference, 0, np.abs(graph.astype(np.float64) - reference))
    error[np.isnan(error)] = np.inf
    finite = np.abs(reference[np.isfinite(reference)])
    error /= max(1.0, float(finite.max(initial=0.0)))
    item = int(error.argmax())
    if tally.worst is None or error[item] > tally.error:
        tally.error = float(error[item])
        past = tuple(history.tolist())
        tally.worst = Worst(past, item, float(graph[item]), float(reference[item]))


def _best(scores: Scores, top: int) -> list[int]:
    order = np.argsort(-scores, kind="stable")[:top]
    return [int(item) for item in order if scores[item] > -np.inf]


def _summed(tally: _Tally, top: int) -> Measured:
    error = rounded_up(tally.error)
    agreement = int(1000 * tally.alike / tally.rows) / 1000 if tally.rows else 0.0
    parity = Parity(tally.rows, error, ALLOWED, top, agreement, tally.flips)
    return Measured(parity, tally.error, tally.worst)


def rounded_up(error: float) -> float:
    """To a power of two: the last bits of an error differ by machine, and bundles must not."""
    return float(2.0 ** np.ceil(np.log2(error))) if 0 < error < np.inf else error
