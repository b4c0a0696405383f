"""Runs the golden decisions that the compiler put into a bundle, before anyone relies on it."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from edge.bundle import format as fmt
from edge.bundle import recommender_format as wire
from edge.bundle.arrays import unpack
from edge.bundle.reader import Bundle
from edge.bundle.strings import Strings
from edge.decide.campaigns import Campaigns
from edge.decide.choice import Chooser, Settled, load_choices
from edge.decide.engine import Engine
from edge.decide.golden_scores import check_scores
from edge.decide.page import load_page
from edge.decide.predictor import check_golden
from edge.decide.recommender import Recommender
from edge.decide.row import Row
from edge.decide.types import Context
from edge.errors import BundleError
from edge.rules.index import Index

MAX_GOLDEN: Final = 4_096
"""Checking them is part of an activation, so their number is bounded."""


T = TypeVar("T")


def check(bundle: Bundle) -> tuple[int, int]:
    """Load a bundle as a worker will, and run its golden decisions; how many there were, as `run_golden`.

    Raises
    ------
    BundleError
        ``golden`` with what differs, or what loading raises.
    """
    Engine.load(bundle)
    check_golden(bundle)
    index = Index(unpack(bundle.read(bundle.one("rules", "index"))))
    return run_golden(bundle, index, Recommender.load(bundle))


def run_golden(bundle: Bundle, index: Index, recommender: Recommender) -> tuple[int, int]:
    """Run all golden decisions on loaded parts; how many contexts and histories there were.

    Raises
    ------
    BundleError
        ``golden``: an answer is not the one that the compiler wrote down.
    """
    schema = fmt.decode(bundle.read(bundle.one("rules", "schema")), fmt.RulesSchema)
    contents = Strings(unpack(bundle.read(bundle.one("rules", "contents"))), "ids")
    arrays = unpack(bundle.read(bundle.one("rules", "campaigns")))
    winners = _bounded(
        "rules", fmt.decode(bundle.read(bundle.one("rules", "golden")), tuple[fmt.RulesGolden, ...])
    )
    choices, page = load_choices(bundle) or fmt.Choices(), load_page(bundle).counts
    campaigns = Campaigns(arrays, schema, len(contents), choices, page)
    shown = (len(contents), len(schema.recommenders), 0, 0, *page)
    _check_winners(winners, index, campaigns, Chooser(choices, campaigns, shown))
    lists = _bounded(
        "models", fmt.decode(bundle.read(bundle.one("models", "golden")), tuple[fmt.ModelsGolden, ...])
    )
    items = Strings(unpack(bundle.read(bundle.one("catalog", "items"))), "ids")
    _check_lists(lists, recommender, items)
    return len(winners), len(lists) + _check_pools(bundle, recommender, items)


def _bounded(role: str, golden: tuple[T, ...]) -> tuple[T, ...]:
    if len(golden) > MAX_GOLDEN:
        raise BundleError("golden", f"{len(golden)} golden decisions in {role}, more than {MAX_GOLDEN}")
    return golden


def _check_winners(
    golden: Sequence[fmt.RulesGolden], index: Index, campaigns: Campaigns, chooser: Chooser
) -> None:
    placements = tuple(campaigns.masks)
    for case in golden:
        if len(case.winners) != len(placements):
            raise BundleError("golden", f"{len(case.winners)} winners for {len(placements)} placements")
        context = Context(0, case.seed, "full", {**case.attributes}, (), placements, case.unit)
        settled = chooser.settle(index.match(case.attributes, index.everyone), context)
        winners, variations = _shown(settled, campaigns, placements)
        for placement, found, wanted in zip(placements, winners, case.winners, strict=True):
            if found != wanted:
                message = f"{placement!r} is won by {found!r}, not by {wanted!r}, for {case.attributes}"
                raise BundleError("golden", message)
        if variations != (case.variations or ("",) * len(placements)):
            message = f"variations {variations}, not {case.variations}, for {case.unit!r}"
            raise BundleError("golden", message)


def _check_pools(bundle: Bundle, recommender: Recommender, items: Strings) -> int:
    """The candidates that recommenders choose from, as the catalog has them golden; how many histories."""
    if not bundle.artifacts("catalog", "golden"):
        return 0
    type_ = tuple[wire.PoolsGolden, ...]
    golden = _bounded("catalog", fmt.decode(bundle.read(bundle.one("catalog", "golden")), type_))
    histories = [[items.find(item.encode()) for item in case.history] for case in golden]
    if any(position < 0 for history in histories for position in history):
        raise BundleError("golden", "a golden history names an item that the catalog lacks")
    rows, gates = _rows(golden, recommender), [case.gates for case in golden]
    found = _run(lambda: recommender.find(histories, gates, rows)).lists
    for row, case in enumerate(golden):
        for name, wanted in case.items.items():
            listed = tuple(items.texts(found[name][row][: wire.GOLDEN_TOP])) if name in found else ()
            if listed != wanted:
                raise BundleError("golden", f"{name!r} has {listed[:5]}…, not {wanted[:5]}…")
    return len(golden)


def _shown(
    settled: Settled, campaigns: Campaigns, placements: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The campaign and the variation of each placement."""
    owners = {p: campaigns.ids[campaigns.owner[bit]].decode() for p, bit in settled.winners}
    arms = {placement: arm.variation for placement, arm in settled.arms.items()}
    return tuple(owners.get(p, "") for p in placements), tuple(arms.get(p, "") for p in placements)


def _check_lists(golden: Sequence[fmt.ModelsGolden], recommender: Recommender, items: Strings) -> None:
    if golden and not recommender.names:
        raise BundleError("golden", f"{len(golden)} golden lists and no recommender")
    histories = [[items.find(item.encode()) for item in case.history] for case in golden]
    if any(position < 0 for history in histories for position in history):
        raise BundleError("golden", "a golden history names an item that the catalog lacks")
    rows = _rows(golden, recommender)
    lists = _run(lambda: recommender.list_items(histories, rows))
    for case, found in zip(golden, lists, strict=True):
        if set(case.items) != set(found):
            raise BundleError("golden", f"lists of {sorted(found)}, not of {sorted(case.items)}")
        for name, positions in found.items():
            listed = tuple(items[position].decode() for position in positions)
            if listed != case.items[name]:
                message = f"{name!r} lists {listed}, not {case.items[name]}, after {case.history}"
                raise BundleError("golden", message)
    check_scores(golden, recommender, histories)


def _rows(
    golden: Sequence[fmt.ModelsGolden] | Sequence[wire.PoolsGolden], recommender: Recommender
) -> list[Row]:
    """The rows of the golden contexts; none where no model takes any in."""
    columns = len(recommender.plan.columns)
    if any(len(case.row) != columns for case in golden):
        raise BundleError("golden", f"a golden context has not {columns} columns")
    return [case.row for case in golden] if columns else []


def _run(work: Callable[[], T]) -> T:
    try:
        return work()
    # onnxruntime's errors share no base but this one.
    except Exception as error:
        raise BundleError("golden", f"the models can't be run: {error}") from error
