"""Compiles recommenders into what each role of a bundle ships: pools, arrays, rules, golden candidates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from compiler.draft import Draft, interface
from compiler.golden import cases_of
from compiler.models.context import NO_CONTEXTS, Contexts
from compiler.models.graph import NO_STAGE, ScoreModel
from compiler.models.shortlists import found_by, widened
from compiler.problems import Problems
from compiler.recommenders.arrays import (
    Columns,
    Gates,
    allowed,
    boosts_of,
    directions_of,
    groups_of,
    places_of_new,
    shape_text,
    told_of,
)
from compiler.recommenders.graph import Pool, Stage, listed, reference_steps
from compiler.recommenders.short import width_of
from compiler.recommenders.types import Filter, RecommenderConfig
from compiler.types import Workspace
from edge.bundle import recommender_format as wire
from edge.bundle.arrays import Array, pack
from edge.decide.around_check import MAX_DIRECTIONS

AROUND: Final = "around"
MIN_LIMIT: Final = 10
"""A pool has at least that many, so that few changes to rules need the models' key."""

MIN_CONSIDERED, MAX_CONSIDERED = 50, 200
FACTOR: Final = 5
GOLDEN_HISTORIES: Final = 12
MANY: Final = 100_000
"""Items that a page waits for, where all of them are scored."""

NO_RULES: Final = wire.Recommenders()


class Model(ScoreModel, Protocol):
    """A trained model and its card."""

    @property
    def card(self) -> Mapping[str, Any]:
        """How it came about; ``unseen`` are positions of items that nobody did anything with."""

    @property
    def sample(self) -> Mapping[str, Array]:
        """Real rows; see `models.data.sample`."""


@dataclass(frozen=True, eq=False)
class Parts:
    """What recommenders are compiled to; nothing of all this where a workspace has none.

    Attributes
    ----------
    stage, shadow : Stage
        Of the graph, and of the graph of challengers.
    arrays : dict
        The catalog's.
    rules : wire.Recommenders
        How lists are made of candidates.
    models : dict of str to str
        The model of each pool.
    alike : dict of str to array
        By model, the rows by which items are alike, as whole numbers.
    """

    stage: Stage = NO_STAGE
    shadow: Stage = NO_STAGE
    arrays: Mapping[str, Array] = field(default_factory=dict)
    rules: wire.Recommenders = NO_RULES
    models: Mapping[str, str] = field(default_factory=dict)
    alike: Mapping[str, Array] = field(default_factory=dict)

    @property
    def interface(self) -> dict[str, str]:
        """What the catalog provides with its arrays, and the others require."""
        return {AROUND: interface(shape_text(self.arrays))} if self.rules.finishes else {}

    def put_catalog(self, draft: Draft, golden: tuple[wire.PoolsGolden, ...]) -> None:
        """Add the arrays, and golden candidates, which depend on what is in them."""
        if self.rules.finishes:
            draft.put(wire.ARRAYS_ARTIFACT, AROUND, pack(self.arrays))
            draft.put("golden", "golden", msgspec.msgpack.encode(golden, order="deterministic"))
            draft.provides |= self.interface

    @property
    def used(self) -> frozenset[str]:
        """The models that recommenders use."""
        return frozenset((*self.models.values(), *self.alike))

    @property
    def alike_interfaces(self) -> dict[str, str]:
        """What models provide with the rows by which items are alike, and the rules require."""
        shapes = {wire.ALIKE + name: shape_text({name: rows}) for name, rows in self.alike.items()}
        return {name: interface(shape) for name, shape in shapes.items()}

    def put_models(self, draft: Draft) -> None:
        """Add the rows by which items are alike."""
        for name, rows in sorted(self.alike.items()):
            draft.put(wire.ALIKE + name, "arrays", pack({wire.ALIKE + name: rows}))
        draft.provides |= self.alike_interfaces

    def put_rules(self, draft: Draft, interfaces: Mapping[str, str]) -> None:
        """Add how lists are made."""
        if self.rules.finishes:
            data = msgspec.msgpack.encode(self.rules, order="deterministic")
            draft.put(wire.RULES_KIND, wire.RULES_KIND, data)
            draft.requires |= self.interface | self.alike_interfaces
            links = [link.pool for finish in self.rules.finishes for link in finish.links]
            draft.requires |= {f"recommender/{pool}": interfaces[f"recommender/{pool}"] for pool in links}


NO_PARTS: Final = Parts()


def compile_recommenders(workspace: Workspace, trained: Mapping[str, Model], problems: Problems) -> Parts:
    """The parts of all recommenders that a campaign shows."""
    limits = _limits(workspace)
    used = [config for config in workspace.recommenders if config.name in limits]
    if not used or not workspace.catalog.items:
        return NO_PARTS
    builder = _Builder(workspace, trained, problems)
    finishes = [builder.finish(config, limits[config.name]) for config in used]
    trials = [
        wire.Trial(builder.trial(config, limits[config.name]), challenger.model, challenger.share)
        for config in used
        if (challenger := config.challenger) is not None
    ]
    arrays = builder.arrays | builder.gates.arrays | groups_of(builder.columns, builder.groups)
    gates = len(builder.gates.gates)
    pools, shadows = (
        [_with_width(pool, trained, arrays, gates) for pool in sorted(found, key=_name)]
        for found in (builder.pools, builder.shadows)
    )
    for config in used:
        _tell_scans(config, [*pools, *shadows], workspace, problems)
    return Parts(
        Stage(tuple(pools), arrays, gates),
        Stage(tuple(shadows), arrays, gates),
        arrays,
        wire.Recommenders(tuple(builder.gates.gates), tuple(finishes), tuple(trials)),
        {pool.name: pool.model for pool in (*builder.pools, *builder.shadows)},
        builder.alike,
    )


def _name(pool: Pool) -> str:
    return pool.name


def _tell_scans(
    config: RecommenderConfig, pools: Sequence[Pool], workspace: Workspace, problems: Problems
) -> None:
    """Warn of a large catalog all of which is scored for each visitor."""
    items = len(workspace.catalog.items)
    scanned = {pool.model for pool in pools if pool.name.rpartition(":")[0] == config.name and not pool.width}
    if items >= MANY and scanned:
        which = ", ".join(sorted(scanned))
        message = f"recommender {config.name!r} scores all {items:,} items for each visitor, by {which}"
        hint = "docs/large-catalogs.md says which models and filters need not"
        problems.warn(config.path, config.line, "recall", message, hint)


def _with_width(pool: Pool, trained: Mapping[str, Model], arrays: Mapping[str, Array], gates: int) -> Pool:
    """The pool over its model's shortlist, where that is large and holds enough."""
    rows = [len(arrays[f"gate/{gate}"]) for gate in range(gates)]
    model = trained.get(pool.model)
    return pool if model is None else replace(pool, width=width_of(model, pool, arrays, rows))


def _limits(workspace: Workspace) -> dict[str, tuple[int, int]]:
    """The shortest and the longest list of each recommender that is shown."""
    found: dict[str, tuple[int, int]] = {}
    for show in workspace.shows():
        if show.recommender:
            low, high = found.get(show.recommender, (show.limit, 0))
            found[show.recommender] = min(low, show.limit), max(high, show.limit)
    return found


class _Builder:
    """The parts so far."""

    def __init__(self, workspace: Workspace, trained: Mapping[str, Model], problems: Problems) -> None:
        self.columns = Columns(workspace.catalog)
        self.gates = Gates(self.columns, problems)
        self.arrays: dict[str, Array] = {}
        self.groups: set[str] = set()
        self.pools: list[Pool] = []
        self.shadows: list[Pool] = []
        self.alike: dict[str, Array] = {}
        self._trained, self._problems = trained, problems

    def finish(self, config: RecommenderConfig, limits: tuple[int, int]) -> wire.Finish:
        """How the list is made, with its pools and arrays."""
        found = boosts_of(self.columns, config, self._problems) | told_of(self.columns, config)
        self.arrays |= {f"{config.name}/{key}": array for key, array in found.items()}
        self.groups.update(column for column, _ in config.caps)
        self.groups.update(config.alike if config.diversity else ())
        if config.near and config.diversity:
            self._compare(config)
        chain = self._chain(config, config.models, limits[1])
        self.pools += chain
        return self._document(config, chain, limits)

    def trial(self, config: RecommenderConfig, limits: tuple[int, int]) -> wire.Finish:
        """The same with the challenger before the models that others fall back to, and no exploring."""
        assert config.challenger is not None
        bare = replace(config, explore=None)
        rest = [name for name in config.models[1:] if name != config.challenger.model]
        chain = self._chain(bare, (config.challenger.model, *rest), limits[1])
        self.shadows += chain
        return self._document(bare, chain, limits)

    def _compare(self, config: RecommenderConfig) -> None:
        """Take the rows of the model that says what is alike."""
        if config.near in self.alike or config.near not in self._trained:
            return
        rows = directions_of(self._trained[config.near])
        if rows is not None and rows.shape[1] <= MAX_DIRECTIONS:
            self.alike[config.near] = rows
        else:
            message = f"recommender {config.name!r}: model {config.near!r} has no row for each item"
            hint = "take one of factors, such as svd, als, bpr, two-tower or text-embeddings"
            self._problems.error(config.path, config.line, "bad-value", message, hint)

    def _mask(self, config: RecommenderConfig) -> str:
        key = f"{config.name}/allow"
        if key not in self.arrays:
            mask = allowed(self.columns, config.filters)
            if mask is None:
                return ""
            self.arrays[key] = mask
        return key

    def _chain(self, config: RecommenderConfig, models: Sequence[str], limit: int) -> list[Pool]:
        size = self._size(config, limit)
        gates = tuple(self.gates.number(config, one) for one in config.filters if not one.is_static)
        chain = []
        for number, model in enumerate(models):
            pool = Pool(
                f"{config.name}:{number}", model, size, self._keeps_seen(config, model),
                config.least if number == 0 else None, gates, self._mask(config),
                config.name if config.boosts else "", self._new(config, model),
            )  # fmt: skip
            chain.append(pool)
        return chain

    def _document(
        self, config: RecommenderConfig, chain: Sequence[Pool], limits: tuple[int, int]
    ) -> wire.Finish:
        # The last of several takes whatever there is; a model that is alone may leave it to the site.
        asked = chain[: max(1, len(chain) - 1)]
        history = config.history if config.history is not None else int(len(chain) > 1)
        links = (
            *(
                wire.Link(pool.name, pool.model, history, config.items, self._asks(config, pool))
                for pool in asked
            ),
            *(wire.Link(pool.name, pool.model) for pool in chain[len(asked) :]),
        )
        mask = self._mask(config)
        return wire.Finish(
            config.name, limits[1], links, config.fill, config.caps, config.diversity,
            config.alike if config.diversity else (), config.pins, (mask,) if mask else (),
            chain[0].gates, self._explore(config, chain[0], limits), config.without,
            tuple(self._told(config, one) for one in config.filters),
            tuple(boost.words for boost in config.boosts),
            config.near if config.near in self.alike else "",
        )  # fmt: skip

    def _asks(self, config: RecommenderConfig, pool: Pool) -> bool:
        """Whether the context will do in the place of a history, unless it was said how long that must be."""
        model = self._trained.get(pool.model)
        return config.history is None and model is not None and bool(model.features)

    def _told(self, config: RecommenderConfig, filter_: Filter) -> tuple[str, int]:
        return filter_.words, -1 if filter_.is_static else self.gates.number(config, filter_)

    def _explore(
        self, config: RecommenderConfig, first: Pool, limits: tuple[int, int]
    ) -> wire.Explore | None:
        explore = config.explore
        if explore is None:
            return None
        if explore.slot >= limits[0]:
            message = f"explores place {explore.slot + 1}, and a campaign shows {limits[0]} items"
            where = f"recommender {config.name!r}"
            self._problems.error(
                config.path, config.line, "bad-value", f"{where} {message}", "take an earlier place"
            )
        if explore.where is None:
            return wire.Explore(explore.slot, explore.share, explore.of)
        met = self.columns.meet(explore.where).astype(np.uint8)
        key = f"{config.name}/among"
        self.arrays[key] = met & self.arrays[first.allow] if first.allow else met
        size = min(self.columns.size, explore.of + max(limits[1], MIN_LIMIT))
        pool = replace(first, name=f"{config.name}:x", allow=key, least=None, size=size)
        self.pools.append(pool)
        return wire.Explore(explore.slot, explore.share, explore.of, pool.name)

    def _size(self, config: RecommenderConfig, limit: int) -> int:
        """How many candidates are looked at: more where some of them may not be listed together."""
        limit = max(limit, MIN_LIMIT)
        size = limit + len(config.pins)
        if config.caps or config.diversity or config.without or config.consider:
            considered = config.consider or min(MAX_CONSIDERED, max(MIN_CONSIDERED, FACTOR * limit))
            size = max(size, considered)
        if config.explore is not None and config.explore.where is None:
            size = max(size, limit + config.explore.of)
        return min(size, self.columns.size)

    def _keeps_seen(self, config: RecommenderConfig, model: str) -> bool:
        if config.keeps_seen is not None:
            return config.keeps_seen
        return model in self._trained and not self._trained[model].excludes_seen

    def _new(self, config: RecommenderConfig, model: str) -> str:
        if config.new_items is None or model not in self._trained:
            return ""
        new, unseen = self.columns.meet(config.new_items.where), self._trained[model].card.get("unseen")
        if unseen is not None:
            never = np.zeros(self.columns.size, bool)
            never[list(unseen)] = True
            new &= never
        elif not config.new_items.where.written:
            message = f"recommender {config.name!r}: nobody knows which items model {model!r} never met"
            hint = "say `where` under new_items, or train the model again"
            self._problems.error(config.path, config.line, "missing-key", message, hint)
            return ""
        key = f"{config.name}/new/{model}"
        found = places_of_new(self.columns, config.new_items.like, new)
        self.arrays |= {f"{key}/{name}": array for name, array in found.items()}
        return key if found else ""


def golden_pools(
    workspace: Workspace,
    trained: Mapping[str, ScoreModel],
    parts: Parts,
    max_history: int,
    contexts: Contexts = NO_CONTEXTS,
) -> tuple[wire.PoolsGolden, ...]:
    """Histories, rows of gates and contexts with the candidates that the references give for each pool."""
    ids = [item.id for item in workspace.catalog.items]
    rows = [len(parts.arrays[f"gate/{gate}"]) for gate in range(parts.stage.gates)]
    golden = []
    for number, (history, row) in enumerate(cases_of(len(ids), contexts)[:GOLDEN_HISTORIES]):
        cut, gates = history[:max_history], tuple(number % count for count in rows)
        found = {}
        for pool in parts.stage.pools:
            taken = contexts.of(pool.model, [row])
            best = reference_pool(trained, pool, parts.arrays, cut, gates, taken)[: wire.GOLDEN_TOP]
            found[pool.name] = tuple(ids[p] for p in best)
        golden.append(wire.PoolsGolden(tuple(ids[p] for p in history), gates, found, row))
    return tuple(golden)


def reference_pool(  # noqa: PLR0913, PLR0917 - what a list depends on
    trained: Mapping[str, ScoreModel],
    pool: Pool,
    arrays: Mapping[str, Array],
    history: Sequence[int],
    gates: Sequence[int],
    context: NDArray[np.float32] | None = None,
) -> list[int]:
    """What a pool must list for a history, computed without ONNX; `context` is what its model takes in."""
    known = np.array([history], np.int32).reshape(1, -1)
    scores = trained[pool.model].score(known, np.ones(known.shape, np.float32), context)[0]
    steps = reference_steps(scores, pool, arrays, history, gates)
    wide = widened(trained[pool.model], pool.width) if pool.width else None
    found = found_by(wide, known, np.ones(known.shape, np.float32)) if wide is not None else None
    return listed(steps, pool.size, None if found is None else found[0][0])
