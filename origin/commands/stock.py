"""The commands about stock: what is out, now, at all PoPs."""

# Imports of what a command needs stand inside of it: `nearside --help` shall answer at once.
# A parameter is an option of the command line, which has more of them than a function should.
# ruff: noqa: PLC0415, PLR0913, PLR0917

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from origin.commands.options import Author, Json, Keys, Reason, Url, who

if TYPE_CHECKING:
    from origin.publishing.client import OriginClient
    from origin.publishing.stock import Told

stock_app = typer.Typer(help="What is out of stock, and listed nowhere.", no_args_is_help=True)


@stock_app.command("set")
def stock_set(
    item: Annotated[list[str], typer.Option("--item", help="An item's id; as often as needed.")],
    available: Annotated[str, typer.Option("--available", help="yes or no.")],
    url: Url,
    keys: Keys,
    author: Author = "",
    reason: Reason = "",
) -> None:
    """Take items out of all lists, or let them be listed again, in seconds and without a bundle."""
    from origin.publishing.stock import Told, is_available

    items = tuple(item)
    told = Told((), items) if is_available(available, "--available") else Told(items, ())
    _say(told, url, keys, (who(author), reason))


@stock_app.command("feed")
def stock_feed(
    table: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV or .jsonl: item, and available or stock (pieces).")
    ],
    url: Url,
    keys: Keys,
    replace: Annotated[
        bool, typer.Option("--replace", help="The table is the whole truth: what it lacks is to be had.")
    ] = False,
    author: Author = "",
    reason: Reason = "",
) -> None:
    """Take over what a table says of items: of those that it names, or of all with --replace."""
    from origin.publishing.stock import read_table

    _say(read_table(table), url, keys, (who(author), reason), replace=replace)


@stock_app.command("show")
def stock_show(url: Url, keys: Keys, as_json: Json = False) -> None:
    """Show what is out of stock, and the last changes: how much, who, when, why."""
    from origin.commands import history_shown

    with _client(url, keys) as client:
        history_shown.stock(client.stock(), client.stock_changes(), as_json=as_json)


def _say(told: "Told", url: str, keys: Path, by: tuple[str, str], *, replace: bool = False) -> None:
    said = {"out": told.out, "back": told.back, "replace": replace}
    author, reason = by
    with _client(url, keys) as client:
        done = client.post_stock({**said, "author": author, "reason": reason})
        changed = f"{done.changed:,} changed" if done.changed else "nothing changed"
        typer.echo(f"stock {done.serial}: {changed}, {done.out:,} out")
        _doubt(client, told.out)


def _doubt(client: "OriginClient", items: Sequence[str]) -> None:
    """Warn of ids that no catalog in force knows; only now, as what is urgent has been done."""
    from edge.errors import NearsideError
    from origin.publishing.in_force import MAX_HINTED, unknown_items

    try:
        unknown = unknown_items(client, items)
    except NearsideError as error:
        typer.echo(f"warning: whether these items are there could not be looked up: {error}", err=True)
        return
    for name, hint in unknown.items():
        if hint:
            typer.echo(f"warning: no catalog in force has an item {name!r}; {hint}", err=True)
    if len(unknown) > MAX_HINTED:
        typer.echo(f"warning: nor {len(unknown) - MAX_HINTED:,} more of them", err=True)


def _client(url: str, keys: Path) -> "OriginClient":
    from origin.keys import load_publisher
    from origin.publishing.client import OriginClient

    return OriginClient(url, load_publisher(keys))
