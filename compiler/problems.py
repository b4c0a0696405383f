"""What is wrong with a workspace: every problem at once, with file, line and remedy."""

import difflib
from bisect import bisect
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

CODES: Final[dict[str, str]] = {
    "missing": "A file or folder that the workspace needs is not there.",
    "unreadable": "A file can't be read, or is no regular file.",
    "too-large": "A file or a part of it is over a limit.",
    "encoding": "A file is not UTF-8, or holds control characters.",
    "empty": "A file, or a name in it, is empty.",
    "yaml": "A file is not valid YAML.",
    "yaml-alias": "YAML anchors and aliases are not accepted.",
    "yaml-tag": "YAML tags are not accepted.",
    "duplicate-key": "A mapping has the same key twice.",
    "unknown-key": "A mapping has a key that means nothing there.",
    "missing-key": "A mapping lacks a key that it needs.",
    "wrong-type": "A value has another type than its key wants.",
    "bad-value": "A value has the right type and can't be meant.",
    "bad-id": "A name has characters or a length that names may not have.",
    "duplicate-id": "Two things of a kind have the same name.",
    "unknown-name": "Something refers to a name that does not exist.",
    "unused": "Something is there and nothing uses it (warning).",
    "sanitized": "Sanitizing took something out of a fragment (warning).",
    "replaced-text": "Characters that would disturb a page were replaced (warning).",
    "csv": "A catalog is not valid CSV.",
    "template": "A card's template is not valid, or fails for an item.",
    "hole": "A hole of a content can't be read, or stands where it must not.",
    "circle": "Audiences ask for one another in a circle.",
    "condition": "A condition can't be read; a code after the slash says why.",
    "impossible": "No visitor can ever meet a condition (warning).",
    "unknown-value": "A condition names a value that its attribute never has (warning).",
    "missing-as-zero": "A comparison of numbers also holds where the number is missing (warning).",
    "shadowed": "A campaign never shows, as a stronger one always does (warning).",
    "overlap": "Experiments of one namespace share visitors (warning).",
    "hides-everything": "A layout hides all blocks of the site (warning).",
    "redirect": "A redirect leads where it must not, or its URL can be read in two ways.",
    "redirect-loop": "A redirect still holds where it leads, or only where others lead (warning).",
    "redirect-nowhere": "A redirect leads to an item that the catalog lacks (warning).",
    "value": "A campaign's value is missing, or nothing asks for it (warning).",
    "past": "The time of a campaign is over (warning).",
    "purpose": "A campaign uses an attribute for a purpose that this one may not serve.",
    "no-store": "A tier that keeps a cookie does not ask for the purpose of storing one (warning).",
    "no-source": "A rule or content reads an attribute that nothing tells.",
    "untrained": "A model has not been trained.",
    "stale-model": "A model was trained on other items or settings than the workspace has.",
    "model": "A trained model can't become part of the bundle.",
    "budget": "A model, or all models of a placement, cost more than they may.",
    "parity": "A compiled model gives other scores than the one that was trained.",
    "recall": "All items of a large catalog are scored: a shortlist finds too few of the best (warning).",
    "not-supported": "Something that this version does not do yet.",
}
"""Each code and what it means; stable names, for scripts and documentation."""

MAX_MESSAGE_CHARACTERS: Final = 400
MAX_ALIKE: Final = 400
"""Names that a misspelt one is compared with."""

ERROR: Final = "error"
WARNING: Final = "warning"


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that a person should change.

    Attributes
    ----------
    path : str
        The file, relative to the workspace, with forward slashes.
    line : int
        Counted from 1; 0 where the file as a whole is meant.
    code : str
        One of `CODES`, or ``condition/…`` with the condition's own code.
    hint : str
        What to do about it; may be empty.
    severity : str
        ``error`` or ``warning``; only errors keep a workspace from compiling.
    """

    path: str
    line: int
    code: str
    message: str
    hint: str = ""
    severity: str = ERROR

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}: {self.severity} [{self.code}] {self.message}{hint}"


class WorkspaceError(Exception):
    """A workspace that can't be compiled; `problems` are all of them, warnings too, sorted."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))


class Problems:
    """Collects problems while reading goes on."""

    def __init__(self) -> None:
        self._found: set[Problem] = set()

    def error(self, path: str, line: int, code: str, message: str, hint: str = "") -> None:
        """Note something that keeps the workspace from compiling."""
        self._add(Problem(path, line, code, message, hint))

    def warn(self, path: str, line: int, code: str, message: str, hint: str = "") -> None:
        """Note something that a person should look at."""
        self._add(Problem(path, line, code, message, hint, WARNING))

    def twice(self, path: str, line: int, what: str, first: str) -> None:
        """Note an id that is taken already, and where: by a file, or a line of one."""
        where = "on" if ":" in first else "in"
        self.error(path, line, "duplicate-id", f"{what} is also {where} {first}", "keep one of them")

    @property
    def error_count(self) -> int:
        """How many errors there are so far."""
        return sum(problem.severity == ERROR for problem in self._found)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The warnings so far, sorted."""
        return tuple(sorted(p for p in self._found if p.severity == WARNING))

    def raise_errors(self) -> None:
        """Raise `WorkspaceError` with all problems if one of them is an error."""
        if any(problem.severity == ERROR for problem in self._found):
            raise WorkspaceError(self._found)

    def _add(self, problem: Problem) -> None:
        if problem.code.partition("/")[0] not in CODES:
            raise ValueError(f"no such problem code: {problem.code!r}")
        path, message = _printable(problem.path), _printable(problem.message)
        self._found.add(replace(problem, path=path, message=message, hint=_printable(problem.hint)))


def _printable(text: str) -> str:
    """The text as any terminal and log can take it, in one line: it may quote what is wrong."""
    if len(text) > MAX_MESSAGE_CHARACTERS:
        text = text[:MAX_MESSAGE_CHARACTERS] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names what was probably meant, else what there is to choose from."""
    names = sorted(known)
    # Of very many, those that begin most alike: who mistypes thousands of names shall not wait for hints.
    middle = bisect(names, name)
    alike = names[max(0, middle - MAX_ALIKE // 2) : middle + MAX_ALIKE // 2]
    near = difflib.get_close_matches(name, alike, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    if not names:
        return "there are none"
    shown = ", ".join(names[:8])
    return f"known: {shown}" + (", …" if len(names) > 8 else "")
