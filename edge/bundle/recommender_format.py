"""What a bundle says of its recommenders beside their models, as documents on the wire."""

from typing import Any, Final

import msgspec

ARRAYS_ARTIFACT: Final = "around"
"""The catalog's artifact with the masks, boosts, gates and groups of recommenders."""

ALIKE: Final = "alike/"
"""Before a model's name: the models' artifact, and its array, of rows by which items are alike."""

RULES_KIND: Final = "recommenders"
"""The rules' artifact with a `Recommenders`."""

SHADOW: Final = "shadow"
SHADOW_PLAN: Final = "shadow/plan"
SHADOW_GRAPH: Final = "shadow/graph"
"""The models' artifacts of what challengers list."""

GOLDEN_TOP: Final = 10
"""So many candidates of a pool are golden."""

MAX_RECOMMENDERS: Final = 256
MAX_GATES: Final = 64
MAX_LINKS: Final = 8
MAX_PINS: Final = 64
MAX_CAPS: Final = 8


class Gate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A filter that depends on the context: what it says picks a row of masks, ``gate/N`` of the arrays.

    Attributes
    ----------
    kind : str
        ``has``: row 2 + the attribute's place among ``gate/N/values``, 0 where it is none of these.
        ``at-most``: row 2 + how many of ``gate/N/bounds`` are no greater than the attribute. Both: 1 where
        the attribute is missing. ``when``: 1 where the condition holds, else 0.
    reads : tuple of str
        The attribute, or those of the condition `when`.
    """

    kind: str
    reads: tuple[str, ...] = ()
    when: dict[str, Any] = {}


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One model of a recommender's chain.

    Attributes
    ----------
    pool : str
        The recommender of the graph that lists its candidates.
    model : str
        For people.
    history, items : int
        It is passed over for shorter histories, and where it has fewer items.
    context : bool
        Whether it is not passed over for a short history where it knows something of the context.
    """

    pool: str
    model: str
    history: int = 0
    items: int = 1
    context: bool = False


class Explore(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The place in the list that sometimes tries another item.

    Attributes
    ----------
    slot : int
        The first is 0.
    share : float
        Of the decisions that do.
    of : int
        So many items are drawn from, each as often: the best that are not in the list.
    pool : str
        Whose they are; empty: those of the model that lists.
    """

    slot: int
    share: float
    of: int
    pool: str = ""


class Finish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a recommender's list is made from the candidates of its models.

    Attributes
    ----------
    limit : int
        How many items it lists at most.
    fill : bool
        Whether the models after the one that was chosen fill up what it leaves free.
    caps : tuple of (str, int)
        Of items that share a value of a column (``group/COLUMN`` of the arrays), at most so many.
    diversity : float
        How much likeness to what is listed already takes off, 0 to 1; over the columns `alike`, and by the
        angle between items' rows of the model `near`.
    pins : tuple of (str, int)
        Items, each with its place; the first is 0.
    masks : tuple of str
        Keys of masks in the arrays that a pinned item must pass; `gates` those of the context.
    without : tuple of str
        Attributes that hold ids of items which are left out.
    only : tuple of (str, int)
        Filters in words, each with its gate, or -1. Of the others bit n of ``NAME/failed`` says which items
        filter n takes out. For people, as is `boosts`: bit n of ``NAME/raised`` says whom boost n concerns.
    """

    name: str
    limit: int
    links: tuple[Link, ...]
    fill: bool = False
    caps: tuple[tuple[str, int], ...] = ()
    diversity: float = 0.0
    alike: tuple[str, ...] = ()
    pins: tuple[tuple[str, int], ...] = ()
    masks: tuple[str, ...] = ()
    gates: tuple[int, ...] = ()
    explore: Explore | None = None
    without: tuple[str, ...] = ()
    only: tuple[tuple[str, int], ...] = ()
    boosts: tuple[str, ...] = ()
    near: str = ""


class Trial(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A challenger: a recommender's list by another model, for some decisions, seen by nobody.

    Attributes
    ----------
    finish : Finish
        As of the recommender, over pools of the shadow graph.
    share : float
        Of the decisions that list the recommender.
    """

    finish: Finish
    challenger: str
    share: float


class Recommenders(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """All recommenders that are more than a model."""

    gates: tuple[Gate, ...] = ()
    finishes: tuple[Finish, ...] = ()
    trials: tuple[Trial, ...] = ()


class PoolsGolden(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A history (item ids, most recent first), the gates' rows, and the first ids that each pool lists.

    `row` is one number for each column of the models' plan.
    """

    history: tuple[str, ...]
    gates: tuple[int, ...]
    items: dict[str, tuple[str, ...]]
    row: tuple[float, ...] = ()
