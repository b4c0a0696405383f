"""Reads the audiences of rules/*.yaml, and the conditions that campaigns have of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from compiler.conditions.check import MAX_PARTS, Condition, ConditionError, parse
from compiler.conditions.domains import forms_of
from compiler.files.fields import Fields, check_id
from compiler.files.yaml_lines import Node
from compiler.problems import Problems, nearest
from compiler.rules.groups import Groups
from compiler.rules.lint_conditions import note_doubts, note_written
from compiler.rules.lists import audiences_of
from compiler.site import PATH as SITE_PATH
from compiler.types import Audience, Site

REFERENCE: Final = "$audience"
"""In a condition: what an audience of that name asks must hold, too."""

_JOINS: Final = ("$and", "$or", "$nor")


@dataclass
class Gaps:
    """Whether a part of the rules can't be read, which has been told: it may hold any missing name."""

    partial: bool = False


class _NotedError(Exception):
    """A condition can't be read, and why has been told."""


class AudienceReader:
    """The audiences of all files: taken first, and read once all are there, for one may name another.

    Attributes
    ----------
    known : dict[str, Audience]
        Those that were read, by name.
    types : dict[str, str]
        Of the site's attributes.
    """

    def __init__(self, site: Site, groups: Groups, gaps: Gaps, problems: Problems) -> None:
        self.known: dict[str, Audience] = audiences_of(site.lists)
        self.types = {attribute.name: attribute.type for attribute in site.attributes}
        self._taken: dict[str, tuple[Node, str]] = {}
        self._open: list[str] = []
        self._broken: set[str] = set()
        self._named: set[str] = set()
        self.groups, self._gaps = groups, gaps
        self._values, self._forms = site.values, forms_of(site.attributes)
        self.problems = problems

    def take(self, fields: Fields) -> None:
        """Read what a file has under ``audiences``."""
        node = fields.mapping("audiences")
        if node is None:
            self._gaps.partial |= fields.node("audiences") is not None
            return
        assert isinstance(node.value, dict)
        for name, entry in node.value.items():
            place = (fields.path, entry.line)
            known = self._place(name)
            if known:
                self.problems.twice(*place, f"audience {name!r}", known)
            elif not check_id(name, "an audience", place, self.problems):
                self._broken.add(name)
            else:
                self._taken[name] = (entry, fields.path)

    def read(self) -> None:
        """Read what was taken."""
        for name in self._taken:
            self._read(name)

    def _place(self, name: str) -> str:
        """Where an audience of this name stands, or empty."""
        if name in self._taken:
            node, path = self._taken[name]
            return f"{path}:{node.line}"
        return f"{self.known[name].path}:{self.known[name].line}" if name in self.known else ""

    def _read(self, name: str) -> None:
        if name in self.known or name in self._broken:
            return
        node, path = self._taken[name]
        self._open.append(name)
        written, condition = self._condition(node, path, f"audience {name!r}")
        self._open.pop()
        if condition is None:
            self._broken.add(name)
        else:
            self.known[name] = Audience(name, condition, written, path, node.line)

    def note_unused(self) -> None:
        """Warn of audiences that no campaign names: a condition that someone wrote in vain."""
        if not self._named <= {"", *self.known, *self._broken}:
            return  # one is misspelt, and told; it may mean any of them
        for name, audience in self.known.items():
            # A list may be used by its attribute.
            if name not in self._named and audience.path != SITE_PATH:
                message = f"no campaign is for the audience {name!r}"
                hint = "use it in a campaign, or delete it"
                self.problems.warn(audience.path, audience.line, "unused", message, hint)

    def of(self, fields: Fields) -> tuple[str, Mapping[str, Any], Condition]:
        """The audience of a campaign: its name, if it has one; its condition as written and as read."""
        everyone: tuple[str, Mapping[str, Any], Condition] = ("", {}, Condition())
        node = fields.node("audience")
        if node is None:
            return everyone
        if isinstance(node.value, dict):
            written, condition = self._condition(node, fields.path, fields.where)
            return everyone if condition is None else ("", written, condition)
        name = fields.text("audience")
        audience = None if name is None else self._named_one(name, node.line, (fields.path, fields.where))
        return everyone if audience is None else (audience.name, audience.written, audience.condition)

    def _named_one(self, name: str, line: int, place: tuple[str, str]) -> Audience | None:
        """The audience of that name; None where a problem was noted, now or before."""
        path, where = place
        self._named.add(name)
        if name in self._open:
            around = " -> ".join([*self._open[self._open.index(name) :], name])
            message = f"{where} asks for itself: {around}"
            self.problems.error(path, line, "circle", message, "let one of them ask for something else")
            return None
        if name in self._taken:
            self._read(name)
        known = self.known.get(name)
        if known is None and name not in self._broken and not self._gaps.partial:
            hint = nearest(name, {*self.known, *self._taken})
            self.problems.error(path, line, "unknown-name", f"{where} has an unknown audience {name!r}", hint)
        return known

    def _condition(self, node: Node, path: str, where: str) -> tuple[Mapping[str, Any], Condition | None]:
        """A condition as written, the audiences that it names put in their places, and as read."""
        self.groups.ask(node)
        try:
            written = self._expanded(node, (path, where))
            condition = parse(written, self.types, self.groups.values)
        except _NotedError:
            return {}, None
        except ConditionError as error:
            for problem in error.problems:
                line = node.line_at(problem.path)
                code, message = f"condition/{problem.code}", f"{where}: {problem.message}"
                self.problems.error(path, line, code, message, problem.hint)
            return {}, None
        note_written(node, (path, where), self._forms, self.problems)
        note_doubts(condition, node, (path, where), self._values, self.problems)
        return written, condition

    def _expanded(self, node: Node, place: tuple[str, str]) -> Any:
        """The condition without references; raises where one leads nowhere.

        What they stand for goes to the end of ``$and``, so that all else keeps its place.
        """
        plain = node.plain()
        if not isinstance(node.value, dict):
            return plain
        for join in _JOINS:
            inner = node.value.get(join)
            if inner is not None and isinstance(inner.value, list):
                plain[join] = [self._expanded(part, place) for part in inner.value]
        if "$not" in node.value:
            plain["$not"] = self._expanded(node.value["$not"], place)
        if REFERENCE not in plain:
            return plain
        del plain[REFERENCE]
        found = self._referred(node.value[REFERENCE], place)
        if not isinstance(plain.get("$and", []), list):
            return plain  # is told when it is read
        plain["$and"] = [*plain.get("$and", []), found.written]
        if _count(plain) > 2 * MAX_PARTS:
            path, where = place
            message = f"{where} has more than {MAX_PARTS} parts with the audiences that it names"
            self.problems.error(path, node.line, "condition/size", message, "split it")
            raise _NotedError
        return plain

    def _referred(self, reference: Node, place: tuple[str, str]) -> Audience:
        path, where = place
        if not isinstance(reference.value, str):
            message = f"{where}: {REFERENCE} takes the name of an audience, not {reference.kind()}"
            self.problems.error(path, reference.line, "bad-value", message, "name one; join several by $and")
            raise _NotedError
        found = self._named_one(reference.value, reference.line, place)
        if found is None:
            raise _NotedError
        return found


def _count(value: Any) -> int:
    """How many values are inside a document; no more is looked at than matters."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_count, inner))
