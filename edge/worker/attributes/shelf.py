"""Where a worker finds facts about visitors: the store in force, replaced whole."""

from typing import Final

from edge.visitor.facts import FactStore, NoFactStore, RemoteStore


class Shelf:
    """Holds the store; assignment is the swap.

    Attributes
    ----------
    remote : RemoteStore or None
        The store, where facts have to be looked up first.
    """

    def __init__(self, store: FactStore | None = None, remote: RemoteStore | None = None) -> None:
        self.store: FactStore = remote or store or NoFactStore()
        self.remote = remote


EMPTY: Final = Shelf()
"""Of an edge that has no store; nothing is ever put there."""
