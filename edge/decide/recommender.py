"""Runs a revision's one ONNX graph over memory-mapped arrays, for all visitors of a turn at once."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from edge.bundle import format as fmt
from edge.bundle.arrays import Array, unpack
from edge.bundle.features import CONTEXT
from edge.bundle.format import Artifact, ModelsPlan
from edge.bundle.reader import Bundle
from edge.bundle.recommender_format import ARRAYS_ARTIFACT, SHADOW, SHADOW_GRAPH, SHADOW_PLAN
from edge.bundle.stock import INPUT as STOCK
from edge.decide.inference import ort, session_options
from edge.decide.operators import check_graph
from edge.decide.plan_check import MAX_HISTORY, check_plan, check_signature
from edge.decide.row import NAN, Row
from edge.decide.stock import ALL, Stock
from edge.errors import BundleError

MAX_CALLS: Final = 512
"""Shapes of a call whose buffers are kept; a few kilobytes each."""

MAX_SCORES: Final = 1 << 22
"""Of one model in one call: more visitors of a large catalog are several calls, as memory has an end."""

MAX_ROUNDS: Final = 16
"""How often a list is asked for without what must not be in it, where that is too much to name at once."""

_STEP: Final = 32
"""Calls that leave items out come in so few lengths that their buffers can be kept."""

_Arrays = dict[str, Array]

Gates = tuple[int, ...]
"""For each gate of the plan, the row of masks that a context picks."""


class Found(NamedTuple):
    """By recommender, and for each history: catalog positions, best first; of pools, their scores, too."""

    lists: dict[str, list[list[int]]]
    scores: dict[str, list[list[float]]]


class _Call:
    """The buffers of one shape of call, bound once: binding anew costs a third of a small call."""

    def __init__(self, recommender: "Recommender", batch: int, length: int) -> None:
        self._padding = [recommender.plan.n_items] * length
        self._length = length
        self._history = np.zeros((batch, length), np.int32)
        self._flat = self._history.reshape(-1)
        self._weight = np.zeros((batch, length), np.float32)
        self._session = recommender.session
        self._binding = self._session.io_binding()
        for name, array in recommender.arrays.items():
            self._binding.bind_cpu_input(name, array)
        self._binding.bind_cpu_input("history", self._history)
        self._binding.bind_cpu_input("weight", self._weight)
        self._gate = np.zeros((batch, recommender.plan.gates), np.int32)
        if recommender.plan.gates:
            self._binding.bind_cpu_input("gate", self._gate)
        self._context = np.zeros((batch, len(recommender.plan.columns)), np.float32)
        if recommender.plan.columns:
            self._binding.bind_cpu_input(CONTEXT, self._context)
        self._lists = {}
        self._scores = {}
        for planned in recommender.plan.recommenders:
            out = self._lists[planned.name] = np.zeros((batch, planned.limit), np.int32)
            self._binding.bind_output(planned.items_output, "cpu", 0, np.int32, out.shape, out.ctypes.data)
            if planned.pool:
                told = self._scores[planned.name] = np.zeros((batch, planned.limit), np.float32)
                name, at = planned.scores_output, told.ctypes.data
                self._binding.bind_output(name, "cpu", 0, np.float32, told.shape, at)

    def run(
        self, histories: Sequence[Sequence[int]], gates: Sequence[Gates] = (), rows: Sequence[Row] = ()
    ) -> Found:
        length, padding = self._length, self._padding
        flat: list[int] = []
        for history in histories:
            flat += history[:length]
            flat += padding[len(history) :]
        self._flat[:] = flat
        np.not_equal(self._history, padding[0], out=self._weight, casting="unsafe")
        if gates:
            self._gate[:] = gates
        return self._listed(rows)

    def run_without(self, viewed: list[int], masked: list[int], gates: Gates, row: Row) -> Found:
        """Lists without the masked items: they stand in the history, and weigh nothing."""
        held = viewed + masked
        self._flat[:] = held + self._padding[len(held) :]
        self._weight[:] = 0
        self._weight[0, : len(viewed)] = 1
        if gates:
            self._gate[0] = gates
        return self._listed([row] if row else ())

    def _listed(self, rows: Sequence[Row]) -> Found:
        if self._context.shape[1]:
            self._context[:] = rows or NAN
        self._session.run_with_iobinding(self._binding)
        lists = {name: _cut(lists.tolist()) for name, lists in self._lists.items()}
        return Found(lists, {name: scores.tolist() for name, scores in self._scores.items()})


class Recommender:
    """One revision's recommenders, ready to run; never changed.

    For one thread: calls of one shape share their buffers.

    Attributes
    ----------
    plan : ModelsPlan
        How the graph is called.
    names : tuple[str, ...]
        Of the recommenders, but for pools.
    pools : frozenset of str
        The names of pools.
    """

    def __init__(self, plan: ModelsPlan, session: ort.InferenceSession, arrays: Mapping[str, Array]) -> None:
        check_plan(plan)
        arrays = dict(arrays)
        if plan.stock:
            arrays[STOCK] = np.zeros(plan.n_items + 1, np.float32)
        check_signature(plan, session, arrays)
        self.plan = plan
        self.names = tuple(recommender.name for recommender in plan.recommenders if not recommender.pool)
        self.pools = frozenset(recommender.name for recommender in plan.recommenders if recommender.pool)
        self.session = session
        self.arrays = arrays
        self._stock = ALL
        self._calls: dict[tuple[int, int], _Call] = {}
        self._graph_sha256 = ""
        self._files: dict[str, _Arrays] = {}

    @classmethod
    def load(cls, bundle: Bundle, previous: "Recommender | None" = None) -> "Recommender":
        """The recommenders of a bundle; what `previous` holds of the same artifacts is used again.

        Raises
        ------
        BundleError
            ``graph``, ``plan``, ``arrays`` or ``artifact-list``: the artifacts
            are not what they should be, or do not fit each other.
        """
        if not any(bundle.artifacts("models", kind) for kind in ("plan", "graph", "arrays")):
            return NoRecommenders()
        return cls._load(bundle, (bundle.one("models", "plan"), bundle.one("models", "graph")), previous)

    @classmethod
    def load_shadow(cls, bundle: Bundle, previous: "Recommender | None" = None) -> "Recommender":
        """What is scored beside the page, of models that nobody sees yet; raises as `load`."""
        parts = bundle.artifacts("models", SHADOW)
        if not parts:
            return NoRecommenders()
        if parts.keys() != {SHADOW_PLAN, SHADOW_GRAPH}:
            raise BundleError("artifact-list", f"shadow has {sorted(parts)}")
        return cls._load(bundle, (parts[SHADOW_PLAN], parts[SHADOW_GRAPH]), previous)

    @classmethod
    def _load(
        cls, bundle: Bundle, parts: tuple[Artifact, Artifact], previous: "Recommender | None"
    ) -> "Recommender":
        graph = parts[1]
        plan = fmt.decode(bundle.read(parts[0]), ModelsPlan)
        artifacts = bundle.artifacts("models", "arrays") | bundle.artifacts("catalog", ARRAYS_ARTIFACT)
        files = {a.sha256: _open_arrays(bundle, a, previous) for a in artifacts.values()}
        arrays = {}
        for name, (artifact, key) in plan.bindings.items():
            found = files[artifacts[artifact].sha256] if artifact in artifacts else {}
            if key not in found:
                raise BundleError(
                    "plan", f"input {name!r} is bound to {key!r} of {artifact!r}, which is missing"
                )
            arrays[name] = found[key]
        if previous is not None and previous._graph_sha256 == graph.sha256:
            session = previous.session
        else:
            session = open_session(bytes(bundle.read(graph)))
        loaded = cls(plan, session, arrays)
        loaded._graph_sha256, loaded._files = graph.sha256, files
        if previous is not None and loaded._is_same(previous):
            return previous
        return loaded

    def keep(self, stock: Stock) -> None:
        """List nothing that is sold out from now on, where the plan keeps stock; the same again is free."""
        if stock is self._stock or not self.plan.stock:
            return
        # In place, as all calls are bound to it; only what changes, as catalogs may be large.
        self.arrays[STOCK][self._stock.positions] = 0
        self.arrays[STOCK][stock.positions] = -np.inf
        self._stock = stock

    def recommend(self, histories: Sequence[Sequence[int]]) -> dict[str, list[list[int]]]:
        """For each recommender, a list of catalog positions per history, best first.

        Lists are shorter than the recommender's limit where items run out. What
        shares the call changes nothing.

        Parameters
        ----------
        histories
            Lists of distinct catalog positions, most recent first; those past
            `ModelsPlan.max_history` are not used.
        """
        return self.find(histories).lists

    def find(
        self, histories: Sequence[Sequence[int]], gates: Sequence[Gates] = (), rows: Sequence[Row] = ()
    ) -> Found:
        """The same with the scores of pools.

        `gates` and `rows` of the plan's columns are of each history, where the plan has any; without rows,
        nothing is known of the contexts.
        """
        if not histories:
            return Found({one.name: [] for one in self.plan.recommenders}, {name: [] for name in self.pools})
        length = min(self.plan.max_history, max(map(len, histories))) or 1
        most = max(1, MAX_SCORES // self.plan.n_items)
        if len(histories) <= most:
            return self._call(len(histories), length).run(histories, gates, rows)
        parts = [
            self.find(histories[at : at + most], gates[at : at + most], rows[at : at + most])
            for at in range(0, len(histories), most)
        ]
        return _joined(parts)

    def recommend_without(self, viewed: Sequence[int], banned: Collection[int]) -> dict[str, list[int]]:
        """The lists of `find_without`."""
        return {name: found for name, (found,) in self.find_without(viewed, banned).lists.items()}

    def find_without(
        self, viewed: Sequence[int], banned: Collection[int], gates: Gates = (), row: Row = ()
    ) -> Found:
        """For each recommender, a list for one history that holds nothing of `banned`.

        It is as long as without them where items last: the graph is told what to leave out. Of more
        than it can be told at once, what comes out is told to it, and it is asked again.

        Parameters
        ----------
        viewed
            As in `recommend`, without what is banned.
        """
        history = list(viewed[: self.plan.max_history])
        room = MAX_HISTORY - len(history)
        masked = sorted(banned) if len(banned) <= room else []
        for _ in range(MAX_ROUNDS):
            length = min(MAX_HISTORY, -(-(len(history) + len(masked)) // _STEP) * _STEP or _STEP)
            found = self._call(1, length).run_without(history, masked, gates, row)
            out = {item for (listed,) in found.lists.values() for item in listed if item in banned}
            new = sorted(out.difference(masked))
            if not new or len(masked) + len(new) > room:
                break
            masked += new
        return _without(found, banned)

    def _call(self, batch: int, length: int) -> _Call:
        call = self._calls.get((batch, length))
        if call is None:
            if len(self._calls) >= MAX_CALLS:
                self._calls.clear()
            call = self._calls[batch, length] = _Call(self, batch, length)
        return call

    def list_items(
        self, histories: Sequence[Sequence[int]], rows: Sequence[Row] = ()
    ) -> list[dict[str, list[int]]]:
        """The same as `recommend`, by history first: the form that golden decisions have."""
        lists = self.find(histories, rows=rows).lists
        return [{name: lists[name][row] for name in self.names} for row in range(len(histories))]

    def _is_same(self, other: "Recommender") -> bool:
        return (
            self.plan == other.plan
            and self.session is other.session
            and self._files.keys() == other._files.keys()
        )


class NoRecommenders(Recommender):
    """What a bundle without models has: lists nothing, whoever asks."""

    def __init__(self) -> None:
        self.plan = ModelsPlan("", 0, 0, {}, ())
        self.names, self.pools = (), frozenset()
        self._graph_sha256, self._files, self._stock = "", {}, ALL

    def find(
        self, histories: Sequence[Sequence[int]], gates: Sequence[Gates] = (), rows: Sequence[Row] = ()
    ) -> Found:
        """No recommender, so no lists."""
        return Found({}, {})

    def find_without(
        self, viewed: Sequence[int], banned: Collection[int], gates: Gates = (), row: Row = ()
    ) -> Found:
        """No recommender, so no lists."""
        return Found({}, {})


def open_session(graph: bytes) -> ort.InferenceSession:
    """A session over a checked graph, with `session_options`.

    Raises
    ------
    BundleError
        ``graph``: `check_graph` or onnxruntime refuses it.
    """
    check_graph(graph)
    try:
        return ort.InferenceSession(graph, session_options(), providers=["CPUExecutionProvider"])
    except Exception as error:
        # onnxruntime's errors share no base but this one.
        raise BundleError("graph", f"onnxruntime refuses it: {error}") from error


def _open_arrays(bundle: Bundle, artifact: Artifact, previous: Recommender | None) -> _Arrays:
    held = previous._files.get(artifact.sha256) if previous is not None else None
    return held if held is not None else unpack(bundle.read(artifact))


def _joined(parts: Sequence[Found]) -> Found:
    """What several calls found, as one."""
    lists = {name: [row for part in parts for row in part.lists[name]] for name in parts[0].lists}
    scores = {name: [row for part in parts for row in part.scores[name]] for name in parts[0].scores}
    return Found(lists, scores)


def _cut(lists: list[list[int]]) -> list[list[int]]:
    return [found if found[-1] >= 0 else found[: found.index(-1)] for found in lists]


def _without(found: Found, banned: Collection[int]) -> Found:
    """The one row of lists that was found, without what is banned, and its scores in step with it."""
    lists, scores = {}, {}
    for name, (listed,) in found.lists.items():
        lists[name] = [[item for item in listed if item not in banned]]
        if name in found.scores:
            pairs = zip(listed, found.scores[name][0], strict=False)
            scores[name] = [[score for item, score in pairs if item not in banned]]
    return Found(lists, scores)
