"""What goes into a decision and what comes out; all of it can be written down and replayed."""

from typing import Final

import msgspec

Value = str | float | bool | list[str | float]
"""An attribute's value; a list holds strings or numbers, as its attribute's type says."""

CONSENT_TIERS: Final = ("none", "contextual", "session", "full")
"""Weakest first: each tier may use all that the ones before it may."""


Assigned = tuple[str, int, str]
"""An experiment, the version under which its variations stick, and the variation that a visitor has."""


class Muted(msgspec.Struct, frozen=True, array_like=True):
    """What a visitor wants no more of: items by id, and topics of the catalog."""

    items: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.items or self.topics)


NOT_MUTED: Final = Muted()


class Context(msgspec.Struct, frozen=True, array_like=True):
    """All that a decision may depend on.

    Attributes
    ----------
    now_ms : int
        UTC milliseconds, minted by the shell.
    seed : int
        The exploration seed, minted by the shell; 63 bits.
    tier : str
        The consent tier, one of `CONSENT_TIERS`.
    attributes : dict[str, Value]
        Typed facts by name; an absent one is missing, there is no null.
    history : tuple[str, ...]
        Item ids the visitor viewed, most recent first.
    placements : tuple[str, ...]
        Placements to fill, as marked in the page.
    unit : str
        What experiments divide visitors by, the visitor's id in hex; empty below the tier
        `full`, and for a bundle that divides nobody.
    assigned : tuple[Assigned, ...]
        The variations that stick to this visitor, the oldest first.
    forced : tuple[tuple[str, str], ...]
        Experiments and the variations that a tester demands of them.
    granted : tuple[str, ...]
        The purposes that the visitor granted; empty for a site that declares none.
    muted : Muted
        What no recommender may list.
    """

    now_ms: int
    seed: int
    tier: str
    attributes: dict[str, Value]
    history: tuple[str, ...]
    placements: tuple[str, ...]
    unit: str = ""
    assigned: tuple[Assigned, ...] = ()
    forced: tuple[tuple[str, str], ...] = ()
    granted: tuple[str, ...] = ()
    muted: Muted = NOT_MUTED


DEFAULT: Final = "$default"
"""The policy of a slot that no campaign won, and that shows its placement's default; no id is like it."""


class Slot(msgspec.Struct, frozen=True, array_like=True):
    """What one placement shows, and why.

    `policy` is the id of the campaign that won, or `DEFAULT`. Either `content` names a
    content (in `page.layout` a layout, in `page.redirect` a URL), or `items`
    lists item ids by position, from the candidate set
    `candidates` (a recommender's name), as cards of the template `card`.
    `propensity` is the probability with which the policy chose this. Where the
    campaign is an experiment's, `experiment` and `variation` say which; a
    variation may show nothing: then the placement's default stands there.
    """

    placement: str
    policy: str
    content: str = ""
    items: tuple[str, ...] = ()
    candidates: str = ""
    card: str = ""
    propensity: float = 1.0
    experiment: str = ""
    variation: str = ""

    @property
    def fills(self) -> bool:
        """Whether it shows anything but the site's default."""
        return bool(self.content or self.items)


class Decision(msgspec.Struct, frozen=True, array_like=True):
    """The slots that a campaign won, in the order of the page's placements.

    `excluded` says which experiments and holdouts kept a campaign from winning, and why, as
    ``ID:REASON``. `assigned` are the variations that shall stick to the visitor from now on.
    """

    slots: tuple[Slot, ...]
    excluded: tuple[str, ...] = ()
    assigned: tuple[Assigned, ...] = ()


class DecisionRecord(msgspec.Struct, frozen=True, array_like=True, tag="decision"):
    """A decision with all that a replay needs.

    Attributes
    ----------
    id : str
        32 hex digits, minted by the shell.
    bundle : str
        The bundle's id; with `revision`, what it was published as.
    weights : str
        Id of the online weights in force; empty while there are none.
    killed : tuple[str, ...]
        Campaigns switched off when this was decided.
    visitor : str
        The visitor's id in hex; empty below the tier `full`.
    missed : tuple[str, ...]
        Placements that missed their deadline and kept the default.
    teaches : bool
        Whether learning may use it; not for unauthenticated API callers, and not for testers.
    excluded : tuple[str, ...]
        As in the decision.
    stock : str
        Id of the stock list in force; empty while there is none.
    """

    id: str
    site: str
    pop: str
    bundle: str
    revision: int
    weights: str
    killed: tuple[str, ...]
    visitor: str
    context: Context
    slots: tuple[Slot, ...]
    missed: tuple[str, ...] = ()
    teaches: bool = True
    excluded: tuple[str, ...] = ()
    stock: str = ""


class Event(msgspec.Struct, frozen=True, array_like=True, tag="event"):
    """What a visitor did. Its identity is (decision, kind, item, n).

    `kind` is ``view`` (the page's own path named the item), ``impression`` or ``click``, or what the site's
    script reports: ``cart``, ``purchase`` or a kind of its own; these may have a `value`.
    """

    decision: str
    kind: str
    item: str
    n: int
    placement: str
    visitor: str
    now_ms: int
    value: float = 0.0


class Shadow(msgspec.Struct, frozen=True, array_like=True, tag="shadow"):
    """What a challenger would have listed in a slot of a decision; nobody saw it."""

    decision: str
    placement: str
    recommender: str
    challenger: str
    items: tuple[str, ...]
    now_ms: int


Record = DecisionRecord | Event | Shadow
"""What a spool holds; told apart by the tag in front."""
