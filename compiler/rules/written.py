"""Writes down the rules as people wrote them, for those who explain and compare bundles."""

import json
from collections.abc import Mapping
from typing import Any

from compiler.conditions.oracle import flat
from compiler.draft import Draft
from compiler.rules.schedule import NOW, Schedule
from compiler.rules.walk import strongest_first
from compiler.types import Campaign, Workspace
from edge.bundle import format as fmt
from edge.bundle import written


def put_written(draft: Draft, workspace: Workspace) -> None:
    """Add audiences and campaigns in their own words."""
    places = {name: position for position, name in enumerate(workspace.placements)}
    document = written.Written(
        tuple(written.Audience(audience.name, _text(audience.written)) for audience in workspace.audiences),
        tuple(_campaign(campaign, places) for campaign in strongest_first(workspace.campaigns)),
        tuple(written.Group(name, _json(values)) for name, values in sorted(workspace.groups.items())),
    )
    draft.put("written", written.KIND, fmt.encode(document))


def _campaign(campaign: Campaign, places: Mapping[str, int]) -> written.Campaign:
    return written.Campaign(
        campaign.id,
        campaign.priority,
        tuple(sorted(places[name] for name in campaign.placements)),
        campaign.audience,
        "" if campaign.audience or not campaign.whom else _text(campaign.whom),
        _when(campaign.schedule),
        campaign.exclusive,
        campaign.purposes,
    )


def _text(condition: Mapping[str, Any]) -> str:
    return _json(flat(condition))


def _json(value: Any) -> str:
    """JSON, as it keeps the order in which the parts were written."""
    return json.dumps(value, separators=(",", ":"))


def _when(schedule: Schedule) -> written.When | None:
    bounds = schedule.written.get(NOW, {})
    weekly = schedule.weekly.windows if schedule.weekly else ()
    if not bounds and not weekly:
        return None
    windows = tuple((tuple(sorted(window.days)), window.start_ms, window.end_ms) for window in weekly)
    return written.When(bounds.get("$gte"), bounds.get("$lt"), schedule.zone, windows)
