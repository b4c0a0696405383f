"""How values turn into numbers and strings and compare, exactly as in JavaScript: the dialect's types."""

import math
import re
from typing import Any, Final

_DECIMAL: Final = re.compile(r"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|Infinity)", re.ASCII)
_RADIX: Final = re.compile(r"0(?:[xX]([0-9a-fA-F]+)|[oO]([0-7]+)|[bB]([01]+))", re.ASCII)
_SPACE: Final = " \t\n\r\v\f\u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)


_NUMBERS: Final = (float, int)
_EXACT: Final = 2**53
"""Integers below are what they are as float64, too."""


def is_number(value: object) -> bool:
    """Whether it is a number; a boolean is none, although Python thinks so."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def type_of(value: object) -> str:
    """The JSON type: ``null boolean number string array object``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list | tuple) else "object"


def double(value: float) -> float:
    """A Python number as a float64; integers too large for it are infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def to_number(value: Any) -> float:
    """``Number(value)``: null is 0, a string is read, what can't be is NaN."""
    if value is None:
        return 0.0
    if isinstance(value, int | float):
        return double(value)
    if isinstance(value, dict):
        return math.nan
    return _read(value if isinstance(value, str) else to_string(value))


def _read(text: str) -> float:
    text = text.strip(_SPACE)
    if not text:
        return 0.0
    if _DECIMAL.fullmatch(text):
        return float(text)
    found = _RADIX.fullmatch(text)
    if found is None or found.lastindex is None:
        return math.nan
    bits = (4, 3, 1)[found.lastindex - 1]
    # Limited, as a header may hold any number of digits.
    return double(int(found[found.lastindex][:2000], 1 << bits))


def to_string(value: Any) -> str:
    """``String(value)``."""
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number_text(double(value))
    if isinstance(value, list | tuple):
        return ",".join("" if one is None else to_string(one) for one in value)
    return "[object Object]"


def _number_text(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    if number == 0:
        return "0"
    if number < 0:
        return "-" + _number_text(-number)
    mantissa, _, exponent = repr(number).partition("e")
    whole, _, fraction = mantissa.partition(".")
    padded = (whole + fraction).lstrip("0")
    digits = padded.rstrip("0")
    # The number is 0.DIGITS times ten to this.
    point = int(exponent or 0) - len(fraction) + len(padded)
    return _laid_out(digits, point)


def _laid_out(digits: str, point: int) -> str:
    if len(digits) <= point <= 21:
        return digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{mantissa}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def truthy(value: Any) -> bool:
    """``!!value``: lists and objects always are."""
    if isinstance(value, list | tuple | dict):
        return True
    return bool(value) and not (isinstance(value, float) and math.isnan(value))


def strictly_equal(left: Any, right: Any) -> bool:
    """``left === right``, where a list or an object is never the same as another."""
    if isinstance(left, bool) or isinstance(right, bool) or left is None or right is None:
        return left is right
    if isinstance(left, str) or isinstance(right, str):
        return isinstance(left, str) and isinstance(right, str) and left == right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return double(left) == double(right)
    return False


def same_json(left: Any, right: Any) -> bool:
    """Whether both are written as the same JSON, where the order of keys counts."""
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same_json, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return list(left) == list(right) and all(same_json(left[key], right[key]) for key in left)
    return strictly_equal(left, right)


def compare(left: Any, right: Any) -> int | None:
    """-1, 0 or 1 as JavaScript's ``<`` sees it: two strings by UTF-16 units, else numbers; None: no order."""
    if type(left) is float and type(right) in _NUMBERS and abs(right) < _EXACT:
        return (left > right) - (left < right) if left == left else None  # noqa: PLR0124  # NaN
    left, right = _primitive(left), _primitive(right)
    if isinstance(left, str) and isinstance(right, str):
        return compare_text(left, right)
    one, other = to_number(left), to_number(right)
    if math.isnan(one) or math.isnan(other):
        return None
    return (one > other) - (one < other)


def compare_text(left: str, right: str) -> int:
    """-1, 0 or 1 by UTF-16 code units."""
    if left.isascii() and right.isascii():
        return (left > right) - (left < right)
    one, other = left.encode("utf-16-be", "surrogatepass"), right.encode("utf-16-be", "surrogatepass")
    return (one > other) - (one < other)


def _primitive(value: Any) -> Any:
    return to_string(value) if isinstance(value, list | tuple | dict) else value
