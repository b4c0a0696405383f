"""Visitor state: what the visitor's cookie carries, and how a page view changes it."""

from typing import Final

import msgspec

from edge.decide.types import Assigned

VERSION: Final = 1
MAX_ITEMS: Final = 50
MAX_ASSIGNED: Final = 16
MAX_ASSIGNED_CHARS: Final = 512
"""Of all names of experiments and variations together: the cookie has 1,500 bytes for everything."""
VISIT_GAP_S: Final = 1800
"""A pause longer than this begins a new visit."""


class VisitorState(msgspec.Struct, frozen=True, array_like=True):
    """What one visitor did lately; empty for a new one.

    Attributes
    ----------
    visitor : bytes
        16 random bytes; empty in the consent tier `session`.
    first_s, last_s : int
        First and last page view, UTC seconds.
    visits : int
        Visits so far, this one included; 0 before the first page.
    items : tuple[str, ...]
        Ids of items viewed, most recent first, each once.
    behaviours : bytes
        What they did in time, in buckets; see `edge.visitor.buckets`.
    assigned : tuple[Assigned, ...]
        Variations of experiments that stick, the oldest first.
    """

    version: int = VERSION
    visitor: bytes = b""
    first_s: int = 0
    last_s: int = 0
    visits: int = 0
    items: tuple[str, ...] = ()
    behaviours: bytes = b""
    assigned: tuple[Assigned, ...] = ()


NEW: Final = VisitorState()


def is_over(state: VisitorState, now_s: int) -> bool:
    """Whether the visit that this is the state of has ended."""
    return now_s - state.last_s > VISIT_GAP_S


def arrive(state: VisitorState, now_s: int, visitor: bytes) -> VisitorState:
    """The state as a page view begins: `visitor` is used where there is no id yet."""
    return VisitorState(
        VERSION,
        state.visitor or visitor,
        state.first_s or now_s,
        max(now_s, state.last_s),
        state.visits + is_over(state, now_s),
        state.items,
        state.behaviours,
        state.assigned,
    )


def view(state: VisitorState, item: str) -> VisitorState:
    """The state after the visitor viewed an item."""
    items = (item, *[other for other in state.items if other != item])[:MAX_ITEMS]
    return VisitorState(
        VERSION,
        state.visitor,
        state.first_s,
        state.last_s,
        state.visits,
        items,
        state.behaviours,
        state.assigned,
    )


def assign(state: VisitorState, assigned: tuple[Assigned, ...]) -> VisitorState:
    """The state with variations that stick from now on; the oldest make room for them."""
    renewed = {experiment for experiment, _, _ in assigned}
    kept = [*[one for one in state.assigned if one[0] not in renewed], *assigned][-MAX_ASSIGNED:]
    while sum(len(name) + len(variation) for name, _, variation in kept) > MAX_ASSIGNED_CHARS:
        del kept[0]
    return msgspec.structs.replace(state, assigned=tuple(kept))
