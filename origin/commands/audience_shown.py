"""What `nearside audience` prints."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final

from origin.audience.size import CAP, SCHEDULE, CampaignSize, Share, Sizes
from origin.commands.shown import json_document, new_table, out
from origin.explain.counted import counted
from origin.explain.race import CAMPAIGN, GROUP, HOLDOUT, LED, OTHER, TEST

MAX_LOST: Final = 3
"""Of what a campaign loses to, so much is named in its line."""

_WORDS: Final = {
    CAMPAIGN: "to {}",
    GROUP: "to {} of its group",
    HOLDOUT: "to holdout {}",
    TEST: "not in experiment {}",
    LED: "led elsewhere by {}",
    SCHEDULE: "does not run then",
    CAP: "rests by its cap",
    OTHER: "to {}",
}


def sizes(found: Sizes, *, log: bool, as_json: bool) -> None:
    """Print what was counted in a log, or in contexts that somebody wrote."""
    if as_json:
        json_document(document(found))
        return
    out.print(_sample(found, log=log), soft_wrap=True)
    for name, askers in found.unknown.items():
        more = f" and {len(askers) - MAX_LOST} more" if len(askers) > MAX_LOST else ""
        asks = f"{', '.join(askers[:MAX_LOST])}{more}"
        out.print(f"{name} cannot be known from this log; it matters to {asks}", soft_wrap=True)
    for capped in (campaign.id for campaign in found.campaigns if campaign.at_most):
        told = "the log does not tell how often it was shown, so it gets what stands here at most"
        out.print(f"{capped} is capped; {told}", soft_wrap=True)
    table = new_table("audience", "requests", "share", "95 % interval", "visitors")
    for size in found.audiences:
        table.add_row(size.name, *_share(size, found.requests))
    out.print(table)
    table = new_table("campaign", "reaches", "gets", "share", "95 % interval", "visitors", "loses")
    for campaign in found.campaigns:
        reached = f"{campaign.reached:,}" if campaign.of else ""
        table.add_row(campaign.id, reached, *_share(campaign, found.requests), _lost(campaign.lost))
    out.print(table)
    out.print(_legend(found), soft_wrap=True)


def document(found: Sizes) -> dict[str, Any]:
    """The same as JSON; what can't be known is null."""
    sample = ("requests", "anonymous", "visitors", "worth", "from_ms", "until_ms")
    return {
        "sample": {name: getattr(found, name) for name in sample},
        "unknown": found.unknown,
        "audiences": [{"name": size.name, **_fields(size)} for size in found.audiences],
        "campaigns": [_campaign(size) for size in found.campaigns],
    }


def _campaign(size: CampaignSize) -> dict[str, Any]:
    lost = [
        {"kind": kind, "name": name, "requests": count} for (kind, name), count in size.lost.most_common()
    ]
    reached = size.reached if size.of else None
    return {"id": size.id, "reached": reached, **_fields(size), "at_most": size.at_most, "lost": lost}


def _fields(size: Share) -> dict[str, Any]:
    names = ("requests", "visitors", "low", "high")
    counted = {name: getattr(size, name) if size.of else None for name in names}
    return {"of": size.of, "share": size.requests / size.of if size.of else None, **counted}


def _share(size: Share, requests: int) -> tuple[str, str, str, str]:
    if not size.of:
        return "unknown", "", "", ""
    told = f"{size.requests:,}" if size.of == requests else f"{size.requests:,} of {size.of:,}"
    between = f"{size.low:.1%} to {size.high:.1%}"
    return told, f"{size.requests / size.of:.1%}", between, f"{size.visitors:,}"


def _lost(lost: Counter[tuple[str, str]]) -> str:
    told = [f"{count:,} {_WORDS[kind].format(name)}" for (kind, name), count in lost.most_common(MAX_LOST)]
    left = lost.total() - sum(count for _, count in lost.most_common(MAX_LOST))
    return ", ".join([*told, f"{left:,} otherwise"] if left else told)


def _sample(found: Sizes, *, log: bool) -> str:
    visitors = counted(found.visitors, "known visitor")
    if not log:
        return f"{counted(found.requests, 'context')}, of {visitors}"
    times = f"{_when(found.from_ms)} to {_when(found.until_ms)} UTC"
    known = found.requests - found.anonymous
    told = f"{known:,} of {visitors}, {found.anonymous:,} of nobody known"
    return f"{counted(found.requests, 'request')}, {times}: {told}"


def _legend(found: Sizes) -> str:
    return (
        "A campaign reaches those whom it is for, on pages with one of its placements; it gets those of whom"
        " it has one. Of 100 such samples drawn by chance, 95 have an interval with the true share in it; as"
        f" visitors come again, this one counts as {found.worth:,.0f} independent requests."
    )


def _when(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
