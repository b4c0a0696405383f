"""Who and what lists serve: how evenly items are shown, and how well each group of users is."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.interactions import Interactions
from models.measures.metrics import Lists, Relevant, ndcg
from models.measures.next_item import interval

HEAD_SHARE: Final = 0.2
"""The items that most have viewed: this share of the catalog."""


def gini(lists: Lists, n_items: int) -> float:
    """How unevenly items are shown: 0 all alike, 1 one item alone (Gini's coefficient of exposure)."""
    shown = np.sort(_shown(lists, n_items))
    places = np.arange(1, n_items + 1)
    return float(((2 * places - n_items - 1) * shown).sum() / max(n_items * shown.sum(), 1))


def exposure_gap(lists: Lists, train: Interactions) -> float:
    """How much more of the lists the most viewed fifth of the catalog has than it has of the views.

    0 says that lists pass popularity on as it is; above 0 they add to it.
    """
    n_items = len(train.item_ids)
    views = np.bincount(train.items, minlength=n_items)
    head = np.argsort(-views, kind="stable")[: max(1, round(HEAD_SHARE * n_items))]
    shown = _shown(lists, n_items)
    return float(shown[head].sum() / max(shown.sum(), 1) - views[head].sum() / views.sum())


def list_quality(lists: Lists, relevant: Relevant, train: Interactions, k: int) -> dict[str, object]:
    """What a card says beside the metrics: between which nDCG lies, and how popularity is passed on."""
    gains = np.array([ndcg([one], [wanted], k) for one, wanted in zip(lists, relevant, strict=True)])
    low, high = interval(gains)
    return {
        f"ndcg@{k}_interval": [round(low, 4), round(high, 4)],
        "gini": round(gini(lists, len(train.item_ids)), 4),
        "exposure_gap": round(exposure_gap(lists, train), 4),
    }


def by_group(
    lists: Lists, relevant: Relevant, groups: Sequence[str], k: int
) -> dict[str, tuple[int, float, float, float]]:
    """For each group of users: how many they are, their mean nDCG, and between which it lies with 95 %."""
    found = {}
    gains = np.array([ndcg([one], [wanted], k) for one, wanted in zip(lists, relevant, strict=True)])
    has_any = np.array([bool(wanted) for wanted in relevant])
    for group in sorted(set(groups)):
        own = gains[has_any & (np.array(groups) == group)]
        if len(own):
            found[group] = (len(own), float(own.mean()), *interval(own))
    return found


def _shown(lists: Lists, n_items: int) -> NDArray[np.int64]:
    return np.bincount([item for list_ in lists for item in list_], minlength=n_items)
