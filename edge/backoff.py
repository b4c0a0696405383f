"""How long to wait before the next try: longer each time, never in step with others."""

import random


class Backoff:
    """Delays from `first_s` that double up to `most_s`, each shortened by up to a half at random."""

    def __init__(self, first_s: float, most_s: float) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._next_s = first_s

    def next_s(self) -> float:
        """The delay before the next try."""
        delay = self._next_s
        self._next_s = min(delay * 2, self._most_s)
        return delay * random.uniform(0.5, 1)  # noqa: S311  (spreads load, guards nothing)

    def reset(self) -> None:
        """It worked: begin from the start the next time."""
        self._next_s = self._first_s
