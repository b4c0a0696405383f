"""Stores a model's arrays in fewer bytes: float16, int8 with a scale by row or column, gaps between indices.

Exactness survives (ADR 4): with arrays of whole steps, sums that were exact stay exact.
float16 cuts numbers off towards 0, so no sum grows. int8 codes count whole steps, twice as
coarse at least, and rounding to a code makes no number more than twice as large.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from edge.errors import GivenError
from models.settings import FLOAT16, FLOAT32, INT8
from models.small.gaps import from_gaps, to_gaps
from models.small.storage_graph import rewrite
from models.trained import EXACT_STEPS, SCORER, Predictor, Scores, Trained

CODES: Final = 127
"""int8 codes are from -127 to 127."""

SCALE_BITS: Final = 16
"""Of a scale's significand: with 7 bits of a code, products are exact in float32."""

HALF_BITS: Final = 15
"""float16 numbers are kept below 2^15: far from infinity, and with room below."""

WEIGHT_PARTS: Final = 1024
"""No history weight, times that of its place, has smaller parts."""

LEAST: Final = 2.0**-100
"""Nothing is scaled as if it were smaller: scales are float32 numbers."""

Dense = NDArray[np.float64]


def store(model: Trained, storage: str) -> Trained:
    """The model with its arrays in another storage, its graph and its reference fitting."""
    if storage == FLOAT32:
        return model
    if model.card.get(SCORER):
        raise GivenError("storage", "a brought scorer keeps its numbers as they are; bring a smaller one")
    arrays = encode(model.arrays, storage)
    graph = rewrite(model.scores_graph, arrays)
    # A shortlist reads arrays as they were.
    return replace(
        model, scores_graph=graph, arrays=arrays, reference=decoding(model.reference), shortlist=b""
    )


def decoding(reference: Predictor) -> Predictor:
    """A reference that reads stored arrays as well as plain ones."""

    def score(arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]) -> Scores:
        return reference(decode(arrays), history, weight)

    return score


def encode(arrays: Mapping[str, Array], storage: str) -> dict[str, Array]:
    """The arrays by name, those that are worth it as parts: `NAME.int8` and `NAME.scales`, for one.

    What has one dimension stays: it is small, and biases are added last.
    """
    plain = dict(arrays)
    found: dict[str, Array] = {}
    if storage == INT8 and {"neighbour", "value"} <= plain.keys():
        neighbour, value = plain["neighbour"], plain["value"]
        gaps = to_gaps(neighbour, value)
        if gaps is not None:
            found["neighbour.gaps"], plain["value"] = gaps
            del plain["neighbour"]
    for name, array in plain.items():
        found |= _encoded(name, array, storage)
    return found


def decode(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """What `encode` was given, as far as it is kept: float32 and int32 under the names of before."""
    found: dict[str, Array] = {}
    for name, array in arrays.items():
        base, _, form = name.rpartition(".")
        if form in DECODERS:
            found[base] = DECODERS[form](array, arrays.get(f"{base}.scales"))
        elif form != "scales":
            found[name] = array
    return found


Decoder = Callable[[Array, Array | None], Array]
DECODERS: Final[Mapping[str, Decoder]] = {
    "float16": lambda array, scales: array.astype(np.float32) * np.asarray(scales),
    "int8": lambda array, scales: array.astype(np.float32) * np.asarray(scales),
    "uint16": lambda array, _: array.astype(np.int32),
    "gaps": lambda array, _: from_gaps(array),
}
"""By the last part of a name; `models.small.storage_graph` has the same as nodes."""


def _encoded(name: str, array: Array, storage: str) -> dict[str, Array]:
    if array.ndim != 2 or not array.size:
        return {name: array}
    if array.dtype == np.int32 and array.min() >= 0 and array.max() < 1 << 16:
        return {f"{name}.uint16": array.astype(np.uint16)}
    if array.dtype != np.float32 or not np.isfinite(array).all():
        return {name: array}
    codes, scales = (_half if storage == FLOAT16 else _codes)(array.astype(np.float64))
    return {f"{name}.{storage}": codes, f"{name}.scales": scales}


def _half(array: Dense) -> tuple[Array, Array]:
    """Numbers cut off to float16's 11 bits, and the power of two that they are multiples of."""
    greatest = np.abs(array).max(initial=0.0)
    scale = 2.0 ** (np.floor(np.log2(max(greatest, LEAST))) + 1 - HALF_BITS)
    near = (array / scale).astype(np.float16)
    toward_zero = np.where(np.abs(near) > np.abs(array / scale), np.nextafter(near, np.float16(0)), near)
    return toward_zero.astype(np.float16), np.full((1, 1), scale, np.float32)


def _codes(array: Dense) -> tuple[Array, Array]:
    """int8 codes with a scale for each row or each column, whichever is nearer to the numbers."""
    forms = [_scaled(array, axis) for axis in (1, 0)]
    codes, scales = min(forms, key=lambda form: float(np.square(form[0] * form[1] - array).sum()))
    return codes.astype(np.int8), scales.astype(np.float32)


def _scaled(array: Dense, axis: int) -> tuple[Dense, Dense]:
    greatest = np.abs(array).max(axis=axis, keepdims=True, initial=0.0)
    finest = _finest(array)
    step = max(float(finest.min()), LEAST) if array.any() else 1.0
    if not (greatest <= CODES * step).all():
        step = max(2 * step, _exact_unit(array, finest))
    scales = step * np.maximum(1, _few_bits(np.ceil(greatest / CODES / step)))
    return np.round(array / scales), scales


def _exact_unit(array: Dense, finest: Dense) -> float:
    """What all codes must count, so that sums along a column or a row stay exact.

    Either it is twice as coarse as what the numbers of the column were multiples of: rounded,
    none is more than twice as large, so the sum is as many steps as before. Or the sum of
    sizes is so small that any history's sum of such steps is exact.
    """
    needed = 0.0
    for axis in (0, 1):
        inherited = 2 * finest.min(axis=axis)
        room = 2 * WEIGHT_PARTS * np.abs(array).sum(axis=axis) / EXACT_STEPS
        direct = 2.0 ** np.ceil(np.log2(np.maximum(room, LEAST)))
        needed = max(needed, float(np.minimum(inherited, direct).max(initial=0.0)))
    return needed


def _few_bits(numbers: Dense) -> Dense:
    """Whole numbers rounded up to `SCALE_BITS` bits."""
    unit = 2.0 ** np.maximum(0, np.ceil(np.log2(np.maximum(numbers, 1))) - SCALE_BITS)
    rounded: Dense = np.ceil(numbers / unit) * unit
    return rounded


def _finest(array: Dense) -> Dense:
    """Of each float32 number the greatest power of two that it is a multiple of; infinite of 0."""
    numbers, exponents = np.frexp(array)
    whole = np.abs(numbers * (1 << 24)).astype(np.int64)
    lowest = np.log2(np.maximum(whole & -whole, 1).astype(np.float64))
    found: Dense = np.where(whole == 0, np.inf, 2.0 ** (exponents - 24 + lowest))
    return found
