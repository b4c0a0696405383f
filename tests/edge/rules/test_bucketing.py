"""Buckets: the published numbers are in the public suite, the properties here."""

from hypothesis import given
from hypothesis import strategies as st

from edge.rules.bucketing import (
    bucket,
    bucket_ranges,
    choose_variation,
    equal_weights,
    fnv1a_32,
    in_namespace,
    usable_weights,
)


def test_known_hashes() -> None:
    assert (fnv1a_32(""), fnv1a_32("a"), fnv1a_32("foobar")) == (0x811C9DC5, 0xE40C292C, 0xBF9CF968)
    # UTF-16 units are taken whole, as charCodeAt gives them.
    assert fnv1a_32("ä") == ((0x811C9DC5 ^ 0xE4) * 0x01000193) & 0xFFFFFFFF
    assert fnv1a_32("\U0001f600") == fnv1a_32("\ud83d\ude00")


@given(st.text(), st.text(), st.sampled_from([1, 2]))
def test_a_bucket_is_within_its_places(seed: str, value: str, version: int) -> None:
    place = bucket(seed, value, version)
    assert place is not None
    assert 0 <= place < 1
    assert bucket(seed, value, 3) is None


@given(st.integers(2, 9), st.floats(0, 1), st.floats(0, 1))
def test_more_coverage_moves_no_one(variations: int, less: float, place: float) -> None:
    before = choose_variation(place, bucket_ranges(variations, less))
    after = choose_variation(place, bucket_ranges(variations, 1))
    assert before in (-1, after)


def test_weights_that_make_no_whole_are_not_believed() -> None:
    assert usable_weights(2, [0.9, 0.9]) == usable_weights(2, [1]) == usable_weights(2, None) == [0.5, 0.5]
    assert usable_weights(2, [0.2, 0.8]) == [0.2, 0.8]
    assert equal_weights(0) == equal_weights(-1) == []


def test_parts_of_a_namespace_exclude_each_other() -> None:
    for visitor in map(str, range(200)):
        assert in_namespace(visitor, "n", (0, 0.4)) is not in_namespace(visitor, "n", (0.4, 1))
