"""Tells sites that render for each visitor themselves what was decided: signed headers on their requests."""

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import structs

from edge.decide.engine import EmptyEngine
from edge.decide.types import Slot
from edge.pages.plan import NO_PAGE
from edge.proxy.fields import Fields
from edge.worker.active import Active
from edge.worker.attributes.facts import Request
from edge.worker.turn.ahead import draft_ahead
from edge.worker.turn.boundary import note_failure
from edge.worker.turn.view import Ahead, Desk, PageView

SIGNALS: Final = b"nearside-signals"
SIGNATURE: Final = b"nearside-signature"
MAX_SIGNALS_BYTES: Final = 4096
"""Sites bound a request's headers; a longer one is not sent."""

_DETAILS: Final = ("content", "experiment", "variation")


class Signals:
    """Decides the placements that the site renders, before it is asked for a page.

    Parameters
    ----------
    placements
        Those; none where the site renders nothing itself.
    key
        ``(id, 32 bytes)``, which the site holds, too.
    """

    def __init__(self, placements: Sequence[str], site: str, key: tuple[int, bytes] | None) -> None:
        self._placements = tuple(placements) if key else ()
        self._prefix = b"nearside:signals\0" + site.encode() + b"\0"
        self._key = key or (0, b"")

    def renew(self, key: tuple[int, bytes] | None) -> None:
        """Sign with another key from now on; without one, the last that there was."""
        self._key = key or self._key

    def __bool__(self) -> bool:
        return bool(self._placements)

    def foresee(self, request: Request, active: Active, desk: Desk) -> Ahead | None:
        """What is decided ahead of the page; None where nobody may be told anything.

        What goes wrong is counted, and the site is asked without.
        """
        try:
            return self._foresee(request, active, desk)
        except Exception as error:
            note_failure(error, "a decision ahead of a page", desk.counters)
            return None

    def _foresee(self, request: Request, active: Active, desk: Desk) -> Ahead | None:
        engine = active.engine
        names = tuple(name for name in self._placements if name in engine.schema.placements)
        if isinstance(engine, EmptyEngine) or not names:
            return None
        draft = draft_ahead(PageView(request, NO_PAGE, b""), active, desk)
        if isinstance(draft, str):
            return None
        draft.context = structs.replace(draft.context, placements=names)
        return Ahead(active, draft, engine.decide(draft.context, active.killed, active.weights, active.stock))

    def fields(self, ahead: Ahead, desk: Desk) -> Fields:
        """The headers that tell of it; none where they would be too long."""
        context = ahead.draft.context
        told = {
            "decision": ahead.draft.id,
            "tier": context.tier,
            "slots": {slot.placement: _told(slot) for slot in ahead.decision.slots},
        }
        signals = json.dumps(told, separators=(",", ":")).encode()  # ASCII
        if len(signals) > MAX_SIGNALS_BYTES:
            desk.counters.add('nearside_signals_total{outcome="too-long"}')
            return []
        desk.counters.add('nearside_signals_total{outcome="sent"}')
        return [(SIGNALS, signals), (SIGNATURE, self.sign(signals, context.now_ms // 1000))]

    def sign(self, signals: bytes, now_s: int) -> bytes:
        """``ID.SECONDS.MAC`` of a header's value."""
        key_id, key = self._key
        mac = hmac.digest(key, self._prefix + b"%d\0" % now_s + signals, "sha256")
        return b"%d.%d.%s" % (key_id, now_s, base64.urlsafe_b64encode(mac).rstrip(b"="))


def _told(slot: Slot) -> Mapping[str, object]:
    found: dict[str, object] = {"campaign": slot.policy}
    found |= {name: value for name in _DETAILS if (value := getattr(slot, name))}
    if slot.items:
        found |= {"recommender": slot.candidates, "items": slot.items}
    return found


NO_SIGNALS: Final = Signals((), "", None)
