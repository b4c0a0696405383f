"""Reads saved groups from rules/*.yaml: values with a name, for the conditions that ask for it."""

from typing import Final

from compiler.files.fields import Fields, check_id
from compiler.files.yaml_lines import Node
from compiler.problems import Problems
from edge.rules.values import Value

MAX_GROUPS: Final = 1_000
MAX_GROUP_VALUES: Final = 10_000
"""Each value stands in the index, and once for each condition that names the group."""

_IN_GROUP: Final = ("$inGroup", "$notInGroup")


class Groups:
    """The groups of all files so far.

    Attributes
    ----------
    values : dict[str, tuple[Value, ...]]
        By name; a group that can't be read is there without its values, so that it counts as known.
    """

    def __init__(self) -> None:
        self.values: dict[str, tuple[Value, ...]] = {}
        self._places: dict[str, tuple[str, int]] = {}
        self._named: set[str] = set()

    def take(self, fields: Fields, problems: Problems) -> None:
        """Read what a file has under ``groups``."""
        node = fields.mapping("groups")
        for name, entry in node.value.items() if node and isinstance(node.value, dict) else ():
            place = (fields.path, entry.line)
            if name in self._places:
                problems.twice(*place, f"group {name!r}", "{}:{}".format(*self._places[name]))
            elif check_id(name, "a group", place, problems):
                self.values[name] = _values(entry, name, fields.path, problems)
                self._places[name] = place
            if len(self.values) > MAX_GROUPS:
                problems.error(*place, "too-large", "this is one group too many", f"at most {MAX_GROUPS}")
                return

    def ask(self, node: Node) -> None:
        """Note which groups a condition names."""
        inner = node.value
        for entry in inner if isinstance(inner, list) else ():
            self.ask(entry)
        for key, entry in inner.items() if isinstance(inner, dict) else ():
            if key in _IN_GROUP and isinstance(entry.value, str):
                self._named.add(entry.value)
            self.ask(entry)

    def note_unused(self, problems: Problems) -> None:
        """Warn of groups that no condition names, unless one names a group that is not there."""
        if not self._named <= self.values.keys():
            return  # one is misspelt, and told; it may mean any of them
        for name in self.values.keys() - self._named:
            if self.values[name]:
                message = f"no condition names the group {name!r}"
                problems.warn(*self._places[name], "unused", message, "use it, or delete it")


def _values(node: Node, name: str, path: str, problems: Problems) -> tuple[Value, ...]:
    if not isinstance(node.value, list):
        message = f"group {name!r} is {node.kind()}, not a list"
        problems.error(path, node.line, "wrong-type", message, "write its values as [one, two]")
        return ()
    if len(node.value) > MAX_GROUP_VALUES:
        hint = f"at most {MAX_GROUP_VALUES:,}; keep longer ones in a file, as an audience that is a list"
        problems.error(path, node.line, "too-large", f"group {name!r} has {len(node.value):,} values", hint)
        return ()
    found = [entry.value for entry in node.value if isinstance(entry.value, str | int | float)]
    for entry in node.value:
        if not isinstance(entry.value, str | int | float):
            message = f"group {name!r} holds {entry.kind()}"
            hint = "a value is a text, a number, true or false"
            problems.error(path, entry.line, "wrong-type", message, hint)
    return tuple(found) if len(found) == len(node.value) else ()
