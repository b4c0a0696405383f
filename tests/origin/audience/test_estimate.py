"""Intervals hold the true share as often as they say, also where visitors come again."""

from random import Random

import pytest

from origin.audience.estimate import independent, interval


@pytest.mark.parametrize(
    ("hits", "requests", "low", "high"),
    # Wilson's, as other software has them.
    [(5, 10, 0.2366, 0.7634), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_wilsons_interval(hits: int, requests: int, low: float, high: float) -> None:
    assert interval(hits, requests, requests) == pytest.approx((low, high), abs=5e-5)


def test_requests_of_one_visitor_are_worth_one() -> None:
    assert independent([1] * 50) == 50
    assert independent([5] * 10) == 10
    assert independent([100]) == 1
    assert independent([]) == 0
    assert interval(0, 0, 0) == (0.0, 1.0)


def test_the_true_share_is_inside_of_19_of_20() -> None:
    random, share, inside = Random(7), 0.3, 0
    for _ in range(300):
        # All requests of a visitor are alike: the worst case.
        visitors = [(random.randint(1, 9), random.random() < share) for _ in range(120)]
        requests = sum(made for made, _ in visitors)
        hits = sum(made for made, hit in visitors if hit)
        low, high = interval(hits, requests, independent(made for made, _ in visitors))
        inside += low <= share <= high
        naive = interval(hits, requests, requests)
        assert low < naive[0] < naive[1] < high
    assert 275 <= inside <= 300
