"""Tells the open news streams of a site that something changed."""

import asyncio


class News:
    """Wakes who waits for a site's next change; remembers nothing, the store does."""

    def __init__(self) -> None:
        self._changed: dict[str, asyncio.Event] = {}
        self.closed = False

    def upcoming(self, site: str) -> asyncio.Event:
        """The site's next change. Take it before reading the store, or a change may be missed."""
        return self._changed.setdefault(site, asyncio.Event())

    def tell(self, site: str) -> None:
        """Wake all streams of a site."""
        event = self._changed.pop(site, None)
        if event is not None:
            event.set()

    def close(self) -> None:
        """End all streams: the process is about to stop."""
        self.closed = True
        for site in list(self._changed):
            self.tell(site)
