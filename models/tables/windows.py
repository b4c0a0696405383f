"""What visitors did in time, from a table of events: for each row what an edge would have counted by then."""

from collections.abc import Mapping
from typing import Any, Final

import narwhals as nw

from edge.decide.behaviours import Behaviour
from edge.errors import GivenError
from edge.visitor.buckets import BUCKETS, MAX_COUNT, MAX_DISTINCT, MAX_SUM, NEVER_H, bucket_s

VIEW: Final = "view"
VIEWED: Final = ("count", "sum", "distinct", "recency")
REPORTED: Final = ("count", "recency")
"""What is told of views, and of what pages reported."""

SECONDS_PER_HOUR: Final = 3600

Frame = Any
"""A Narwhals frame, lazy or not; two that are joined are of one kind."""


def check_computable(behaviour: Behaviour) -> None:
    """Refuse what a table of events does not tell.

    Raises
    ------
    GivenError
        ``features``: a share, one that another event ends, one of pages, whose paths are not kept, or one
        that adds up or tells apart what was reported of anything but items.
    """
    measures = VIEWED if behaviour.event == VIEW else REPORTED
    if behaviour.measure not in measures or behaviour.until or behaviour.event == "page":
        hint = "use it in a rule, so that it is logged"
        raise GivenError("features", f"behaviour {behaviour.name!r} can't be told from events; {hint}")


def with_behaviour(rows: Frame, events: Frame, behaviour: Behaviour, feeds: Frame) -> Frame:
    """The rows with ``behaviour.NAME``, where it is not there yet; null for a visitor who is not known.

    What happened before the row's own instant counts, and what came of the row itself at that instant: the
    view of its page. It is counted by the buckets of `edge.visitor.buckets`.

    Parameters
    ----------
    rows
        ``id``, ``visitor`` (empty where not known), ``at_ms`` (since 1970), and what else there is.
    events
        ``decision``, ``visitor``, ``kind``, ``item``, ``at_ms``.
    feeds
        Which items count: ``item``, and ``amount``, what one adds to a sum, or what tells things apart.
    """
    check_computable(behaviour)
    name = f"behaviour.{behaviour.name}"
    past = (
        rows.filter(nw.col("visitor") != "")
        .select("id", "visitor", nw.col("at_ms").alias("now_ms"))
        .join(_own(events, behaviour, feeds), on="visitor", how="inner")
        .filter(_is_past())
        .with_columns((nw.col("now_ms") // 1000).alias("now_s"), (nw.col("at_ms") // 1000).alias("at_s"))
    )
    found = MEASURES[behaviour.measure](past, behaviour).select("id", nw.col("value").cast(nw.Float64))
    joined = rows.join(found, on="id", how="left")
    nothing = NEVER_H if behaviour.measure == "recency" else 0.0
    known = nw.when(nw.col("visitor") != "").then(nw.col("value").fill_null(nothing))
    logged = name in rows.collect_schema().names()
    told = nw.coalesce(nw.col(name), known) if logged else known
    return joined.with_columns(told.alias(name)).drop("value")


def followed(rows: Frame, events: Frame, kind: str, within_s: int, label: str) -> Frame:
    """The rows of known visitors; under `label` 1 where they did `kind` in so many seconds after, else 0."""
    known = rows.filter(nw.col("visitor") != "")
    later = events.filter(nw.col("kind") == kind).select("visitor", nw.col("at_ms").alias("then_ms"))
    pairs = known.select("id", "visitor", "at_ms").join(later, on="visitor", how="inner")
    after_ms = nw.col("then_ms") - nw.col("at_ms")
    did = pairs.filter((after_ms > 0) & (after_ms <= within_s * 1000)).select("id").unique()
    marked = known.join(did.with_columns(nw.lit(1).alias(label)), on="id", how="left")
    return marked.with_columns(nw.col(label).fill_null(0).cast(nw.Int64))


def _is_past() -> nw.Expr:
    """Another page of the same millisecond may have come after."""
    own = (nw.col("decision") == nw.col("id")) & (nw.col("at_ms") == nw.col("now_ms"))
    return (nw.col("at_ms") < nw.col("now_ms")) | own


def _own(events: Frame, behaviour: Behaviour, feeds: Frame) -> Frame:
    """The events that feed a behaviour; what pages report may be of no item."""
    own = events.filter(nw.col("kind") == behaviour.event).select("decision", "visitor", "item", "at_ms")
    if behaviour.is_reported and not behaviour.filtered:
        return own.with_columns(nw.lit(1).alias("amount"))
    return own.join(feeds.select("item", "amount"), on="item", how="inner")


def _in_window(past: Frame, behaviour: Behaviour) -> Frame:
    """What is in the buckets that are still kept, with the bucket of each."""
    width = bucket_s(behaviour)
    bucket = (nw.col("at_s") // width).alias("bucket")
    age = nw.col("now_s") // width - nw.col("at_s") // width
    return past.filter(age < BUCKETS).with_columns(bucket)


def _count(past: Frame, behaviour: Behaviour) -> Frame:
    each = _in_window(past, behaviour).group_by("id", "bucket").agg(nw.len().alias("held"))
    return _added(each, MAX_COUNT)


def _sum(past: Frame, behaviour: Behaviour) -> Frame:
    amount = nw.col("amount").cast(nw.Int64)
    each = _in_window(past, behaviour).with_columns(amount).group_by("id", "bucket")
    return _added(each.agg(nw.col("amount").sum().alias("held")), MAX_SUM)


def _added(each: Frame, most: int) -> Frame:
    """The sum over buckets, each of which holds so much at most."""
    held = nw.col("held").cast(nw.Int64)
    full = nw.when(held > most).then(nw.lit(most)).otherwise(held)
    return each.with_columns(full.alias("held")).group_by("id").agg(nw.col("held").sum().alias("value"))


def _distinct(past: Frame, behaviour: Behaviour) -> Frame:
    different = _in_window(past, behaviour).group_by("id").agg(nw.col("amount").n_unique().alias("held"))
    held = nw.col("held").cast(nw.Int64)
    return different.with_columns(
        nw.when(held > MAX_DISTINCT).then(nw.lit(MAX_DISTINCT)).otherwise(held).alias("value")
    )


def _recency(past: Frame, behaviour: Behaviour) -> Frame:
    last = past.group_by("id").agg(nw.col("at_s").max().alias("last_s"), nw.col("now_s").max().alias("now_s"))
    age_s = nw.col("now_s") - nw.col("last_s")
    hours = age_s.cast(nw.Float64) / SECONDS_PER_HOUR
    kept = nw.when(age_s <= behaviour.window_s).then(hours).otherwise(nw.lit(NEVER_H))
    return last.with_columns(kept.alias("value"))


MEASURES: Final[Mapping[str, Any]] = {
    "count": _count,
    "sum": _sum,
    "distinct": _distinct,
    "recency": _recency,
}
