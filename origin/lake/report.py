"""Counts what the lake holds: decisions, and what visitors did with them, by campaign."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge.decide.caps import PAGE_KINDS
from origin.lake import reader as lake
from origin.lake.tables import DECISIONS, EVENTS


@dataclass
class CampaignCounts:
    """How often a campaign filled a placement, and what visitors did there."""

    shown: int = 0
    impressions: int = 0
    clicks: int = 0


@dataclass
class LakeReport:
    """Totals, and counts by campaign id; `views` are item pages that visitors opened.

    `variations` are by ``EXPERIMENT/VARIATION``, without what testers demanded; there `shown`
    counts the pages, also where the variation shows nothing. `left` are pages that told how
    long they were looked at and how far down: in the mean `dwell_s` seconds and `scroll` percent.
    """

    decisions: int = 0
    visitors: int = 0
    views: int = 0
    impressions: int = 0
    clicks: int = 0
    left: int = 0
    dwell_s: float = 0.0
    scroll: float = 0.0
    campaigns: dict[str, CampaignCounts] = field(default_factory=dict)
    variations: dict[str, CampaignCounts] = field(default_factory=dict)


def report(root: Path, site: str) -> LakeReport:
    """Count a site's lake. Memory grows with events and visitors, not with decisions."""
    result = LakeReport()
    happened = _events(root, site, result)
    visitors = set()
    for row in lake.rows(root, site, DECISIONS, ["id", "visitor", "slots", "teaches"]):
        result.decisions += 1
        visitors.add(row["visitor"])
        for slot in row["slots"]:
            if slot["content"] or slot["items"]:
                _count(result.campaigns, slot["policy"], happened, (row["id"], slot["placement"]))
            # Files of before experiments have no such field.
            if slot.get("experiment") and row["teaches"]:
                name = f"{slot['experiment']}/{slot['variation']}"
                _count(result.variations, name, happened, (row["id"], slot["placement"]))
    result.visitors = len(visitors - {""})
    return result


def _count(
    into: dict[str, CampaignCounts],
    name: str,
    happened: Counter[tuple[str, str, str]],
    place: tuple[str, str],
) -> None:
    """Count a slot, by its decision and placement."""
    counts = into.setdefault(name, CampaignCounts())
    counts.shown += 1
    counts.impressions += happened[*place, "impression"]
    counts.clicks += happened[*place, "click"]


def _events(root: Path, site: str, result: LakeReport) -> Counter[tuple[str, str, str]]:
    """Events by decision, placement and kind."""
    happened: Counter[tuple[str, str, str]] = Counter()
    told: dict[str, dict[str, float]] = {kind: {} for kind in PAGE_KINDS}
    for row in lake.rows(root, site, EVENTS, ["decision", "placement", "kind", "value"]):
        happened[row["decision"], row["placement"], row["kind"]] += 1
        if row["kind"] in told:
            # A page tells it once, and may send it twice.
            told[row["kind"]][row["decision"]] = row.get("value") or 0.0
    kinds: Counter[str] = Counter()
    for (_, _, kind), count in happened.items():
        kinds[kind] += count
    result.views, result.impressions, result.clicks = kinds["view"], kinds["impression"], kinds["click"]
    result.left = len(told["dwell"])
    result.dwell_s, result.scroll = _mean(told["dwell"]), _mean(told["scroll"])
    return happened


def _mean(told: Mapping[str, float]) -> float:
    return round(sum(told.values()) / len(told), 1) if told else 0.0
