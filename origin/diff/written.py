"""Says in plain words what changes in audiences, conditions and schedules from one bundle to another."""

import json
from collections.abc import Iterator, Mapping

from edge.bundle.written import Campaign, Written
from edge.rules.words import words
from origin.explain.cap_words import cap_words
from origin.explain.rules_view import View
from origin.explain.schedule_words import schedule_words


def audience_changes(before: Written, after: Written) -> Iterator[str]:
    """A line for each audience and saved group that is new, gone, or another one."""
    old = {audience.name: audience.condition for audience in before.audiences}
    new = {audience.name: audience.condition for audience in after.audiences}
    yield from (f"audience added: {name} ({_asked(new[name])})" for name in sorted(new.keys() - old.keys()))
    yield from (f"audience removed: {name}" for name in sorted(old.keys() - new.keys()))
    for name in sorted(old.keys() & new.keys()):
        if old[name] != new[name]:
            yield f"audience {name}: {_change(_asked(old[name]), _asked(new[name]))}"

    yield from _group_changes(
        {group.name: group.values for group in before.groups},
        {group.name: group.values for group in after.groups},
    )


def _group_changes(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        was, now = json.loads(old.get(name, "[]")), json.loads(new.get(name, "[]"))
        if was != now:
            # As JSON, since 1 and true are equal here.
            gone, come = ({json.dumps(value) for value in values} for values in (was, now))
            yield f"group {name}: {len(come - gone):,} values added, {len(gone - come):,} removed"


def campaign_changes(before: Written, after: Written) -> Iterator[str]:
    """A line for whom a campaign is for, when it runs, and its group, where that is another."""
    old = {campaign.id: campaign for campaign in before.campaigns}
    for campaign in sorted(after.campaigns, key=lambda one: one.id):
        known = old.get(campaign.id)
        if known is None or known == campaign:
            continue
        if (known.audience, known.condition) != (campaign.audience, campaign.condition):
            yield f"campaign {campaign.id} is for {_change(_whom(known), _whom(campaign))}"
        if known.when != campaign.when:
            change = _change(schedule_words(known.when), schedule_words(campaign.when))
            yield f"campaign {campaign.id} runs {change}"
        if known.purposes != campaign.purposes:
            was, now = (" and ".join(one.purposes) or "(none)" for one in (known, campaign))
            yield f"campaign {campaign.id} has the purposes {_change(was, now)}"
        if known.exclusive != campaign.exclusive:
            change = _change(known.exclusive or "(none)", campaign.exclusive or "(none)")
            yield f"campaign {campaign.id} is of the group {change}"


def cap_changes(before: View, after: View) -> Iterator[str]:
    """A line for each campaign that is shown to one visitor more or less often."""
    common = {name for side in (before, after) for name in side.caps}
    for name in sorted(common):
        was, now = (cap_words(side.caps.get(name, ())) for side in (before, after))
        if was != now:
            yield f"campaign {name} is shown {was} → {now}"


def _whom(campaign: Campaign) -> str:
    return f"audience {campaign.audience}" if campaign.audience else _asked(campaign.condition or "{}")


def _asked(condition: str) -> str:
    return words(json.loads(condition))


def _change(was: str, now: str) -> str:
    return f"{was} → {now}" if was != now else f"{was} (it differs in what is too long to show)"
