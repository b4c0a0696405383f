"""What models would list that are tried beside the page: for a share of decisions, seen by nobody."""

from typing import Final

from edge.bundle import format as fmt
from edge.bundle import recommender_format as wire
from edge.bundle.reader import Bundle
from edge.bundle.strings import Strings
from edge.decide.about import About
from edge.decide.around import Around, load_arrays, load_recommenders
from edge.decide.bandit import draw
from edge.decide.listing import Listing, Wanted
from edge.decide.recommender import Recommender
from edge.decide.stock import ALL, Stock
from edge.decide.types import Context, Slot
from edge.errors import BundleError

DRAWN: Final = ":challenger"
"""What the draw goes by, beside the seed and the recommender."""


class Challengers:
    """A bundle's challengers, by the recommender that each would take the place of.

    Attributes
    ----------
    trials : dict[str, wire.Trial]
        By recommender.
    recommender : Recommender
        Runs their graph.
    reads : tuple[str, ...]
        The attributes that their models are made from.
    """

    def __init__(self, trials: tuple[wire.Trial, ...], recommender: Recommender, listing: Listing) -> None:
        self.trials = {trial.finish.name: trial for trial in trials}
        self.recommender = recommender
        self.reads = listing.reads
        self._listing = listing

    def tried(self, slot: Slot, seed: int) -> wire.Trial | None:
        """The challenger of the slot's recommender, where this decision is one that it is tried on."""
        trial = self.trials.get(slot.candidates) if slot.items else None
        if trial is None or draw(seed, slot.candidates, DRAWN) >= trial.share:
            return None
        return trial

    def items(self, slot: Slot, context: Context, stock: Stock = ALL) -> tuple[str, ...]:
        """What the challenger would list in the slot, no more than stand there."""
        wanted: Wanted = {}
        situation = self._listing.ask(context, wanted)
        self._listing.fill(wanted, stock)
        return self._listing.of(context, wanted, situation)[slot.candidates][: len(slot.items)]


def load_challengers(
    bundle: Bundle, previous: Challengers | None, items: Strings, about: About, schema: fmt.RulesSchema
) -> Challengers | None:
    """The challengers of a bundle; None where it has none.

    Raises
    ------
    BundleError
        ``recommenders``, ``graph``, ``plan``, ``arrays`` or ``artifact-list``: parts do not fit each other.
    """
    document = load_recommenders(bundle)
    if not document.trials:
        return None
    if any(not 0 < trial.share <= 1 for trial in document.trials):
        raise BundleError("recommenders", "a challenger has no share of the decisions")
    recommender = Recommender.load_shadow(bundle, previous.recommender if previous else None)
    finishes = tuple(trial.finish for trial in document.trials)
    tried = wire.Recommenders(document.gates, finishes)
    around = Around(tried, load_arrays(bundle), recommender.plan, items)
    return Challengers(document.trials, recommender, Listing(recommender, items, about, schema, around))
