"""How versions compare: as padded text, the way the dialect's SDKs do it."""

import re
from functools import lru_cache
from typing import Any, Final

from edge.rules.coercion import is_number, to_string

_STRIPPED: Final = re.compile(r"^v|\+[^\n\r\u2028\u2029]*\Z")
_SEPARATOR: Final = re.compile(r"[-.]")
_DIGITS: Final = re.compile(r"[0-9]+")


def padded(version: Any) -> str:
    """The version as text that compares as it should; a missing one is version 0.

    A leading ``v`` and ``+build`` don't count; a release is greater than its
    pre-releases; numbers are padded to five digits.
    """
    text = to_string(version) if is_number(version) else version
    return _padded(text if isinstance(text, str) and text else "0")


@lru_cache(4096)
def _padded(text: str) -> str:
    parts = _SEPARATOR.split(_STRIPPED.sub("", text))
    if len(parts) == 3:
        # Greater than any pre-release, as no ASCII sign is greater.
        parts.append("~")
    return "-".join(part.rjust(5) if _DIGITS.fullmatch(part) else part for part in parts)
