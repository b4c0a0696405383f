"""What of a visitor may be kept and counted under the purposes that they granted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from edge.consent.policy import Policy
from edge.decide.behaviours import Behaviour, Fed
from edge.decide.caps import PURCHASE, SHOWN_KINDS
from edge.visitor.buckets import pack, unpack
from edge.visitor.events import EventState
from edge.visitor.state import VisitorState
from edge.visitor.wishes import Wishes
from edge.worker.attributes.facts import BEHAVIOUR

MAX_GRANTS: Final = 1_024
"""Sets of purposes whose consequences are remembered."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What one set of purposes allows.

    Attributes
    ----------
    items : bool
        Whether views of items are noticed, and a history kept.
    shown : bool
        Whether impressions and clicks are noticed, and counted for the caps of campaigns.
    bought : bool
        Whether purchases are noticed, and what was bought is kept.
    behaviours : tuple[Behaviour, ...]
        Those that may be counted.
    withdrawn : frozenset[int]
        The tags of the others.
    """

    items: bool
    shown: bool
    bought: bool
    behaviours: tuple[Behaviour, ...]
    withdrawn: frozenset[int]

    def state(self, state: VisitorState) -> VisitorState:
        """The state without what is no longer granted: what was kept of it ends here, for good."""
        if state.items and not self.items:
            state = replace(state, items=())
        if state.behaviours and self.withdrawn:
            state = replace(state, behaviours=self._left(state.behaviours))
        return state

    def events(self, events: EventState) -> EventState:
        """What pages reported, without what is no longer granted."""
        if events.behaviours and self.withdrawn:
            events = replace(events, behaviours=self._left(events.behaviours))
        if events.caps and not self.shown:
            events = replace(events, caps=b"")
        if events.bought and not self.bought:
            events = replace(events, bought=())
        return events

    def wishes(self, wishes: Wishes) -> Wishes:
        """What the visitor wished; likes are a history, and what is muted is nobody's profit."""
        return replace(wishes, liked=()) if wishes.liked and not self.items else wishes

    def _left(self, behaviours: bytes) -> bytes:
        bodies = unpack(behaviours)
        return pack({tag: body for tag, body in bodies.items() if tag not in self.withdrawn})

    def fed(self, fed: tuple[Fed, ...]) -> tuple[Fed, ...]:
        """What an event may be counted for."""
        if not self.withdrawn:
            return fed
        return tuple([one for one in fed if one[0].tag not in self.withdrawn])


class Keeping:
    """What may be kept, by what is granted; one for each bundle in force."""

    def __init__(self, consent: Policy, behaviours: Mapping[str, Behaviour]) -> None:
        self._consent = consent
        self._behaviours = tuple(behaviours.values())
        self._all = Kept(True, True, True, self._behaviours, frozenset())
        self._found: dict[int, Kept] = {}

    def under(self, granted: int) -> Kept:
        """What these purposes allow."""
        if not self._consent.names:
            return self._all
        found = self._found.get(granted)
        if found is None:
            if len(self._found) >= MAX_GRANTS:
                self._found.clear()
            found = self._found[granted] = self._kept(granted)
        return found

    def _kept(self, granted: int) -> Kept:
        consent = self._consent
        held = tuple([one for one in self._behaviours if self._may_count(one, granted)])
        withdrawn = frozenset(one.tag for one in self._behaviours if one not in held)
        shown = all(consent.hears(kind, granted) for kind in SHOWN_KINDS)
        bought = consent.hears(PURCHASE, granted)
        return Kept(consent.hears("view", granted), shown, bought, held, withdrawn)

    def _may_count(self, behaviour: Behaviour, granted: int) -> bool:
        needs = self._consent.needs.get(BEHAVIOUR + behaviour.name, 0)
        events = filter(None, (behaviour.event, behaviour.basis, behaviour.until))
        return not needs & ~granted and all(self._consent.hears(event, granted) for event in events)
