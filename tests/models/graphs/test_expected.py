"""A context's numbers in ranges: what is missing is in none."""

import numpy as np

from models.data.contexts import Contexts
from models.graphs.expected import RANGES, in_ranges, range_arrays


def _ranges(numbers: list[float], codes: int = 0) -> dict[str, np.ndarray]:
    rows = np.array(numbers, np.float32)[:, np.newaxis]
    return range_arrays(Contexts(("n",), (codes,), rows))


def test_a_text_has_a_range_for_each_code_and_each_value_of_few_has_one() -> None:
    coded = _ranges([0, 2, np.nan], codes=3)
    inside = in_ranges(coded, np.array([[0], [1], [2], [np.nan]], np.float32))
    assert np.array_equal(inside, [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]])
    few = _ranges([0, 1, 1, np.nan])
    assert np.array_equal(
        in_ranges(few, np.array([[0], [1], [np.nan]], np.float32)), [[1, 0], [0, 1], [0, 0]]
    )


def test_many_values_are_cut_where_as_many_rows_are_in_each() -> None:
    numbers = list(np.random.default_rng(1).normal(40, 12, 800))
    ranges = _ranges([*numbers, np.nan])
    inside = in_ranges(ranges, np.array(numbers, np.float32)[:, np.newaxis])
    assert (inside.sum(axis=1) == 1).all()
    assert np.array_equal(inside.sum(axis=0), [100] * RANGES)
    ends = in_ranges(ranges, np.array([[-1e9], [1e9]], np.float32))
    assert np.array_equal(ends, np.eye(RANGES)[[0, -1]])


def test_a_number_of_which_nothing_is_known_and_one_that_is_always_the_same_have_one_range() -> None:
    for numbers in ([np.nan, np.nan], [3.0, 3.0]):
        assert np.array_equal(
            in_ranges(_ranges(numbers), np.array([[7.0], [np.nan]], np.float32)), [[1], [0]]
        )


def test_values_most_of_which_are_one_have_no_range_without_rows() -> None:
    ranges = _ranges([0.0] * 900 + list(range(1, 101)))
    inside = in_ranges(ranges, np.array([[0], [50]], np.float32))
    assert (inside.sum(axis=1) == 1).all()
    assert not np.array_equal(inside[0], inside[1])
