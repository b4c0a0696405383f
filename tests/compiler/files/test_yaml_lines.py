"""YAML with lines."""

from pathlib import Path
from typing import Any

import pytest

from compiler.files import yaml_lines
from compiler.files.yaml_lines import Node, read_yaml
from compiler.problems import Problems, WorkspaceError


def _read(folder: Path, text: str) -> Node:
    (folder / "x.yaml").write_text(text, encoding="utf-8")
    problems = Problems()
    node = read_yaml(folder, "x.yaml", problems)
    problems.raise_errors()
    assert node is not None
    return node


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12:30", "12:30"),
        ("2026-05-01", "2026-05-01"),
        ("017", 17),
        ("-3", -3),
        ("1e3", 1000.0),
        ("1.5", 1.5),
        (".5", 0.5),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1e999", "1e999"),
        ("1_000", "1_000"),
        ("0x1f", "0x1f"),
        ("9" * 5000, "9" * 5000),
        ("123456789012345678901", 123456789012345678901.0),
        ("'5'", "5"),
        ('"true"', "true"),
        ("=", "="),
        ("<<", "<<"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: Any, tmp_path: Path) -> None:
    read = _read(tmp_path, f"key: {text}\n").plain()["key"]
    assert read == value
    assert type(read) is type(value)


def test_every_part_knows_its_line(tmp_path: Path) -> None:
    text = "# first\na:\n  - x\n  -\n    b: |\n      long\n      text\n    c: 1\nd: {e: 1,\n  f: 2}\n"
    root = _read(tmp_path, text)
    assert isinstance(root.value, dict)
    first = root.value["a"]
    assert first.line == 2
    assert isinstance(first.value, list)
    assert [node.line for node in first.value] == [3, 5]
    inner = first.value[1].value
    assert isinstance(inner, dict)
    assert {key: node.line for key, node in inner.items()} == {"b": 5, "c": 8}
    last = root.value["d"].value
    assert isinstance(last, dict)
    assert {key: node.line for key, node in last.items()} == {"e": 9, "f": 10}


def test_keys_are_as_they_were_written(tmp_path: Path) -> None:
    assert _read(tmp_path, "404: a\ntrue: b\nnull: c\n").plain() == {"404": "a", "true": "b", "null": "c"}


def test_a_byte_order_mark_and_other_line_ends_are_read(tmp_path: Path) -> None:
    assert _read(tmp_path, "\ufeffa: 1\r\nb: 2\r").plain() == {"a": 1, "b": 2}


def test_depth_is_bounded_and_its_bound_works(tmp_path: Path) -> None:
    depth = yaml_lines.MAX_DEPTH
    assert _read(tmp_path, "[" * depth + "]" * depth).kind() == "a list"
    with pytest.raises(WorkspaceError, match="deeper than 32"):
        _read(tmp_path, "[" * (depth + 1) + "]" * (depth + 1))


def test_the_python_parser_reads_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: [1, {b: 'x'}]\nc:\n  - d: >\n      folded\n"
    fast = _read(tmp_path, text)
    monkeypatch.setattr(yaml_lines, "_LOADER", yaml_lines.yaml.SafeLoader)
    assert _read(tmp_path, text) == fast
    for bad in (
        "a:\n\tb: 1\n",
        "a: [\n",
        "x: \ud83d\ude00 \ufffe\n".encode("utf-16", "surrogatepass").decode("utf-16"),
    ):
        with pytest.raises(WorkspaceError):
            _read(tmp_path, bad)
