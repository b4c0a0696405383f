"""Options that several commands of `nearside` share."""

import getpass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]
Url = Annotated[str, typer.Option("--origin", help="URL of the origin.", envvar="NEARSIDE_ORIGIN")]
Keys = Annotated[
    Path, typer.Option("--keys", help="publisher.json, from `nearside keys new`.", envvar="NEARSIDE_KEYS")
]
Author = Annotated[str, typer.Option(help="Who orders this.", envvar="NEARSIDE_AUTHOR")]
Reason = Annotated[str, typer.Option(help="Why, for those who read the history.")]
Pop = Annotated[str, typer.Option(help="One PoP only; all when left out.")]


def who(author: str) -> str:
    """The author that was given, else the user of this process."""
    return author or getpass.getuser()


class Splitting(StrEnum):
    """How `nearside train` divides interactions to measure with; see `origin.training.recommenders.Split`."""

    random = "random"
    time = "time"
    none = "none"
