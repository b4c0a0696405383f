"""Tables of stock, as shops export them."""

from pathlib import Path

import pytest

from edge.errors import ConfigError
from origin.publishing.stock import Told, read_table


def table(folder: Path, text: str, name: str = "stock.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "item,available\ndune,no\nheat,yes\neva,FALSE\n",
        "name,stock,item\nDune,0,dune\nHeat,3,heat\n\nEva,-1.5,eva\n",
        "\ufeffitem,available\r\ndune,out\r\nheat,in\r\neva,0\r\n",
    ],
)
def test_a_csv_tells_by_a_word_or_by_pieces(tmp_path: Path, text: str) -> None:
    assert read_table(table(tmp_path, text)) == Told(("dune", "eva"), ("heat",))


def test_lines_of_json_tell_the_same(tmp_path: Path) -> None:
    lines = (
        '{"item": "dune", "available": false}\n\n{"item": "heat", "stock": 2}\n{"item": "eva", "stock": 0}\n'
    )
    assert read_table(table(tmp_path, lines, "stock.jsonl")) == Told(("dune", "eva"), ("heat",))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "", "a.csv:1: need a column 'item', and one of 'available' and 'stock', each once"),
        ("a.csv", "item,available,stock\n", "a.csv:1: need"),
        ("a.csv", "item,available\ndune,no,3\n", "a.csv:2: 3 fields under 2 columns"),
        ("a.csv", "item,available\ndune,maybe\n", "a.csv:2: 'maybe' is neither yes nor no"),
        ("a.csv", "item,stock\ndune,many\n", "a.csv:2: 'many' is no number of pieces"),
        ("a.csv", "item,stock\n,1\n", "a.csv:2: '' is no item's id"),
        ("a.csv", "item,stock\ndune,1\nheat,0\ndune,0\n", "a.csv:4: line 2 says otherwise of 'dune'"),
        ("a.csv", 'item,stock\n"dune,1\n', "not a CSV"),
        ("a.jsonl", '{"item": "dune"}\n', "a.jsonl:1: say one of 'available' and 'stock'"),
        ("a.jsonl", '{"item": "dune", "stock": 1}\nno\n', "a.jsonl:2:"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_table(table(tmp_path, text, name))
    assert message in str(refused.value)


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "odd.csv").write_bytes(b"item,stock\n\xff\xfe,1\n")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_table(tmp_path / "odd.csv")
