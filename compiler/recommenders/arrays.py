"""Turns what recommenders say of a catalog's columns into arrays: masks, boosts, gates, groups."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compiler.catalog.about import BETWEEN
from compiler.conditions.oracle import evaluate
from compiler.problems import Problems
from compiler.recommenders.graph import NEIGHBOURS
from compiler.recommenders.types import Boost, Filter, ItemCondition, RecommenderConfig
from compiler.rules.behaviours import ITEM, column_types
from compiler.types import Catalog
from edge.bundle.arrays import Array
from edge.bundle.recommender_format import Gate
from edge.bundle.strings import pack_strings

MAX_VALUES: Final = 1_024
"""Different values of a column that a gate tells apart."""

MAX_MASK_BYTES: Final = 1 << 28
_STEPS: Final = 1 << 10
"""Factors are multiples of one part in so many: a power computed elsewhere may differ in its last bit."""


class Columns:
    """A catalog's rows as conditions see them."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._types = column_types(catalog)
        self.size = len(catalog.items)

    @cached_property
    def _rows(self) -> list[dict[str, Any]]:
        return [
            {
                ITEM + column: float(value) if self._types[ITEM + column] == "number" else value
                for column, value in item.values.items()
                if value
            }
            for item in self._catalog.items
        ]

    def meet(self, condition: ItemCondition) -> NDArray[np.bool_]:
        """Which items meet it."""
        if not condition.written:
            return np.ones(self.size, bool)
        return np.array([evaluate(condition.written, row) for row in self._rows], bool)

    def values(self, column: str) -> list[list[str]]:
        """For each item, what its cell holds."""
        return [
            list(dict.fromkeys(filter(None, map(str.strip, BETWEEN.split(item.values[column])))))
            for item in self._catalog.items
        ]

    def numbers(self, column: str) -> NDArray[np.float64]:
        """For each item its number; NaN where there is none."""
        cells = (item.values[column] for item in self._catalog.items)
        return np.array([float(cell) if cell else np.nan for cell in cells], np.float64)

    def seconds(self, column: str) -> list[float | str]:
        """For each item its time in seconds; what can't be read as it stands, and NaN where there is none."""
        return [_seconds(item.values[column]) for item in self._catalog.items]


def _seconds(cell: str) -> float | str:
    if not cell:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        pass
    try:
        time = datetime.fromisoformat(cell)
    except ValueError:
        return cell
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def allowed(columns: Columns, filters: Sequence[Filter]) -> Array | None:
    """The mask of what passes the filters that are the same for every context; None without any."""
    static = [one for one in filters if one.is_static]
    if not static:
        return None
    mask: Array = np.array([columns.meet(one.where) for one in static]).min(axis=0).astype(np.uint8)
    return mask


def told_of(columns: Columns, config: RecommenderConfig) -> dict[str, Array]:
    """For people, by item: filters that take it out (``failed``), and boosts that concern it (``raised``)."""
    failed, raised = np.zeros(columns.size, np.uint32), np.zeros(columns.size, np.uint32)
    for number, one in enumerate(config.filters):
        if one.is_static:
            failed |= (~columns.meet(one.where)).astype(np.uint32) << np.uint32(number)
    for number, boost in enumerate(config.boosts):
        raised |= columns.meet(boost.where).astype(np.uint32) << np.uint32(number)
    told = {"failed": failed} if any(one.is_static for one in config.filters) else {}
    return {**told, **({"raised": raised} if config.boosts else {})}


def boosts_of(columns: Columns, config: RecommenderConfig, problems: Problems) -> dict[str, Array]:
    """``factor``, its ``inverse`` and ``bonus``; nothing without boosts."""
    if not config.boosts:
        return {}
    factor, bonus = np.ones(columns.size), np.zeros(columns.size)
    for boost in config.boosts:
        if boost.newest:
            factor *= _newest(columns, config, boost, problems)
            continue
        met = columns.meet(boost.where)
        factor[met] *= boost.times
        bonus[met] += boost.plus
    factor = np.maximum(np.round(factor * _STEPS), 1) / _STEPS
    return {
        "factor": factor.astype(np.float32),
        "inverse": (1 / factor).astype(np.float32),
        "bonus": bonus.astype(np.float32),
    }


def _newest(
    columns: Columns, config: RecommenderConfig, boost: Boost, problems: Problems
) -> NDArray[np.float64]:
    """What each item gains by its age, as of the newest of the catalog: a bundle knows no today."""
    found = columns.seconds(boost.newest)
    if wrong := next((one for one in found if isinstance(one, str)), ""):
        message = f"recommender {config.name!r}: column {boost.newest!r} holds {wrong!r}, which is no time"
        hint = "write 2026-01-31, or seconds since 1970"
        problems.error(config.path, boost.line, "wrong-type", message, hint)
        return np.ones(columns.size)
    times = np.array(found, np.float64)
    if np.isnan(times).all():
        return np.ones(columns.size)
    ages = np.nanmax(times) - times
    return np.where(np.isnan(ages), 1.0, 1 + (boost.times - 1) * np.exp2(-ages / boost.half_life_s))


class Gates:
    """The gates of all recommenders; those that are alike are one."""

    def __init__(self, columns: Columns, problems: Problems) -> None:
        self.gates: list[Gate] = []
        self.arrays: dict[str, Array] = {}
        self._known: dict[str, int] = {}
        self._columns, self._problems = columns, problems

    def number(self, config: RecommenderConfig, filter_: Filter) -> int:
        """The gate of a filter that depends on the context."""
        key = repr((filter_.kind, filter_.column, filter_.attribute, filter_.keeps_unknown, filter_.when,
                    filter_.where.written))  # fmt: skip
        if key not in self._known:
            self._known[key] = len(self.gates)
            self._add(config, filter_)
        return self._known[key]

    def _add(self, config: RecommenderConfig, filter_: Filter) -> None:
        name = f"gate/{len(self.gates)}"
        if filter_.when is not None:
            self.gates.append(Gate("when", filter_.reads, dict(filter_.when)))
            rows = [np.ones(self._columns.size, bool), self._columns.meet(filter_.where)]
        elif filter_.kind == "has":
            self.gates.append(Gate("has", filter_.reads))
            rows = self._has(name, filter_)
        else:
            self.gates.append(Gate("at-most", filter_.reads))
            rows = self._at_most(name, filter_)
        if len(rows) > MAX_VALUES + 2 or len(rows) * self._columns.size > MAX_MASK_BYTES:
            where = f"recommender {config.name!r}: column {filter_.column!r}"
            message = f"{where} has {len(rows) - 2} values, for {self._columns.size} items"
            hint = f"at most {MAX_VALUES}, and {MAX_MASK_BYTES >> 20} MB of masks: take a coarser column"
            self._problems.error(config.path, filter_.line, "too-large", message, hint)
            rows = rows[:2]
        self.arrays[name] = np.array(rows, np.uint8)

    def _has(self, name: str, filter_: Filter) -> list[NDArray[np.bool_]]:
        """A mask for no value that any item has, for a missing one, and for each; an empty cell is all."""
        cells = self._columns.values(filter_.column)
        values = sorted({value.encode() for cell in cells for value in cell})
        self.arrays |= pack_strings(f"{name}/values", values)
        everywhere = np.array([not cell for cell in cells], bool)
        at = {value.decode(): number for number, value in enumerate(values)}
        masks = [everywhere.copy() for _ in values[: MAX_VALUES + 1]]
        for position, cell in enumerate(cells):
            for value in cell:
                if at[value] < len(masks):
                    masks[at[value]][position] = True
        return [everywhere, _unknown(filter_, everywhere), *masks]

    def _at_most(self, name: str, filter_: Filter) -> list[NDArray[np.bool_]]:
        """A mask for a missing number, and for each range of numbers that tells items apart."""
        numbers = self._columns.numbers(filter_.column)
        everywhere = np.isnan(numbers)
        bounds = np.unique(numbers[~everywhere])
        self.arrays[f"{name}/bounds"] = bounds
        masks = [everywhere | (numbers <= bound) for bound in bounds[: MAX_VALUES + 1]]
        return [everywhere, _unknown(filter_, everywhere), everywhere, *masks]


def _unknown(filter_: Filter, everywhere: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.ones_like(everywhere) if filter_.keeps_unknown else everywhere


def groups_of(columns: Columns, names: Collection[str]) -> dict[str, Array]:
    """For each column: the numbers of each item's values in a row, and where each item's begin."""
    arrays: dict[str, Array] = {}
    for name in sorted(names):
        cells = columns.values(name)
        at = {value: number for number, value in enumerate(sorted({v for cell in cells for v in cell}))}
        starts = np.zeros(len(cells) + 1, np.uint64)
        np.cumsum([len(cell) for cell in cells], out=starts[1:])
        arrays[f"group/{name}/starts"] = starts
        arrays[f"group/{name}/values"] = np.array([at[v] for cell in cells for v in cell], np.uint32)
    return arrays


def places_of_new(columns: Columns, like: Sequence[str], new: NDArray[np.bool_]) -> dict[str, Array]:
    """From which known items each new one takes its score (``near``), and where its own stands (``place``).

    A value counts by how few items have it. A new item that is like no other stays where it is.
    """
    having: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    of: list[list[tuple[str, str]]] = [[] for _ in range(columns.size)]
    for column in like:
        for position, cell in enumerate(columns.values(column)):
            of[position] += [(column, value) for value in cell]
            for value in cell:
                having[column, value].append(position)
    near: list[list[int]] = []
    place = np.arange(columns.size, dtype=np.int32)
    for position in np.flatnonzero(new).tolist():
        alike: defaultdict[int, int] = defaultdict(int)
        for trait in of[position]:
            weight = (columns.size // len(having[trait])).bit_length()
            for other in having[trait]:
                alike[other] += weight if not new[other] else 0
        best = sorted((-weight, other) for other, weight in alike.items() if weight)[:NEIGHBOURS]
        if best:
            place[position] = columns.size + len(near)
            near.append([best[turn % len(best)][1] for turn in range(NEIGHBOURS)])
    if not near:
        return {}
    return {"near": np.array(near, np.int32), "place": place}


def shape_text(arrays: Mapping[str, Array]) -> str:
    """What the arrays look like, whatever is in them: what other parts of a bundle rely on."""
    fixed = {name: array for name, array in arrays.items() if not name.endswith((".blob", ".offsets"))}
    return "\n".join(f"{name}:{array.dtype.str}:{array.shape}" for name, array in sorted(fixed.items()))


def directions_of(model: object) -> Array | None:
    """The rows that stand for items in a model, as whole numbers of int8; None where it has none.

    The greatest number of each row becomes 127: what is left is its direction.
    """
    rows = getattr(model, "vectors", None)
    if not isinstance(rows, np.ndarray):
        return None
    wide = rows.astype(np.float64)
    greatest = np.abs(wide).max(axis=1, keepdims=True, initial=0.0)
    whole: Array = np.round(wide / np.where(greatest > 0, greatest, 1.0) * 127).astype(np.int8)
    return whole
