"""Looks into a bundle, and asks it for one decision."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from compiler.problems import nearest
from edge.bundle import format as fmt
from edge.bundle.arrays import unpack
from edge.bundle.certificate import load_certificate
from edge.bundle.reader import Bundle, open_bundle, read_site
from edge.bundle.strings import Strings
from edge.decide.campaigns import Campaigns
from edge.decide.choice import load_choices
from edge.decide.engine import Engine
from edge.decide.page import blocks_of, word_for
from edge.decide.stock import ALL, Stock
from edge.decide.types import Slot
from edge.errors import ConfigError
from origin.explain.contexts import read_context
from origin.explain.explanation import explain
from origin.explain.listed import explain_lists
from origin.explain.rules_view import View


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
        "values": View(bundle).values,
        "defaults": View(bundle).defaults,
        "attributes": {a.name: {"type": a.type, "source": a.source} for a in engine.schema.attributes},
        "reads": list(engine.reads),
        "recommenders": [
            {"name": name, "card": card, "limit": limit} for name, card, limit in engine.schema.recommenders
        ],
        "layouts": {name: blocks_of(layout) for name, layout in engine.page.layouts.items()},
        "redirects": list(engine.page.redirects),
        "items": len(engine.items),
        "models": _models(bundle),
    }


def _models(bundle: Bundle) -> list[dict[str, Any]]:
    """What the certificate says of each model."""
    certificate = load_certificate(bundle)
    found: list[dict[str, Any]] = msgspec.to_builtins(certificate.models) if certificate else []
    return found


def decide_file(
    folder: Path,
    context: Path,
    killed: tuple[str, ...] = (),
    sold_out: tuple[str, ...] = (),
    *,
    explained: bool = False,
) -> str:
    """The decision of a bundle in the context of a JSON file, as JSON, or explained in words.

    Raises
    ------
    ConfigError
        ``context``: the file can't be read, or is no context of this bundle.
        ``campaign``, ``item``: one that is killed, or sold out, is not in the bundle.
    """
    bundle = open_bundle(folder, read_site(folder))
    engine, view = Engine.load(bundle), View(bundle)
    asked = read_context(context, view)
    _check_killed(killed, engine)
    stock = _stock(sold_out, engine)
    decision = engine.decide(asked, killed, stock=stock)
    if explained:
        lists = explain_lists(engine, asked, decision, stock)
        return "\n".join([*explain(view, asked, decision, killed), *lists])
    document: dict[str, Any] = {"bundle": engine.id}
    document["slots"] = [slot_document(slot) for slot in decision.slots]
    if decision.excluded:
        document["excluded"] = decision.excluded
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def _stock(sold_out: Iterable[str], engine: Engine) -> Stock:
    """What is sold out; a misspelt item would be listed in silence."""
    ids = [engine.items.text(position) for position in range(len(engine.items))] if sold_out else []
    for name in sold_out:
        if name not in ids:
            raise ConfigError("item", f"this bundle has no item {name!r}; {nearest(name, ids)}")
    return Stock("stated", 1, frozenset(engine.items.positions(tuple(sold_out)))) if sold_out else ALL


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
    words = {**_WORDS, "content": word_for(slot)}
    fields = {words.get(name, name): getattr(slot, name) for name in slot.__struct_fields__}
    return {name: value for name, value in fields.items() if value not in ("", ())}


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
    choices = load_choices(bundle) or fmt.Choices()
    campaigns = Campaigns(owners, engine.schema, len(contents), choices, engine.page.counts)
    found = {}
    for placement, (low, mask) in campaigns.masks.items():
        bits = range(mask.bit_length() - 1, low - 1, -1)
        found[placement] = list(dict.fromkeys(campaigns.ids.text(campaigns.owner[bit]) for bit in bits))
    return found
