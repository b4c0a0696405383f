"""The commands of `nearside`: what they take, and which part of the system does it."""

# Imports of what a command needs stand inside of it: `nearside --help` shall answer at once.
# A parameter is an option of the command line, which has more of them than a function should.
# ruff: noqa: PLC0415, PLR0913, PLR0917

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from origin.commands.models import compress, features, objectives, train, views
from origin.commands.options import Author, Json, Keys, Reason, Url, who
from origin.commands.origin import diff, keys_app, pops_app, revisions, rollout_app
from origin.commands.stock import stock_app
from origin.explain.counted import counted

if TYPE_CHECKING:
    from compiler.report import Report

app = typer.Typer(
    name="nearside",
    help="Personalize web pages at the near side of the network.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(keys_app, name="keys")
app.add_typer(rollout_app, name="rollout")
app.add_typer(pops_app, name="pops")
app.add_typer(stock_app, name="stock")
import_app = typer.Typer(help="Rules of other systems.", no_args_is_help=True)
app.add_typer(import_app, name="import")

Workspace = Annotated[Path, typer.Argument(metavar="WORKSPACE", help="Workspace folder.")]
Bundle = Annotated[Path, typer.Argument(metavar="BUNDLE", help="Bundle folder.")]


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"nearside {version('nearside')}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make.")],
    template: Annotated[str, typer.Option(help="What kind of site: films, shop or news.")] = "films",
) -> None:
    """Write a commented workspace that compiles as it is."""
    from compiler.init import init_workspace, next_commands
    from origin.commands import shown
    from origin.training.validation import workspace_schemas

    with shown.problems():
        init_workspace(folder, template, workspace_schemas())
    typer.echo(f"{folder} is a workspace ({template}); read its site.yaml first. What to type next:")
    for command in next_commands(folder):
        typer.echo(f"  {command}")


@app.command()
def schema(
    name: Annotated[
        str, typer.Argument(help="site, rules, model, recommender or features; all when left out.")
    ] = "",
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Folder to write them to.")] = None,
) -> None:
    """Print the JSON Schema of a workspace's files, by which editors complete them."""
    from compiler.init import schema_text, write_schemas
    from origin.training.validation import workspace_schemas

    known = workspace_schemas()
    if name and name not in known:
        raise typer.BadParameter(f"no schema {name!r}; there are {', '.join(known)}")
    chosen = {name: known[name]} if name else known
    if out is None:
        typer.echo(schema_text(chosen[name] if name else chosen), nl=False)
        return
    for path in write_schemas(out, chosen):
        typer.echo(path)


@app.command()
def validate(
    workspace: Workspace,
    as_json: Json = False,
    today: Annotated[
        datetime | None, typer.Option(help="Tell what is over by then (UTC); now when left out.")
    ] = None,
) -> None:
    """Check a workspace: every problem at once, with file, line and remedy; nothing needs training."""
    from origin.commands import shown
    from origin.training.validation import doubts, now_ms, read_checked, validation_document

    today_ms = int(today.replace(tzinfo=UTC).timestamp() * 1000) if today else now_ms()
    if as_json:
        document = validation_document(workspace, today_ms)
        shown.json_document(document)
        raise typer.Exit(1 if document["errors"] else 0)
    with shown.problems():
        found = read_checked(workspace)
        shown.warnings(doubts(found, today_ms))
    campaigns = counted(len(found.campaigns), "campaign")
    typer.echo(f"{workspace} is fine: {campaigns}, {counted(len(found.catalog.items), 'item')}")


for _command in (train, compress, objectives, features, views):
    app.command()(_command)


@app.command()
def force(
    experiment: Annotated[str, typer.Argument(help="An experiment's id.")],
    variation: Annotated[str, typer.Argument(help="The key of one of its variations.")],
    keys: Annotated[Path, typer.Option(help="The edge's keys file.")],
    days: Annotated[int, typer.Option(min=1, max=365, help="For how long it shall hold.")] = 7,
) -> None:
    """Print a URL parameter by which a tester sees one variation."""
    import time

    from edge.events.forced import PARAMETER, Forced, ForcedBox
    from edge.keys import load_keys

    held = load_keys(keys)
    box = ForcedBox(held.site, [(key.id, key.raw()) for key in held.event])
    expires_s = int(time.time()) + days * 86_400
    typer.echo(f"{PARAMETER}={box.sign(Forced(experiment, variation, expires_s))}")


@import_app.command("growthbook")
def import_growthbook(
    file: Annotated[Path, typer.Argument(help="JSON of GrowthBook's SDK endpoint.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Workspace folder to write into.")],
    site: Annotated[str, typer.Option(help="Id of the site, where the folder has no site.yaml.")] = "site",
    identifier: Annotated[str, typer.Option("--id", help="The hash attribute that is the visitor.")] = "id",
) -> None:
    """Turn GrowthBook's features and experiments into rules and contents."""
    from origin.imports.workspace import SITE_FILE, imported_lines
    from origin.imports.workspace import import_growthbook as read

    own_site = (out / SITE_FILE).exists()
    found = read(file, out, site, identifier)
    for line in imported_lines(found, out, own_site=own_site):
        typer.echo(line)


@app.command("compile")
def compile_(
    workspace: Workspace, out: Annotated[Path, typer.Option("-o", "--out", help="Bundle folder to write.")]
) -> None:
    """Compile a workspace into a bundle, and say what is in it."""
    typer.echo(_compile(workspace, out).text(), nl=False)


@app.command()
def inspect(bundle: Bundle, as_json: Json = False) -> None:
    """Show what is in a bundle."""
    from origin.commands import shown
    from origin.explain.inspection import inspect_bundle

    shown.bundle(inspect_bundle(bundle), as_json=as_json)


@app.command()
def facts(
    table: Annotated[
        Path, typer.Argument(metavar="FILE.csv", help="A column visitor, and one for each fact.")
    ],
    out: Annotated[
        str, typer.Option("-o", "--out", metavar="FILE|URL", help="The file to write, or redis://HOST.")
    ],
    keys: Annotated[Path, typer.Option("--keys", help="edge.json, from `nearside keys new`.")] = Path(
        "edge.json"
    ),
    keep_days: Annotated[
        int, typer.Option("--keep-days", min=1, help="For how long a Redis holds what is not told again.")
    ] = 30,
) -> None:
    """Tell edges facts about visitors: by a file (`nearside-edge --facts`), or in the Redis of a PoP."""
    from edge.visitor.facts import is_remote
    from origin.imports import facts_csv, facts_redis

    if is_remote(out):
        visitors, most = facts_redis.load(table, keys, out, keep_days)
    else:
        visitors, most = facts_csv.make(table, keys, Path(out))
    where = out.rpartition("@")[2]  # no password
    typer.echo(f"{where}: {counted(visitors, 'visitor')}, {counted(most, 'fact')} of one at most")


@app.command()
def marks(
    page: Annotated[Path, typer.Argument(metavar="PAGE", help="HTML file; /dev/stdin for a pipe.")],
    content_type: Annotated[str, typer.Option("--type", help="What Content-Type the site says.")] = "",
) -> None:
    """Say what an edge finds marked in a page of the site; exit code 1 when a mark can't be used."""
    from origin.commands import marks_shown

    lines, usable = marks_shown.marks(page.read_bytes(), content_type)
    for line in lines:
        typer.echo(line)
    if not usable:
        raise typer.Exit(1)


@app.command()
def decide(
    bundle: Bundle,
    context: Annotated[Path, typer.Option(help="JSON file: attributes, history, tier, placements.")],
    kill: Annotated[list[str] | None, typer.Option(help="A campaign that is switched off.")] = None,
    sold_out: Annotated[
        list[str] | None, typer.Option("--sold-out", help="An item that is out of stock.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say in words why.")] = False,
) -> None:
    """Make one decision, and show it as JSON."""
    from origin.explain.inspection import decide_file

    typer.echo(decide_file(bundle, context, tuple(kill or ()), tuple(sold_out or ()), explained=explain))


@app.command()
def replay(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Bundle folder, or a folder of bundles.")],
    log: Annotated[Path, typer.Argument(metavar="LOG", help="An origin's data folder, or spool segments.")],
    against: Annotated[Path | None, typer.Option(help="Another bundle: whose page would change?")] = None,
    examples: Annotated[int, typer.Option(help="How many differences to show.", min=0)] = 5,
    data: Annotated[
        Path | None, typer.Option(help="An origin's data folder, which knows stock, where LOG is none.")
    ] = None,
) -> None:
    """Decide again what a log says was decided; exit code 1 when a decision differs.

    With --against, say for how many requests another bundle would make another page.
    """
    from origin.commands import shown
    from origin.lake.replay import replay_files

    result = replay_files(bundle, log, against, examples, data)
    shown.replayed(result)
    if result.failed:
        raise typer.Exit(1)


@app.command()
def origin(
    keys: Annotated[list[Path] | None, typer.Option(help="origin.json; one for each site.")] = None,
    data: Annotated[Path | None, typer.Option(help="Data folder.")] = None,
    listen: Annotated[str | None, typer.Option(help="Address to serve, HOST:PORT.")] = None,
) -> None:
    """Run the origin service. Options left out are read from NEARSIDE_ORIGIN_*."""
    from origin.server.serve import run
    from origin.server.settings import read_settings

    files = ",".join(map(str, keys)) if keys else None
    run(read_settings({"keys": files, "data": data, "listen": listen}))


@app.command()
def publish(
    source: Annotated[Path, typer.Argument(metavar="WORKSPACE", help="Workspace, or bundle folder.")],
    url: Url,
    keys: Keys,
    author: Author = "",
    reason: Reason = "",
    activate: Annotated[bool, typer.Option(help="Roll it out to all PoPs, at once.")] = True,
    show: Annotated[bool, typer.Option("--diff/--no-diff", help="Say what changes, first.")] = True,
) -> None:
    """Publish a bundle, or compile a workspace and publish that."""
    import tempfile

    from origin.commands import history_shown, shown
    from origin.keys import load_publisher
    from origin.lake.replay import MANIFEST
    from origin.publishing.client import OriginClient
    from origin.publishing.comparison import compare_with_active
    from origin.publishing.publish import publish as publish_bundle

    held = load_publisher(keys)
    with OriginClient(url, held) as client:
        client.check()  # what compiles for minutes and lists changes shall not end in a wrong token
    with tempfile.TemporaryDirectory() as folder:
        bundle = source
        if not (source / MANIFEST).is_file():
            bundle = Path(folder) / "bundle"
            shown.warnings(_compile(source, bundle).warnings)
        if show:
            history_shown.short_diff(compare_with_active(bundle, held, url, Path(folder)))
        done = publish_bundle(bundle, url, held, who(author), reason, activate=activate)
    sent = f"{done.uploaded_bytes:,} bytes sent, {done.skipped_bytes:,} were there"
    state = f"rollout {done.serial}" if activate else "not rolled out"
    typer.echo(f"revision {done.number} ({state}; {sent})")


app.command()(revisions)
app.command()(diff)


@app.command()
def report(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="An origin's data folder.")],
    site: Annotated[str, typer.Option(help="Id of the site, where there are several.")] = "",
    as_json: Json = False,
) -> None:
    """Count decisions, impressions and clicks by campaign."""
    from origin.commands import shown
    from origin.lake.reader import only_site
    from origin.lake.report import report as count

    shown.report(count(data, site or only_site(data)), as_json=as_json)


@app.command()
def challengers(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="An origin's data folder.")],
    site: Annotated[str, typer.Option(help="Id of the site, where there are several.")] = "",
    as_json: Json = False,
) -> None:
    """Compare challengers with what was shown: what they agree on, and what clicks say."""
    from origin.commands import shown
    from origin.lake.challengers import duel_lines, duels
    from origin.lake.reader import only_site

    found = duels(data, site or only_site(data))
    if as_json:
        shown.json_document([duel.document() for duel in found])
        return
    for line in duel_lines(found):
        typer.echo(line)


@app.command()
def audience(
    source: Annotated[Path, typer.Argument(help="Workspace or bundle folder.")],
    log: Annotated[Path | None, typer.Option(help="An origin's data folder, or spool segments.")] = None,
    contexts: Annotated[
        Path | None, typer.Option(help="Contexts: a folder of *.json, a list in one, or lines in a .jsonl.")
    ] = None,
    bundles: Annotated[
        Path | None, typer.Option(help="The log's bundles: then what nobody had counts as known.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Count, of a sample of requests, how many each audience would have and each campaign would get."""
    from origin.audience.sample import Log, Stated
    from origin.audience.size import measure
    from origin.commands import audience_shown, shown
    from origin.training.preview import open_rules

    if (log is None) == (contexts is None):
        raise typer.BadParameter("name either --log or --contexts")
    with shown.problems():
        view = open_rules(source)
    sample = Log(log, view, bundles) if log else Stated(contexts or Path(), view)
    audience_shown.sizes(measure(view, sample.requests()), log=log is not None, as_json=as_json)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Run the loop to its end, and exit.")] = False,
    data: Annotated[Path | None, typer.Option(help="Folder of MovieLens 100K.")] = None,
) -> None:
    """Run the whole loop on this machine: train, compile, publish, serve, visit."""
    from origin.demo.run import main

    raise typer.Exit(main(once, data))


def _compile(workspace: Path, out: Path) -> "Report":
    from compiler.build import compile_workspace
    from origin.commands import shown
    from origin.training.predictions import load_predictions
    from origin.training.recommenders import load_trained
    from origin.training.validation import read_checked

    with shown.problems():
        found = read_checked(workspace)
        return compile_workspace(found, load_trained(found), out, load_predictions(found))
