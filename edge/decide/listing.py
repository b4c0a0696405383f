"""Lists what recommenders have for a visitor's history, and remembers it for the pages that follow."""

from collections.abc import Collection, Mapping
from itertools import chain
from typing import Final

from edge.bundle.format import RulesSchema
from edge.bundle.strings import Strings
from edge.decide.about import About
from edge.decide.around import EXPLORED, NOWHERE, Around, Asking, Pools, Situation, pools_of
from edge.decide.recommender import Found, Recommender
from edge.decide.row import NAN, RowMaker
from edge.decide.stock import ALL, Stock
from edge.decide.types import Context, Muted
from edge.errors import BundleError

MAX_HISTORIES: Final = 4096
"""Histories whose lists are remembered; some 5 MB, 15 at most."""

MAX_HISTORY_CHARS: Final = 2048
"""Longer histories, which no visitor cookie holds, are not remembered, nor with more to leave out."""

Lists = Mapping[str, tuple[str, ...]]
"""By recommender, item ids, best first."""

Asked = tuple[tuple[str, ...], Muted, Situation]
"""What lists depend on: a history, what must not be listed, and what recommenders look at beside these."""

Wanted = dict[Asked, Lists]
"""All lists of one batch; empty until they are filled in."""


class Listing:
    """The lists of a bundle's recommenders, by history.

    Attributes
    ----------
    reads : tuple[str, ...]
        The attributes that models are made from.

    Raises
    ------
    BundleError
        ``interface``: a model needs a purpose that the site lacks.
    """

    def __init__(
        self,
        recommender: Recommender,
        items: Strings,
        about: About,
        schema: RulesSchema,
        around: Around | None = None,
    ) -> None:
        self.recommender = recommender
        self._around = around
        self._items, self._about = items, about
        columns = recommender.plan.columns
        self._maker = RowMaker(columns) if columns else None
        self.reads = self._maker.reads if self._maker else ()
        self._unknown = (NAN,) * len(columns)
        self._is_plain = around is None and not columns
        self._needs = _purposes_needed(recommender, schema, around)
        self._remembered: Wanted = {}
        self._stock = ALL
        self._gone: frozenset[int] = frozenset()

    def ask(self, context: Context, wanted: Wanted) -> Situation:
        """Note which lists a context needs; what they depend on, for `of`."""
        situation = NOWHERE if self._is_plain else self._situation(context)
        wanted[context.history, context.muted, situation] = {}
        if self._needs and self._withheld(context):
            wanted[(), context.muted, self._bare(situation)] = {}
        return situation

    def fill(self, wanted: Wanted, stock: Stock = ALL) -> None:
        """Fill in the lists of each history: remembered ones, and the others by one inference call.

        Who muted something has calls of their own; so has everybody where something is sold out, and the
        graph is of before it kept stock.

        Most pages of a visit have the history of the page before, and most
        new visitors have none.
        """
        self._keep(stock)
        remembered = self._remembered
        missing = []
        for asked in wanted:
            if lists := remembered.get(asked):
                wanted[asked] = lists
            else:
                missing.append(asked)
        if not missing:
            return
        alone = [asked for asked in missing if asked[1] or self._gone]
        plain = [asked for asked in missing if not (asked[1] or self._gone)]
        histories = [self._items.positions(history) for history, _, _ in plain]
        gates = [situation.gates for _, _, situation in plain] if self.recommender.plan.gates else ()
        rows = [situation.row for _, _, situation in plain] if self._maker else ()
        found = self.recommender.find(histories, gates, rows)
        for row, asked in enumerate(plain):
            wanted[asked] = self._made(found, row, histories[row], asked[2])
        wanted |= {asked: self._without(*asked) for asked in alone}
        self._remember(missing, wanted)

    def _keep(self, stock: Stock) -> None:
        """List without what is sold out; lists of another stock are forgotten."""
        self.recommender.keep(stock)
        if stock is not self._stock:
            self._remembered.clear()
            self._stock = stock
            self._gone = frozenset() if self.recommender.plan.stock else stock.out

    def of(self, context: Context, wanted: Wanted, situation: Situation | None) -> Lists:
        """The lists of this context, if it asked for any; those that may not know it go by nothing."""
        if situation is None:
            return {}
        lists = wanted.get((context.history, context.muted, situation), {})
        if not self._needs or not lists:
            return lists
        # Another context of the batch may have asked for this history, and this one for none.
        bare = wanted.get(((), context.muted, self._bare(situation)), {})
        return {**lists, **{name: bare.get(name, ()) for name in self._withheld(context)}}

    def history_of(self, name: str, context: Context) -> tuple[str, ...]:
        """What of the visitor's history this recommender may use."""
        return () if name in self._withheld(context) else context.history

    def asking(self, name: str, context: Context, stock: Stock = ALL) -> tuple[list[int], Asking]:
        """The history that a recommender goes by, and its candidates, for those who explain its list."""
        self._keep(stock)
        situation = self._situation(context)
        if name in self._withheld(context):
            situation = self._bare(situation)
        banned = self._about.muted(context.muted) | self._gone
        positions = self._items.positions(self.history_of(name, context))
        viewed = [position for position in positions if position not in banned]
        pools = self._pools(viewed, banned, situation)

        def deeper(without: Collection[int]) -> Pools:
            return self._pools(viewed, without, situation)

        return viewed, Asking(pools, len(viewed), situation, banned, deeper, stock.out)

    def _made(
        self,
        found: Found,
        row: int,
        viewed: list[int],
        situation: Situation,
        banned: frozenset[int] = frozenset(),
    ) -> Lists:
        """The lists of one history, by name."""
        texts = self._items.texts
        if self._around is None:
            return {name: tuple(texts(rows[row])) for name, rows in found.lists.items()}

        def deeper(without: Collection[int]) -> Pools:
            return self._pools(viewed, without, situation)

        made = {name: tuple(texts(found.lists[name][row])) for name in self.recommender.names}
        asking = Asking(pools_of(found, row), len(viewed), situation, banned, deeper, self._stock.out)
        return made | self._around.lists(asking)

    def forget(self) -> None:
        """Drop what is remembered."""
        self._remembered.clear()

    def _remember(self, missing: list[Asked], wanted: Wanted) -> None:
        remembered = self._remembered
        for asked in missing:
            if sum(map(len, chain(asked[0], *asked[2].left_out))) <= MAX_HISTORY_CHARS:
                remembered[asked] = wanted[asked]
        while len(remembered) > MAX_HISTORIES:
            del remembered[next(iter(remembered))]

    def _without(self, history: tuple[str, ...], muted: Muted, situation: Situation) -> Lists:
        """Lists without what is muted, which says nothing of the visitor's taste either."""
        quiet = self._about.muted(muted)
        viewed = [position for position in self._items.positions(history) if position not in quiet]
        banned = quiet | self._gone
        found = self.recommender.find_without(viewed, banned, situation.gates, situation.row)
        return self._made(found, 0, viewed, situation, banned)

    def _pools(self, viewed: list[int], banned: Collection[int], situation: Situation) -> Pools:
        found = self.recommender.find_without(viewed, banned, situation.gates, situation.row)
        return pools_of(found, 0)

    def _situation(self, context: Context) -> Situation:
        """What lists depend on beside the history."""
        situation = NOWHERE if self._around is None else self._around.situation(context.attributes)
        if self._maker is None:
            return situation
        return situation._replace(row=tuple(self._maker.row(context.attributes)))

    def _bare(self, situation: Situation) -> Situation:
        """The same for models that may not know the context."""
        return situation if self._maker is None else situation._replace(row=self._unknown)

    def _withheld(self, context: Context) -> list[str]:
        """The recommenders from which this visitor's history and context are kept."""
        return [name for name, purposes in self._needs if not purposes <= set(context.granted)]


def _purposes_needed(
    recommender: Recommender, schema: RulesSchema, around: Around | None
) -> list[tuple[str, frozenset[str]]]:
    """Recommenders that may use a history for purposes alone that the visitor granted.

    One of several models needs all that one of them does.
    """
    planned = recommender.plan.recommenders
    policy = schema.consent
    known = {purpose.name for purpose in policy.purposes} if policy else set()
    unknown = {name for one in planned for name in one.purposes} - known
    if unknown:
        raise BundleError("interface", f"models need purposes that the site lacks: {sorted(unknown)}")
    needs = [(one.name, frozenset(one.purposes)) for one in planned if one.purposes and not one.pool]
    of_pools = {one.name: one.purposes for one in planned}
    for name, pools in around.pools.items() if around is not None else ():
        if served := frozenset(purpose for pool in pools for purpose in of_pools[pool]):
            needs += [(name, served), (name + EXPLORED, served)]
    return needs
