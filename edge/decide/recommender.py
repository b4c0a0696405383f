"""Runs a revision's one ONNX graph over memory-mapped arrays, for all visitors of a turn at once."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edge.bundle import format as fmt
from edge.bundle.arrays import Array, unpack
from edge.bundle.format import ModelsPlan
from edge.bundle.reader import Bundle
from edge.decide.operators import check_graph
from edge.errors import BundleError

MAX_ITEMS: Final = 10_000_000
MAX_HISTORY: Final = 1_024
MAX_LIMIT: Final = 1_000

ONNX_TYPES: Final = {"<f4": "tensor(float)", "<i4": "tensor(int32)"}


class Recommender:
    """One revision's recommenders, ready to run; never changed.

    For one thread: calls share their output buffers.
    """

    def __init__(self, plan: ModelsPlan, session: ort.InferenceSession, arrays: Mapping[str, Array]) -> None:
        self.plan = plan
        self.names = tuple(recommender.name for recommender in plan.recommenders)
        self._session = session
        self._arrays = dict(arrays)
        self._outputs = [recommender.items_output for recommender in plan.recommenders]
        self._sources: dict[str, Any] = {}

    @classmethod
    def load(cls, bundle: Bundle, previous: "Recommender | None" = None) -> "Recommender":
        """The recommenders of a bundle; what `previous` loaded from the same artifacts is used again.

        Raises
        ------
        BundleError
            ``graph``, ``plan``, ``arrays`` or ``artifact-list``: they do not fit each other.
        """
        plan = fmt.decode(bundle.read(bundle.one("models", "plan")), ModelsPlan)
        _check_plan(plan)
        graph = bundle.one("models", "graph")
        sources = {a.name: a.sha256 for a in bundle.artifacts("models", "arrays").values()}
        session = _open_session(bytes(bundle.read(graph)))
        files = {name: unpack(bundle.read(a)) for name, a in bundle.artifacts("models", "arrays").items()}
        arrays = {}
        for name, (artifact, key) in plan.bindings.items():
            if key not in files.get(artifact, {}):
                raise BundleError("plan", f"input {name!r} is bound to {artifact}:{key}, which is missing")
            arrays[name] = files[artifact][key]
        _check_signature(plan, session, arrays)
        loaded = cls(plan, session, arrays)
        loaded._sources = {"graph": graph.sha256, **sources}
        return loaded

    def recommend(self, histories: Sequence[Sequence[int]]) -> dict[str, list[list[int]]]:
        """For each recommender, a list of catalog positions per history, best first.

        Parameters
        ----------
        histories
            Distinct catalog positions, most recent first; those past
            `ModelsPlan.max_history` are not used. What shares a call changes nothing.
        """
        if not histories:
            return {name: [] for name in self.names}
        history, weight = self._pad(histories)
        answers = self._session.run(self._outputs, {"history": history, "weight": weight, **self._arrays})
        return {name: _cut(answer.tolist()) for name, answer in zip(self.names, answers, strict=True)}

    def list_items(self, histories: Sequence[Sequence[int]]) -> list[dict[str, list[int]]]:
        """The same as `recommend`, by history first: the form that golden decisions have."""
        lists = self.recommend(histories)
        return [{name: lists[name][row] for name in self.names} for row in range(len(histories))]

    def _pad(self, histories: Sequence[Sequence[int]]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        length = max(1, min(self.plan.max_history, max(map(len, histories))))
        history = np.full((len(histories), length), self.plan.n_items, np.int32)
        for row, positions in zip(history, histories, strict=True):
            cut = positions[:length]
            row[: len(cut)] = cut
        return history, (history != self.plan.n_items).astype(np.float32)


def _cut(rows: list[list[int]]) -> list[list[int]]:
    return [row if row[-1] >= 0 else row[: row.index(-1)] for row in rows]


def _check_plan(plan: ModelsPlan) -> None:
    if not (1 <= plan.n_items <= MAX_ITEMS and 1 <= plan.max_history <= MAX_HISTORY):
        raise BundleError("plan", f"{plan.n_items} items, {plan.max_history} in a history")
    for recommender in plan.recommenders:
        if not 1 <= recommender.limit <= min(MAX_LIMIT, plan.n_items):
            raise BundleError("plan", f"recommender {recommender.name!r} lists {recommender.limit}")
    if not plan.recommenders:
        raise BundleError("plan", "names no recommender")


def _open_session(graph: bytes) -> ort.InferenceSession:
    """A session of one thread: a worker is one core, and its processes are the parallelism."""
    check_graph(graph)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors have no common base below this
        raise BundleError("graph", f"onnxruntime refuses it: {error}") from error


def _check_signature(plan: ModelsPlan, session: ort.InferenceSession, arrays: Mapping[str, Array]) -> None:
    wanted = {name: (ONNX_TYPES.get(a.dtype.str, ""), tuple(a.shape)) for name, a in arrays.items()}
    wanted["history"] = ("tensor(int32)", ("batch", "length"))
    wanted["weight"] = ("tensor(float)", ("batch", "length"))
    found = {node.name: (node.type, tuple(node.shape)) for node in session.get_inputs()}
    if found != wanted:
        raise BundleError("plan", f"graph inputs are {found}, not {wanted}")
    outputs = {node.name: (node.type, tuple(node.shape)) for node in session.get_outputs()}
    for recommender in plan.recommenders:
        expected = ("tensor(int32)", ("batch", recommender.limit))
        if outputs.get(recommender.items_output) != expected:
            raise BundleError("plan", f"graph has no output {recommender.items_output!r} as {expected}")
