"""YAML that remembers lines; bounded, without tags and aliases, with the scalars of YAML 1.2."""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from compiler.files.text_files import find_control, read_text
from compiler.files.yaml_errors import explain
from compiler.problems import Problems

MAX_FILE_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 32

# YAML 1.1, which the parser would follow, reads the country code NO as false and 12:30 as 750.
_WORDS: Final[dict[str, bool | None]] = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
}  # fmt: skip
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")

# Escapes can write what a file can't hold.
_UNWANTED: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

# The parser of libyaml where there is one: the same events, twenty times faster.
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Node:
    """A value and the line where it begins; under a key, the key's line."""

    value: "str | int | float | bool | list[Node] | dict[str, Node] | None"
    line: int

    def line_at(self, path: Iterable[str | int]) -> int:
        """The line of a part; as near as the path leads."""
        node: Node = self
        for step in path:
            value: Any = node.value
            try:
                node = value[step]
            except (KeyError, IndexError, TypeError):
                break
        return node.line

    def plain(self) -> Any:
        """The value without lines, as dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def kind(self) -> str:
        """The type's name, as a person would say it."""
        names = {dict: "a mapping", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
        return names.get(type(self.value), "a number")


class _StopError(Exception):
    def __init__(self, line: int, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.args = (line, code, message, hint)


def read_yaml(folder: Path, path: str, problems: Problems) -> Node | None:
    """The document in `folder/path`; None where a problem was noted instead."""
    text = read_text(folder, path, problems, MAX_FILE_BYTES)
    if text is None:
        return None
    if not text.strip():
        problems.error(path, 0, "empty", "the file is empty", "write its content, or delete it")
        return None
    control = find_control(text)
    if control is not None:
        problems.error(path, control[0], "encoding", control[1], "delete it")
        return None
    try:
        node = _build(yaml.parse(text, Loader=_LOADER), path, problems)
    except _StopError as stop:
        problems.error(path, *stop.args)
        return None
    except yaml.YAMLError as error:
        line, message, hint = explain(error, text)
        problems.error(path, line, "yaml", message, hint)
        return None
    if node is None:
        problems.error(path, 0, "empty", "the file holds only comments", "write its content, or delete it")
    return node


def _build(events: Iterator[Any], path: str, problems: Problems) -> Node | None:
    builder = _Builder(path, problems)
    for event in events:
        builder.take(event)
    return builder.root


class _Open:
    """A mapping or list whose end has not come yet, and the key that waits for its value."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.key: str | None = None
        self.key_line = 0


class _Builder:
    """Makes nodes from events, without recursion, so that depth is checked before it costs anything."""

    def __init__(self, path: str, problems: Problems) -> None:
        self.root: Node | None = None
        self._path = path
        self._problems = problems
        self._open: list[_Open] = []

    def take(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.ScalarEvent) and _UNWANTED.search(event.value):
            raise _StopError(line, "encoding", "an escaped control character or surrogate", "delete it")
        if isinstance(event, yaml.DocumentStartEvent):
            if self.root is not None:
                raise _StopError(line, "yaml", "a second document begins here", "one file, one document")
        elif isinstance(event, yaml.NodeEvent):
            _refuse_references(event, line)
            self._take_node(event, line)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._open.pop()

    def _take_node(self, event: Any, line: int) -> None:
        waiting = self._open[-1] if self._open else None
        if waiting is not None and isinstance(waiting.node.value, dict) and waiting.key is None:
            self._take_key(waiting, event, line)
            return
        if isinstance(event, yaml.ScalarEvent):
            self._place(Node(_scalar(event), line))
            return
        if len(self._open) >= MAX_DEPTH:
            raise _StopError(line, "too-large", f"nested deeper than {MAX_DEPTH} levels", "nest less")
        node = Node({} if isinstance(event, yaml.MappingStartEvent) else [], line)
        self._open.append(_Open(self._place(node)))

    def _take_key(self, waiting: _Open, event: Any, line: int) -> None:
        if not isinstance(event, yaml.ScalarEvent):
            raise _StopError(line, "yaml", "a key is a mapping or list", "keys are names")
        assert isinstance(waiting.node.value, dict)
        if event.value in waiting.node.value:
            self._problems.error(
                self._path,
                line,
                "duplicate-key",
                f"the key {event.value!r} is here twice",
                "keep one of them",
            )
        waiting.key, waiting.key_line = event.value, line

    def _place(self, node: Node) -> Node:
        if not self._open:
            self.root = node
            return node
        waiting = self._open[-1]
        if isinstance(waiting.node.value, list):
            waiting.node.value.append(node)
            return node
        assert isinstance(waiting.node.value, dict)
        assert waiting.key is not None
        node = Node(node.value, waiting.key_line)
        waiting.node.value[waiting.key] = node
        waiting.key = None
        return node


def _refuse_references(event: Any, line: int) -> None:
    if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
        raise _StopError(line, "yaml-alias", "anchors and aliases are not accepted", "write the value out")
    if event.tag is not None and event.tag != "!":
        raise _StopError(line, "yaml-tag", f"the tag {event.tag} is not accepted", "write the plain value")


def _scalar(event: Any) -> str | int | float | bool | None:
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text
