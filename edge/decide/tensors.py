"""What a constant inside of an ONNX graph may be: as large as its data says, and a number."""

import math
from typing import Any, Final

import numpy as np

from edge.decide.protobuf import fields, floats, ints, message, text
from edge.errors import BundleError

# Field numbers of onnx.proto.
DIMS, TYPE, SEGMENT, FLOAT_DATA, INT32_DATA, STRING_DATA, INT64_DATA, NAME, RAW = 1, 2, 3, 4, 5, 6, 7, 8, 9
DOUBLE_DATA, UINT64_DATA, EXTERNAL, LOCATION = 10, 11, 13, 14

TYPES: Final[dict[object, np.dtype[Any]]] = {
    1: np.dtype("<f4"),
    2: np.dtype("u1"),
    3: np.dtype("i1"),
    6: np.dtype("<i4"),
    7: np.dtype("<i8"),
    9: np.dtype("?"),
    10: np.dtype("<f2"),
    11: np.dtype("<f8"),
}
"""Numbers of onnx.proto's TensorProto.DataType: no strings, nothing that numpy lacks."""


def check_tensor(tensor: memoryview) -> str:
    """The name of a constant.

    Raises
    ------
    BundleError
        ``graph``: its data lies outside of it or is not as much as its shape
        says, it is no number, or NaN where more than one number stands.
    """
    found: dict[int, int | memoryview] = {}
    dims: list[int] = []
    for number, value in fields(tensor):
        if number == EXTERNAL or (number == LOCATION and value != 0):
            raise BundleError("graph", "holds data outside of itself")
        if number in (STRING_DATA, SEGMENT):
            raise BundleError("graph", "holds text, or a part of a constant")
        if number == DIMS:
            dims += ints(value).tolist()
        elif number in found and number != NAME:
            raise BundleError("graph", "says the same of a constant twice")
        else:
            found[number] = value
    name = text(found.get(NAME, memoryview(b"")))
    _check_data(name, dims, found)
    return name


def _check_data(name: str, dims: list[int], found: dict[int, int | memoryview]) -> None:
    dtype = TYPES.get(found.get(TYPE, 0))
    if dtype is None:
        raise BundleError("graph", f"constant {name!r} is of a type that is not allowed")
    if any(dim < 0 for dim in dims):
        raise BundleError("graph", f"constant {name!r} has a negative size: {dims}")
    wanted, held = math.prod(dims), _count(found, dtype)
    if wanted != held:
        raise BundleError("graph", f"constant {name!r} has the shape {dims}, but holds {held} numbers")
    if dtype.kind == "f" and wanted > 1 and _has_nan(found, dtype):
        raise BundleError("graph", f"constant {name!r} holds NaN")


def _count(found: dict[int, int | memoryview], dtype: np.dtype[Any]) -> int:
    """How many numbers there are; -1 where bytes are left over."""
    if RAW in found:
        whole, rest = divmod(len(message(found[RAW])), dtype.itemsize)
        return -1 if rest else whole
    if FLOAT_DATA in found:
        return len(floats(found[FLOAT_DATA]))
    if DOUBLE_DATA in found:
        return len(message(found[DOUBLE_DATA])) // 8
    return sum(len(ints(found[key])) for key in (INT32_DATA, INT64_DATA, UINT64_DATA) if key in found)


def _has_nan(found: dict[int, int | memoryview], dtype: np.dtype[Any]) -> bool:
    if RAW in found:
        values = np.frombuffer(message(found[RAW]), dtype)
    elif FLOAT_DATA in found:
        values = floats(found[FLOAT_DATA])
    elif DOUBLE_DATA in found:
        values = np.frombuffer(message(found[DOUBLE_DATA]), "<f8")
    else:
        values = ints(found[INT32_DATA]).astype(np.uint16).view(np.float16)  # half floats as their bits
    return bool(np.isnan(values).any())
