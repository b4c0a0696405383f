"""Visits and stretches: which rows of a user belong together."""

from models.data.interactions import from_rows
from models.data.visits import stretches, visits

ROWS = [
    ("u", "c", 50, 1.0),
    ("v", "a", 0, 1.0),
    ("u", "a", 10, 1.0),
    ("u", "b", 200, 1.0),
    ("v", "b", 10, 1.0),
]


def test_a_pause_ends_a_visit() -> None:
    numbers = visits(from_rows(ROWS, ("a", "b", "c")), 1).tolist()
    assert numbers[0] == numbers[2]
    assert numbers[1] == numbers[4]
    assert len(set(numbers)) == 3


def test_stretches_have_so_many_rows_of_one_user_from_the_oldest_on() -> None:
    numbers = stretches(from_rows(ROWS, ("a", "b", "c")), 2).tolist()
    assert numbers[0] == numbers[2]
    assert numbers[1] == numbers[4]
    assert len(set(numbers)) == 3
    assert len(set(stretches(from_rows(ROWS, ("a", "b", "c")), 1).tolist())) == 5
    assert len(set(stretches(from_rows(ROWS, ("a", "b", "c")), 3).tolist())) == 2


def test_rows_of_one_second_have_an_order_that_a_file_does_not_change() -> None:
    rows = [("u", item, 7, 1.0) for item in "abc"]
    found = []
    for turned in (rows, rows[::-1]):
        data = from_rows(turned, ("a", "b", "c"))
        numbers = stretches(data, 2)
        found.append(
            {
                int(item): bool(number == numbers[data.items == 0][0])
                for item, number in zip(data.items, numbers, strict=True)
            }
        )
    assert found[0] == found[1]
