"""Writes the file of a PoP's new credential."""

from pathlib import Path
from typing import Any

from edge.errors import ConfigError
from edge.keys import Credential
from origin.keys import write_secret
from origin.publishing.client import OriginClient


def add_pop(client: OriginClient, order: dict[str, Any], path: Path) -> Path:
    """Order a credential of a PoP and write it to a new file, mode 0600.

    Raises
    ------
    ConfigError
        ``credential``: the file exists, or can't be written.
    OriginError
        The PoP has one that shall not be replaced, or the origin did not answer.
    """
    if path.exists():
        raise ConfigError("credential", f"{path} exists; credentials are never overwritten, name another")
    if not path.absolute().parent.is_dir():
        raise ConfigError("credential", f"{path.absolute().parent} is no folder; make it, or name another")
    made = client.post_pop(order)
    try:
        write_secret(path, Credential(made.site, made.pop, made.token))
    except OSError as error:
        raise ConfigError(
            "credential", f"{path}: {error.strerror}; the credential is lost, make another with --replace"
        ) from error
    return path
