"""What the demo tells the person in front of it: on a terminal, and readable when piped."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from origin.demo.compared import Difference, Move

PIPED_COLUMNS: Final = 120


@dataclass
class Step:
    """A step that runs; `done` may say more than that it is done."""

    result: str = ""

    def done(self, result: str) -> None:
        """What came of it."""
        self.result = result


class Told:
    """Writes to one stream; a spinner only where there is a terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        stream = stream or sys.stdout
        width = None if stream.isatty() else PIPED_COLUMNS
        self._console = Console(file=stream, highlight=False, width=width)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """A step of the demo: a spinner while it runs, a line with its time when it is done."""
        begin = time.perf_counter()
        step = Step()
        with self._console.status(escape(title)):
            yield step
        detail = f": {escape(step.result)}" if step.result else ""
        self.say(f"[green]✓[/] {escape(title)}{detail} [dim]({time.perf_counter() - begin:.1f} s)[/]")

    def heading(self, text: str) -> None:
        """A line that stands out."""
        self.say(f"\n[bold]{escape(text)}[/]")

    def detail(self, text: str) -> None:
        """Lines below another, as they are."""
        for line in text.splitlines():
            self.say(f"  {escape(line)}")

    def command(self, command: str, purpose: str, shows: str = "") -> None:
        """Something to try, which works as it stands, and what is to be seen then."""
        self.say(f"  [dim]# {escape(purpose)}[/]")
        self.say(f"  $ [cyan]{escape(command)}[/]")
        if shows:
            self.say(f"    [dim]→ … {escape(shows)} …[/]")

    def check(self, claim: str, holds: bool) -> None:
        """A claim, and whether it holds."""
        mark = "[green]✓[/]" if holds else "[bold red]✗ DOES NOT HOLD:[/]"
        self.say(f"{mark} {escape(claim)}")

    def differences(self, who: str, found: Sequence[Difference]) -> None:
        """A table of what a visitor sees otherwise."""
        self.heading(f"What differs for {who}")
        if not found:
            self.say("  nothing")
            return
        table = Table(show_edge=False, pad_edge=False, show_lines=True)
        for name, ratio in (("placement", 2), ("the site's own", 4), ("this visitor's", 4), ("why", 6)):
            table.add_column(name, ratio=ratio, overflow="fold")
        for item in found:
            why = f"[bold]{escape(item.campaign)}[/]: {escape(item.reason)}"
            table.add_row(item.placement, escape(item.before), escape(item.after), why)
        self._console.print(table)

    def moves(self, found: Sequence[Move], looked: Mapping[str, int], visitors: int) -> None:
        """A table of what moved in a list, and how many looked at it."""
        self.heading("What moved in “Recommended”, for the same visitor with the same history")
        table = Table(show_edge=False, pad_edge=False)
        for name in ("revision 1", "revision 2", "film", "why"):
            table.add_column(name, overflow="fold")
        for move in found:
            count = looked.get(move.item, 0)
            why = f"{count} of {visitors} new visitors looked at it" if count else ""
            before, after = (str(place) if place else "–" for place in (move.before, move.after))
            title = escape(move.title) if move.after else f"[dim]{escape(move.title)}[/]"
            table.add_row(before, after, title, why or ("" if move.after else "others came before it"))
        self._console.print(table)

    def error(self, message: str) -> None:
        """What failed."""
        self.say(f"[bold red]✗ The demo failed.[/] {escape(message)}")

    def say(self, markup: str) -> None:
        """One line, never broken: addresses and commands are copied from it."""
        self._console.print(markup, soft_wrap=True)
