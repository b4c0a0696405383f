"""Looks into a bundle, and asks it for one decision."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from compiler.problems import nearest
from edge.bundle import format as fmt
from edge.bundle.arrays import unpack
from edge.bundle.reader import Bundle, open_bundle, read_site
from edge.bundle.strings import Strings
from edge.decide.campaigns import Campaigns
from edge.decide.choice import load_choices
from edge.decide.engine import Engine
from edge.decide.types import CONSENT_TIERS, Assigned, Context, Slot, Value
from edge.errors import ConfigError
from edge.worker.clock import local_time
from edge.worker.facts import TIMEZONE
from origin.explanation import explain
from origin.rules_view import View

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ContextFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A context as people write it.

    Left out placements mean all of the site's. `now` is a date and time with its zone; what an
    edge would take from it, from the history and from the tier need not be written again as attributes.
    `unit` is the visitor's id, which there is in the tier `full` alone.
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
        if now := self.instant_ms:
            zone = self.attributes.get(TIMEZONE)
            hour, weekday, date = local_time(now, zone if isinstance(zone, str) else None)
            found |= {"time.now": now, "time.hour": hour, "time.weekday": weekday, "time.date": date}
        return found


def inspect_bundle(folder: Path) -> dict[str, Any]:
    """What a bundle holds, as JSON: its artifacts are verified, its engine is loaded.

    Raises
    ------
    BundleError
        It is damaged, or no bundle.
    """
    bundle = open_bundle(folder, read_site(folder))
    engine = Engine.load(bundle)
    return {
        "id": bundle.id,
        "site": bundle.site,
        "manifests": {role: msgspec.to_builtins(m) for role, m in bundle.manifests.items()},
        "placements": _campaigns(bundle, engine),
        "experiments": _parts(engine),
        "attributes": {a.name: {"type": a.type, "source": a.source} for a in engine.schema.attributes},
        "reads": list(engine.reads),
        "recommenders": [
            {"name": name, "card": card, "limit": limit} for name, card, limit in engine.schema.recommenders
        ],
        "items": len(engine.items),
    }


def decide_file(folder: Path, context: Path, killed: tuple[str, ...] = (), *, explained: bool = False) -> str:
    """The decision of a bundle in the context of a JSON file, as JSON, or explained in words.

    Raises
    ------
    ConfigError
        ``context``: the file can't be read, or is no context of this bundle.
        ``campaign``: one that is killed is not in the bundle.
    """
    bundle = open_bundle(folder, read_site(folder))
    engine = Engine.load(bundle)
    asked = read_context(context, engine.schema)
    _check_killed(killed, engine)
    decision = engine.decide(asked, killed)
    if explained:
        return "\n".join(explain(View(bundle), asked, decision, killed))
    document: dict[str, Any] = {"bundle": engine.id}
    document["slots"] = [slot_document(slot) for slot in decision.slots]
    if decision.excluded:
        document["excluded"] = decision.excluded
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def read_context(path: Path, schema: fmt.RulesSchema) -> Context:
    """Read a context and check it against what the bundle knows."""
    try:
        given = msgspec.json.decode(path.read_bytes(), type=ContextFile)
    except OSError as error:
        raise ConfigError("context", f"{path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError("context", f"{path}: {error}") from error
    if given.tier not in CONSENT_TIERS:
        raise ConfigError("context", f"{path}: tier is one of {', '.join(CONSENT_TIERS)}")
    types = {attribute.name: attribute.type for attribute in schema.attributes}
    for name, value in given.attributes.items():
        _check(path, types, name, value)
    unknown = [name for name in given.placements if name not in schema.placements]
    if unknown:
        raise ConfigError("context", f"{path}: no placement {unknown[0]!r}; {', '.join(schema.placements)}")
    if given.now is not None and given.now.tzinfo is None:
        raise ConfigError("context", f"{path}: now has no zone; write it like 2026-05-01T09:00:00+02:00")
    if given.unit and given.tier != "full":
        raise ConfigError("context", f"{path}: in the tier {given.tier!r} there is no unit; use full")
    attributes = {**given.implied(), **given.attributes}
    placements = given.placements or schema.placements
    divided = (given.unit, given.assigned, tuple(given.forced.items()))
    return Context(given.instant_ms, given.seed, given.tier, attributes, given.history, placements, *divided)


def _check_killed(killed: Iterable[str], engine: Engine) -> None:
    """A misspelt campaign would stay on in silence."""
    for name in killed:
        if name not in engine.campaigns:
            hint = nearest(name, engine.campaigns)
            raise ConfigError("campaign", f"this bundle has no campaign {name!r}; {hint}")


_WORDS: Final = {"policy": "campaign", "candidates": "recommender"}
"""What records have other names for than people and `/_nearside/decide`."""


def slot_document(slot: Slot) -> dict[str, Any]:
    """A slot as a JSON object, in the words of `/_nearside/decide`, without what does not apply to it."""
    fields = {_WORDS.get(name, name): getattr(slot, name) for name in slot.__struct_fields__}
    return {name: value for name, value in fields.items() if value not in ("", ())}


def _check(path: Path, types: Mapping[str, str], name: str, value: Value) -> None:
    if name not in types:
        known = ", ".join(sorted(types))
        raise ConfigError("context", f"{path}: no attribute {name!r}; this bundle knows {known}")
    found = {bool: "boolean", str: "string"}.get(type(value), "number")
    if found != types[name]:
        raise ConfigError("context", f"{path}: {name} is a {types[name]}, not the {found} {value!r}")


def _parts(engine: Engine) -> dict[str, dict[str, float]]:
    """The variations of each experiment and the arms of each bandit, with their shares."""
    chooser = engine.chooser
    if chooser is None:
        return {}
    parts = {experiment.id: experiment.arms for experiment in chooser.experiments}
    parts |= {bandit.id: bandit.arms() for bandit in chooser.bandits}
    return {name: {arm.variation: arm.propensity for arm in arms} for name, arms in sorted(parts.items())}


def _campaigns(bundle: Bundle, engine: Engine) -> dict[str, list[str]]:
    """Campaigns by placement, those that win over others first."""
    contents = Strings(unpack(bundle.read(bundle.one("rules", "contents"))), "ids")
    owners = unpack(bundle.read(bundle.one("rules", "campaigns")))
    campaigns = Campaigns(owners, engine.schema, len(contents), load_choices(bundle) or fmt.Choices())
    found = {}
    for placement, (low, mask) in campaigns.masks.items():
        bits = range(mask.bit_length() - 1, low - 1, -1)
        found[placement] = list(dict.fromkeys(campaigns.ids.text(campaigns.owner[bit]) for bit in bits))
    return found
