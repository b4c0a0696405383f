"""Reads protobuf messages as they lie on the wire: without the onnx package, and without trust."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.errors import BundleError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MAX_VARINT_BYTES: Final = 10

Field = tuple[int, int | memoryview]
Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


def fields(message: memoryview) -> Iterator[Field]:
    """The fields of one message; deprecated groups are refused."""
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, at = varint(message, at)
            yield number, value
            continue
        if kind not in (FIXED64, BYTES, FIXED32):
            raise BundleError("graph", f"unknown kind {kind} of field")
        length, at = varint(message, at) if kind == BYTES else (8 if kind == FIXED64 else 4, at)
        if at + length > len(message):
            raise BundleError("graph", "ends inside of a field")
        yield number, message[at : at + length]
        at += length


def runs(message: memoryview) -> Iterator[Field]:
    """As `fields`, with repeated numbers as one packed field, as if they had been written so.

    A forest has half a million of them, which one by one would take a second.
    """
    at = 0
    while at < len(message):
        start = at
        tag, at = varint(message, at)
        if tag < 128 and tag & 7 in (VARINT, FIXED32) and at < len(message):
            count, length = _run(message[start:], tag)
            if count > 1:
                yield tag >> 3, _packed(message[start : start + length], tag)
                at = start + length
                continue
        field, at = _field(message, start)
        yield field


def _field(message: memoryview, start: int) -> tuple[Field, int]:
    """The field that begins there, and where it ends."""
    tag, at = varint(message, start)
    if tag & 7 == BYTES:
        length, at = varint(message, at)
        end = at + length
    elif tag & 7 == VARINT:
        _, end = varint(message, at)
    else:
        end = at + (8 if tag & 7 == FIXED64 else 4)
    (field,) = fields(message[start:end]) if end <= len(message) else fields(message[start:])
    return field, end


def _run(message: memoryview, tag: int) -> tuple[int, int]:
    """How many fields of this tag stand one after the other, and their bytes."""
    data = np.frombuffer(message, np.uint8)
    if tag & 7 == FIXED32:
        count = _leading(data[::5] == tag)
        return count, count * 5
    ends = np.flatnonzero(data < 128)
    # Tags and values take turns, and both are numbers that end in such a byte.
    starts = np.concatenate(([0], ends[:-1] + 1))[::2]
    count = min(_leading(data[starts] == tag), len(ends) // 2)
    return count, int(ends[2 * count - 1]) + 1 if count else 0


def _leading(holds: NDArray[np.bool_]) -> int:
    """How many hold before the first that does not."""
    return len(holds) if holds.all() else int(holds.argmin())


def _packed(run: memoryview, tag: int) -> memoryview:
    """The values of a run without their tags."""
    data = np.frombuffer(run, np.uint8)
    if tag & 7 == FIXED32:
        if len(data) % 5:
            raise BundleError("graph", "ends inside of a field")
        return memoryview(np.ascontiguousarray(data.reshape(-1, 5)[:, 1:]).tobytes())
    ends = np.flatnonzero(data < 128)
    is_value = np.ones(len(data), np.bool_)
    is_value[np.concatenate(([0], ends[1::2][:-1] + 1))] = False
    return memoryview(data[is_value].tobytes())


def varint(message: memoryview, at: int) -> tuple[int, int]:
    """The number that begins there, and where it ends."""
    value = 0
    for shift in range(0, 7 * MAX_VARINT_BYTES, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise BundleError("graph", "a number has no end")


def message(value: int | memoryview) -> memoryview:
    """A field's value, which must be a message, a text or a packed list."""
    if isinstance(value, int):
        raise BundleError("graph", "a number where a message is due")
    return value


def text(value: int | memoryview) -> str:
    """A field's value as text, for comparison; bytes that are no UTF-8 compare with nothing."""
    return bytes(message(value)).decode("utf-8", "replace")


def signed(value: int) -> int:
    """A number as protobuf's ``int64``."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


def ints(value: int | memoryview) -> Ints:
    """One ``int64``, or a packed list of them."""
    if isinstance(value, int):
        return np.array([signed(value)], np.int64)
    data = np.frombuffer(value, np.uint8)
    ends = np.flatnonzero(data < 128)
    if len(data) and (not len(ends) or ends[-1] != len(data) - 1):
        raise BundleError("graph", "a number has no end")
    starts = np.concatenate(([0], ends[:-1] + 1))[: len(ends)]
    sizes = ends - starts + 1
    if len(sizes) and sizes.max() > MAX_VARINT_BYTES:
        raise BundleError("graph", "a number has no end")
    found = np.zeros(len(ends), np.uint64)
    for place in range(int(sizes.max()) if len(sizes) else 0):
        longer = sizes > place
        part = (data[starts[longer] + place] & 0x7F).astype(np.uint64)
        found[longer] |= part << np.uint64(7 * place)
    return found.view(np.int64)


def floats(value: int | memoryview) -> Floats:
    """One ``float``, or a packed list of them."""
    if len(message(value)) % 4:
        raise BundleError("graph", "ends inside of a number")
    return np.frombuffer(message(value), "<f4")
