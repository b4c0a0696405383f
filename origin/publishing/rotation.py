"""Rotates the keys that all edges of a site share: the new one first, the old one still opens."""

import os
from pathlib import Path
from typing import Final

import msgspec

from edge.errors import ConfigError
from edge.keys import EdgeKeys, Key, load_keys
from origin.keys import new_secret, write_secret

KINDS: Final = ("cookie", "event", "front", "signal")
KEY_IDS: Final = 256


def rotate(path: Path, kinds: tuple[str, ...] = KINDS) -> EdgeKeys:
    """Put a fresh key before the one that seals now, in the keys file of the edges.

    Raises
    ------
    ConfigError
        ``rotation``: an old key is still there; a second rotation would lose it
        while visitors may hold what it sealed. ``keys``: no such file.
    """
    held = load_keys(path)
    for kind in kinds:
        if len(getattr(held, kind)) > 1:
            raise ConfigError(
                "rotation",
                f"{path} holds an old {kind} key already; end that rotation first with --drop-old",
            )
    return _write(path, held, {kind: _with_new(getattr(held, kind)) for kind in kinds})


def drop_old(path: Path, kinds: tuple[str, ...] = KINDS) -> EdgeKeys:
    """Keep only the key that seals: what an older one sealed opens no more.

    Raises
    ------
    ConfigError
        ``rotation``: there is no old key. ``keys``: no such file.
    """
    held = load_keys(path)
    if all(len(getattr(held, kind)) <= 1 for kind in kinds):
        raise ConfigError("rotation", f"{path} holds no old key; rotate first")
    return _write(path, held, {kind: getattr(held, kind)[:1] for kind in kinds})


def _with_new(keys: tuple[Key, ...]) -> tuple[Key, ...]:
    return (new_secret((keys[0].id + 1) % KEY_IDS if keys else 1), *keys)


def _write(path: Path, held: EdgeKeys, changed: dict[str, tuple[Key, ...]]) -> EdgeKeys:
    """Replace the file at once: a reader sees the old or the new one, whole."""
    keys = msgspec.structs.replace(held, **changed)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        write_secret(temporary, keys)
        temporary.replace(path)
    except OSError as error:
        raise ConfigError("keys", f"{error.filename or path}: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return keys
