"""A shortlist is what the rules say, said plainly."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.decide.likeness import Groups, Likeness
from edge.decide.shortlist import Caps, Shortlist

N = 12
values = st.lists(st.lists(st.integers(0, 4), unique=True, max_size=3), min_size=N, max_size=N)


def groups(of: list[list[int]]) -> Groups:
    starts = np.cumsum([0, *map(len, of)]).astype(np.uint64)
    return Groups(starts, np.array([value for one in of for value in one], np.uint32))


def share_in_common(one: list[int], other: list[int]) -> float:
    return len({*one} & {*other}) / len({*one, *other}) if one or other else 0.0


@given(values)
def test_likeness_is_the_share_in_common(of: list[list[int]]) -> None:
    found = Likeness([groups(of)], range(N))
    assert [found.to(at).tolist() for at in range(N)] == [[share_in_common(a, b) for b in of] for a in of]


@given(values, st.permutations(range(N)), st.integers(1, 3), st.sets(st.integers(0, N - 1), max_size=2))
def test_caps_hold_and_take_the_best_that_fits(
    of: list[list[int]], order: list[int], most: int, pinned: set[int]
) -> None:
    short = Shortlist(6, Caps([(groups(of), most)]), sorted(pinned))
    short.add(order)
    counts = Counter(value for item in pinned for value in of[item])
    wanted: list[int] = []
    for item in order:
        if item not in pinned and len(wanted) < 6 and all(counts[value] < most for value in of[item]):
            wanted.append(item)
            counts.update(of[item])
    assert short.items == wanted


@given(values, st.lists(st.floats(0, 1, width=16), min_size=N, max_size=N), st.floats(0, 1, width=16))
def test_marginal_relevance_is_the_papers(of: list[list[int]], scores: list[float], weight: float) -> None:
    table = groups(of)
    order = sorted(range(N), key=lambda item: -scores[item])
    short = Shortlist(5, Caps([]))
    short.add_unlike({item: scores[item] for item in order}, [table], weight)
    low, span = min(scores), max(scores) - min(scores) or 1.0
    wanted: list[int] = []
    while len(wanted) < 5:
        left = [item for item in order if item not in wanted]
        worth = [
            (1 - weight) * (scores[item] - low) / span
            - weight * max((share_in_common(of[item], of[one]) for one in wanted), default=0.0)
            for item in left
        ]
        wanted.append(left[worth.index(max(worth))])
    assert short.items == wanted


def test_what_is_pinned_counts_for_likeness() -> None:
    table = groups([[0], [0], [1], [1]])
    short = Shortlist(1, Caps([]), [0])
    short.add_unlike({1: 1.0, 2: 0.9, 3: 0.1}, [table], 0.5)
    assert short.items == [2]
