"""Where a worker finds facts about visitors: the store in force, replaced whole."""

from typing import Final

from edge.visitor.facts import FactStore, NoFactStore


class Shelf:
    """Holds the store; assignment is the swap."""

    def __init__(self, store: FactStore | None = None) -> None:
        self.store: FactStore = store or NoFactStore()


EMPTY: Final = Shelf()
"""Of an edge that has no store; nothing is ever put there."""
