"""A page on its way to one visitor: what is asked, what is decided, what is answered."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf

from msgspec import structs

from edge.decide.types import Context, Decision, Slot
from edge.events.forced import ForcedBox
from edge.events.spool import SpoolWriter
from edge.events.token import TokenBox
from edge.pages.packing import Fragments
from edge.pages.plan import PagePlan
from edge.pages.stitch import Part
from edge.visitor import cookie
from edge.visitor.cookie import CookieBox
from edge.visitor.state import VisitorState
from edge.worker.active import Active
from edge.worker.attributes.facts import Request
from edge.worker.counters import Counters
from edge.worker.turn.compose import Filling
from edge.worker.turn.shadow import NO_SHADOW_WORK, ShadowWork
from edge.worker.turn.whole_page import Whole


@dataclass(slots=True)
class PageView:
    """A page on its way to one visitor: what is asked, then what is answered.

    Attributes
    ----------
    body : bytes
        The page to send; the plain one until it is personalized.
    gzip : bool
        Whether the page may leave compressed.
    coded : bool
        Whether the body is a gzip stream.
    set_cookie : bytes
        Our Set-Cookie header's value, or empty.
    private : bool
        Whether the answer is this visitor's alone.
    forgets : tuple[bytes, ...]
        The cookies, beside that of `set_cookie`, that are to be erased.
    due_s : float
        By when it is to be decided, on the clock of its turn's budget.
    decided_ms : float
        How long the turn took that decided it.
    whole : Whole or None
        What is done to the page as a whole, where anything is.
    ahead : Ahead or None
        What was read of the visitor, and perhaps decided, before the page was there.
    in_parts : bool
        Whether the page is wanted in deflated parts, as its beginning has left already.
    parts : sequence of Part
        Those; none of the plain page.
    flows : bool
        Whether the page is still to come, and its plan only an outline.
    filling : Filling or None
        What goes into it then; None of the plain page.
    """

    request: Request
    plan: PagePlan
    body: bytes
    gzip: bool = False
    coded: bool = False
    set_cookie: bytes = b""
    private: bool = False
    forgets: tuple[bytes, ...] = ()
    due_s: float = inf
    decided_ms: float = 0.0
    whole: Whole | None = None
    ahead: "Ahead | None" = None
    in_parts: bool = False
    parts: Sequence[Part] = ()
    flows: bool = False
    filling: Filling | None = None

    @property
    def is_told(self) -> bool:
        """Whether the site was told what is decided, so that it must stay so."""
        return self.ahead is not None and bool(self.ahead.placements)

    @property
    def location(self) -> bytes:
        """Where the visitor is led instead of seeing the page, or empty."""
        return b"" if self.whole is None else self.whole.location

    @property
    def peeks(self) -> bool:
        """Whether it is only asked where the page leads."""
        return self.whole is not None and self.whole.peek

    @property
    def cookie_fields(self) -> list[tuple[bytes, bytes]]:
        """The answer's headers about our cookies."""
        led = b"" if self.whole is None else self.whole.cookie
        erased = [name + cookie.ERASED for name in self.forgets]
        return [(b"set-cookie", value) for value in (self.set_cookie, *erased, led) if value]

    def reset(self) -> None:
        """Back to the plain page."""
        self.body, self.coded, self.set_cookie, self.private = self.plan.page, False, b"", False
        self.whole, self.parts = None if self.whole is None else Whole(self.whole.peek), ()
        self.filling = None
        self.forgets = ()


@dataclass(frozen=True)
class Desk:
    """What personalizing needs beside the bundle; one per worker."""

    site: str
    pop: str
    cookies: CookieBox
    tokens: TokenBox
    spool: SpoolWriter
    counters: Counters
    forced: ForcedBox
    token_lifetime_s: int
    cookie_lifetime_s: int
    fragments: Fragments = field(default_factory=Fragments)
    shadow: ShadowWork = NO_SHADOW_WORK


@dataclass(slots=True)
class Draft:
    """A page view between the loops."""

    view: PageView
    id: str
    context: Context
    state: VisitorState
    nonce: bytes
    item: str
    keep: bool
    read_only: bool
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class Ahead:
    """What was read and decided before the page was there; the page's own decision continues it.

    Attributes
    ----------
    active : Active
        By what it was decided: the page is, too, whatever was activated meanwhile.
    draft : Draft
        With the context and the decision's id.
    """

    active: Active
    draft: Draft
    decision: Decision

    @property
    def placements(self) -> tuple[str, ...]:
        """Those that the site was told of and fills itself, if any."""
        return self.draft.context.placements

    def resumed(self, view: PageView, more: tuple[str, ...]) -> Draft:
        """The draft for the page that came: its other placements are decided together with the first ones."""
        before = self.draft.view
        view.set_cookie, view.private, view.forgets = before.set_cookie, True, before.forgets
        placements = self.placements + tuple(name for name in more if name not in self.placements)
        context = structs.replace(self.draft.context, placements=placements)
        return replace(self.draft, view=view, context=context)

    def kept(self, draft: Draft, decision: Decision) -> Decision:
        """The decision for the page, unless it takes back what the site was told: that stands alone then.

        Where campaigns exclude each other, or a layout hides a placement, more of them may change the first.
        """
        told = tuple(slot for slot in decision.slots if slot.placement in self.placements)
        if told == self.decision.slots or draft.view.location:
            return decision
        draft.context, draft.view.whole = self.draft.context, None
        return self.decision

    def left(self, slots: list[Slot]) -> list[Slot]:
        """The slots that are for the edge to fill."""
        return [slot for slot in slots if slot.placement not in self.placements]
