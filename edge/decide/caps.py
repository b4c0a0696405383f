"""Which events pages may report, and which campaigns are capped by them: what the bundle says of both."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

import msgspec

from edge.bundle import format as fmt
from edge.bundle.reader import Bundle
from edge.decide.behaviours import MAX_WINDOW_S, Behaviour
from edge.errors import BundleError

SHOWN_KINDS: Final = ("impression", "click")
"""What happens to a thing that the page showed; each counts once for a thing and a page."""

BUSINESS_KINDS: Final = ("cart", "purchase")
PURCHASE: Final = "purchase"
BOUGHT: Final = "visitor.bought"
"""The attribute that holds which items a visitor bought lately."""

"""What every site may report, beside the kinds of its own."""

PAGE_KINDS: Final = {"dwell": 1800, "scroll": 100}
"""What a page tells of itself when it is left, and the most that it may: seconds, percent of its height."""

MAX_KINDS: Final = 32
MAX_CAPS: Final = 1_000
MAX_LIMIT: Final = 255
MEASURES: Final = ("count", "visit", "recency")
SOURCE: Final = "cap"
"""Of the attributes that tell what is counted of campaigns."""


class Cap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is counted of a campaign, so that it rests where it was shown enough.

    Attributes
    ----------
    name : str
        The attribute that tells it: ``cap.CAMPAIGN.7d``.
    tag : int
        32 bits that stand for it in the visitor's cookie.
    event : str
        ``impression`` or ``click``.
    measure : str
        ``count`` in the last `window_s`, ``visit``: in this visit, or ``recency``: hours since the last.
    limit : int
        Of counts: it rests once there are so many. Of a recency: the seconds that must
        pass, 0 for ever.
    """

    name: str
    campaign: str
    tag: int
    event: str
    measure: str
    window_s: int
    limit: int

    @property
    def behaviour(self) -> Behaviour:
        """How it is counted, but for visits."""
        return Behaviour(self.name, 0, self.event, self.measure, self.window_s)


class Reports(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the site's script may report beside what every site may, and the caps of campaigns.

    `everywhere` says whether pages that show nothing but defaults may report, too.
    """

    kinds: tuple[str, ...] = ()
    caps: tuple[Cap, ...] = ()
    everywhere: bool = False


class Caps:
    """The caps of a bundle.

    Attributes
    ----------
    by_tag : dict of int to (Cap, Behaviour)
        Each with how it is counted.
    of : dict of str to tuple of Cap
        By campaign; campaigns without a cap have no entry.
    """

    def __init__(self, caps: tuple[Cap, ...] = ()) -> None:
        self.by_tag = {cap.tag: (cap, cap.behaviour) for cap in caps}
        found: defaultdict[str, list[Cap]] = defaultdict(list)
        for cap in caps:
            found[cap.campaign].append(cap)
        self.of: Mapping[str, tuple[Cap, ...]] = {name: tuple(held) for name, held in found.items()}

    def __bool__(self) -> bool:
        return bool(self.by_tag)


NO_CAPS: Final = Caps()


def load_reports(bundle: Bundle) -> Reports | None:
    """What the bundle says of reported events; None where it has no need of them.

    Raises
    ------
    BundleError
        ``caps``: there is more than an edge counts, or of a kind that it does not know.
    """
    if not bundle.artifacts("rules", "events"):
        return None
    reports = fmt.decode(bundle.read(bundle.one("rules", "events")), Reports)
    _need(len(reports.kinds) <= MAX_KINDS, f"more than {MAX_KINDS} kinds of events")
    tags = {cap.tag for cap in reports.caps}
    _need(len(reports.caps) <= MAX_CAPS, f"more than {MAX_CAPS} caps")
    _need(len(tags) == len(reports.caps), "two caps have the same tag")
    for cap in reports.caps:
        known = cap.event in SHOWN_KINDS and cap.measure in MEASURES
        _need(known, f"{cap.name!r} is a {cap.measure} of {cap.event}, which this edge does not know")
        bounded = 0 <= cap.tag < 1 << 32 and 0 <= cap.window_s <= MAX_WINDOW_S
        _need(bounded and (cap.window_s > 0 or cap.measure == "visit"), f"{cap.name!r} is out of bounds")
    return reports


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise BundleError("caps", what)
