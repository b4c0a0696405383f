"""Which PoPs listen to the news right now."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Presence:
    """Counts the open news streams of each PoP; remembers nothing, the store does."""

    def __init__(self) -> None:
        self._open: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def listening(self, site: str, pop: str) -> Iterator[None]:
        """A stream of this PoP is open."""
        self._open[site, pop] += 1
        try:
            yield
        finally:
            self._open[site, pop] -= 1
            if not self._open[site, pop]:
                del self._open[site, pop]

    def connected(self, site: str) -> set[str]:
        """The PoPs of a site that listen."""
        return {pop for name, pop in self._open if name == site}
