"""Reads the bit strings that consent strings are made of: integers, bit fields, ranges of vendors."""

import base64
import re
from typing import Final

from edge.errors import ConsentError

MAX_CHARS: Final = 8_192
"""Of one consent string; browsers keep cookies of 4,096 bytes at most."""

MAX_ID: Final = 65_535
"""The greatest id of a vendor that 16 bits write; ranges of gaps could name others."""

_BASE64: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_FIBONACCI: Final = [1, 2]
while _FIBONACCI[-1] < MAX_ID:
    _FIBONACCI.append(_FIBONACCI[-1] + _FIBONACCI[-2])

Ids = int
"""A set of small numbers, as purposes and vendors have them: bit n stands for the number n."""


def ids_of(numbers: Ids) -> tuple[int, ...]:
    """The numbers of a set, rising."""
    return tuple(number for number, bit in enumerate(reversed(f"{numbers:b}")) if bit == "1")


class Bits:
    """Bits that are read from the front on.

    Every reader raises `ConsentError` ``short`` where there are less bits than it takes.
    """

    __slots__ = ("_at", "_bits")

    def __init__(self, encoded: str) -> None:
        if len(encoded) > MAX_CHARS:
            raise ConsentError("too-long", f"{len(encoded)} characters, more than {MAX_CHARS}")
        if not _BASE64.fullmatch(encoded):
            raise ConsentError("base64", "empty, or not base64url without padding")
        size = 6 * len(encoded)
        raw = base64.urlsafe_b64decode(encoded + "A" * (-len(encoded) % 4))
        self._bits = f"{int.from_bytes(raw):0{8 * len(raw)}b}"[:size]
        self._at = 0

    def __len__(self) -> int:
        return len(self._bits)

    def _take(self, count: int) -> str:
        end = self._at + count
        if end > len(self._bits):
            raise ConsentError("short", f"{len(self._bits)} bits, and at least {end} are needed")
        taken = self._bits[self._at : end]
        self._at = end
        return taken

    def integer(self, count: int) -> int:
        """An unsigned number of `count` bits."""
        return int(self._take(count), 2)

    def integers(self, count: int, each: int) -> tuple[int, ...]:
        """So many numbers of `each` bits."""
        return tuple([int(self._take(each), 2) for _ in range(count)])

    def flag(self) -> bool:
        """One bit."""
        return self._take(1) == "1"

    def letters(self) -> str:
        """Two letters of six bits each, as languages and countries are written."""
        return chr(65 + self.integer(6)) + chr(65 + self.integer(6))

    def field(self, count: int) -> Ids:
        """A bit for each number from 1 to `count`."""
        return int("0" + self._take(count)[::-1], 2) << 1

    def ranges(self, *, fibonacci: bool = False) -> Ids:
        """Numbers and ranges of them, after their count of 12 bits.

        They are written with 16 bits, or (`fibonacci`) as gaps to the one before.
        """
        found = last = 0
        for _ in range(self.integer(12)):
            is_range = self.flag()
            first = last + self.fibonacci() if fibonacci else self.integer(16)
            last = first
            if is_range:
                last = first + self.fibonacci() if fibonacci else self.integer(16)
            if not first <= last <= MAX_ID:
                raise ConsentError("range", f"from {first} to {last}, of at most {MAX_ID}")
            found |= ((1 << last - first + 1) - 1) << first
        return found

    def vendors(self) -> Ids:
        """A set of vendors: the greatest id, then a bit for each or ranges, whichever was shorter."""
        greatest = self.integer(16)
        return self.ranges() if self.flag() else self.field(greatest)

    def vendors_checked(self, *, fibonacci: bool) -> Ids:
        """The same where ranges may be written in either way: the greatest id tells the wrong one."""
        greatest = self.integer(16)
        if not self.flag():
            return self.field(greatest)
        found = self.ranges(fibonacci=fibonacci)
        if max(0, found.bit_length() - 1) != greatest:
            raise ConsentError("range", f"ranges that do not end at {greatest}")
        return found

    def fibonacci(self) -> int:
        """A number as a sum of Fibonacci numbers, ended by two ones."""
        end = self._bits.find("11", self._at)
        if end < 0:
            raise ConsentError("short", "a Fibonacci number without an end")
        places = self._take(end + 2 - self._at)[:-1]
        if len(places) > len(_FIBONACCI):
            raise ConsentError("range", f"a Fibonacci number of {len(places)} bits")
        return sum([_FIBONACCI[place] for place, bit in enumerate(places) if bit == "1"])
