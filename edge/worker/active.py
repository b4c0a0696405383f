"""What a worker serves on: one engine and what belongs to it, replaced whole."""

from dataclasses import dataclass, field

from edge.decide.bandit import OWN, Weights
from edge.decide.engine import EmptyEngine, Engine
from edge.decide.stock import ALL, Stock
from edge.worker.attributes.facts import AttributeReader
from edge.worker.attributes.locator import NOBODY, Locator
from edge.worker.attributes.shelf import EMPTY, Shelf
from edge.worker.kept import Keeping


@dataclass(frozen=True)
class Active:
    """A revision in force. A batch of requests finishes on the one that it began with.

    Attributes
    ----------
    engine : Engine or EmptyEngine
        The bundle, loaded.
    revision : int
        The number that it was published as; 0 before the first.
    killed : tuple[str, ...]
        Campaigns that are switched off.
    weights : Weights
        What bandits draw by, beside their bundle's own weights.
    locator : Locator
        Whom to believe about where a visitor is.
    shelf : Shelf
        Where facts about visitors are.
    stock : Stock
        What is sold out, of this engine's catalog.
    """

    engine: Engine | EmptyEngine
    revision: int = 0
    killed: tuple[str, ...] = ()
    weights: Weights = OWN
    locator: Locator = NOBODY
    shelf: Shelf = EMPTY
    stock: Stock = ALL
    reader: AttributeReader = field(init=False)
    keeping: Keeping = field(init=False)

    def __post_init__(self) -> None:
        engine = self.engine
        reader = AttributeReader(
            engine.schema, engine.reads, engine.behaviours.by_name, engine.lists, self.locator, engine.tastes
        )
        object.__setattr__(self, "reader", reader)
        object.__setattr__(self, "keeping", Keeping(reader.consent, engine.behaviours.by_name))


class Holder:
    """Where the active revision is found; assignment is the swap."""

    def __init__(self) -> None:
        self.active = Active(EmptyEngine())
