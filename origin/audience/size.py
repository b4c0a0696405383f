"""How many requests of a sample each audience would have, and each campaign would get."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from edge.bundle.written import Campaign
from edge.errors import ConfigError
from edge.rules.words import NOW
from origin.audience.estimate import independent, interval
from origin.audience.sample import Request, lacking
from origin.audience.whom import Whom
from origin.explain.race import Race
from origin.explain.rules_view import View
from origin.explain.schedule_words import closed

SCHEDULE: Final = "schedule"
CAP: Final = "cap"
"""What a campaign loses to that does not run at the time of the request, or rests for this visitor."""


@dataclass
class Share:
    """How many of the requests that can tell it are of a kind.

    Attributes
    ----------
    of : int
        Requests that can tell it; 0: it can't be known from this sample.
    visitors : int
        Different visitors among the hits, of those whose id is known.
    low, high : float
        Between these lies the share, by 95 of 100 such samples.
    """

    of: int = 0
    requests: int = 0
    visitors: int = 0
    low: float = 0.0
    high: float = 1.0


@dataclass
class AudienceSize(Share):
    """A named audience; `lacking` are attributes that some requests can't tell."""

    name: str = ""
    lacking: tuple[str, ...] = ()


@dataclass
class CampaignSize(Share):
    """A campaign: `requests` are those of which it gets a placement.

    Attributes
    ----------
    reached : int
        Requests for pages with one of its placements, by those whom it is for.
    lost : Counter of (kind, name)
        What the others went to: `SCHEDULE`, `CAP`, or as `origin.explain.race.Lost`.
    at_most : bool
        Whether it is capped, and some requests can't tell how often it was shown: it never was, there.
    """

    id: str = ""
    lacking: tuple[str, ...] = ()
    reached: int = 0
    lost: Counter[tuple[str, str]] = field(default_factory=Counter)
    at_most: bool = False


@dataclass
class Sizes:
    """What was counted.

    Attributes
    ----------
    worth : float
        How many independent requests the sample is worth at least.
    from_ms, until_ms : int
        Between the first and the last request; UTC, 0 where contexts have no time.
    """

    requests: int
    anonymous: int
    visitors: int
    worth: float
    from_ms: int
    until_ms: int
    audiences: list[AudienceSize]
    campaigns: list[CampaignSize]

    @property
    def unknown(self) -> dict[str, list[str]]:
        """By attribute that some requests can't tell, the audiences and campaigns that ask for it."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for size in self.audiences:
            for name in size.lacking:
                found[name].append(f"audience {size.name}")
        for campaign in self.campaigns:
            for name in campaign.lacking:
                found[name].append(f"campaign {campaign.id}")
        return dict(sorted(found.items()))


def measure(view: View, requests: Iterable[Request]) -> Sizes:
    """Count a sample's requests by audience and by campaign.

    A campaign that asks for what a request can't tell takes no part in it.

    Raises
    ------
    ConfigError
        ``bundle``: it was compiled before bundles kept rules as written. ``sample``: there is no request.
    """
    if view.written is None:
        message = "it was compiled before bundles kept audiences: compile it again, or name the workspace"
        raise ConfigError("bundle", message)
    count = _Count(view)
    for request in requests:
        count.add(request)
    if not count.requests:
        raise ConfigError("sample", "it holds no request of this site")
    return count.sizes()


class _Count:
    """A count under way."""

    def __init__(self, view: View) -> None:
        assert view.written is not None
        self.requests = 0
        self._view = view
        self._whom = Whom(view)
        self._campaigns = view.written.campaigns
        self._sizes = [CampaignSize(id=campaign.id) for campaign in self._campaigns]
        self._audiences = [AudienceSize(name=audience.name) for audience in view.written.audiences]
        self._got: list[set[int]] = [set() for _ in self._campaigns]
        self._within: list[set[int]] = [set() for _ in self._audiences]
        self._visitors: dict[str, int] = {}
        self._made: Counter[int] = Counter()
        self._first_ms, self._last_ms = 1 << 62, 0
        self._plans: dict[frozenset[str] | None, _Plan] = {}

    def add(self, request: Request) -> None:
        """Count one request."""
        plan = self._plans.get(request.known)
        if plan is None:
            plan = self._plans[request.known] = _Plan(self._view, self._whom, request.known)
        self.requests += 1
        plan.requests += 1
        visitor = self._visitor(request.visitor)
        now = request.context.now_ms
        self._first_ms, self._last_ms = min(self._first_ms, now), max(self._last_ms, now)
        holding = self._whom.holding(request.context.attributes)
        for position in plan.audiences:
            if self._whom.of_audience[position] in holding:
                self._audiences[position].requests += 1
                self._within[position] |= visitor
        self._race(request, plan, holding, visitor)

    def _visitor(self, name: str) -> set[int]:
        if not name:
            return set()
        number = self._visitors.setdefault(name, len(self._visitors))
        self._made[number] += 1
        return {number}

    def _race(self, request: Request, plan: "_Plan", holding: set[int], visitor: set[int]) -> None:
        race = Race(self._view, request.context, plan.alive)
        page = request.context.placements
        matched = {placement: race.matched(placement) for placement in page}
        for position in plan.asked(holding):
            campaign, size = self._campaigns[position], self._sizes[position]
            places = [name for name in self._whom.places(campaign) if name in matched]
            if not places:
                continue
            size.reached += 1
            if any(race.gets(campaign.id, name) for name in places):
                size.requests += 1
                self._got[position] |= visitor
            else:
                size.lost[_lost(race, campaign, places, matched)] += 1

    def sizes(self) -> Sizes:
        """What was counted so far."""
        anonymous = self.requests - self._made.total()
        worth = independent([*self._made.values(), *([1] * anonymous)])
        for plan in self._plans.values():
            for position in plan.audiences:
                self._audiences[position].of += plan.requests
            for position in plan.campaigns:
                self._sizes[position].of += plan.requests
        known = list(self._plans)
        for position, audience in enumerate(self._audiences):
            audience.lacking = _lacking(self._whom.reads_of_audience(position), known)
            _finish(audience, len(self._within[position]), worth / self.requests)
        for position, size in enumerate(self._sizes):
            size.lacking = _lacking(self._whom.reads_of_campaign(position), known)
            caps = self._view.caps.get(size.id, ())
            size.at_most = bool(_lacking(frozenset(cap.name for cap in caps), known))
            _finish(size, len(self._got[position]), worth / self.requests)
        made = (self.requests, anonymous, len(self._visitors), worth, self._first_ms, self._last_ms)
        return Sizes(*made, self._audiences, self._sizes)


class _Plan:
    """What requests with the same known attributes can tell."""

    def __init__(self, view: View, whom: Whom, known: frozenset[str] | None) -> None:
        assert view.written is not None
        self.requests = 0
        count = len(view.written.audiences)
        self.audiences = [n for n in range(count) if not lacking(whom.reads_of_audience(n), known)]
        self.campaigns = [
            n for n in range(len(view.written.campaigns)) if not lacking(whom.reads_of_campaign(n), known)
        ]
        taking_part = set(self.campaigns)
        out = (c.id for n, c in enumerate(view.written.campaigns) if n not in taking_part)
        self.alive = view.alive(tuple(out))
        self._asking: defaultdict[int, list[int]] = defaultdict(list)
        for position in self.campaigns:
            self._asking[whom.of_campaign[position]].append(position)

    def asked(self, holding: set[int]) -> Iterator[int]:
        """The campaigns for those of whom these conditions hold."""
        for condition in holding:
            yield from self._asking.get(condition, ())


def _lost(
    race: Race, campaign: Campaign, places: list[str], matched: dict[str, dict[str, int]]
) -> tuple[str, str]:
    """What a campaign lost its first placement of the page to."""
    for placement in places:
        bit = matched[placement].get(campaign.id)
        if bit is not None:
            lost = race.lost(bit, placement)
            return lost.kind, lost.name
    now = race.context.attributes.get(NOW)
    rests = not closed(campaign.when, int(now) if isinstance(now, int | float) else None)
    return CAP if rests else SCHEDULE, ""


def _lacking(reads: frozenset[str], known: Iterable[frozenset[str] | None]) -> tuple[str, ...]:
    return tuple(sorted(frozenset().union(*(lacking(reads, one) for one in known))))


def _finish(share: Share, visitors: int, worth_of_one: float) -> None:
    share.visitors = visitors
    share.low, share.high = interval(share.requests, share.of, share.of * worth_of_one)
