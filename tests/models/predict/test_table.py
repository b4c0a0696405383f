"""What a table must not hold is refused by column and row."""

from dataclasses import replace

import numpy as np
import pytest

from edge.errors import GivenError
from models.predict.table import Table, check_two_classes

ROWS = np.arange(6, dtype=np.float32).reshape(3, 2)
NAMES = ("a", "b")
LABELS = np.array([0, 1, 1], np.float32)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"rows": ROWS[:0]}, "rows have the shape"),
        ({"rows": ROWS[0]}, "rows have the shape"),
        ({"features": ("a", "a")}, "same name"),
        ({"features": ("a",)}, "1 features"),
        ({"texts": ("a", "b")}, "0 features"),
        ({"rows": ROWS.astype(np.float64)}, "cast them to float32"),
        ({"rows": np.array([[0, 1], [0, np.inf], [0, 0]], np.float32)}, "row 1 of 'b' is infinite"),
        ({"labels": LABELS[:2]}, "there are 2 labels"),
        ({"labels": np.array([0, np.nan, 1], np.float32)}, "labels: row 1 is no number"),
        ({"weights": np.array([1, -1, 1], np.float32)}, "weights must not be negative"),
        ({"weights": np.zeros(3, np.float32)}, "not all 0"),
        ({"groups": np.zeros(2, np.int64)}, "there are 2 groups and 3 rows"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(columns: dict[str, np.ndarray], said: str) -> None:
    with pytest.raises(GivenError, match=said) as caught:
        Table(**{"features": NAMES, "rows": ROWS, "labels": LABELS, **columns})
    assert caught.value.code == "table"


def test_two_classes_are_needed() -> None:
    check_two_classes(Table(NAMES, ROWS, LABELS))
    with pytest.raises(GivenError, match="all labels are 1"):
        check_two_classes(Table(NAMES, ROWS, np.ones(3, np.float32)))
    with pytest.raises(GivenError, match="0 or 1, not 2"):
        check_two_classes(Table(NAMES, ROWS, np.array([0, 1, 2], np.float32)))


def test_each_column_changes_the_digest() -> None:
    plain = Table(NAMES, ROWS, LABELS)
    digests = {
        plain.digest(),
        replace(plain, features=("b", "a")).digest(),
        Table(NAMES, ROWS + 1, LABELS).digest(),
        Table(NAMES, ROWS, 1 - LABELS).digest(),
        Table(NAMES, ROWS, LABELS, LABELS).digest(),
        Table(NAMES, ROWS, LABELS, None, np.arange(3)).digest(),
        Table(NAMES, ROWS, LABELS, treatment=LABELS > 0).digest(),
    }
    assert len(digests) == 7


def test_chosen_rows_keep_all_columns() -> None:
    chosen = Table(NAMES, ROWS, LABELS, LABELS, np.arange(3), LABELS > 0, ("a", "b")).where(LABELS > 0)
    assert chosen.rows.tolist() == ROWS[1:].tolist()
    assert chosen.groups is not None and chosen.groups.tolist() == [1, 2]
    assert chosen.classes == ("a", "b")


def test_texts_stand_in_the_place_of_rows() -> None:
    table = Table.of_texts("query", ("red", "green", "blue"), LABELS, classes=("no", "yes"))
    assert table.where(LABELS > 0).texts == ("green", "blue")
    assert table.digest() != Table.of_texts("query", ("red", "green", "blu"), LABELS).digest()
    with pytest.raises(GivenError, match="there are 2 texts and 3 labels"):
        Table(("q",), np.zeros((3, 0), np.float32), LABELS, texts=("a", "b"))
