"""A table of facts becomes the file that edges map, or what is wrong with it is told with its line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.errors import ConfigError
from edge.keys import load_keys
from edge.visitor.fact_file import FactFile
from origin.commands.root import app
from origin.imports.facts_csv import make
from origin.keys import new_keys

ANN, BOB = "a" * 32, "b" * 32


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    _, _, edge = new_keys(tmp_path / "keys", "films")
    return edge


def _opened(path: Path, keys: Path) -> FactFile:
    held = load_keys(keys)
    return FactFile(path, held.site, [(key.id, key.raw()) for key in held.event])


def test_the_command_makes_what_an_edge_opens(tmp_path: Path, keys: Path) -> None:
    table, out = tmp_path / "facts.csv", tmp_path / "facts.bin"
    table.write_text(f"\ufeffvisitor,segment,ltv\n{ANN},loyal,120.5\n\n{BOB},,3\n", encoding="utf-8")
    told = CliRunner().invoke(app, ["facts", str(table), "-o", str(out), "--keys", str(keys)])
    assert told.exit_code == 0, told.output
    assert "2 visitors, 2 facts" in told.output
    store = _opened(out, keys)
    assert store.get(bytes.fromhex(ANN)) == {"segment": "loyal", "ltv": "120.5"}
    assert store.get(bytes.fromhex(BOB)) == {"ltv": "3"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":1: name each column once, and one of them 'visitor'"),
        ("id,segment\n", ":1: name each column once, and one of them 'visitor'"),
        ("visitor,a,a\n", ":1: name each column once"),
        ("visitor,Segment\n", ":1: 'Segment' can't be the name of a fact"),
        ("visitor," + ",".join(f"f{n}" for n in range(65)) + "\n", ":1: 65 facts; at most 64"),
        (f"visitor,a\n{ANN}\n", ":2: 1 fields under 2 columns"),
        (f"visitor,a\n{ANN},x\nann@example.com,x\n", ":3: 'ann@example.com' is no visitor's id"),
        (f"visitor,a\n{ANN},x\n{BOB},x\n{ANN},y\n", ":4: this visitor is also on line 2"),
        (f"visitor,a\n{ANN},{'x' * 513}\n", ":2: a value has more than 512 characters"),
        (f'visitor,a\n{ANN},"x\n', "not a CSV in UTF-8"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, keys: Path, text: str, said: str) -> None:
    table = tmp_path / "facts.csv"
    table.write_text(text)
    with pytest.raises(ConfigError, match="facts") as caught:
        make(table, keys, tmp_path / "out")
    assert said in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_table_that_is_not_there_is_told(tmp_path: Path, keys: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        make(tmp_path / "none.csv", keys, tmp_path / "out")
