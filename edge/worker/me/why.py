"""Says in words, to the visitor, why a page looks as it does: what each place shows, and whom that is for."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from edge.bundle.written import Written, load_written
from edge.decide.campaigns import PAGE_LAYOUT, PAGE_REDIRECT, WHOLE_PAGE
from edge.decide.engine import Engine
from edge.decide.page import is_whole_page
from edge.decide.types import DEFAULT, Context, Decision, Slot
from edge.errors import BundleError
from edge.rules.words import words

MAX_REMEMBERED: Final = 1_024
MAX_WORDS_CHARS: Final = 600
EVERYONE: Final = "everyone"
_WHOLE: Final = {PAGE_LAYOUT: "the page's layout", PAGE_REDIRECT: "the page as a whole"}


@dataclass(frozen=True)
class Place:
    """What one place of a page shows.

    Attributes
    ----------
    shows, because : str
        In words.
    items : tuple[str, ...]
        Those that are listed, by id.
    """

    name: str
    shows: str
    because: str
    items: tuple[str, ...] = ()


class Whom:
    """Whom the campaigns of the bundle in force are for, in words; what was asked for is remembered."""

    def __init__(self) -> None:
        self._bundle = ""
        self._known: dict[str, str] = {}

    def lacks(self, engine: Engine, campaigns: Iterable[str]) -> bool:
        """Whether the rules as written have to be read for these: that takes a while where they are many."""
        if engine.id != self._bundle or len(self._known) > MAX_REMEMBERED:
            self._bundle, self._known = engine.id, {}
        return not self._known.keys() >= set(campaigns)

    def read(self, engine: Engine, campaigns: Iterable[str]) -> None:
        """Read them; the words of a bundle that does not say are empty."""
        try:
            written = load_written(engine.bundle)
        except (BundleError, OSError):
            written = None
        found = dict.fromkeys(campaigns, "")
        if written is not None:
            found |= _in_words(written, frozenset(found))
        if engine.id == self._bundle:
            self._known |= found

    def of(self, campaign: str) -> str:
        """Whom the campaign is for, or empty."""
        return self._known.get(campaign, "")


def _in_words(written: Written, wanted: frozenset[str]) -> dict[str, str]:
    audiences = {audience.name: audience.condition for audience in written.audiences}
    found = {}
    for campaign in written.campaigns:
        if campaign.id in wanted:
            condition = audiences.get(campaign.audience, "{}") if campaign.audience else campaign.condition
            named = f"“{campaign.audience}”: " if campaign.audience else ""
            found[campaign.id] = named + _asked(condition)
    return found


def _asked(condition: str) -> str:
    try:
        text = words(json.loads(condition or "{}"))
    except (ValueError, TypeError, AttributeError, KeyError):
        return EVERYONE
    return text if len(text) <= MAX_WORDS_CHARS else text[:MAX_WORDS_CHARS] + "…"


def campaigns_of(decision: Decision) -> list[str]:
    """The campaigns whose words `places` needs."""
    return [slot.policy for slot in decision.slots if slot.policy != DEFAULT]


def places(engine: Engine, context: Context, decision: Decision, whom: Whom) -> Iterator[Place]:
    """What each place shows, those first that are not the site's own."""
    slots = {slot.placement: slot for slot in decision.slots}
    for slot in decision.slots:
        yield Place(_name(slot.placement), _shows(slot), _because(slot, engine, context, whom), slot.items)
    for name in context.placements:
        if name not in slots and name not in WHOLE_PAGE:
            yield Place(name, "what the site has there", "nothing is chosen for you there")


def _name(placement: str) -> str:
    return {"page.layout": "the page's layout", PAGE_REDIRECT: "the page as a whole"}.get(
        placement, placement
    )


def _shows(slot: Slot) -> str:
    if slot.placement == PAGE_REDIRECT:
        return f"you are led to {slot.content}"
    if is_whole_page(slot):
        return f"the layout “{slot.content}”"
    if slot.items:
        return f"the list “{slot.candidates}”"
    return f"the content “{slot.content}”" if slot.content else "what the site has there"


def _because(slot: Slot, engine: Engine, context: Context, whom: Whom) -> str:
    if slot.policy == DEFAULT:
        return "nothing is chosen for you there"
    for_whom = whom.of(slot.policy)
    parts = [f"the campaign “{slot.policy}”" + (f" is for {for_whom}" if for_whom else " reaches you")]
    if slot.experiment:
        drawn = engine.chooser is not None and slot.experiment in {one.id for one in engine.chooser.bandits}
        how = "drawn at random for each page" if drawn else "you are in this part of a test"
        parts.append(f"it tries “{slot.variation}” of “{slot.experiment}”: {how}")
    if slot.items:
        by = "what you viewed and liked" if context.history else "what all visitors view"
        parts.append(f"the list goes by {by}")
    return "; ".join(parts)


def tests(engine: Engine, context: Context) -> Mapping[str, str]:
    """The experiments that this visitor is in, and the variation of each; holdouts too."""
    if engine.chooser is None:
        return {}
    found: dict[str, str] = {}
    for experiment in engine.chooser.experiments:
        drawn = experiment.draw(context)
        if isinstance(drawn, int):
            found[experiment.id] = f"variation “{experiment.arms[drawn].variation}”"
    for holdout in engine.chooser.holdouts:
        if holdout.place(context) is not None and holdout.holds(context):
            found[holdout.id] = "held out: you see the site without these campaigns"
    return found
