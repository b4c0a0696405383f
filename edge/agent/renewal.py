"""Sees that an operator replaced a file which workers read, and tells them."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

LOOK_S: Final = 2.0

Stamp = tuple[int, int, int]


class Watch:
    """Looks at files again and again; replaced ones are told, missing ones are waited for.

    Parameters
    ----------
    tell
        Called after any of them changed.
    """

    def __init__(self, files: Sequence[Path], tell: Callable[[], object], look_s: float = LOOK_S) -> None:
        self._files, self._tell, self._look_s = tuple(files), tell, look_s
        self._seen = self._stamps()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._look_s)
            self.look()

    def look(self) -> bool:
        """Whether a file was replaced since the last look."""
        found = self._stamps()
        changed = found != self._seen
        self._seen = found
        if changed:
            self._tell()
        return changed

    def _stamps(self) -> list[Stamp]:
        return [_stamp(path) for path in self._files]


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return found.st_ino, found.st_mtime_ns, found.st_size
