"""Golden decisions: contexts and histories with answers from the plain evaluator and the reference."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from compiler.conditions.check import Clause, Constraint
from compiler.features.golden_rows import golden_rows
from compiler.models.context import NO_CONTEXTS, Contexts
from compiler.models.graph import RecommenderSpec, ScoreModel, reference_list
from compiler.rules.choices import used_bandits, used_experiments
from compiler.rules.walk import Walk, arm_of, holds, variation_of
from compiler.types import Campaign, Catalog, Workspace
from edge.bundle import format as fmt
from edge.rules.values import Value

MAX_CAMPAIGNS: Final = 200
MAX_EVALUATIONS: Final = 1_000_000
"""The plain evaluator is slow on purpose: with more campaigns, fewer contexts are golden."""

MAX_CLAUSES: Final = 2
"""Alternatives of a campaign's condition that golden contexts aim at."""

UNITS: Final = tuple(hashlib.sha256(b"unit %d" % n).hexdigest()[:32] for n in range(64))
UNITS_EACH: Final = 2
"""Visitors whom experiments divide, and how many of them each context is decided for."""

SEEDS: Final = 64
"""Among these seeds is one for each arm of a bandit, unless it is drawn very seldom."""

AMOUNTS: Final = (-1.5, 1.0, 2.25, 1000.0)
"""What attributes are in golden contexts that values count by."""

MAX_AIMED: Final = 64
MAX_AIMED_VARIATIONS: Final = 8
"""Experiments and bandits of which visitors in each variation are golden, too, and seeds of each arm."""

HISTORIES: Final = 32
COLD: Final = 8
"""Contexts without a history, where models take in any."""

MAX_HISTORY: Final = 64
"""Longer than what the graph takes in, so that the cut is golden too."""

_PLAIN: Final[tuple[dict[str, Value], ...]] = (
    {},
    {"device.type": "mobile", "language": "en", "visitor.new": True, "visitor.visits": 1, "visitor.items": 0},
    {
        "device.type": "desktop",
        "language": "de",
        "visitor.new": False,
        "visitor.visits": 7,
        "visitor.items": 9,
    },
)


def golden_winners(workspace: Workspace) -> tuple[fmt.RulesGolden, ...]:
    """Contexts that meet each campaign, and some that just miss it, with who wins each placement."""
    campaigns, site = workspace.campaigns, workspace.site
    units = UNITS if used_experiments(workspace) or workspace.holdouts else ()
    each = 1 + min(UNITS_EACH, len(units))
    room = min(MAX_CAMPAIGNS, MAX_EVALUATIONS // (2 * MAX_CLAUSES * each * max(1, len(campaigns))))
    types = {attribute.name: attribute.type for attribute in site.attributes}
    contexts = list(_PLAIN)
    for campaign in _spread(sorted(campaigns, key=lambda campaign: campaign.id), max(1, room)):
        for clause in campaign.condition.clauses[:MAX_CLAUSES]:
            met = meet(clause, types)
            contexts.append(met)
            contexts += [{**met, cap.name: cap.limit} for cap in campaign.caps[:1]]
            if met:
                missing = sorted(met)[len(campaign.id) % len(met)]
                contexts.append({name: value for name, value in met.items() if name != missing})
    walk = Walk(workspace)
    golden = {}
    cases = [
        (context, unit) for number, context in enumerate(contexts) for unit in ("", *_some(units, number))
    ]
    aimed = [(context, unit, 0) for context, unit in (*cases, *_aimed(workspace))]
    for context, unit, seed in (*aimed, *_drawn(workspace), *_valued(workspace)):
        case = _case(walk, workspace, context, (unit, seed))
        golden[repr((sorted(case.attributes.items()), unit, seed))] = case
    return tuple(golden[key] for key in sorted(golden))


def _some(units: Sequence[str], number: int) -> Sequence[str]:
    """A few units for each context, others for the next."""
    start = number * UNITS_EACH % max(1, len(units))
    return units[start : start + UNITS_EACH]


def _aimed(workspace: Workspace) -> Iterator[tuple[dict[str, Value], str]]:
    """For each variation, and for who is in none, a context that meets a campaign, and a unit."""
    types = {attribute.name: attribute.type for attribute in workspace.site.attributes}
    users = {campaign.experiment: campaign for campaign in workspace.campaigns}
    reached = [unit for unit in UNITS if not any(holds(holdout, unit) for holdout in workspace.holdouts)]
    for experiment in used_experiments(workspace)[:MAX_AIMED]:
        clauses = users[experiment.id].condition.clauses
        context = meet(clauses[0], types) if clauses else {}
        found = {variation_of(experiment, unit): unit for unit in reached}
        yield from ((context, unit) for unit in list(found.values())[:MAX_AIMED_VARIATIONS])


def _drawn(workspace: Workspace) -> Iterator[tuple[dict[str, Value], str, int]]:
    """For each arm of a bandit, a context that meets a campaign, and a seed that draws it."""
    types = {attribute.name: attribute.type for attribute in workspace.site.attributes}
    users = {campaign.bandit: campaign for campaign in workspace.campaigns}
    for bandit in used_bandits(workspace)[:MAX_AIMED]:
        campaign = users[bandit.id]
        context = meet(campaign.condition.clauses[0], types) if campaign.condition.clauses else {}
        found = {arm_of(bandit, campaign.placements[0], seed): seed for seed in reversed(range(SEEDS))}
        yield from ((context, "", seed) for seed in sorted(found.values())[:MAX_AIMED_VARIATIONS])


def _valued(workspace: Workspace) -> Iterator[tuple[dict[str, Value], str, int]]:
    """For each way to count a value, contexts of some campaign in which it counts more and more."""
    types = {attribute.name: attribute.type for attribute in workspace.site.attributes}
    best = workspace.site.best
    users = {c.worth.terms: c for c in workspace.campaigns if best.intersection(c.placements)}
    for terms in [terms for terms in sorted(users) if terms][:MAX_AIMED]:
        clauses = users[terms].condition.clauses
        met = meet(clauses[0], types) if clauses else {}
        for number in AMOUNTS:
            amounts: dict[str, Value] = {
                name: number > 0 if types[name] == "boolean" else number for name, _ in terms
            }
            yield {**amounts, **met}, "", 0


def _case(
    walk: Walk, workspace: Workspace, context: dict[str, Value], drawn: tuple[str, int]
) -> fmt.RulesGolden:
    unit, seed = drawn
    types = {attribute.name: attribute.type for attribute in workspace.site.attributes}
    hashed = [e.hash for e in used_experiments(workspace) if types.get(e.hash) == "string"]
    attributes = {**dict.fromkeys(hashed if unit else (), unit), **context}
    won = walk.won(attributes, unit, seed)
    variations = tuple(variation for _, variation in won)
    winners = tuple(campaign for campaign, _ in won)
    return fmt.RulesGolden(attributes, winners, unit, variations if any(variations) else (), seed)


def _spread(campaigns: Sequence[Campaign], count: int) -> list[Campaign]:
    if len(campaigns) <= count:
        return list(campaigns)
    return [campaigns[position * len(campaigns) // count] for position in range(count)]


def meet(clause: Clause, types: Mapping[str, str]) -> dict[str, Value]:
    """Attributes that meet the conjunction; where it can't be met, as near as it gets.

    What only the evaluator can tell, such as a regular expression, is not aimed at.
    """
    met: dict[str, Value] = {}
    for name, constraint in clause.constraints.items():
        value = _pick(constraint, types[name])
        if value is not None:
            met[name] = value
    return met


def _pick(constraint: Constraint, type_: str) -> Value | None:
    """A value that meets the constraint; None where it is met, or can only be met, by a missing one."""
    if constraint.allowed is not None:
        return min(constraint.allowed, default=None, key=lambda value: (str(type(value)), value))
    if constraint.ranged:
        return _pick_number(constraint)
    if constraint.absent:
        return None
    anything: Mapping[str, tuple[Value, ...]] = {
        "boolean": (True, False),
        "number": tuple(range(len(constraint.excluded) + 1)),
        "string": tuple(f"any{n}" for n in range(len(constraint.excluded) + 1)),
    }
    return next((value for value in anything.get(type_, ()) if value not in constraint.excluded), None)


def _pick_number(constraint: Constraint) -> float:
    up = math.isfinite(constraint.low)
    number = constraint.low if up else constraint.high
    if not math.isfinite(number):
        number = 0.0
    while number in constraint.excluded:
        number = math.nextafter(number, math.inf if up else -math.inf)
    return number


def golden_lists(
    models: Mapping[str, ScoreModel],
    specs: Sequence[RecommenderSpec],
    catalog: Catalog,
    max_history: int,
    contexts: Contexts = NO_CONTEXTS,
) -> tuple[fmt.ModelsGolden, ...]:
    """Histories and contexts with the items and scores that the references give for each recommender."""
    ids = [item.id for item in catalog.items]
    golden = []
    for history, row in cases_of(len(ids), contexts):
        cut = history[:max_history]
        lists = {spec.name: reference_list(models, spec, cut, contexts, row) for spec in specs}
        items = {name: tuple(ids[position] for position, _ in list_) for name, list_ in lists.items()}
        scores = {name: tuple(_rounded(score) for _, score in list_) for name, list_ in lists.items()}
        golden.append(fmt.ModelsGolden(tuple(ids[p] for p in history), items, scores, row))
    return tuple(golden)


def _rounded(score: float) -> float:
    """To six digits: the last bits of a score may differ by machine."""
    return float(f"{score:.6g}")


def cases_of(n_items: int, contexts: Contexts) -> list[tuple[tuple[int, ...], tuple[float, ...]]]:
    """Histories, each with a row of columns; where there are any, some contexts without a history, too."""
    histories = histories_of(n_items)
    if contexts.columns:
        histories = [*[()] * COLD, *histories]
    return list(zip(histories, golden_rows(contexts.columns, len(histories)), strict=True))


def histories_of(n_items: int) -> list[tuple[int, ...]]:
    """No item, one, many, and as much of the catalog as fits; distinct positions, the same every time."""
    longest = min(n_items, MAX_HISTORY)
    found = {(): None, (0,): None, (n_items - 1,): None}
    found |= {tuple(range(longest)): None, tuple(range(n_items - 1, n_items - 1 - longest, -1)): None}
    for turn in range(HISTORIES * 2):
        if len(found) >= HISTORIES:
            break
        length = 1 + _mixed(turn, 0) % longest
        drawn = dict.fromkeys(_mixed(turn, draw) % n_items for draw in range(1, length + 1))
        found[tuple(drawn)] = None
    return list(found)


def _mixed(turn: int, draw: int) -> int:
    # Not `random`: its numbers may change between versions of Python, and with them the bundle.
    return int.from_bytes(hashlib.sha256(f"{turn}:{draw}".encode()).digest()[:8], "big")
