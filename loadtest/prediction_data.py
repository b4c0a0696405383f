"""Public data as tables to predict from: rows of what an edge would know at the time."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.parquet
from numpy.typing import NDArray

from models.predict.table import Table

MONTHS: Final = ["Jan", "Feb", "Mar", "Apr", "May", "June", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
NUMBERS: Final = (
    "Administrative",
    "Administrative_Duration",
    "Informational",
    "Informational_Duration",
    "ProductRelated",
    "ProductRelated_Duration",
    "BounceRates in %",
    "ExitRates in %",
    "PageValues",
    "SpecialDay (probability)",
)
KINDS: Final = ("OperatingSystems", "Browser", "Region", "TrafficType", "VisitorType", "Weekend")


@dataclass(frozen=True)
class Shoppers:
    """Online-shoppers: a session a row, and whether it ended with a purchase."""

    table: Table
    month: NDArray[np.int64]
    visitor_type: tuple[str, ...]

    @classmethod
    def read(cls, data: Path, *, with_page_values: bool = True) -> "Shoppers":
        """Numbers as they are, the rest one-hot; durations also as logarithms, for sums of weights."""
        with (data / "online-shoppers/online_shoppers_intention.csv").open(encoding="utf-8") as file:
            found = list(csv.DictReader(file))
        columns: dict[str, Sequence[float]] = {
            name: [float(row[name]) for row in found]
            for name in NUMBERS
            if with_page_values or name != "PageValues"
        }
        for name in [name for name in columns if "Rates" not in name]:
            columns[f"log {name}"] = np.log1p(columns[name]).tolist()
        for name in (*KINDS, "Month"):
            for value in sorted({row[name] for row in found}):
                columns[f"{name} is {value}"] = [float(row[name] == value) for row in found]
        labels = np.array([row["Revenue"] == "TRUE" for row in found], np.float32)
        months = np.array([MONTHS.index(row["Month"]) for row in found])
        kinds = tuple(row["VisitorType"] for row in found)
        return cls(_table(columns, labels), months, kinds)


def hillstrom(data: Path) -> Table:
    """Customers of an e-mail experiment; either e-mail is the treatment, a visit in two weeks the label."""
    with (data / "hillstrom/hillstrom.csv").open(encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    columns = {
        name: [float(row[name]) for row in found]
        for name in ("recency", "history", "mens", "womens", "newbie")
    }
    for name in ("zip_code", "channel"):
        for value in sorted({row[name] for row in found}):
            columns[f"{name} is {value}"] = [float(row[name] == value) for row in found]
    treated = np.array([row["segment"] != "No E-Mail" for row in found])
    return _table(columns, np.array([row["visit"] for row in found], np.float32), treated)


def upworthy(data: Path) -> Table:
    """Headlines of tests with at least two: clicks a view, over all images they were shown with."""
    read = pyarrow.parquet.read_table(data / "upworthy/upworthy_clean.parquet").to_pydict()
    tests: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    columns = (read[name] for name in ("clickability_test_id", "headline", "impressions", "clicks"))
    for test, headline, views, clicks in zip(*columns, strict=True):
        tests[test][headline][0] += views
        tests[test][headline][1] += clicks
    rows = [
        (number, headline, views, clicks)
        for number, test in enumerate(sorted(tests))
        for headline, (views, clicks) in sorted(tests[test].items())
        if len(tests[test]) > 1 and views
    ]
    return Table.of_texts(
        "headline",
        tuple(headline for _, headline, _, _ in rows),
        np.array([clicks / views for _, _, views, clicks in rows], np.float32),
        weights=np.array([views for _, _, views, _ in rows], np.float32),
        groups=np.array([number for number, _, _, _ in rows]),
    )


def queries(data: Path, seed: int = 1) -> tuple[Table, Table, Table]:
    """News categories by words: (to learn from, held-out titles, held-out queries).

    Nobody logged queries here. They are two to four words in a row of a title; to learn from
    there are also titles and abstracts. All texts of one piece of news are on one side.
    """
    news = [line.split("\t") for line in (data / "mind-sample/news.tsv").read_text("utf-8").splitlines()]
    classes = tuple(sorted({row[1] for row in news}))
    draw = np.random.default_rng(seed)
    held_out = draw.permutation(len(news)) % 4 == 0
    learned: list[tuple[str, str]] = []
    titles, short = [], []
    for row, is_held_out in zip(news, held_out.tolist(), strict=True):
        spans = [_span(row[3], draw) for _ in range(3)]
        if is_held_out:
            titles.append((row[3], row[1]))
            short.append((spans[0], row[1]))
        else:
            learned += [(text, row[1]) for text in (row[3], row[4], *spans) if text]

    def table(rows: Sequence[tuple[str, str]]) -> Table:
        labels = np.array([classes.index(kind) for _, kind in rows], np.float32)
        return Table.of_texts("query", tuple(text for text, _ in rows), labels, classes=classes)

    return table(learned), table(titles), table(short)


def _span(title: str, draw: np.random.Generator) -> str:
    words = title.split()
    length = int(draw.integers(2, 5))
    start = int(draw.integers(0, max(1, len(words) - length + 1)))
    return " ".join(words[start : start + length])


@dataclass
class _Seen:
    """What the log said of news before now."""

    shown: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    clicked: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    first: dict[str, float] = field(default_factory=dict)
    in_histories: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    users: set[str] = field(default_factory=set)


NEWS_FEATURES: Final = (
    "clicks so far",
    "views so far",
    "click rate so far",
    "hours since first shown",
    "users who read it before",
    "length of history",
    "candidates",
    "same category as history",
    "share of its category in history",
    "hour",
)


def mind(data: Path) -> tuple[Table, NDArray[np.int64]]:
    """Candidates of impressions, the oldest first: what was known of each by then; and the times.

    Categories are known for 2.8 % of candidates, and missing (NaN) for the rest.
    """
    with (data / "mind-sample/behaviors.tsv").open(encoding="utf-8") as file:
        found = [line.rstrip("\n").split("\t") for line in file]
    category = {
        row.split("\t")[0]: row.split("\t")[1]
        for row in (data / "mind-sample/news.tsv").read_text("utf-8").splitlines()
    }
    when = [datetime.strptime(row[2], "%m/%d/%Y %I:%M:%S %p") for row in found]
    times = np.array([(moment - datetime(1970, 1, 1)).total_seconds() for moment in when])
    seen, groups, moments = _Seen(), list[int](), list[int]()
    rows, labels = list[list[float]](), list[float]()
    for group, place in enumerate(np.argsort(times, kind="stable").tolist()):
        _, user, _, history, shown = found[place]
        candidates = [item.rsplit("-", 1) for item in shown.split(" ")]
        rows += _candidate_rows(seen, history.split(), candidates, float(times[place]), category)
        labels += [float(clicked) for _, clicked in candidates]
        groups += [group] * len(candidates)
        moments += [int(times[place])] * len(candidates)
        _note(seen, user, history.split(), candidates, float(times[place]))
    table = Table(
        NEWS_FEATURES, np.array(rows, np.float32), np.array(labels, np.float32), groups=np.array(groups)
    )
    return table, np.array(moments)


def _candidate_rows(
    seen: _Seen,
    history: Sequence[str],
    candidates: Sequence[Sequence[str]],
    now_s: float,
    category: Mapping[str, str],
) -> Iterator[list[float]]:
    read = [category[item] for item in history if item in category]
    hour = now_s / 3600 % 24
    for item, _ in candidates:
        shown, clicked = seen.shown[item], seen.clicked[item]
        kind = category.get(item)
        known = bool(kind and read)
        yield [
            clicked,
            shown,
            (clicked + 0.4) / (shown + 10),
            (now_s - seen.first.get(item, now_s)) / 3600,
            seen.in_histories[item],
            len(history),
            len(candidates),
            float(kind in read) if known else float("nan"),
            read.count(str(kind)) / len(read) if known else float("nan"),
            hour,
        ]


def _note(
    seen: _Seen, user: str, history: Sequence[str], candidates: Sequence[Sequence[str]], now_s: float
) -> None:
    for item, clicked in candidates:
        seen.shown[item] += 1
        seen.clicked[item] += float(clicked)
        seen.first.setdefault(item, now_s)
    if user not in seen.users:
        seen.users.add(user)
        for item in set(history):
            seen.in_histories[item] += 1


def _table(
    columns: Mapping[str, Sequence[float]],
    labels: NDArray[np.float32],
    treatment: NDArray[np.bool_] | None = None,
) -> Table:
    rows = np.array(list(columns.values()), np.float32).T
    return Table(tuple(columns), np.ascontiguousarray(rows), labels, treatment=treatment)


def fifths(n_rows: int, seed: int = 1) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Which rows are learned from, and which held out, five times."""
    fold = np.random.default_rng(seed).permutation(n_rows) % 5
    yield from ((fold != held_out, fold == held_out) for held_out in range(5))
