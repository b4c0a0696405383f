"""The commands about what an origin holds: revisions, differences, rollouts, PoPs, keys."""

# Imports of what a command needs stand inside of it: `nearside --help` shall answer at once.
# A parameter is an option of the command line, which has more of them than a function should.
# ruff: noqa: PLC0415, PLR0913, PLR0917

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from origin.commands.options import Author, Json, Keys, Pop, Reason, Url, who

if TYPE_CHECKING:
    from origin.publishing.client import OriginClient
    from origin.publishing.rollout import Moved, Orderer

ALL = "*"

keys_app = typer.Typer(help="Secrets of a site.", no_args_is_help=True)
rollout_app = typer.Typer(help="What edges serve, now.", no_args_is_help=True)
pops_app = typer.Typer(help="PoPs of a site, and their credentials.", no_args_is_help=True)

EdgeKeys = Annotated[Path, typer.Argument(metavar="EDGE_JSON", help="edge.json, from `nearside keys new`.")]
PopName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the PoP.")]


@keys_app.command("new")
def keys_new(
    folder: Path,
    site: Annotated[str, typer.Option(help="Id of the site.")],
    per_pop: Annotated[
        bool, typer.Option("--per-pop", help="No ingest token for all: each PoP needs `nearside pops add`.")
    ] = False,
) -> None:
    """Make the three key files of a site: publisher.json, origin.json, edge.json."""
    from origin.keys import new_keys

    for path in new_keys(folder, site, shared_token=not per_pop):
        typer.echo(path)


@keys_app.command("rotate")
def keys_rotate(
    path: EdgeKeys,
    old: Annotated[bool, typer.Option("--drop-old", help="End a rotation: forget the old keys.")] = False,
    kind: Annotated[
        list[str] | None, typer.Option(help="cookie, event, front or signal; all when left out.")
    ] = None,
) -> None:
    """Give all edges a new cookie key and a new event key; what the old ones sealed still opens."""
    from origin.commands import history_shown
    from origin.publishing.rotation import KINDS, drop_old, rotate

    unknown = set(kind or ()) - set(KINDS)
    if unknown:
        raise typer.BadParameter(f"no kind of key {sorted(unknown)[0]!r}; there are {', '.join(KINDS)}")
    change = drop_old if old else rotate
    history_shown.rotated(path, change(path, tuple(kind or KINDS)), dropped=old)


@pops_app.command("list")
def pops_list(url: Url, keys: Keys, as_json: Json = False) -> None:
    """List PoPs: credential, whether they listen, when they were heard, what they should serve."""
    from origin.commands import history_shown

    with _client(url, keys) as client:
        history_shown.pops(client.pops(), as_json=as_json)


@pops_app.command("add")
def pops_add(
    name: PopName,
    url: Url,
    keys: Keys,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="File to write; NAME.pop.json")] = None,
    author: Author = "",
    reason: Reason = "",
    replace: Annotated[bool, typer.Option("--replace", help="Revoke the one that it has.")] = False,
) -> None:
    """Make a PoP a credential of its own, in a file that its machine keeps."""
    from origin.publishing.pop_file import add_pop

    with _client(url, keys) as client:
        body = {"name": name, "author": who(author), "reason": reason, "replace": replace}
        path = add_pop(client, body, out or Path(f"{name}.pop.json"))
    typer.echo(f"{path}: give it to that PoP's machine, and start nearside-edge with --credential {path}")


@pops_app.command("revoke")
def pops_revoke(name: PopName, url: Url, keys: Keys, author: Author = "", reason: Reason = "") -> None:
    """Revoke a PoP's credential: nothing is taken from it any more, from now on."""
    with _client(url, keys) as client:
        client.revoke_pop(name, {"author": who(author), "reason": reason})
    typer.echo(f"the origin takes nothing from PoP {name} any more; it still serves what it has")


@rollout_app.command("show")
def rollout_show(url: Url, keys: Keys) -> None:
    """Show what PoPs serve, killed campaigns, and the newest revisions."""
    from origin.commands import history_shown

    with _client(url, keys) as client:
        history_shown.rollout(client.rollout(), client.revisions())


@rollout_app.command("history")
def rollout_history(url: Url, keys: Keys, as_json: Json = False) -> None:
    """Show every rollout that was in force: what changed, who ordered it, when, why."""
    from origin.commands import history_shown

    with _client(url, keys) as client:
        history_shown.rollouts(client.rollouts(), as_json=as_json)


@rollout_app.command("to")
def rollout_to(
    revision: Annotated[int, typer.Argument(min=1)],
    url: Url,
    keys: Keys,
    pop: Pop = ALL,
    author: Author = "",
    reason: Reason = "",
) -> None:
    """Let all PoPs, or one, serve a revision: forward, or back."""
    from origin.publishing import rollout

    _say(rollout.to(_orderer(url, keys, author, reason), revision, pop), pop)


@rollout_app.command("back")
def rollout_back(url: Url, keys: Keys, pop: Pop = ALL, author: Author = "", reason: Reason = "") -> None:
    """Let all PoPs, or one, serve what they served before; once more goes further back."""
    from origin.publishing import rollout

    _say(rollout.back(_orderer(url, keys, author, reason), pop), pop)


@rollout_app.command("unpin")
def rollout_unpin(pop: PopName, url: Url, keys: Keys, author: Author = "", reason: Reason = "") -> None:
    """Let a PoP that a rollout names serve again what all others do."""
    from origin.publishing import rollout

    _say(rollout.unpin(_orderer(url, keys, author, reason), pop), pop)


@rollout_app.command("kill")
def rollout_kill(
    campaigns: Annotated[list[str], typer.Argument(help="Campaign ids.")],
    url: Url,
    keys: Keys,
    author: Author = "",
    reason: Reason = "",
    undo: Annotated[bool, typer.Option("--undo", help="Switch them on again.")] = False,
) -> None:
    """Switch campaigns off at all PoPs, now."""
    from origin.publishing import rollout

    change = rollout.revive if undo else rollout.kill
    serial = change(_orderer(url, keys, author, reason), campaigns)
    typer.echo(f"rollout {serial}: {', '.join(campaigns)} {'on again' if undo else 'killed'}")
    _doubt(url, keys, campaigns)


def revisions(
    url: Url,
    keys: Keys,
    number: Annotated[int, typer.Argument(help="One revision, with its manifests.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """List revisions: who, when, why, for which PoPs, how large; or show one with its manifests."""
    from origin.commands import history_shown

    with _client(url, keys) as client:
        if number:
            history_shown.revision(client.revision(number), as_json=as_json)
        else:
            history_shown.revisions(client.revisions(), as_json=as_json)


def diff(
    a: Annotated[str, typer.Argument(help="Bundle folder, or a revision's number.")],
    b: Annotated[str, typer.Argument(help="Bundle folder, or a revision's number.")],
    log: Annotated[
        Path | None, typer.Option(help="An origin's data folder, or spool segments: whose page would change?")
    ] = None,
    url: Annotated[str, typer.Option("--origin", help="URL of the origin.", envvar="NEARSIDE_ORIGIN")] = "",
    keys: Annotated[Path | None, typer.Option(help="publisher.json.", envvar="NEARSIDE_KEYS")] = None,
    as_json: Json = False,
) -> None:
    """Say in plain words what changes from one bundle, or revision, to another."""
    import tempfile

    from origin.commands import history_shown
    from origin.publishing.comparison import Sources, compare

    with tempfile.TemporaryDirectory() as folder:
        found, findings = compare(a, b, Sources(Path(folder), url, keys), log)
    history_shown.diff(found, findings, as_json=as_json)


def _client(url: str, keys: Path) -> "OriginClient":
    from origin.keys import load_publisher
    from origin.publishing.client import OriginClient

    return OriginClient(url, load_publisher(keys))


def _doubt(url: str, keys: Path, campaigns: list[str]) -> None:
    """Warn of names that no bundle in force knows; only now, as what is urgent has been done."""
    from edge.errors import NearsideError
    from origin.publishing.in_force import unknown_campaigns

    try:
        with _client(url, keys) as client:
            unknown = unknown_campaigns(client, campaigns)
    except NearsideError as error:
        typer.echo(f"warning: whether these campaigns are there could not be looked up: {error}", err=True)
        return
    for name, hint in unknown.items():
        typer.echo(f"warning: no bundle in force has a campaign {name!r}; {hint}", err=True)


def _orderer(url: str, keys: Path, author: str, reason: str) -> "Orderer":
    from origin.keys import load_publisher
    from origin.publishing.rollout import Orderer

    return Orderer(url, load_publisher(keys), who(author), reason)


def _say(moved: "Moved", pop: str) -> None:
    name = "all PoPs serve" if pop == ALL else f"PoP {pop} serves"
    was = f" (was {moved.before})" if moved.before not in {0, moved.after} else ""
    typer.echo(f"rollout {moved.serial}: {name} revision {moved.after}{was}")
