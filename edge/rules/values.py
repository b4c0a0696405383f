"""How an attribute's value is written as a key of the index; compiler and edge must agree on it."""

import struct
from typing import Final

Value = str | float | bool
"""A context attribute. A boolean is not a number here, although Python thinks so."""

STRING: Final = 1
NUMBER: Final = 2
BOOLEAN: Final = 4
LIST: Final = 8
"""Kinds of values as bits: an attribute says which it may hold, and which are in its lists."""

KINDS: Final = {"string": STRING, "number": NUMBER, "boolean": BOOLEAN, "strings": LIST, "numbers": LIST}
"""By the declared type of an attribute."""

_NUMBER: Final = struct.Struct(">d")
_MAX_NUMBER: Final = float("inf")


def number(value: float) -> float:
    """The number as the index compares it: float64, one zero, integers too large for it infinite."""
    try:
        return float(value) + 0.0
    except OverflowError:
        return _MAX_NUMBER if value > 0 else -_MAX_NUMBER


def kind(value: Value) -> int:
    """`STRING`, `NUMBER` or `BOOLEAN`."""
    if isinstance(value, str):
        return STRING
    return BOOLEAN if isinstance(value, bool) else NUMBER


def typed(value: object, kinds: int) -> object:
    """The value, or None if it is of another type than its attribute: then it counts as missing."""
    if isinstance(value, bool):
        fits = kinds & BOOLEAN
    elif isinstance(value, int | float):
        fits = kinds & NUMBER if value == value else 0  # noqa: PLR0124  # NaN is no number
    elif isinstance(value, str):
        fits = kinds & STRING
    else:
        fits = kinds & LIST if isinstance(value, list | tuple) else 0
    return value if fits else None


def key(attribute: int, value: Value) -> bytes:
    """The key of a value of the attribute at this position.

    Keys of one attribute are neighbours when sorted. A lone surrogate, which a
    header can smuggle into a string, is written too instead of raising.
    """
    prefix = attribute.to_bytes(2, "big")
    if isinstance(value, str):
        return prefix + b"s" + value.encode("utf-8", "surrogatepass")
    if isinstance(value, bool):
        return prefix + (b"b1" if value else b"b0")
    return prefix + b"n" + _NUMBER.pack(number(value))
