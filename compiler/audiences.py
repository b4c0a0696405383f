"""Reads the audiences of rules/*.yaml, and the conditions that campaigns have of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from compiler.conditions import Condition, ConditionError, parse
from compiler.fields import Fields, check_id
from compiler.groups import Groups
from compiler.lint_conditions import note_doubts
from compiler.lists import audiences_of
from compiler.problems import Problems, nearest
from compiler.site import PATH as SITE_PATH
from compiler.types import Audience, Site
from compiler.yaml_lines import Node


@dataclass
class Gaps:
    """Whether a part of the rules can't be read, which has been told: it may hold any missing name."""

    partial: bool = False


class AudienceReader:
    """The audiences of all files so far.

    Attributes
    ----------
    known : dict[str, Audience]
        By name.
    types : dict[str, str]
        Of the site's attributes.
    """

    def __init__(self, site: Site, groups: Groups, gaps: Gaps, problems: Problems) -> None:
        self.known: dict[str, Audience] = audiences_of(site.lists)
        self.types = {attribute.name: attribute.type for attribute in site.attributes}
        self._broken: set[str] = set()
        self._named: set[str] = set()
        self.groups, self._gaps = groups, gaps
        self._values = site.values
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
            known = self.known.get(name)
            if known is not None:
                message = f"audience {name!r} is also on {known.path}:{known.line}"
                self.problems.error(*place, "duplicate-id", message, "keep one of them")
                continue
            condition = self._condition(entry, fields.path, f"audience {name!r}")
            if not check_id(name, "an audience", place, self.problems) or condition is None:
                self._broken.add(name)
                continue
            self.known[name] = Audience(name, condition, entry.plain(), *place)

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
            condition = self._condition(node, fields.path, fields.where)
            return everyone if condition is None else ("", node.plain(), condition)
        name = fields.text("audience")
        self._named.add(name or "")
        audience = self.known.get(name or "")
        if audience is not None:
            return audience.name, audience.written, audience.condition
        if name is not None and name not in self._broken and not self._gaps.partial:
            hint = nearest(name, {*self.known, *self._broken})
            fields.error(node.line, "unknown-name", f"has an unknown audience {name!r}", hint)
        return everyone

    def _condition(self, node: Node, path: str, where: str) -> Condition | None:
        self.groups.ask(node)
        try:
            condition = parse(node.plain(), self.types, self.groups.values)
            note_doubts(condition, node, (path, where), self._values, self.problems)
            return condition
        except ConditionError as error:
            for problem in error.problems:
                line = _line_at(node, problem.path)
                code, message = f"condition/{problem.code}", f"{where}: {problem.message}"
                self.problems.error(path, line, code, message, problem.hint)
            return None


def _line_at(node: Node, path: tuple[str | int, ...]) -> int:
    """The line of a condition's part; as near as the path leads."""
    for step in path:
        value: Any = node.value
        try:
            node = value[step]
        except (KeyError, IndexError, TypeError):
            break
    return node.line
