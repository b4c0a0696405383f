"""What is no YAML is told in plain words, on the line where the mistake begins, by either parser."""

from pathlib import Path

import pytest
import yaml

from compiler.files import yaml_lines
from compiler.files.yaml_lines import read_yaml
from compiler.problems import Problems, WorkspaceError

CASES = {
    "quote to the end": ('a: 1\nb: "x\nc: 2\n', 2, "a quote opens here and is not closed"),
    "quote to the next one": ('a:\n  b: "x\n  c: "y"\n', 2, "a quote opens here and is not closed"),
    "mapping": ("a: {b: 1\nc: 2\n", 1, "a { opens here and is not closed; noticed on line 2"),
    "list": ("a: [b, c\nd: 2\n", 1, "a [ opens here and is not closed; noticed on line 2"),
    "no colon": ("a: 1\nb\nc: 2\n", 2, "a line without a colon"),
    "no colon at first": ("# why\na 1\n\n# so\nb: 2\n", 2, "a line without a colon"),
    "colon too many": ("a: b: c\n", 1, "a colon where none can be"),
    "key out of line": ("a:\n  b: {}\n   c: 2\n", 3, "not indented as the lines around it"),
    "entry out of line": ("a:\n  - b\n  c: 2\n", 3, "not indented as the lines around it"),
    "tab": ("a:\n\tb: 1\n", 2, "a tab at the beginning of a line"),
    "at sign": ("a: @b\n", 1, "a sign that can't stand at the beginning of a value"),
    "percent sign": ("a: %b\n", 1, "a sign that can't stand at the beginning of a value"),
    "escape": ('a: "\\q"\n', 1, "a \\ before a sign that needs none"),
}


@pytest.mark.parametrize("loader", [yaml_lines._LOADER, yaml.SafeLoader], ids=["fast", "python"])
@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_told_where_it_begins(
    case: str, loader: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, line, message = CASES[case]
    monkeypatch.setattr(yaml_lines, "_LOADER", loader)
    (tmp_path / "a.yaml").write_text(text)
    problems = Problems()
    assert read_yaml(tmp_path, "a.yaml", problems) is None
    with pytest.raises(WorkspaceError) as caught:
        problems.raise_errors()
    (problem,) = caught.value.problems
    assert (problem.line, problem.code) == (line, "yaml")
    assert problem.message.startswith(message)
    assert problem.hint
