"""What the commands print: tables, progress and problems."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from compiler.models.certificate_words import certificate_line, origin_lines
from compiler.problems import ERROR, Problem, WorkspaceError
from edge.bundle.certificate import ModelCertificate
from origin.commands.brought_words import brought_lines, prediction_line
from origin.explain.counted import counted

if TYPE_CHECKING:  # each command loads only what it needs
    from origin.lake.places import Place
    from origin.lake.replay import Difference, Findings, Replay
    from origin.lake.report import CampaignCounts, LakeReport
    from origin.training.predictions import TrainedPrediction
    from origin.training.recommenders import TrainedModel

PIPE_COLUMNS = 160

# A pipe has no width: 80 columns would break the words of tables.
out = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)
err = Console(stderr=True, highlight=False, markup=False)


@contextmanager
def problems() -> Iterator[None]:
    """Print the problems of a workspace, and exit with code 1."""
    try:
        yield
    except WorkspaceError as error:
        warnings(error.problems)
        count = sum(problem.severity == ERROR for problem in error.problems)
        print(f"error: {counted(count, 'problem')}", file=sys.stderr)
        sys.exit(1)


def warnings(found: Iterable[Problem]) -> None:
    """Print problems, one a line, as editors understand them."""
    for problem in found:
        print(problem, file=sys.stderr)


def json_document(document: dict[str, Any] | list[Any]) -> None:
    """Print a document for programs."""
    print(json.dumps(document, indent=2, ensure_ascii=False))


class Training:
    """A progress bar for each model that is trained."""

    def __init__(self) -> None:
        self._progress = Progress(console=err, transient=True)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "Training":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def step(self, model: str, step: str, share: float) -> None:
        """Hear how far the training of a model is."""
        if model not in self._tasks:
            self._tasks[model] = self._progress.add_task(model, total=1.0)
        self._progress.update(self._tasks[model], description=f"{model}: {step}", completed=share)


def trained(models: "list[TrainedModel]", baseline: Mapping[str, float] | None = None) -> None:
    """Print what was trained, and how good it is beside a baseline that was not trained with it."""
    measured = [done.model.card["metrics"] for done in models]
    names = [name for name in dict.fromkeys(name for one in measured for name in one) if name != "users_new"]
    table = new_table("model", "recipe", "rows", *names)
    for done, found in zip(models, measured, strict=True):
        row = (f"{done.interactions:,}", *(_metric(found.get(name)) for name in names))
        table.add_row(done.model.name, done.model.card["recipe"], *row)
    if baseline is not None:
        table.add_row("(baseline)", "popularity", "", *(_metric(baseline.get(name)) for name in names))
    for title in dict.fromkeys(_title(done.split, done.model.card["metrics"]) for done in models):
        out.print(title)
    out.print(table)
    for done in models:
        if done.unknown:
            err.print(
                f"{done.model.name}: {counted(done.unknown, 'interaction')} of items that the catalog lacks"
            )
        for line in brought_lines(done.model.name, done.model.card):
            out.print(line)


def places(found: "Iterable[Place]") -> None:
    """Print what each place of a placement's lists hides."""
    table = new_table("placement", "place", "shown", "clicked", "is noticed")
    for one in found:
        counts = (f"{one.place}", f"{one.shown:,}", f"{one.clicked:,}")
        table.add_row(one.placement, *counts, f"{one.chance:.3f}")
    out.print(table)


def predicted(models: "list[TrainedPrediction]") -> None:
    """Print which predictions were trained, and how good they are where their recipe measured it."""
    names = list(dict.fromkeys(name for done in models for name in done.model.card["metrics"]))
    table = new_table("model", "recipe", "rows", "seconds", "predicts", *names)
    for done in models:
        found = done.model.card["metrics"]
        figures = (_figure(found.get(name)) for name in names)
        row = (f"{done.rows:,}", f"{done.seconds:.1f}", ", ".join(done.model.outputs), *figures)
        table.add_row(done.model.name, done.model.card["recipe"], *row)
    for split in dict.fromkeys(str(done.model.card.get("split", "not measured")) for done in models):
        out.print(split)
    out.print(table)
    for done in models:
        if line := prediction_line(done.model.name, done.model.card):
            out.print(line)


def _figure(value: Mapping[str, float] | None) -> str:
    """A figure with its interval."""
    return "" if value is None else f"{value['value']:.4f} ({value['low']:.4f} to {value['high']:.4f})"


def _title(split: str, metrics: Mapping[str, float]) -> str:
    if not split:
        return "not measured"
    if not metrics:
        return f"{split}: nobody is in both parts, so nothing was measured"
    known, new = int(metrics["users"]), int(metrics["users_new"])
    left_out = f"; the other {new:,} have none there" if new else ""
    return f"{split}; measured on {known:,} of {known + new:,} users by their whole history{left_out}"


def _metric(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def bundle(document: dict[str, Any], *, as_json: bool) -> None:
    """Print what is in a bundle."""
    if as_json:
        json_document(document)
        return
    out.print(f"bundle {document['id']} of site {document['site']}, {counted(document['items'], 'item')}")
    table = new_table("role", "artifact", "kind", "bytes", "sha256")
    for role, manifest in document["manifests"].items():
        for artifact in manifest["artifacts"]:
            size = f"{artifact['size']:,}"
            table.add_row(role, artifact["name"], artifact["kind"], size, artifact["sha256"][:12])
    out.print(table)
    for placement, campaigns in document["placements"].items():
        shown = ", ".join(campaigns[:8]) + (f", … ({len(campaigns):,})" if len(campaigns) > 8 else "")
        out.print(f"{placement}: {shown or 'no campaign'}")
    for placement, values in document["values"].items():
        words = ", ".join(f"{name} {value}" for name, value in list(values.items())[::-1][:8])
        out.print(f"{placement} shows the best by value: {words}{', …' if len(values) > 8 else ''}")
    for placement, shown in document["defaults"].items():
        out.print(f"{placement} shows {shown} by default")
    for experiment, arms in document["experiments"].items():
        out.print(f"{experiment}: " + ", ".join(f"{name} {share:.1%}" for name, share in arms.items()))
    for recommender in document["recommenders"]:
        limit = counted(recommender["limit"], "item")
        out.print(f"recommender {recommender['name']}: {limit} as {recommender['card']}")
    _certified(document["models"])


def _certified(models: list[dict[str, Any]]) -> None:
    for document in models:
        model = msgspec.convert(document, ModelCertificate)
        for line in (certificate_line(model), *origin_lines(model)):
            out.print(line, soft_wrap=True)


def replayed(findings: "Findings") -> None:
    """Print what a replay found."""
    own = findings.own
    if not own.decided:
        out.print("the log holds no decision of the given bundle")
    out.print(f"{counted(own.decided, 'decision')} again: {own.decided - own.different:,} identical")
    if own.others:
        count = sum(own.others.values())
        out.print(f"left out: {counted(count, 'decision')} of {counted(len(own.others), 'bundle')} not given")
    if own.unstocked:
        count = sum(own.unstocked.values())
        why = "not known: name the origin's data folder with --data"
        out.print(f"left out: {counted(count, 'decision')}, as what was out of stock is {why}")
    if own.different:
        out.print(f"{own.different:,} are DIFFERENT:")
        _differences(own)
    if findings.against is None:
        return
    other = findings.against
    share = other.different / other.decided if other.decided else 0.0
    out.print(f"with the other bundle {other.different:,} of {other.decided:,} pages change ({share:.1%})")
    if findings.unrecorded:
        names = ", ".join(findings.unrecorded)
        out.print(f"no forecast where it matters: the log does not hold {names}, which that bundle reads")
    _differences(other)


def report(found: "LakeReport", *, as_json: bool) -> None:
    """Print the counts of a lake."""
    if as_json:
        print(json.dumps(asdict(found), indent=2))
        return
    out.print(
        f"{counted(found.decisions, 'decision')}, {counted(found.visitors, 'known visitor')},"
        f" {counted(found.views, 'view')}, {counted(found.impressions, 'impression')},"
        f" {counted(found.clicks, 'click')}"
    )
    if found.left:
        pages = counted(found.left, "page")
        out.print(
            f"{pages} told how long: {found.dwell_s:g} s, {found.scroll:g} % of their height, in the mean"
        )
    _counts("campaign", found.campaigns)
    if found.variations:
        _counts("variation", found.variations)


def _counts(what: str, counted: "dict[str, CampaignCounts]") -> None:
    table = new_table(what, "shown", "impressions", "clicks", "clicks per impression")
    for name, counts in sorted(counted.items(), key=lambda pair: -pair[1].shown):
        rate = f"{counts.clicks / counts.impressions:.2%}" if counts.impressions else ""
        table.add_row(name, f"{counts.shown:,}", f"{counts.impressions:,}", f"{counts.clicks:,}", rate)
    out.print(table)


def _differences(found: "Replay") -> None:
    if found.by_placement:
        table = new_table("placement", "campaign before", "campaign after", "requests")
        for (placement, before, after), count in found.by_placement.most_common():
            table.add_row(placement, before or "(default)", after or "(default)", f"{count:,}")
        out.print(table)
    for difference in found.examples:
        _example(difference)


def _example(difference: "Difference") -> None:
    from origin.explain.inspection import slot_document  # noqa: PLC0415 - loads the runtime

    record = difference.record
    out.print(f"decision {record.id} (bundle {record.bundle[:12]}, revision {record.revision})")
    for name, slots in (("before", record.slots), ("after", difference.slots)):
        text = json.dumps([slot_document(slot) for slot in slots], ensure_ascii=False)
        out.print(f"  {name:<6} {text}", soft_wrap=True)


def new_table(*columns: str) -> Table:
    """A table with the words to the left and the numbers to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    words = {
        "model",
        "recipe",
        "campaign",
        "variation",
        "placement",
        "role",
        "artifact",
        "kind",
        "sha256",
        "author",
    }
    words |= {"reason", "bundle", "when (UTC)", "campaign before", "campaign after", "serves", "what", "pop"}
    words |= {"audience", "loses", "credential", "listens", "last heard (UTC)", "last events (UTC)"}
    for column in columns:
        is_text = column in words
        justify: Literal["left", "right"] = "left" if is_text else "right"
        table.add_column(column, justify=justify, no_wrap=not is_text, overflow="fold")
    return table
