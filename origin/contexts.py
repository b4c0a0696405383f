"""Contexts as people write them: JSON files of one, or of many, checked against what a bundle knows."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from edge.bundle import format as fmt
from edge.consent.policy import Policy
from edge.decide.types import CONSENT_TIERS, Assigned, Context, Value
from edge.errors import ConfigError
from edge.worker.clock import local_time
from edge.worker.facts import TIMEZONE, needed, permitted

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
        if self.tier in ("session", "full"):
            found["visitor.items"] = len(self.history)
            if self.history:
                found["visitor.last_item"] = self.history[0]
                found["visitor.last_items"] = list(self.history)
        if now := self.instant_ms:
            zone = self.attributes.get(TIMEZONE)
            hour, weekday, date = local_time(now, zone if isinstance(zone, str) else None)
            found |= {"time.now": now, "time.hour": hour, "time.weekday": weekday, "time.date": date}
        return found


def read_context(path: Path, schema: fmt.RulesSchema) -> Context:
    """Read a context and check it against what the bundle knows.

    Raises
    ------
    ConfigError
        ``context``: the file can't be read, or is no context of this bundle.
    """
    return _context(_decoded(_bytes(path), str(path)), str(path), schema)


def read_contexts(path: Path, schema: fmt.RulesSchema) -> Iterator[Context]:
    """Many contexts: a folder of files, a file with a list of them, or (``.jsonl``) with one in each line.

    Raises
    ------
    ConfigError
        ``context``: there is none, or one can't be read or is no context of this bundle.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise ConfigError("context", f"{path} holds no file *.json")
    for file in files:
        for where, text in _parts(file):
            yield _context(_decoded(text, where), where, schema)


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


def _context(given: ContextFile, where: str, schema: fmt.RulesSchema) -> Context:
    if given.tier not in CONSENT_TIERS:
        raise ConfigError("context", f"{where}: tier is one of {', '.join(CONSENT_TIERS)}")
    types = {attribute.name: attribute.type for attribute in schema.attributes}
    for name, value in given.attributes.items():
        _check(where, types, name, value)
    unknown = [name for name in given.placements if name not in schema.placements]
    if unknown:
        raise ConfigError("context", f"{where}: no placement {unknown[0]!r}; {', '.join(schema.placements)}")
    if given.now is not None and given.now.tzinfo is None:
        raise ConfigError("context", f"{where}: now has no zone; write it like 2026-05-01T09:00:00+02:00")
    if given.unit and given.tier != "full":
        raise ConfigError("context", f"{where}: in the tier {given.tier!r} there is no unit; use full")
    consent = Policy(schema)
    granted = _granted(given, where, consent)
    attributes = {**given.implied(), **consent.asked(granted), **given.attributes}
    attributes = permitted(attributes, needed(consent, schema.attributes), granted)
    placements = given.placements or schema.placements
    divided = (given.unit, given.assigned, tuple(given.forced.items()))
    return Context(
        given.instant_ms, given.seed, given.tier, attributes, given.history, placements, *divided,
        granted=consent.names_of(granted),
    )  # fmt: skip


def _granted(given: ContextFile, where: str, consent: Policy) -> int:
    if given.purposes is None:
        return consent.at(given.tier).purposes
    unknown = [name for name in given.purposes if name not in consent.names]
    if unknown:
        raise ConfigError("context", f"{where}: no purpose {unknown[0]!r}; {', '.join(consent.names)}")
    return consent.bits(given.purposes)


def _check(where: str, types: Mapping[str, str], name: str, value: Value) -> None:
    if name not in types:
        known = ", ".join(sorted(types))
        raise ConfigError("context", f"{where}: no attribute {name!r}; this bundle knows {known}")
    found = {bool: "boolean", str: "string", list: "strings"}.get(type(value), "number")
    if isinstance(value, list) and not all(isinstance(element, str) for element in value):
        raise ConfigError("context", f"{where}: {name} is a list of {value!r}, and lists are of texts")
    if found != types[name]:
        raise ConfigError("context", f"{where}: {name} is a {types[name]}, not the {found} {value!r}")
