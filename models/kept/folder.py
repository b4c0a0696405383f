"""Says in which folder training may keep what is costly to make again: a half-trained network, embeddings."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

# What is kept changes how long training takes and never its result, so it is no argument of a recipe.
_FOLDER: ContextVar[Path | None] = ContextVar("kept", default=None)


@contextmanager
def keeping(folder: Path) -> Iterator[None]:
    """While it lasts, training keeps its work in this folder, which is made when it is needed."""
    token = _FOLDER.set(folder)
    try:
        yield
    finally:
        _FOLDER.reset(token)


def place(name: str) -> Path | None:
    """Where to keep a file of this name; None where nothing is to be kept."""
    folder = _FOLDER.get()
    if folder is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def forget(name: str) -> None:
    """Remove a file of this name, where there is one."""
    folder = _FOLDER.get()
    if folder is not None:
        (folder / name).unlink(missing_ok=True)
