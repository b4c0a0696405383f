"""Contexts as people write them: JSON files of one, or of many, checked against what a bundle knows."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from compiler.problems import nearest
from edge.bundle.predictions import PREFIX, SOURCE
from edge.consent.policy import Policy
from edge.decide.types import CONSENT_TIERS, Assigned, Context, Value
from edge.errors import ConfigError
from edge.worker.attributes.clock import local_time
from edge.worker.attributes.facts import TIMEZONE, needed, permitted
from origin.explain.members import Members
from origin.explain.rules_view import View

KEPT: Final = ("session", "full")
"""The tiers in which what a visitor viewed is known."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ContextFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A context as people write it.

    Left out placements mean all of the site's. `now` is a date and time with its zone; what an
    edge would take from it, from the history and from the tier need not be written again as attributes.
    `unit` is the visitor's id, which there is in the tier `full` alone. Left out `purposes` are those
    that go with the tier.
    """

    attributes: dict[str, Value] = {}
    history: tuple[str, ...] = ()
    placements: tuple[str, ...] = ()
    tier: str = "full"
    now: datetime | None = None
    now_ms: int = 0
    seed: int = 0
    unit: str = ""
    assigned: tuple[Assigned, ...] = ()
    forced: dict[str, str] = {}
    purposes: tuple[str, ...] | None = None

    @property
    def instant_ms(self) -> int:
        """`now` in UTC milliseconds, else `now_ms`."""
        return self.now_ms if self.now is None else (self.now - _EPOCH) // timedelta(milliseconds=1)

    def implied(self) -> dict[str, Value]:
        """The attributes that an edge has from the rest of the request."""
        found: dict[str, Value] = {"consent.tier": self.tier}
        if self.tier in KEPT:
            found["visitor.items"] = len(self.history)
            if self.history:
                found["visitor.last_item"] = self.history[0]
                found["visitor.last_items"] = list(self.history)
        if now := self.instant_ms:
            zone = self.attributes.get(TIMEZONE)
            hour, weekday, date = local_time(now, zone if isinstance(zone, str) else None)
            found |= {"time.now": now, "time.hour": hour, "time.weekday": weekday, "time.date": date}
        return found


def read_context(path: Path, view: View) -> Context:
    """Read a context and check it against what the bundle knows.

    Raises
    ------
    ConfigError
        ``context``: the file can't be read, or is no context of this bundle.
    """
    return _Reader(view).context(_decoded(_bytes(path), str(path)), str(path))


def read_contexts(path: Path, view: View) -> Iterator[Context]:
    """Many contexts: a folder of files, a file with a list of them, or (``.jsonl``) with one in each line.

    Raises
    ------
    ConfigError
        ``context``: there is none, or one can't be read or is no context of this bundle.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise ConfigError("context", f"{path} holds no file *.json")
    reader = _Reader(view)
    for file in files:
        for where, text in _parts(file):
            yield reader.context(_decoded(text, where), where)


def _parts(file: Path) -> Iterator[tuple[str, bytes | msgspec.Raw]]:
    """Each context of a file, and where it stands."""
    text = _bytes(file)
    if file.suffix == ".jsonl":
        numbered = enumerate(text.splitlines(), 1)
        yield from ((f"{file}:{number}", line) for number, line in numbered if line.strip())
    elif text.lstrip().startswith(b"["):
        try:
            entries = msgspec.json.decode(text, type=list[msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigError("context", f"{file}: {error}") from error
        yield from ((f"{file}, context {number}", entry) for number, entry in enumerate(entries, 1))
    else:
        yield str(file), text


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        hint = "a workspace has examples in its folder contexts/"
        raise ConfigError("context", f"{path}: {error.strerror}; {hint}") from error


def _decoded(text: bytes | msgspec.Raw, where: str) -> ContextFile:
    try:
        return msgspec.json.decode(text, type=ContextFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError("context", f"{where}: {error}") from error


class _Reader:
    """What contexts are checked against, and what follows from them, by one bundle."""

    def __init__(self, view: View) -> None:
        self._schema = view.schema
        told = [attribute for attribute in view.schema.attributes if attribute.source != SOURCE]
        self._types = {attribute.name: attribute.type for attribute in told}
        self._consent = Policy(view.schema)
        self._needs = needed(self._consent, view.schema.attributes)
        self._members = Members(view.schema, view.bundle)
        self._tastes = view.tastes
        self._arms = {one.id: [arm.key for arm in one.variations] for one in view.choices.experiments}
        self._arms |= {one.id: [arm.key for arm in one.arms] for one in view.choices.bandits}

    def context(self, given: ContextFile, where: str) -> Context:
        """The context as an edge would have it."""
        self._check(given, where)
        granted = self._granted(given, where)
        attributes = {**given.implied(), **self._consent.asked(granted), **given.attributes}
        attributes = {**self._tastes.of(given.history if given.tier in KEPT else ()), **attributes}
        attributes = {**self._members.of(given.unit, attributes), **attributes}
        attributes = permitted(attributes, self._needs, granted)
        placements = given.placements or self._schema.placements
        divided = (given.unit, given.assigned, tuple(given.forced.items()))
        return Context(
            given.instant_ms, given.seed, given.tier, attributes, given.history, placements, *divided,
            granted=self._consent.names_of(granted),
        )  # fmt: skip

    def _check(self, given: ContextFile, where: str) -> None:
        if given.tier not in CONSENT_TIERS:
            raise ConfigError("context", f"{where}: tier is one of {', '.join(CONSENT_TIERS)}")
        for name, value in given.attributes.items():
            _check_attribute(where, self._types, name, value)
        for name in given.placements:
            if name not in self._schema.placements:
                hint = nearest(name, self._schema.placements)
                raise ConfigError("context", f"{where}: no placement {name!r}; {hint}")
        for tested, key in given.forced.items():
            # A misspelt one would be drawn in silence.
            if tested not in self._arms:
                hint = nearest(tested, self._arms)
                raise ConfigError("context", f"{where}: no experiment or bandit {tested!r} to force; {hint}")
            if key not in self._arms[tested]:
                hint = nearest(key, self._arms[tested])
                raise ConfigError("context", f"{where}: {tested!r} has no variation {key!r}; {hint}")
        if given.now is not None and given.now.tzinfo is None:
            raise ConfigError("context", f"{where}: now has no zone; write it like 2026-05-01T09:00:00+02:00")
        if given.unit and given.tier != "full":
            raise ConfigError("context", f"{where}: in the tier {given.tier!r} there is no unit; use full")

    def _granted(self, given: ContextFile, where: str) -> int:
        consent = self._consent
        if given.purposes is None:
            return consent.at(given.tier).purposes
        for name in given.purposes:
            if name not in consent.names:
                raise ConfigError("context", f"{where}: no purpose {name!r}; {nearest(name, consent.names)}")
        return consent.bits(given.purposes)


def _check_attribute(where: str, types: Mapping[str, str], name: str, value: Value) -> None:
    if name.startswith(PREFIX):
        raise ConfigError("context", f"{where}: {name} is what a model tells; write what it is made from")
    if name not in types:
        hint = nearest(name, types)
        raise ConfigError("context", f"{where}: no attribute {name!r} in this bundle; {hint}")
    found = {bool: "boolean", str: "string", list: "strings"}.get(type(value), "number")
    if isinstance(value, list) and not all(isinstance(element, str) for element in value):
        raise ConfigError("context", f"{where}: {name} is a list of {value!r}, and lists are of texts")
    if found != types[name]:
        raise ConfigError("context", f"{where}: {name} is a {types[name]}, not the {found} {value!r}")
