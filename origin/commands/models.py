"""The commands of `nearside` about models of a workspace: train them, look closely at them."""

# Imports of what a command needs stand inside of it: `nearside --help` shall answer at once.
# ruff: noqa: PLC0415, PLR0913, PLR0917

from pathlib import Path
from typing import Annotated

import typer

from origin.commands.options import Json, Splitting

Workspace = Annotated[Path, typer.Argument(metavar="WORKSPACE", help="Workspace folder.")]


def train(
    workspace: Workspace,
    models: Annotated[list[str] | None, typer.Argument(help="Models; all when none is named.")] = None,
    split: Annotated[
        Splitting, typer.Option(help="Measure first: random (each user's rows), time (the newest), or none.")
    ] = Splitting.random,
) -> None:
    """Train the models of a workspace, with an evaluation table."""
    from origin.commands import shown
    from origin.training.predictions import train_predictions
    from origin.training.recommenders import measure_baseline, train_workspace
    from origin.training.validation import read_checked

    with shown.problems():
        found = read_checked(workspace)
    with shown.problems(), shown.Training() as progress:
        trained = list(train_workspace(found, models or [], progress.step, split=split.value))
        measure = split != Splitting.none
        predictions = list(train_predictions(found, models or [], progress.step, measure=measure))
        baseline = measure_baseline(found, models or [], split.value)
    if trained:
        shown.trained(trained, baseline)
    if predictions:
        shown.predicted(predictions)


def compress(
    workspace: Workspace,
    model: Annotated[str, typer.Argument(help="A model of it.")],
    lose: Annotated[
        str, typer.Option(help="How much may be lost: of nDCG@10, or of a prediction's metric.")
    ] = "0.5%",
    split: Annotated[Splitting, typer.Option(help="How validation is set apart: random or time.")] = (
        Splitting.random
    ),
    picture: Annotated[Path | None, typer.Option(help="Draw the frontier into this file (SVG).")] = None,
    as_json: Json = False,
) -> None:
    """Search the smallest form of a model within an allowed loss, and show what each costs."""
    from compiler.models.smallest import read_lose
    from models.predict.quality import metric_of
    from origin.commands import frontier_shown, shown
    from origin.training.compress import METRIC
    from origin.training.compress_predictions import prediction_of
    from origin.training.predictions import find_smallest_prediction
    from origin.training.recommenders import Split, find_smallest
    from origin.training.validation import read_checked

    allowed = read_lose(lose)
    if allowed is None:
        raise typer.BadParameter(f"--lose {lose!r} is no percentage from 0% to 50%, such as 0.5%")
    if split is Splitting.none:
        raise typer.BadParameter("--split none leaves nothing to measure with; use random or time")
    with shown.problems():
        found = read_checked(workspace)
    prediction = prediction_of(found, model)
    with shown.problems(), shown.Training() as progress:
        if prediction is not None:
            frontier = find_smallest_prediction(found, prediction, allowed, progress.step)
        else:
            chosen: Split = "time" if split is Splitting.time else "random"
            frontier = find_smallest(found, model, allowed, progress.step, split=chosen)
    metric = METRIC if prediction is None else metric_of(prediction.recipe, prediction.settings)
    if picture is not None:
        frontier_shown.write_picture(frontier, model, metric, picture)
    frontier_shown.frontier(frontier, model, metric, as_json=as_json)


def objectives(
    workspace: Workspace,
    models: Annotated[list[str], typer.Argument(help="Predictions of it, two or more, from one file.")],
    share: Annotated[
        float, typer.Option(min=0.001, max=1, help="The share of rows, or of a group, that is chosen.")
    ] = 0.2,
    less: Annotated[
        list[str] | None, typer.Option(help="One of which less is better, such as returns.")
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw the first two into this file (SVG).")] = None,
    as_json: Json = False,
) -> None:
    """Weigh predictions against each other: what each mix of weights would have brought."""
    from models.predict.frontier import as_svg
    from origin.commands import objectives_shown, shown
    from origin.training.objectives import weigh
    from origin.training.validation import read_checked

    if len(set(models)) < 2 or len(set(models)) < len(models) or not set(less or ()) <= set(models):
        raise typer.BadParameter("name two or more different models, and among them what --less names")
    with shown.problems():
        found = read_checked(workspace)
    with shown.problems(), shown.Training() as progress:
        weighed = weigh(found, models, share, less or (), progress.step)
    if picture is not None:
        picture.write_text(as_svg(weighed.points, *models[:2]), encoding="utf-8")
    objectives_shown.objectives(weighed, as_json=as_json)


def features(
    workspace: Workspace,
    log: Annotated[Path, typer.Option(help="An origin's data folder.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Parquet file to write.")],
    label: Annotated[str, typer.Option(help="Kind of event that is the label, such as purchase.")] = "",
    within: Annotated[float, typer.Option(min=0.001, help="Hours in which it must follow.")] = 24.0,
    views: Annotated[bool, typer.Option(help="A row for each view of an item, for recommenders.")] = False,
) -> None:
    """Write logged decisions, or views, as a table to train models of features on."""
    from origin.commands import shown
    from origin.explain.counted import counted
    from origin.lake.feature_log import Outcome, training_table, write_table
    from origin.lake.view_log import view_table
    from origin.training.validation import read_checked

    with shown.problems():
        found = read_checked(workspace)
    if views and label:
        raise typer.BadParameter("views have no label: leave out --views or --label")
    outcome = Outcome(label, round(within * 3600)) if label else None
    table = view_table(found, log) if views else training_table(found, log, outcome)
    write_table(table, out)
    typer.echo(f"{out}: {counted(table.num_rows, 'row')}, {', '.join(table.column_names)}")


def views(
    log: Annotated[Path, typer.Argument(metavar="DATA", help="An origin's data folder.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="CSV file to write.")],
    site: Annotated[str, typer.Option(help="The site, where the origin has several.")] = "",
) -> None:
    """Write logged views as interactions to train on, and how much each place of a list hides."""
    import csv

    from origin.commands import shown
    from origin.explain.counted import counted
    from origin.lake.places import PlacedView, placed_views, read_places
    from origin.lake.reader import only_site

    site = site or only_site(log)
    places = read_places(log, site)
    found = list(placed_views(log, site, places))
    with out.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([PlacedView._fields, *found])
    shown.places(places)
    from_lists = sum(view.noticed < 1 for view in found)
    typer.echo(f"{out}: {counted(len(found), 'view')}, {from_lists} of them from places that hide something")
