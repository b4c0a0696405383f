"""Adds to contexts what models tell of them, so that rules can go by it: one inference call for all."""

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, Final

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from edge.bundle import format as fmt
from edge.bundle.arrays import Array, unpack
from edge.bundle.features import CONTEXT
from edge.bundle.predictions import (
    ARRAYS_KIND,
    GRAPH_KIND,
    KIND,
    MAX_OUTPUTS,
    MAX_PREDICTIONS,
    MAX_WORDS,
    PREFIX,
    PredictionPlan,
    Predictions,
)
from edge.bundle.reader import Bundle
from edge.decide import words
from edge.decide.inference import ort
from edge.decide.plan_check import ONNX_TYPES, compare
from edge.decide.recommender import open_session
from edge.decide.row import Row, RowMaker, check_columns
from edge.decide.types import Context, Value
from edge.errors import BundleError

ROWS: Final = 16
"""The graph is always called with so many rows, a turn of pages: then a processor adds each row up in the
same way, whoever shares the call."""

MAX_REMEMBERED: Final = 4_096
TOLERANCE: Final = 1e-5
"""How far an answer may be from what another machine wrote down; of large numbers, as a share of them."""

Asked = tuple[Row, tuple[str | None, ...]]
"""What predictions depend on: a row of columns, and the texts that are read."""

Told = Mapping[str, Value]
Answers = tuple[tuple[float, ...], ...]
"""Of each prediction, its outputs."""


class Predictor:
    """The predictions of a bundle that its rules read; for one thread.

    Attributes
    ----------
    reads : frozenset of str
        The attributes that these depend on.
    tells : dict of str to str
        The attributes that they are, and their types.
    """

    def __init__(
        self,
        plan: Predictions,
        session: ort.InferenceSession,
        arrays: Mapping[str, Array],
        wanted: Iterable[str] | None = None,
    ) -> None:
        _check_plan(plan)
        _check_signature(plan, session, arrays)
        self.plan = plan
        names = None if wanted is None else set(wanted)
        self._used = [one for one in plan.predictions if names is None or names.intersection(_names(one))]
        self._needs = [(one, frozenset(one.purposes)) for one in self._used if one.purposes]
        self._maker = RowMaker(plan.columns)
        self.reads = frozenset(name for one in self._used for name in attributes_of(one, plan))
        self._texts = tuple(sorted({one.text for one in self._used if one.text}))
        self.tells = {name: type_ for one in self._used for name, type_ in types_of(one).items()}
        self._remembered: dict[Asked, Told] = {}
        self.session = session
        self.graph_sha256 = ""
        self._rows = np.zeros((ROWS, len(plan.columns)), np.float32)
        self._bind(arrays)

    def _bind(self, arrays: Mapping[str, Array]) -> None:
        """Bind all buffers once; predictions that nobody reads are not asked for."""
        self._binding = self.session.io_binding()
        self._words = {one.text_input: np.zeros((ROWS, one.words), np.float32) for one in _reading(self.plan)}
        context = {CONTEXT: self._rows} if self.plan.columns else {}
        for name, array in {**arrays, **context, **self._words}.items():
            self._binding.bind_cpu_input(name, array)
        self._found: list[NDArray[np.float32]] = []
        for one in self._used:
            out = np.zeros((ROWS, len(one.outputs)), np.float32)
            self._found.append(out)
            self._binding.bind_output(one.output, "cpu", 0, np.float32, out.shape, out.ctypes.data)

    def told(self, contexts: Sequence[Context]) -> list[Context]:
        """The contexts with what is predicted among their attributes; remembered, or by one call for all."""
        remembered = self._remembered
        asked = [self._asked(context.attributes) for context in contexts]
        known = {one: remembered.get(one) for one in asked}
        missing = [one for one, told in known.items() if told is None]
        for start in range(0, len(missing), ROWS):
            chunk = missing[start : start + ROWS]
            for one, told in zip(chunk, self._predict(chunk), strict=True):
                known[one] = remembered[one] = told
        while len(remembered) > MAX_REMEMBERED:
            del remembered[next(iter(remembered))]
        return [self._with(context, known[one] or {}) for context, one in zip(contexts, asked, strict=True)]

    def forget(self) -> None:
        """Drop what is remembered."""
        self._remembered.clear()

    def answers(self, rows: Sequence[Row], texts: Mapping[str, Sequence[str]]) -> list[Answers]:
        """For up to `ROWS` rows, and their texts by attribute, the outputs of all that is used."""
        if self.plan.columns:
            self._rows[: len(rows)] = rows
            self._rows[len(rows) :] = 0
        for one in self._used:
            if one.text:
                self._words[one.text_input][: len(rows)] = words.rows(texts[one.text], one.words)
        self.session.run_with_iobinding(self._binding)
        each = [found[: len(rows)].tolist() for found in self._found]
        return [tuple(map(tuple, found)) for found in zip(*each, strict=True)]

    def _asked(self, attributes: Mapping[str, Any]) -> Asked:
        texts = tuple([_text(attributes.get(name)) for name in self._texts]) if self._texts else ()
        return tuple(self._maker.row(attributes)), texts

    def _predict(self, asked: Sequence[Asked]) -> list[Told]:
        texts = {name: [held[at] or "" for _, held in asked] for at, name in enumerate(self._texts)}
        answers = self.answers([row for row, _ in asked], texts)
        return [self._named(each, held) for each, (_, held) in zip(answers, asked, strict=True)]

    def _named(self, answers: Answers, texts: Sequence[str | None]) -> Told:
        """Answers as attributes; one that is no number is missing, and so is a winner among such.

        Of a text that is missing, nothing is told.
        """
        found: dict[str, Value] = {}
        for one, values in zip(self._used, answers, strict=True):
            if one.text and texts[self._texts.index(one.text)] is None:
                continue
            found |= {name: v for name, v in zip(one.attributes, values, strict=True) if isfinite(v)}
            if one.names_winner and all(map(isfinite, values)):
                found[_winner(one)] = one.outputs[values.index(max(values))]
        return found

    def _with(self, context: Context, told: Told) -> Context:
        withheld = {
            name for one, needs in self._needs if not needs <= {*context.granted} for name in _names(one)
        }
        told = {name: value for name, value in told.items() if name not in withheld} if withheld else told
        return structs.replace(context, attributes={**context.attributes, **told})


def load_predictor(
    bundle: Bundle, reads: Iterable[str], previous: "Predictor | None" = None
) -> "Predictor | None":
    """What tells the predictions among `reads`; None where there are none of them.

    Parameters
    ----------
    previous
        Its session is used again where the graph did not change.

    Raises
    ------
    BundleError
        ``plan``, ``graph``, ``arrays`` or ``artifact-list``: the artifacts are not what they should be, or
        do not fit each other.
    """
    plan = read_predictions(bundle)
    wanted = {name for one in plan.predictions for name in _names(one)}.intersection(reads)
    return _load(bundle, plan, wanted, previous) if wanted else None


def read_predictions(bundle: Bundle) -> Predictions:
    """What a bundle says of its predictions; most have none."""
    if not bundle.artifacts("models", KIND):
        return NOTHING
    return fmt.decode(bundle.read(bundle.one("models", KIND)), Predictions)


def check_golden(bundle: Bundle) -> int:
    """Run the golden rows of all predictions of a bundle; how many there were.

    Raises
    ------
    BundleError
        ``golden``: an answer differs from what was written down, by more than `TOLERANCE`.
    """
    plan = read_predictions(bundle)
    if not plan.predictions:
        return 0
    predictor = _load(bundle, plan, None, None)
    for case in plan.golden:
        if len(case.row) != len(plan.columns) or len(case.answers) != len(plan.predictions):
            raise BundleError("golden", "a golden row does not fit the predictions")
        texts = {one.text: [case.text] for one in _reading(plan)}
        (found,) = predictor.answers([case.row], texts)
        for one, values, wanted in zip(plan.predictions, found, case.answers, strict=True):
            same = len(wanted) == len(values) and np.allclose(
                values, wanted, TOLERANCE, TOLERANCE, equal_nan=True
            )
            if not same:
                raise BundleError("golden", f"{one.name!r} answers {values}, not {wanted}, to {case.row}")
    return len(plan.golden)


def _load(
    bundle: Bundle, plan: Predictions, wanted: Iterable[str] | None, previous: "Predictor | None"
) -> Predictor:
    graph = bundle.one("models", GRAPH_KIND)
    if previous is not None and previous.graph_sha256 == graph.sha256:
        session = previous.session
    else:
        session = open_session(bytes(bundle.read(graph)))
    predictor = Predictor(plan, session, _arrays(bundle, plan), wanted)
    predictor.graph_sha256 = graph.sha256
    return predictor


def _arrays(bundle: Bundle, plan: Predictions) -> dict[str, Array]:
    artifacts = bundle.artifacts("models", ARRAYS_KIND)
    files = {name: unpack(bundle.read(artifact)) for name, artifact in artifacts.items()}
    found = {}
    for name, (artifact, key) in plan.bindings.items():
        if key not in files.get(artifact, {}):
            raise BundleError("plan", f"input {name!r} is bound to {key!r} of {artifact!r}, which is missing")
        found[name] = files[artifact][key]
    return found


def types_of(plan: PredictionPlan) -> dict[str, str]:
    """All attributes that a prediction is, with their types."""
    winner = {_winner(plan): "string"} if plan.names_winner else {}
    return {**dict.fromkeys(plan.attributes, "number"), **winner}


def _names(plan: PredictionPlan) -> tuple[str, ...]:
    return tuple(types_of(plan))


def attributes_of(one: PredictionPlan, plan: Predictions) -> tuple[str, ...]:
    """The attributes that a prediction of this plan is made from."""
    return (*(plan.columns[at].attribute for at in one.columns), *((one.text,) if one.text else ()))


def _reading(plan: Predictions) -> list[PredictionPlan]:
    """The predictions that read a text."""
    return [one for one in plan.predictions if one.text]


def _text(value: Any) -> str | None:
    """What counts of a text; else what is remembered of visitors had no bound."""
    return value[: words.MAX_CHARACTERS] if isinstance(value, str) else None


def _winner(plan: PredictionPlan) -> str:
    return PREFIX + plan.name


def _check_plan(plan: Predictions) -> None:
    names = [one.name for one in plan.predictions]
    _need(0 < len(names) <= MAX_PREDICTIONS and len(set(names)) == len(names), f"predictions {names}")
    check_columns(plan.columns)
    for one in plan.predictions:
        outputs = len(one.outputs)
        _need(
            0 < outputs <= MAX_OUTPUTS and len(set(one.outputs)) == outputs,
            f"{one.name!r} has {outputs} outputs",
        )
        _need(outputs > 1 or not one.names_winner, f"{one.name!r} names the winner of one")
        _need(all(0 <= at < len(plan.columns) for at in one.columns), f"{one.name!r} reads an unknown column")
        _need(bool(one.columns) != bool(one.text), f"{one.name!r} reads neither columns nor a text, or both")
        _need(not one.text or words.STYLE < one.words <= MAX_WORDS, f"{one.name!r} has {one.words} words")


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise BundleError("plan", what)


def _check_signature(plan: Predictions, session: ort.InferenceSession, arrays: Mapping[str, Array]) -> None:
    """Compare all that onnxruntime tells of the graph with the plan and the arrays."""
    wanted: dict[str, Any] = {
        name: (ONNX_TYPES.get(array.dtype.str, "no type"), array.shape) for name, array in arrays.items()
    }
    if plan.columns:
        wanted[CONTEXT] = ("tensor(float)", ("batch", len(plan.columns)))
    wanted |= {one.text_input: ("tensor(float)", ("batch", one.words)) for one in _reading(plan)}
    compare("input", wanted, {node.name: (node.type, tuple(node.shape)) for node in session.get_inputs()})
    outputs = {node.name: (node.type, tuple(node.shape)) for node in session.get_outputs()}
    answers = {one.output: ("tensor(float)", ("batch", len(one.outputs))) for one in plan.predictions}
    compare("output", answers, outputs)


NOTHING: Final = Predictions("", (), {}, ())
