"""Interactions from CSV: what is read, and what is said about what can't be."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edge.errors import GivenError
from models.data.interactions import from_rows, read, read_csv, sort_items


def _write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "views.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_become_codes_of_the_catalog(tmp_path: Path) -> None:
    path = _write(tmp_path, "item,timestamp,user,value\nb,20,anna,4.5\na,10,ben,1\nb,30,ben,2\n")
    found = read_csv(path, ("a", "b"))
    assert found.users.tolist() == [0, 1, 1]
    assert found.user_ids == ("anna", "ben")
    assert found.items.tolist() == [1, 0, 1]
    assert found.timestamps.tolist() == [20, 10, 30]
    assert found.values.tolist() == [4.5, 1.0, 2.0]
    assert len(found) == 3


def test_values_are_one_where_the_file_has_none(tmp_path: Path) -> None:
    path = _write(tmp_path, "\ufeffuser,item,timestamp\nanna,a,1\n\nben,a,2\n")
    assert read_csv(path, ("a",)).values.tolist() == [1.0, 1.0]


def test_unknown_items_are_counted_and_left_out(tmp_path: Path) -> None:
    path = _write(tmp_path, "user,item,timestamp\nanna,a,1\nanna,gone,2\nben,lost,2\n")
    found = read_csv(path, ("a",))
    assert (len(found), found.unknown) == (1, 2)
    assert found.user_ids == ("anna",)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "no column user, item, timestamp"),
        ("user,item\nanna,a\n", 1, "no column timestamp"),
        ("user,item,timestamp\nanna,a,1\nben,a\n", 3, "2 fields, but the header has 3"),
        ("user,item,timestamp\nanna,a,yesterday\n", 2, "'yesterday' is no number of seconds"),
        ("user,item,timestamp\nanna,a,inf\n", 2, "'inf' is no number of seconds"),
        ("user,item,timestamp\nanna,a,1700000000000\n", 2, "not milliseconds"),
        ("user,item,timestamp,value\nanna,a,1,nan\n", 2, "'nan' is not finite"),
        ("user,item,timestamp\n,a,1\n", 2, "user or item is empty"),
        ('user,item,timestamp\n"anna"x,a,1\n', 2, "expected"),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    path = _write(tmp_path, text)
    with pytest.raises(GivenError) as caught:
        read_csv(path, ("a",))
    assert f"{path}:{line}: " in str(caught.value)
    assert said in str(caught.value)


def test_a_file_without_a_usable_row_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path, "user,item,timestamp\nanna,gone,1\n")
    with pytest.raises(GivenError, match="1 rows name items that the catalog lacks"):
        read_csv(path, ("a",))


def test_a_missing_file_and_foreign_bytes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GivenError, match="can't be read"):
        read_csv(tmp_path / "none.csv", ("a",))
    path = tmp_path / "latin.csv"
    path.write_bytes("user,item,timestamp\nJos\xe9,a,1\n".encode("latin-1"))
    with pytest.raises(GivenError, match="UTF-8"):
        read_csv(path, ("a",))


def test_items_sort_by_their_bytes() -> None:
    assert sort_items(["é", "z", "a", "10", "9", "z"]) == ("10", "9", "a", "z", "é")


def test_the_digest_tells_data_apart(tmp_path: Path) -> None:
    one = read_csv(_write(tmp_path, "user,item,timestamp\nanna,a,1\n"), ("a", "b"))
    same = read_csv(_write(tmp_path, "user,item,timestamp\nanna,a,1\n"), ("a", "b"))
    other = read_csv(_write(tmp_path, "user,item,timestamp\nanna,b,1\n"), ("a", "b"))
    assert one.digest() == same.digest() != other.digest()


def test_parquet_gives_what_csv_gives(tmp_path: Path) -> None:
    rows = [("u1", "a", 5, 1.0), ("u2", "b", 7, 2.5), ("u1", "x", 8, 1.0)]
    columns = dict(
        zip(("user", "item", "timestamp", "value"), map(list, zip(*rows, strict=True)), strict=True)
    )
    pq.write_table(pa.table(columns), tmp_path / "views.parquet")
    lines = ["user,item,timestamp,value", *(",".join(map(str, row)) for row in rows)]
    (tmp_path / "views.csv").write_text("\n".join(lines) + "\n")
    one, other = (read(tmp_path / name, ("a", "b")) for name in ("views.parquet", "views.csv"))
    assert one.digest() == other.digest()
    assert (one.unknown, one.values.tolist()) == (1, [1.0, 2.5])


def test_parquet_takes_times_and_numbers(tmp_path: Path) -> None:
    at = datetime(2026, 5, 1, 12, tzinfo=UTC)
    table = pa.table({"user": [1], "item": [7], "timestamp": [at]})
    pq.write_table(table, tmp_path / "views.parquet")
    found = read(tmp_path / "views.parquet", ("7",))
    assert (found.user_ids, found.timestamps.tolist()) == (("1",), [int(at.timestamp())])


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"user": ["u"], "item": ["a"]}, "no column timestamp"),
        ({"user": ["u", None], "item": ["a", "a"], "timestamp": [1, 2]}, "row 2: user or item is empty"),
        ({"user": ["u"], "item": ["a"], "timestamp": ["soon"]}, "row 1: timestamp 'soon' is no number"),
        (
            {"user": ["u"], "item": ["a"], "timestamp": [1], "value": [float("nan")]},
            "row 1: value 'nan' is not",
        ),
    ],
)
def test_wrong_parquet_is_named_with_its_row(
    tmp_path: Path, columns: dict[str, list[object]], said: str
) -> None:
    pq.write_table(pa.table(columns), tmp_path / "views.parquet")
    with pytest.raises(GivenError, match=said):
        read(tmp_path / "views.parquet", ("a",))


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "views.parquet").write_text("user,item,timestamp\n")
    with pytest.raises(GivenError, match="can't be read as Parquet"):
        read(tmp_path / "views.parquet", ("a",))


def test_columns_of_the_catalog_stay_with_any_rows_and_in_the_digest() -> None:
    plain = from_rows([("u", "a", 1, 1.0), ("v", "b", 2, 1.0)], ("a", "b"))
    told = replace(plain, item_columns={"title": ("A", "B")})
    other = replace(plain, item_columns={"title": ("A", "C")})
    assert len({plain.digest(), told.digest(), other.digest()}) == 3
    assert told.where(told.users == 1).item_columns == {"title": ("A", "B")}
