"""Which bundle an edge serves: one small file that the agent replaces and workers read."""

import os
from pathlib import Path

import msgspec

from edge.errors import BundleError


class Active(msgspec.Struct, frozen=True):
    """The bundle in force.

    `serial` is that of the rollout whose kill list is in force; its revision
    may still be on the way, or refused.
    """

    revision: int
    bundle: str
    serial: int
    kill: tuple[str, ...] = ()


def active_path(state_dir: Path) -> Path:
    """Where a state folder says what is active."""
    return state_dir / "active.json"


def bundles_folder(state_dir: Path) -> Path:
    """Where a state folder keeps its bundles."""
    return state_dir / "bundles"


def bundle_folder(state_dir: Path, bundle: str) -> Path:
    """Where a state folder keeps one bundle."""
    return bundles_folder(state_dir) / bundle


def spool_root(state_dir: Path) -> Path:
    """Where a state folder keeps the workers' spools."""
    return state_dir / "spool"


def control_path(state_dir: Path) -> Path:
    """The socket where workers find the agent."""
    return state_dir / "agent.sock"


def read_active(state_dir: Path) -> Active | None:
    """What is active; None before the first activation.

    Raises
    ------
    BundleError
        ``active``: the file is damaged; what a worker serves already stays.
    """
    path = active_path(state_dir)
    try:
        active = msgspec.json.decode(path.read_bytes(), type=Active)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BundleError("active", f"{path}: {error}") from error
    if len(active.bundle) != 32 or not set(active.bundle) <= set("0123456789abcdef"):
        raise BundleError("active", f"{path}: {active.bundle[:64]!r} is no bundle id")
    return active


def write_active(state_dir: Path, active: Active) -> None:
    """Replace the file in one step: a reader sees the old or the new one, whole."""
    replace_file(active_path(state_dir), msgspec.json.encode(active))


def replace_file(path: Path, data: bytes) -> None:
    """Write a file beside, bring it to the disk, and move it into place."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
