"""Says how much of a page that is still coming stands before its first mark."""

from edge.pages.marks import HINTS


class Beginning:
    """A page as it comes.

    What it gives is before anything that looks like a mark, in a script, too: so it can't know of
    too few. Whoever looks at the whole page later has to see that it begins so.

    Attributes
    ----------
    page : bytearray
        All that came.
    given : int
        How many bytes of it were given.
    """

    def __init__(self) -> None:
        self.page = bytearray()
        self.given = 0
        self._is_over = False

    def take(self, data: bytes) -> list[bytes]:
        """What may leave now that these bytes came."""
        self.page += data
        if self._is_over:
            return []
        text = bytes(self.page[self.given :])
        found = text[: self._end(text.lower())]
        self.given += len(found)
        return [found] if found else []

    def give_up(self) -> bytes:
        """What came and did not leave."""
        return bytes(self.page[self.given :])

    def _end(self, text: bytes) -> int:
        hints = [at for hint in HINTS if (at := text.find(hint)) >= 0]
        self._is_over = bool(hints)
        tag = text.rfind(b"<", 0, min(hints, default=len(text)))
        if hints:
            return max(tag, 0)
        return tag if tag >= 0 and b">" not in text[tag:] else len(text)
