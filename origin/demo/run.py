"""The command `nearside demo`: the whole loop on one machine, to look at or to check once."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

import httpx

from compiler.problems import WorkspaceError
from edge.errors import NearsideError
from origin.demo import movielens, to_try
from origin.demo.once import FIRST
from origin.demo.once import run as run_once
from origin.demo.processes import DemoError, Ports, Processes
from origin.demo.stage import Folder, Stage
from origin.demo.told import Told

FOLDER: Final = Path(".demo")
WATCH_S: Final = 0.5
INTERRUPTED: Final = 130


def main(once: bool, data: Path | None = None, folder: Path = FOLDER) -> int:
    """Run the demo; the exit status, 0 when all of it worked.

    Parameters
    ----------
    once
        Drive visitors through the loop, check what must hold, and end.
        Else serve until Ctrl-C.
    data
        A folder that holds ``ml-100k``; else the one that NEARSIDE_DATA names, if it
        holds it; else films are generated.
    """
    told = Told()
    try:
        with _signals_as_interrupts():
            return _play(told, once, _data(data), folder)
    except (DemoError, NearsideError, WorkspaceError, OSError) as error:
        told.error(str(error))
        return 1
    except KeyboardInterrupt:
        told.say("Stopped.")
        return INTERRUPTED if once else 0


def _play(told: Told, to_the_end: bool, data: Path | None, folder: Path) -> int:
    begin = time.perf_counter()
    held = Folder(folder)
    try:
        with Processes(folder / "logs") as processes, _blame(processes):
            stage = Stage(folder, processes, Ports(any_will_do=to_the_end))
            _set_up(stage, told, data)
            if not to_the_end:
                _serve(stage, told, time.perf_counter() - begin)
            holds = run_once(stage, told)
    finally:
        held.close()
    took = f"{time.perf_counter() - begin:.0f} s"
    told.heading(f"All of it holds, in {took}." if holds else f"Not all of it holds; see above ({took}).")
    return 0 if holds else 1


def _set_up(stage: Stage, told: Told, data: Path | None) -> None:
    with told.step("Lay down a workspace") as step:
        laid = stage.lay_down(data)
        step.done(f"{laid.source}; {len(laid.films):,} films, {laid.interactions:,} views")
    stage.start()
    with told.step("Train") as step:
        step.done(", ".join(model.name for model in stage.train()))
    with told.step("Compile to a bundle") as step:
        report = stage.compile(FIRST)
        step.done(f"{report.total_bytes / 1000:,.0f} kB, {sum(report.golden.values())} golden decisions hold")
    with told.step("Sign and publish") as step:
        published = stage.publish(FIRST, "the demo's workspace")
        step.done(f"revision {published.number}")
    with told.step("Wait for the site and for each PoP") as step:
        stage.wait_ready(FIRST)
        step.done(", ".join(pop.name for pop in stage.pops))


def _serve(stage: Stage, told: Told, took_s: float) -> None:
    """Tell what there is to see and to try, and serve until Ctrl-C or until a process ends."""
    told.heading(f"It runs, after {took_s:.0f} s. Open:")
    for pop in stage.pops:
        told.detail(f"{pop.url}/   as from {pop.plan.place}, by PoP {pop.name}")
    told.detail(f"{stage.site}/   the site itself, without Nearside")
    told.detail(f"{stage.pops[0].admin}/status   what a PoP says of itself; also /metrics")
    told.detail(
        'On the site, say "Yes, remember", look at two films, and go back to its front page.\n'
        "Then open it at the other PoP: what you looked at goes with you, in a cookie sealed for the PoPs."
    )
    told.heading(f"Try, in another terminal, in {Path.cwd()}:")
    for thing in to_try.all_of(stage):
        told.command(thing.command, thing.purpose, thing.shows)
    told.heading("Ctrl-C stops it.")
    while True:
        stage.processes.check()
        time.sleep(WATCH_S)


def _data(given: Path | None) -> Path | None:
    """The folder of real data: the given one must hold MovieLens, that of the variable may.

    Raises
    ------
    DemoError
        The given folder does not.
    """
    if given is not None:
        if movielens.locate(given) is None:
            raise DemoError(
                f"{given} holds no MovieLens 100K: neither u.item, u.data nor {movielens.FOLDER}/"
            )
        return given
    named = os.environ.get("NEARSIDE_DATA")
    return Path(named) if named else None


@contextmanager
def _blame(processes: Processes) -> Iterator[None]:
    """Where a process died, that is what failed, and not who missed it."""
    try:
        yield
    except (NearsideError, httpx.HTTPError) as error:
        processes.check()
        raise DemoError(str(error)) from error


@contextmanager
def _signals_as_interrupts() -> Iterator[None]:
    """SIGTERM and a closed terminal end the demo as Ctrl-C does; once it stops, it stops in peace."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
