"""One file of named, aligned arrays that a process maps instead of reading."""

import struct
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.bundle import format as fmt
from edge.errors import BundleError

MAGIC: Final = b"NSARRAY1"
ALIGNMENT: Final = 64
MAX_ARRAYS: Final = 65_536
DTYPES: Final = {
    name: np.dtype(name) for name in ("|u1", "<u2", "<u4", "<u8", "|i1", "<i4", "<i8", "<f2", "<f4", "<f8")
}

Array = NDArray[Any]


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int


def pack(arrays: Mapping[str, Array]) -> bytes:
    """The arrays as one file's bytes, in the order of their names; the same arrays give the same bytes.

    Raises
    ------
    ValueError
        An array's dtype is none of `DTYPES`.
    """
    entries, bodies, offset = [], [], 0
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        dtype = array.dtype.newbyteorder("<").str
        if dtype not in DTYPES:
            raise ValueError(f"array {name!r} is {array.dtype}; use one of {', '.join(DTYPES)}")
        body = array.astype(DTYPES[dtype], copy=False).tobytes()
        entries.append(_Entry(name, dtype, array.shape, offset))
        padding = -len(body) % ALIGNMENT
        bodies.append(body + bytes(padding))
        offset += len(body) + padding
    header = msgspec.msgpack.encode(entries)
    head = MAGIC + struct.pack("<I", len(header)) + header
    return head + bytes(-len(head) % ALIGNMENT) + b"".join(bodies)


def unpack(data: bytes | memoryview) -> dict[str, Array]:
    """Views into `data`, by name, without a copy; read-only where `data` is.

    Raises
    ------
    BundleError
        ``arrays``: the header is malformed or points outside of the file.
    """
    view = memoryview(data)
    if len(view) < 12 or bytes(view[:8]) != MAGIC:
        raise BundleError("arrays", "not an array file")
    (header_bytes,) = struct.unpack("<I", view[8:12])
    start = 12 + header_bytes
    if start > len(view) or header_bytes > fmt.MAX_DOCUMENT_BYTES:
        raise BundleError("arrays", "header is longer than the file")
    entries = fmt.decode(view[12:start], list[_Entry])
    if len(entries) > MAX_ARRAYS:
        raise BundleError("arrays", f"more than {MAX_ARRAYS} arrays")
    start += -start % ALIGNMENT
    return {entry.name: _view(view, start, entry) for entry in entries}


def _view(view: memoryview, start: int, entry: _Entry) -> Array:
    dtype = DTYPES.get(entry.dtype)
    if dtype is None or len(entry.shape) > 4 or any(n < 0 for n in entry.shape):
        raise BundleError("arrays", f"{entry.name!r} has no valid type or shape")
    count = 1
    for length in entry.shape:
        count *= length
    begin = start + entry.offset
    if entry.offset < 0 or begin + count * dtype.itemsize > len(view):
        raise BundleError("arrays", f"{entry.name!r} points outside of the file")
    return np.frombuffer(view, dtype, count, begin).reshape(entry.shape)
