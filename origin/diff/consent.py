"""Says in plain words what changes in a site's consent policy from one bundle to another."""

from collections.abc import Iterator, Mapping

from edge.bundle.format import ConsentPolicy, ConsentSource, Purpose, RulesSchema


def consent_changes(before: RulesSchema, after: RulesSchema) -> Iterator[str]:
    """A line for the order of those who are asked, for each of them, each purpose, and what declares some."""
    old, new = before.consent or ConsentPolicy(), after.consent or ConsentPolicy()
    asked = [[_name(source) for source in policy.sources] for policy in (old, new)]
    if asked[0] != asked[1]:
        yield f"consent is asked of {' → '.join(', '.join(names) or '(one cookie)' for names in asked)}"
    sources = [{_name(source): _rules(source) for source in policy.sources} for policy in (old, new)]
    yield from _changed("consent by", sources[0], sources[1])
    purposes = [{one.name: _granted_by(one) for one in policy.purposes} for policy in (old, new)]
    yield from _all("purpose", purposes[0], purposes[1])
    yield from _all("purposes of", _joined(old.attributes), _joined(new.attributes))
    yield from _all("purposes of event", _joined(old.events), _joined(new.events))


def _name(source: ConsentSource) -> str:
    return f"{source.kind} {source.cookie}".strip()


def _rules(source: ConsentSource) -> str:
    """What a source gives, for comparing and for people."""
    parts = [f"{tier} for {_numbers(needed)}" for tier, needed in source.tiers]
    if source.tiers:
        parts += [f"otherwise {source.otherwise}", f"vendor {source.vendor or '(the site)'}"]
    if source.interests:
        parts.append(f"legitimate interest in {_numbers(source.interests)}")
    if source.opted_out:
        parts.append(f"opted out {source.opted_out}")
    if source.not_opted_out:
        parts.append(f"not opted out {source.not_opted_out}")
    return ", ".join(parts)


def _numbers(purposes: tuple[int, ...]) -> str:
    return "+".join(map(str, purposes))


def _granted_by(purpose: Purpose) -> str:
    tier = f"tier {purpose.tier}"
    return f"TCF {_numbers(purpose.tcf)}, else {tier}" if purpose.tcf else tier


def _joined(declared: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {name: " and ".join(purposes) for name, purposes in declared.items()}


def _changed(what: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(old.keys() & new.keys()):
        if old[name] != new[name]:
            yield f"{what} {name}: {old[name]} → {new[name]}"


def _all(what: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield f"{what} {name}: {old.get(name, '(none)')} → {new.get(name, '(none)')}"
