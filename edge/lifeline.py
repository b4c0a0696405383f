"""What a child inherits from the supervisor: descriptors, its number, and when to go."""

import argparse
import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Inherited:
    """The child's part of its command line.

    `fd` is the listening socket, or -1 for none. `alive_fd` is the read end of
    a pipe whose write end only the supervisor holds, or -1 when nobody
    supervises.
    """

    fd: int = -1
    index: int = 0
    alive_fd: int = -1


def read_inherited(arguments: Sequence[str]) -> tuple[Inherited, list[str]]:
    """The inherited things, and the other arguments, which are settings."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--fd", type=int, default=-1)
    parser.add_argument("--index", type=int, default=0)
    parser.add_argument("--alive-fd", type=int, default=-1)
    known, rest = parser.parse_known_args(arguments)
    return Inherited(known.fd, known.index, known.alive_fd), rest


def watch(alive_fd: int, on_gone: Callable[[], None]) -> None:
    """Call `on_gone` once, from the running event loop, when the supervisor is gone.

    Nothing is watched when `alive_fd` is negative.
    """
    if alive_fd < 0:
        return
    loop = asyncio.get_running_loop()
    os.set_blocking(alive_fd, False)

    def readable() -> None:
        # Nobody writes to the pipe: readable means that its write end was closed.
        loop.remove_reader(alive_fd)
        on_gone()

    loop.add_reader(alive_fd, readable)
