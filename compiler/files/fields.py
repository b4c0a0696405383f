"""Reads one mapping of a workspace file key by key, and notes what is wrong or left over."""

import re
from typing import Final

from compiler.files.yaml_lines import Node
from compiler.problems import Problems, nearest

MAX_ID_CHARACTERS: Final = 64
ID: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
"""What may name a thing; an id may have `MAX_ID_CHARACTERS`."""

_ID_HINT: Final = f"use up to {MAX_ID_CHARACTERS} of a-z, 0-9 and '-', not at the ends"


def check_id(name: str, what: str, place: tuple[str, int], problems: Problems) -> bool:
    """Whether `name` may name a thing; notes a problem where not."""
    if len(name) <= MAX_ID_CHARACTERS and ID.fullmatch(name):
        return True
    shown = name if len(name) <= MAX_ID_CHARACTERS else name[:MAX_ID_CHARACTERS] + "…"
    problems.error(*place, "bad-id", f"{shown!r} can't be the name of {what}", _ID_HINT)
    return False


class Fields:
    """One mapping under reading; `where` says to a person which one.

    Every getter returns None where the key is absent or its value is wrong; a
    wrong one has been noted then.
    """

    def __init__(self, node: Node, path: str, where: str, problems: Problems) -> None:
        self.path = path
        self.where = where
        self.line = node.line
        self._problems = problems
        self._known: set[str] = set()
        self._nodes: dict[str, Node] = {}
        self._is_mapping = isinstance(node.value, dict)
        if isinstance(node.value, dict):
            self._nodes = node.value
        else:
            self.error(
                node.line, "wrong-type", f"is {node.kind()}, not a mapping", "write `key: value` lines"
            )

    def error(self, line: int, code: str, message: str, hint: str = "") -> None:
        """Note a problem of this mapping."""
        self._problems.error(self.path, line, code, f"{self.where} {message}", hint)

    def node(self, key: str, *, required: bool = False) -> Node | None:
        """The value under the key, of any type."""
        self._known.add(key)
        node = self._nodes.get(key)
        # Of what is no mapping, that has been told, and no key of it is missed.
        if node is None and required and self._is_mapping:
            self.error(self.line, "missing-key", f"has no {key!r}", f"add `{key}:`")
        return node

    def line_of(self, key: str) -> int:
        """The key's line, or the mapping's where it is absent."""
        node = self._nodes.get(key)
        return self.line if node is None else node.line

    def mapping(self, key: str, *, required: bool = False) -> Node | None:
        """The value under the key if it is a mapping."""
        node = self.node(key, required=required)
        return None if node is None or not self._is(node, dict, key, "a mapping") else node

    def inside(self, node: Node, key: str) -> "Fields":
        """The mapping that stands under the key."""
        return Fields(node, self.path, f"{self.where}: {key}", self._problems)

    def items(self, key: str, *, required: bool = False) -> list[Node]:
        """The values of the list under the key; [] where it is absent."""
        node = self.node(key, required=required)
        if node is None or not self._is(node, list, key, "a list"):
            return []
        assert isinstance(node.value, list)
        return node.value

    def text(self, key: str, *, required: bool = False) -> str | None:
        """The text under the key; a number is taken as it was written only within quotes."""
        node = self.node(key, required=required)
        if node is None or not self._is(node, str, key, "text"):
            return None
        if not node.value:
            self.error(node.line, "empty", f"has an empty {key!r}", "fill it in, or leave it out")
            return None
        assert isinstance(node.value, str)
        return node.value

    def integer(self, key: str, low: int, high: int) -> int | None:
        """The whole number under the key, within bounds."""
        node = self.node(key)
        if node is None or not self._is(node, int, key, "a whole number"):
            return None
        assert isinstance(node.value, int)
        if not low <= node.value <= high:
            self.error(node.line, "bad-value", f"has {key} {node.value}", f"use {low} to {high}")
            return None
        return node.value

    def number(self, key: str, low: float, high: float, *, required: bool = False) -> float | None:
        """The number under the key, within bounds."""
        node = self.node(key, required=required)
        if node is None:
            return None
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            self.error(node.line, "wrong-type", f"has {node.kind()} as {key!r}", "it takes a number")
            return None
        if not low <= node.value <= high:
            self.error(node.line, "bad-value", f"has {key} {node.value}", f"use {low:g} to {high:g}")
            return None
        return float(node.value)

    def texts(self, key: str, *, required: bool = False) -> list[tuple[str, int]]:
        """One text or a list of them under the key, with lines."""
        node = self.node(key, required=required)
        if node is None:
            return []
        entries = node.value if isinstance(node.value, list) else [node]
        found = []
        for entry in entries:
            if self._is(entry, str, key, "text"):
                assert isinstance(entry.value, str)
                found.append((entry.value, entry.line))
        return found

    def rest(self) -> dict[str, Node]:
        """What no getter has asked for, for mappings that take any further key."""
        return {key: node for key, node in self._nodes.items() if key not in self._known}

    def close(self) -> None:
        """Note the keys that nobody asked for."""
        for key, node in self.rest().items():
            self.error(node.line, "unknown-key", f"has an unknown key {key!r}", nearest(key, self._known))

    def _is(self, node: Node, wanted: type, key: str, name: str) -> bool:
        if isinstance(node.value, wanted) and not (wanted is int and isinstance(node.value, bool)):
            return True
        quotes = ": put it in quotes" if wanted is str and not isinstance(node.value, (dict, list)) else ""
        self.error(node.line, "wrong-type", f"has {node.kind()} as {key!r}", f"it takes {name}{quotes}")
        return False
