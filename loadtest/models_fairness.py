"""What lists of MovieLens 100K do to items and to groups of users: what debiasing costs, nDCG by age."""

import csv
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from models.data.histories import histories
from models.data.interactions import Interactions
from models.data.split import split_per_user
from models.measures.exposure import by_group, exposure_gap, gini
from models.measures.metrics import Lists, coverage, ndcg, novelty
from models.recipe import Trained, train

RECIPE: Final = "svd"
DEBIASED: Final = (0.0, 0.1, 0.2, 0.3, 0.5)
AGES: Final = ((0, "under 25"), (25, "25 to 44"), (45, "45 and over"))
TOP: Final = 10

Listing = Callable[[Trained, Sequence[Sequence[int]]], Lists]


def print_frontier(ratings: Interactions, listed: Listing, share: float, seeds: int) -> dict[str, float]:
    """nDCG against exposure, for more and more debiased training; figures by name."""
    print(f"\n| `{RECIPE}`, debias | nDCG@10 | exposure gap | Gini | coverage | novelty |")
    print("| --- | --- | --- | --- | --- | --- |")
    figures: dict[str, float] = {}
    for debias in DEBIASED:
        rows = []
        for seed in range(seeds):
            known, test = split_per_user(ratings, share, seed)
            lists = listed(train(RECIPE, RECIPE, known, {"debias": debias}), histories(known))
            relevant = [frozenset(items) for items in histories(test)]
            n_items = len(known.item_ids)
            rows.append(
                (
                    ndcg(lists, relevant, TOP),
                    exposure_gap(lists, known),
                    gini(lists, n_items),
                    coverage(lists, n_items),
                    novelty(lists, known),
                )
            )
        gain, gap, *others = (statistics.mean(column) for column in zip(*rows, strict=True))
        print(f"| {debias:g} | {gain:.4f} | {gap:+.3f} | " + " | ".join(f"{x:.3f}" for x in others) + " |")
        name = f"{debias:g}".replace(".", "_")
        figures |= {f"ndcg10_debias_{name}": round(gain, 4), f"gap_debias_{name}": round(gap, 4)}
    return figures


def print_groups(ratings: Interactions, listed: Listing, share: float, users: Path) -> None:
    """nDCG of each group of users, with intervals, on the first seed."""
    known, test = split_per_user(ratings, share, 0)
    lists = listed(train(RECIPE, RECIPE, known), histories(known))
    relevant = [frozenset(items) for items in histories(test)]
    print(f"\n| `{RECIPE}`, users | how many | nDCG@10 |\n| --- | --- | --- |")
    for groups in _groups(users, ratings.user_ids):
        for group, (count, gain, low, high) in by_group(lists, relevant, groups, TOP).items():
            print(f"| {group} | {count} | {gain:.3f} ({low:.3f} to {high:.3f}) |")


def _groups(path: Path, ids: Sequence[str]) -> tuple[list[str], list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        told: Mapping[str, dict[str, str]] = {row["user"]: row for row in csv.DictReader(file, delimiter="|")}
    genders = {"M": "men", "F": "women"}
    ages = [next(name for least, name in reversed(AGES) if int(told[id_]["age"]) >= least) for id_ in ids]
    return [genders[told[id_]["gender"]] for id_ in ids], ages
