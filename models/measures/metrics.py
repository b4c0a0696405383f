"""How good lists of items are, against what their readers did later."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.contexts import Rows
from models.data.histories import asked_in, histories
from models.data.interactions import Interactions

Lists = Sequence[Sequence[int]]
"""Per user, catalog positions, best first."""

Relevant = Sequence[frozenset[int]]
"""Per user, the catalog positions that count as hits; relevance is binary."""

Recommend = Callable[[list[list[int]], Rows | None], Lists]
"""``(histories, contexts) -> lists``; the contexts are what models take in of them, where they do."""

BATCH: Final = 64


def best(scores: NDArray[np.float32], count: int) -> list[int]:
    """The positions of the greatest scores, best first, of equals the lower one; none of minus infinity."""
    least = np.partition(scores, -count)[-count] if count < len(scores) else -np.inf
    some = np.flatnonzero((scores >= least) & (scores > -np.inf))
    first: list[int] = some[np.argsort(-scores[some], kind="stable")[:count]].tolist()
    return first


def ndcg(lists: Lists, relevant: Relevant, k: int) -> float:
    """Normalized discounted cumulative gain: hits count ``1 / log2(1 + place)``.

    The ideal has ``min(k, len(relevant))`` hits in front. Users with nothing
    relevant are left out, here and in all metrics below; 0 where none is left.
    """
    gains = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(gains)
    return _mean(
        float(gains[: len(hits)] @ hits) / float(ideal[min(k, n_relevant) - 1])
        for hits, n_relevant in _hits(lists, relevant, k)
    )


def recall(lists: Lists, relevant: Relevant, k: int) -> float:
    """The share of what is relevant that is among the first `k`."""
    return _mean(float(hits.sum()) / n_relevant for hits, n_relevant in _hits(lists, relevant, k))


def mean_average_precision(lists: Lists, relevant: Relevant, k: int) -> float:
    """Precision at each hit, summed, over ``min(k, len(relevant))``."""
    return _mean(
        float((hits * np.cumsum(hits) / np.arange(1, len(hits) + 1)).sum()) / min(k, n_relevant)
        for hits, n_relevant in _hits(lists, relevant, k)
    )


def coverage(lists: Lists, n_items: int) -> float:
    """The share of the catalog that at least one list shows."""
    return len({position for list_ in lists for position in list_}) / n_items


def novelty(lists: Lists, train: Interactions) -> float:
    """Mean surprise of what is shown: ``-log2`` of the share of users that knew the item.

    An item that nobody knew counts as if one user did.
    """
    pairs = np.unique(np.stack([train.users, train.items]), axis=1)
    known = np.maximum(np.bincount(pairs[1], minlength=len(train.item_ids)), 1)
    surprise = -np.log2(known / len(train.user_ids))
    return _mean(float(surprise[position]) for list_ in lists for position in list_)


def evaluate(recommend: Recommend, train: Interactions, test: Interactions, k: int) -> dict[str, float]:
    """All metrics at `k` of lists made from each user's whole training history.

    Parameters
    ----------
    recommend
        Lists for histories (catalog positions, most recent first) without the
        history's own items, in contexts; called with up to `BATCH` of them.

    Notes
    -----
    The protocol of the Recommenders project's comparison: every test
    interaction is relevant, whatever its rating; seen items are removed.
    """
    known = histories(train)
    relevant = [frozenset(items) for items in histories(test)]
    users = [user for user, items in enumerate(relevant) if items]
    lists = lists_of(recommend, known, asked_in(test), users)
    wanted = [relevant[user] for user in users]
    return {
        f"ndcg@{k}": ndcg(lists, wanted, k),
        f"recall@{k}": recall(lists, wanted, k),
        f"map@{k}": mean_average_precision(lists, wanted, k),
        "coverage": coverage(lists, len(train.item_ids)),
        "novelty": novelty(lists, train),
    }


def lists_of(
    recommend: Recommend, known: Sequence[list[int]], contexts: Rows | None, users: Sequence[int]
) -> list[Sequence[int]]:
    """The list of each of some users."""
    parts = [users[start : start + BATCH] for start in range(0, len(users), BATCH)]
    return [
        list_
        for part in parts
        for list_ in recommend([known[user] for user in part], None if contexts is None else contexts[part])
    ]


def _hits(lists: Lists, relevant: Relevant, k: int) -> list[tuple[NDArray[np.float64], int]]:
    return [
        (np.array([position in wanted for position in list_[:k]], np.float64), len(wanted))
        for list_, wanted in zip(lists, relevant, strict=True)
        if wanted
    ]


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return float(np.mean(found)) if found else 0.0
