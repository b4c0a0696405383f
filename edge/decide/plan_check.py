"""Refuses a plan of recommenders that can't be run, and a graph that does not fit it."""

from collections.abc import Mapping
from typing import Any, Final

from edge.bundle.arrays import Array
from edge.bundle.features import CONTEXT
from edge.bundle.format import ModelsPlan
from edge.bundle.recommender_format import MAX_GATES
from edge.decide.inference import ort
from edge.decide.row import check_columns
from edge.errors import BundleError

MAX_ITEMS: Final = 10_000_000
MAX_HISTORY: Final = 1_024
MAX_LIMIT: Final = 1_000
MAX_COLUMNS: Final = 256
"""Of contexts: a list is remembered with its row."""

ONNX_TYPES: Final = {
    "<f2": "tensor(float16)",
    "<f4": "tensor(float)",
    "<f8": "tensor(double)",
    "<i4": "tensor(int32)",
    "<i8": "tensor(int64)",
    "<u2": "tensor(uint16)",
    "|i1": "tensor(int8)",
    "|u1": "tensor(uint8)",
}


def check_plan(plan: ModelsPlan) -> None:
    """Check all numbers of a plan.

    Raises
    ------
    BundleError
        ``plan``.
    """
    if not (1 <= plan.n_items <= MAX_ITEMS and 1 <= plan.max_history <= MAX_HISTORY):
        raise BundleError("plan", f"{plan.n_items} items and a history of {plan.max_history}")
    if not 0 <= plan.gates <= MAX_GATES:
        raise BundleError("plan", f"{plan.gates} gates, more than {MAX_GATES}")
    check_columns(plan.columns, MAX_COLUMNS)
    names = [recommender.name for recommender in plan.recommenders]
    if not names or len(set(names)) != len(names):
        raise BundleError("plan", f"recommenders must be named, each once: {names}")
    for recommender in plan.recommenders:
        if not 1 <= recommender.limit <= min(MAX_LIMIT, plan.n_items):
            raise BundleError("plan", f"recommender {recommender.name!r} lists {recommender.limit} items")
        if not all(0 <= at < len(plan.columns) for at in recommender.columns):
            raise BundleError("plan", f"recommender {recommender.name!r} reads an unknown column")


def check_signature(plan: ModelsPlan, session: ort.InferenceSession, arrays: Mapping[str, Array]) -> None:
    """Compare all that onnxruntime tells of the graph with plan and arrays; raises as `check_plan`."""
    wanted: dict[str, Any] = {
        name: (ONNX_TYPES.get(array.dtype.str, "no type"), array.shape) for name, array in arrays.items()
    }
    wanted["history"] = ("tensor(int32)", ("batch", "length"))
    wanted["weight"] = ("tensor(float)", ("batch", "length"))
    if plan.gates:
        wanted["gate"] = ("tensor(int32)", ("batch", plan.gates))
    if plan.columns:
        wanted[CONTEXT] = ("tensor(float)", ("batch", len(plan.columns)))
    compare("input", wanted, {node.name: (node.type, tuple(node.shape)) for node in session.get_inputs()})
    outputs = {node.name: (node.type, tuple(node.shape)) for node in session.get_outputs()}
    lists = {r.items_output: ("tensor(int32)", ("batch", r.limit)) for r in plan.recommenders}
    scores = {r.scores_output: ("tensor(float)", ("batch", r.limit)) for r in plan.recommenders}
    compare("output", lists | scores, outputs)


def compare(what: str, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Refuse a graph of which an input or output is not what the plan says."""
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise BundleError(
                "plan", f"{what} {name!r} is {found.get(name)} in the graph, not {wanted.get(name)}"
            )
