"""Refuses what a bundle says of its recommenders where parts of it do not fit each other."""

from collections.abc import Iterable, Mapping

import numpy as np

from edge.bundle import recommender_format as wire
from edge.bundle.arrays import Array
from edge.bundle.format import ModelsPlan
from edge.bundle.strings import Strings
from edge.errors import BundleError
from edge.rules.evaluate import evaluate

MAX_LIMIT = 1_000
MAX_DIRECTIONS = 1_024
KINDS = frozenset({"has", "at-most", "when"})


def check_around(
    document: wire.Recommenders, arrays: Mapping[str, Array], plan: ModelsPlan, items: int
) -> None:
    """Check all that a decision relies on, so that no decision fails by it.

    Raises
    ------
    BundleError
        ``recommenders``, with what does not fit.
    """
    names = [finish.name for finish in document.finishes]
    _need(len(set(names)) == len(names) <= wire.MAX_RECOMMENDERS, "they are named twice, or too many")
    _need(len(document.gates) == plan.gates or not names, f"{len(document.gates)} gates, not {plan.gates}")
    for number, gate in enumerate(document.gates):
        _check_gate(number, gate, arrays, items)
    for key, array in arrays.items():
        if key.startswith("group/") and key.endswith("/starts"):
            _check_group(key.removesuffix("/starts"), arrays, items)
        elif key.endswith("/near"):
            _check_near(key.removesuffix("/near"), arrays, items)
        elif array.dtype == np.float32:
            _need(bool(np.isfinite(array).all()), f"{key} holds NaN or infinity")
    pools = {one.name for one in plan.recommenders if one.pool}
    for finish in document.finishes:
        check_finish(finish, pools, arrays, len(document.gates), items)


def check_finish(
    finish: wire.Finish, pools: Iterable[str], arrays: Mapping[str, Array], gates: int, items: int
) -> None:
    """Check one recommender; `pools` are those of its graph."""
    name, known = finish.name, set(pools)
    _need(1 <= len(finish.links) <= wire.MAX_LINKS, f"{name!r} has {len(finish.links)} models")
    _need(1 <= finish.limit <= MAX_LIMIT, f"{name!r} lists {finish.limit} items")
    asked = {link.pool for link in finish.links} | ({finish.explore.pool} if finish.explore else set()) - {""}
    _need(asked <= known, f"{name!r} asks {sorted(asked - known)}, which the graph lacks")
    _need(all(link.history >= 0 and link.items >= 1 for link in finish.links), f"{name!r}: its models")
    for column in (*(column for column, _ in finish.caps), *finish.alike):
        _need(f"group/{column}/starts" in arrays, f"{name!r} tells items apart by {column!r}")
    if finish.near:
        rows = arrays.get(wire.ALIKE + finish.near, np.zeros(1))
        fits = rows.ndim == 2 and rows.dtype == np.int8 and len(rows) == items
        _need(fits and 1 <= rows.shape[1] <= MAX_DIRECTIONS, f"{name!r} has no rows of {finish.near!r}")
    _need(all(most >= 1 for _, most in finish.caps), f"{name!r} caps at less than one item")
    _need(0 <= finish.diversity <= 1, f"{name!r}: a diversity of {finish.diversity}")
    _need(all(0 <= gate < gates for gate in finish.gates), f"{name!r} has gates that are not there")
    for key in finish.masks:
        mask = arrays.get(key)
        _need(mask is not None and _is_mask(mask, (items,)), f"{name!r} has no mask {key!r}")
    places = [at for _, at in finish.pins]
    _need(len(set(places)) == len(places) <= wire.MAX_PINS and min(places, default=0) >= 0, f"{name!r}: pins")
    if (explore := finish.explore) is not None:
        fits = 0 <= explore.slot < finish.limit and 0 < explore.share <= 1 and explore.of >= 1
        _need(fits, f"{name!r} explores what it can't")


def _check_gate(number: int, gate: wire.Gate, arrays: Mapping[str, Array], items: int) -> None:
    name = f"gate/{number}"
    _need(gate.kind in KINDS, f"{name} is of kind {gate.kind!r}")
    _need(gate.kind == "when" or len(gate.reads) == 1, f"{name} reads {len(gate.reads)} attributes")
    rows = 2
    if gate.kind == "when":
        _try_condition(name, gate)
    elif gate.kind == "has":
        values = Strings(arrays, f"{name}/values")
        values.check_texts()
        rows = 2 + len(values)
    elif gate.kind == "at-most":
        bounds = arrays.get(f"{name}/bounds", np.zeros((1, 1)))
        ordered = bounds.ndim == 1 and bounds.dtype == np.float64 and bool(np.all(bounds[1:] > bounds[:-1]))
        _need(ordered and bool(np.isfinite(bounds).all()), f"{name} has no bounds in order")
        rows = 3 + len(bounds)
    mask = arrays.get(name)
    _need(mask is not None and _is_mask(mask, (rows, items)), f"{name} has not {rows} masks of {items} items")


def _try_condition(name: str, gate: wire.Gate) -> None:
    """Evaluate it for missing and odd values: a shape that can't be read fails here, and not in a page."""
    for value in (None, "", "text", 1.5, True, ["text"]):
        try:
            evaluate(gate.when, {} if value is None else dict.fromkeys(gate.reads, value))
        except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
            raise BundleError("recommenders", f"{name} has no condition: {error!r}") from error


def _is_mask(mask: Array, shape: tuple[int, ...]) -> bool:
    return mask.shape == shape and mask.dtype == np.uint8


def _check_group(name: str, arrays: Mapping[str, Array], items: int) -> None:
    starts, values = arrays[f"{name}/starts"], arrays.get(f"{name}/values", np.zeros((1, 1)))
    typed = starts.dtype == np.uint64 and values.dtype == np.uint32
    shaped = starts.shape == (items + 1,) and values.ndim == 1
    _need(typed and shaped, f"{name} has arrays of another type or shape")
    fits = starts[0] == 0 and starts[-1] == len(values) and not np.any(starts[1:] < starts[:-1])
    _need(bool(fits) and int(values.max(initial=0)) < 1 << 20, f"{name} does not fit the items")


def _check_near(name: str, arrays: Mapping[str, Array], items: int) -> None:
    near, place = arrays[f"{name}/near"], arrays.get(f"{name}/place", np.zeros(1))
    typed = near.dtype == place.dtype == np.int32
    _need(typed and near.ndim == 2 and place.shape == (items,), f"{name} has arrays of another type or shape")
    within = near.min(initial=0) >= 0 and near.max(initial=0) < items
    within = within and place.min(initial=0) >= 0 and place.max(initial=0) < items + len(near)
    _need(bool(within), f"{name} has items that are not there")


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise BundleError("recommenders", what)
