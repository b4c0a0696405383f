"""What a checked workspace holds, as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from compiler.conditions.check import Condition
from compiler.conditions.oracle import flat
from compiler.consent import Consent
from compiler.files.yaml_lines import Node
from compiler.models.budgets import DEFAULTS, Budgets
from compiler.models.types import NO_FEATURES, Features, ModelConfig, PredictionConfig
from compiler.problems import Problem
from compiler.recommenders.types import RecommenderConfig
from compiler.rules.schedule import ALWAYS, Schedule
from edge.bundle import format as fmt
from edge.decide.campaigns import PAGE_LAYOUT, PAGE_REDIRECT, WHOLE_PAGE
from edge.decide.caps import Cap
from edge.decide.holes import Hole
from edge.rules.evaluate import evaluate
from edge.rules.values import Value


@dataclass(frozen=True)
class Placement:
    """A named place in the site's pages.

    `default` is the content that it has when no campaign wins. It shows the `best` campaign by value, or else
    the first by priority.
    """

    name: str
    default: str
    best: bool
    path: str
    line: int


@dataclass(frozen=True)
class ItemColumns:
    """Which columns of the catalog say what people call an item, and which topics it has; empty: none.

    `lines` says where each was written.
    """

    title: str = ""
    topics: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)
    path: str = ""


@dataclass(frozen=True)
class Site:
    """site.yaml; `attributes` are all of them, the built-in ones too, sorted by name.

    `placements` are the names of `places`; `values` those that an attribute can have, where that is known;
    `lines` where attributes were declared.
    """

    name: str
    placements: tuple[str, ...]
    attributes: tuple[fmt.Attribute, ...]
    item_path: str
    consent: Consent
    holdouts: tuple["Holdout", ...] = ()
    behaviours: tuple["BehaviourConfig", ...] = ()
    lists: tuple["IdList", ...] = ()
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    places: tuple[Placement, ...] = ()
    blocks: tuple[str, ...] = ()
    redirect_hosts: tuple[str, ...] = ()
    events: tuple[str, ...] | None = None
    item_columns: ItemColumns = ItemColumns()
    budgets: Budgets = DEFAULTS
    lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def best(self) -> frozenset[str]:
        """The placements that show the best by value."""
        return frozenset(place.name for place in self.places if place.best)

    @property
    def defaults(self) -> dict[str, str]:
        """The content that a placement has when no campaign wins, where it has one."""
        return {place.name: place.default for place in self.places if place.default}


@dataclass(frozen=True)
class IdList:
    """An audience of those whose attribute `by` is one of `ids`."""

    name: str
    by: str
    ids: tuple[str, ...]
    path: str
    line: int


@dataclass(frozen=True)
class BehaviourConfig:
    """What is counted of each visitor; `where` and `of` speak of the catalog's columns, as ``item.COLUMN``.

    `lines` says where ``where`` and ``of`` were written, and `node` is the former as it was.
    """

    name: str
    event: str
    measure: str
    window_s: int
    pattern: str
    where: Mapping[str, Any]
    of: str
    path: str
    line: int
    lines: Mapping[str, int]
    node: Node | None
    basis: str = ""
    last: int = 0
    until: str = ""


@dataclass(frozen=True)
class Audience:
    """A named condition, as it is compiled and as it was written."""

    name: str
    condition: Condition
    written: Mapping[str, Any]
    path: str
    line: int


@dataclass(frozen=True, order=True)
class Show:
    """Either a `content`, or the first `limit` items of `recommender`, each as `card`.

    Or, of the page as a whole, the `layout` of that name, or a `redirect` to a URL.
    """

    content: str = ""
    recommender: str = ""
    card: str = ""
    limit: int = 0
    layout: str = ""
    redirect: str = ""

    @property
    def whole_page(self) -> str:
        """The placement of what concerns the page as a whole; empty for what a place in it shows."""
        if self.layout:
            return PAGE_LAYOUT
        return PAGE_REDIRECT if self.redirect else ""

    def fits(self, placement: str) -> bool:
        """Whether that placement can show it."""
        return self.whole_page == (placement if placement in WHOLE_PAGE else "")


@dataclass(frozen=True)
class Layout:
    """Where blocks of a page stand, as `edge.bundle.format.Layout`; no block is named twice."""

    name: str
    order: tuple[str, ...]
    hide: tuple[str, ...]
    swap: tuple[tuple[str, str], ...]
    path: str
    line: int


@dataclass(frozen=True)
class Variation:
    """The visitors from `start` to `end` of an experiment, and what they see.

    `shows` is by placement; the empty name stands for all in the page that have no entry.
    """

    key: str
    start: float
    end: float
    shows: Mapping[str, Show]

    def at(self, placement: str) -> Show | None:
        """What it shows there; None keeps the site's default."""
        return self.shows.get(placement) or self.shows.get("" if placement not in WHOLE_PAGE else placement)


@dataclass(frozen=True)
class Arm:
    """One arm of a bandit: its share of the decisions, and what it shows, as of a variation."""

    key: str
    weight: float
    shows: Mapping[str, Show]

    def at(self, placement: str) -> Show | None:
        """What it shows there; None keeps the site's default."""
        return self.shows.get(placement) or self.shows.get("" if placement not in WHOLE_PAGE else placement)


@dataclass(frozen=True)
class Bandit:
    """Arms that decisions draw from; as `edge.bundle.format.Bandit`."""

    id: str
    floor: float
    arms: tuple[Arm, ...]
    path: str
    line: int


@dataclass(frozen=True)
class Experiment:
    """Visitors divided by a hash of `seed` and the attribute `hash`; as `edge.bundle.format.Experiment`."""

    id: str
    hash: str
    version: int
    seed: str
    sticky: int
    namespace: tuple[str, float, float] | None
    variations: tuple[Variation, ...]
    path: str
    line: int


@dataclass(frozen=True)
class Holdout:
    """Visitors whom campaigns do not reach; `of` names campaigns and programmes, None means all.

    Attributes
    ----------
    of_lines : tuple[int, ...]
        Where each name of `of` stands.
    """

    id: str
    seed: str
    share: float
    of: tuple[str, ...] | None
    path: str
    line: int
    of_lines: tuple[int, ...] = ()


@dataclass(frozen=True)
class Worth:
    """What a campaign is worth: `base`, and for each attribute its value times a weight, in thousandths."""

    base: int = 0
    terms: tuple[tuple[str, int], ...] = ()


WORTHLESS: Final = Worth()


@dataclass(frozen=True)
class Campaign:
    """Who sees what where; the condition joins audience and schedule.

    `written` is the same as it was written, but for the hours of the week, which `schedule` has; the saved
    groups that it names are in `groups`. `audience` is the name of an audience, or empty; `whom` is its
    condition, or one of the campaign's own.

    Shows what a `Show` does, or what `experiment` or `bandit` says. `worth` counts where a placement shows
    the best; `valued`: it was given. Of the campaigns of one group `exclusive` a page has one. `caps` are
    what is counted for its condition. `purposes` are what it is for: only who granted all of them sees it.
    """

    id: str
    condition: Condition
    written: Mapping[str, Any]
    placements: tuple[str, ...]
    priority: int
    content: str
    recommender: str
    card: str
    limit: int
    path: str
    line: int
    experiment: str = ""
    bandit: str = ""
    programme: str = ""
    exclusive: str = ""
    schedule: Schedule = ALWAYS
    audience: str = ""
    whom: Mapping[str, Any] = field(default_factory=dict)
    groups: Mapping[str, Sequence[Value]] = field(default_factory=dict)
    layout: str = ""
    redirect: str = ""
    caps: tuple[Cap, ...] = ()
    worth: Worth = WORTHLESS
    valued: bool = False
    purposes: tuple[str, ...] = ()

    @cached_property
    def _flat(self) -> Mapping[str, Any]:
        return flat(self.written)

    def meets(self, attributes: Mapping[str, Any]) -> bool:
        """Whether its audience and schedule hold, by the plain evaluator and the clock on a wall."""
        if not evaluate(self._flat, attributes, self.groups):
            return False
        weekly = self.schedule.weekly
        return weekly is None or weekly.open_at(int(attributes.get("time.now", 0)))

    @property
    def show(self) -> Show:
        """What it shows, where that is no experiment and no bandit."""
        return Show(self.content, self.recommender, self.card, self.limit, self.layout, self.redirect)


@dataclass(frozen=True)
class Content:
    """A fragment, safe to stand in a page as it is.

    `holes` are where attributes may stand in place of its defaults; `asks` names these as they
    were written, with their lines.
    """

    id: str
    body: bytes
    path: str
    holes: tuple[Hole, ...] = ()
    asks: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Item:
    """One row of the catalog: its values by column, `id` too."""

    id: str
    values: dict[str, str]
    line: int


@dataclass(frozen=True)
class Catalog:
    """The items, sorted by the UTF-8 bytes of their ids; their position here is their position everywhere."""

    path: str
    columns: tuple[str, ...]
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Card:
    """The template of one item's fragment."""

    name: str
    source: str
    path: str


@dataclass(frozen=True)
class Workspace:
    """All that people wrote, checked; each tuple is sorted by name or id."""

    folder: Path
    site: Site
    audiences: tuple[Audience, ...]
    campaigns: tuple[Campaign, ...]
    contents: tuple[Content, ...]
    catalog: Catalog
    cards: tuple[Card, ...]
    models: tuple[ModelConfig, ...]
    warnings: tuple[Problem, ...] = field(default=())
    experiments: tuple[Experiment, ...] = ()
    holdouts: tuple[Holdout, ...] = ()
    groups: Mapping[str, Sequence[Value]] = field(default_factory=dict)
    bandits: tuple[Bandit, ...] = ()
    layouts: tuple[Layout, ...] = ()
    features: Features = NO_FEATURES
    recommenders: tuple[RecommenderConfig, ...] = ()
    predictions: tuple[PredictionConfig, ...] = ()

    @property
    def placements(self) -> tuple[str, ...]:
        """The site's placements, and the page as a whole as far as a campaign concerns it."""
        used = {placement for campaign in self.campaigns for placement in campaign.placements}
        return (*self.site.placements, *(name for name in WHOLE_PAGE if name in used))

    def shows(self) -> set[Show]:
        """All that may be shown: by campaigns, their experiments and bandits, and where none wins."""
        tested = {campaign.experiment for campaign in self.campaigns}
        drawn = {campaign.bandit for campaign in self.campaigns}
        parts = [v.shows.values() for e in self.experiments if e.id in tested for v in e.variations]
        parts += [arm.shows.values() for b in self.bandits if b.id in drawn for arm in b.arms]
        alone = {c.show for c in self.campaigns if not c.experiment and not c.bandit}
        defaults = {Show(content) for content in self.site.defaults.values()}
        return alone | defaults | {show for shows in parts for show in shows}
