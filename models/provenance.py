"""Hashes the sources that made a model, so that a certificate can name them."""

import ast
import functools
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edge.bundle import format as fmt

PACKAGE: Final = "models"


@functools.cache
def code_hash(module: str) -> str:
    """SHA-256 over the source of a module and of what it imports of `models`, also inside of functions."""
    found: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _path(name)
        if name in found or path is None:
            continue
        found[name] = path.read_bytes()
        waiting += _imported(found[name])
    parts = [name.encode() + b"\0" + fmt.digest(found[name]).encode() for name in sorted(found)]
    return fmt.digest(b"\n".join(parts))


def _path(module: str) -> Path | None:
    """The file of a module; None for what is not one, such as a name that is imported from one."""
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    return None if spec is None or spec.origin is None else Path(spec.origin)


def _imported(source: bytes) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from (name for name in names if name.split(".")[0] == PACKAGE)
