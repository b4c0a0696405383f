"""Says in plain words what changes from one bundle to another."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from edge.bundle import format as fmt
from edge.bundle.reader import Bundle
from origin.diff.consent import consent_changes
from origin.diff.experiments import experiment_changes
from origin.diff.recommenders import recommender_changes
from origin.diff.written import audience_changes, campaign_changes, cap_changes
from origin.explain.rules_view import View

NAMED: Final = 8
"""So many names are told before "and N more"."""


@dataclass(frozen=True)
class BundleDiff:
    """What changes, in words, by subject; a subject without change has no entry.

    Attributes
    ----------
    download_bytes : dict of str to int
        What an edge that holds the first bundle downloads for the second, by role.
    contexts, changed_contexts : int
        Contexts that the compilers put beside both bundles' rules, and those
        of them where another campaign wins.
    """

    a: str
    b: str
    changes: dict[str, list[str]]
    download_bytes: dict[str, int]
    contexts: int
    changed_contexts: int

    def document(self) -> dict[str, Any]:
        """The same as JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def diff(a: Bundle, b: Bundle) -> BundleDiff:
    """What changes from bundle `a` to bundle `b`; the models' graphs and arrays need not be there.

    Raises
    ------
    BundleError
        An artifact's inside is malformed.
    """
    before, after = View(a), View(b)
    contexts, changed, moved = _contexts(before, after)
    changes = {
        "site": list(_site(before, after)),
        "audiences": list(_audiences(before, after)),
        "campaigns": list(_campaigns(before, after)),
        "experiments": list(experiment_changes(before, after)),
        "layouts": list(_mapping("layout", before.page.layouts, after.page.layouts)),
        "contents": list(_mapping("content", before.contents, after.contents)),
        "conditions": list(_conditions(before, after, moved)),
        "recommenders": list(recommender_changes(before, after)),
        "models": list(_models(before, after)),
        "catalog": list(_catalog(before, after)),
    }
    return BundleDiff(
        a.id,
        b.id,
        {subject: lines for subject, lines in changes.items() if lines},
        _download(a, b),
        contexts,
        changed,
    )


def _site(before: View, after: View) -> Iterator[str]:
    yield from _names("placement", before.schema.placements, after.schema.placements)
    yield from _defaults(before, after)
    old = {a.name: f"{a.type} from {a.source}" for a in before.schema.attributes}
    new = {a.name: f"{a.type} from {a.source}" for a in after.schema.attributes}
    yield from _names("attribute", old, new)
    for name in old.keys() & new.keys():
        if old[name] != new[name]:
            yield f"attribute {name}: {old[name]} → {new[name]}"
    for field in ("item_path", "consent_cookie", "consent_default"):
        was, now = getattr(before.schema, field), getattr(after.schema, field)
        if was != now:
            yield f"{field.replace('_', ' ')}: {was or '(none)'} → {now or '(none)'}"
    yield from consent_changes(before.schema, after.schema)


def _audiences(before: View, after: View) -> Iterator[str]:
    if before.written and after.written:
        yield from audience_changes(before.written, after.written)
    yield from _mapping("ids of list", _hashes(before, "rules", "lists"), _hashes(after, "rules", "lists"))


def _defaults(before: View, after: View) -> Iterator[str]:
    """What placements show that nobody wins."""
    for name in sorted(before.defaults.keys() | after.defaults.keys()):
        was, now = (side.defaults.get(name, "the site's own") for side in (before, after))
        if was != now:
            yield f"default of {name}: {was} → {now}"


def _campaigns(before: View, after: View) -> Iterator[str]:
    yield from _names("campaign", _owners(before), _owners(after))
    if before.written and after.written:
        yield from campaign_changes(before.written, after.written)
    yield from cap_changes(before, after)
    common = _owners(before) & _owners(after)
    for placement in dict.fromkeys((*before.schema.placements, *after.schema.placements)):
        old, new = before.actions.get(placement, {}), after.actions.get(placement, {})
        for name in sorted(common & (old.keys() | new.keys())):
            if name not in new:
                yield f"campaign {name} is not in {placement} any more"
            elif name not in old:
                yield f"campaign {name} is now in {placement}, too: {new[name]}"
            elif old[name] != new[name]:
                yield f"campaign {name} in {placement}: {old[name]} → {new[name]}"
        if placement not in before.values and placement not in after.values:
            yield from _order(placement, [n for n in old if n in new], [n for n in new if n in old])
    yield from _values(before, after)


def _values(before: View, after: View) -> Iterator[str]:
    """Which placements show the best by value, and what campaigns are worth there."""
    for placement in sorted(after.values.keys() - before.values.keys()):
        yield f"{placement} shows the best campaign by value, no longer the first by priority"
    for placement in sorted(before.values.keys() - after.values.keys()):
        yield f"{placement} shows the first campaign by priority, no longer the best by value"
    for placement in sorted(before.values.keys() & after.values.keys()):
        old, new = before.values[placement], after.values[placement]
        for name in sorted(old.keys() & new.keys()):
            if old[name] != new[name]:
                yield f"value of {name} in {placement}: {old[name]} → {new[name]}"


def _order(placement: str, old: list[str], new: list[str]) -> Iterator[str]:
    """Who moved in the order of a placement; told by the campaign that wins over most that it did not."""
    if old == new:
        return
    rank = {name: position for position, name in enumerate(old)}
    for position, name in enumerate(new):
        overtaken = [other for other in new[position + 1 :] if rank[other] < rank[name]]
        if overtaken:
            yield f"priority in {placement}: {name} now wins over {_list(overtaken)}"


def _conditions(before: View, after: View, moved: Counter[tuple[str, str, str]]) -> Iterator[str]:
    yield from _names("attribute that decisions read:", before.index.attributes, after.index.attributes)
    for (placement, old, new), count in moved.most_common(NAMED):
        contexts = "context" if count == 1 else "contexts"
        yield f"{placement}: {old or '(default)'} → {new or '(default)'} in {count} sample {contexts}"
    if not moved and _artifact(before, "rules", "index") != _artifact(after, "rules", "index"):
        yield "the index of conditions differs; in no sample context another campaign wins"


def _models(before: View, after: View) -> Iterator[str]:
    purposes = [
        {r.name: " and ".join(r.purposes) or "(none)" for r in view.plan.recommenders if not r.pool}
        for view in (before, after)
    ]
    for name in sorted(purposes[0].keys() & purposes[1].keys()):
        if purposes[0][name] != purposes[1][name]:
            yield f"purposes of recommender {name}: {purposes[0][name]} → {purposes[1][name]}"
    old = {r.name: r.limit for r in before.plan.recommenders if not r.pool}
    new = {r.name: r.limit for r in after.plan.recommenders if not r.pool}
    yield from _names("recommender", old, new)
    for name in sorted(old.keys() & new.keys()):
        if old[name] != new[name]:
            yield f"recommender {name} lists {new[name]} items, not {old[name]}"
    arrays = [_hashes(side, "models", "arrays") for side in (before, after)]
    yield from _mapping("arrays of model", *arrays)
    if _artifact(before, "models", "graph") != _artifact(after, "models", "graph"):
        yield "the graph of the models changed"
    if before.plan.max_history != after.plan.max_history:
        yield f"history: {before.plan.max_history} → {after.plan.max_history} items are looked at"


def _catalog(before: View, after: View) -> Iterator[str]:
    yield from _names("item", before.items, after.items)
    yield from _names("card", before.cards, after.cards)
    for name in sorted(before.cards.keys() & after.cards.keys()):
        old, new = before.cards[name], after.cards[name]
        changed = [item for item in new if item in old and old[item] != new[item]]
        if changed:
            yield f"card {name} renders {len(changed):,} {_plural('item', changed)} anew: {_list(changed)}"


def _contexts(before: View, after: View) -> tuple[int, int, Counter[tuple[str, str, str]]]:
    """How many contexts there are, in how many another campaign wins, and where which for which."""
    moved: Counter[tuple[str, str, str]] = Counter()
    changed = 0
    samples = _samples(before, after)
    for attributes, unit in samples:
        old, new = before.winners(attributes, unit), after.winners(attributes, unit)
        changed += old != new
        for name in {**old, **new}:
            if old.get(name) != new.get(name):
                moved[name, old.get(name, ""), new.get(name, "")] += 1
    return len(samples), changed, moved


def _samples(before: View, after: View) -> list[tuple[dict[str, Any], str]]:
    goldens = (*before.goldens, *after.goldens)
    unique = {repr((sorted(g.attributes.items()), g.unit)): (dict(g.attributes), g.unit) for g in goldens}
    return list(unique.values())


def _download(a: Bundle, b: Bundle) -> dict[str, int]:
    held = {artifact.sha256 for manifest in a.manifests.values() for artifact in manifest.artifacts}
    found = {}
    for role in fmt.ROLES:
        lacking = {x.sha256: x.size for x in b.manifests[role].artifacts if x.sha256 not in held}
        found[role] = sum(lacking.values())
        held |= lacking.keys()
    return found


def _owners(view: View) -> set[str]:
    return {name for shown in view.actions.values() for name in shown}


def _hashes(view: View, role: str, kind: str) -> dict[str, str]:
    found = view.bundle.artifacts(role, kind)
    return {name.removeprefix(f"{kind}/"): artifact.sha256 for name, artifact in found.items()}


def _artifact(view: View, role: str, kind: str) -> str:
    return view.bundle.one(role, kind).sha256


def _mapping(what: str, before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    yield from _names(what, before, after)
    changed = sorted(name for name in before.keys() & after.keys() if before[name] != after[name])
    if changed:
        yield f"{what} changed: {_list(changed)}"


def _names(what: str, before: Iterable[str], after: Iterable[str]) -> Iterator[str]:
    old, new = set(before), set(after)
    for verb, names in (("added", new - old), ("removed", old - new)):
        if names:
            count = f" ({len(names):,})" if len(names) > NAMED else ""
            yield f"{what} {verb}: {_list(sorted(names))}{count}"


def _list(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _plural(word: str, counted: list[str]) -> str:
    return word if len(counted) == 1 else f"{word}s"
