"""The three key files of a site, by who holds them: publisher, origin, edge."""

import base64
import hashlib
import os
import re
import secrets
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from edge.bundle import format as fmt
from edge.errors import ConfigError
from edge.keys import SIGNING_ROLES, EdgeKeys, Key, PublicKey, not_wanted
from origin import signing

SITE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
"""A site's id stands in URLs, paths and key files."""


class SigningKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An Ed25519 private key, 32 bytes in base64."""

    id: str
    private: str

    def raw(self) -> bytes:
        """The key's 32 bytes."""
        return PublicKey(self.id, self.private).raw()


class PublisherKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What those who publish hold; `sign` may hold fewer roles than there are."""

    site: str
    publish_token: str
    sign: dict[str, SigningKey]


class OriginKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the origin holds of a site: hashes of tokens, its online key, and whom to trust.

    `ingest_token_sha256` is empty where every PoP needs a credential of its own.
    """

    site: str
    publish_token_sha256: str
    ingest_token_sha256: str
    sign: dict[str, SigningKey]
    trust: dict[str, tuple[PublicKey, ...]]


K = TypeVar("K", PublisherKeys, OriginKeys)


def new_keys(folder: Path, site: str, *, shared_token: bool = True) -> list[Path]:
    """Write fresh `publisher.json`, `origin.json` and `edge.json` for a site, mode 0600.

    Parameters
    ----------
    shared_token
        Make an ingest token that any PoP may show that has no credential of
        its own; without it each PoP needs one, see `nearside pops add`.

    Raises
    ------
    ConfigError
        ``keys``: one of the files exists; nothing was written.
        ``site``: the site's id has characters that URLs or paths would escape.
    """
    check_site(site)
    documents = _documents(site, shared_token=shared_token)
    paths = {folder / f"{name}.json": document for name, document in documents.items()}
    for path in paths:
        if path.exists():
            raise ConfigError("keys", f"{path} exists; keys are never overwritten, take another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path, document in paths.items():
            write_secret(path, document)
    except OSError as error:
        raise ConfigError("keys", f"{error.filename or folder}: {error.strerror}") from error
    return list(paths)


def check_site(site: str) -> None:
    """Refuse a site id that is not safe in URLs and paths."""
    if not SITE_NAME.fullmatch(site):
        raise ConfigError("site", f"{site!r} is no site id; use a-z, 0-9 and '-', at most 63 characters")


def load_publisher(path: Path) -> PublisherKeys:
    """Read and check a publisher's key file."""
    keys = _load(path, PublisherKeys, "publisher.json")
    _check_signing(path, keys.sign, allowed=fmt.ROLES)
    return keys


def load_origin(path: Path) -> OriginKeys:
    """Read and check the origin's key file."""
    keys = _load(path, OriginKeys, "origin.json")
    _check_signing(path, keys.sign, allowed=("online",))
    if "online" not in keys.sign:
        raise ConfigError("keys", f"{path}: no 'online' signing key")
    for digest in (keys.publish_token_sha256, keys.ingest_token_sha256 or keys.publish_token_sha256):
        if not fmt.is_digest(digest):
            raise ConfigError("keys", f"{path}: a token's hash is no SHA-256 in hex")
    for role in fmt.ROLES:
        for public in keys.trust.get(role, ()):
            public.raw()
        if not keys.trust.get(role):
            raise ConfigError("keys", f"{path}: nobody is trusted to sign for {role!r}")
    return keys


def token_digest(token: str) -> str:
    """What the origin keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def _documents(site: str, *, shared_token: bool) -> dict[str, msgspec.Struct]:
    publish = secrets.token_urlsafe(32)
    ingest = secrets.token_urlsafe(32) if shared_token else ""
    private: dict[str, SigningKey] = {}
    trust: dict[str, tuple[PublicKey, ...]] = {}
    for role in SIGNING_ROLES:
        key_id, raw, public = signing.new_pair(role)
        private[role] = SigningKey(key_id, base64.b64encode(raw).decode())
        trust[role] = (public,)
    online = {"online": private.pop("online")}
    return {
        "publisher": PublisherKeys(site, publish, private),
        "origin": OriginKeys(
            site, token_digest(publish), token_digest(ingest) if ingest else "", online, trust
        ),
        "edge": EdgeKeys(
            site, (new_secret(1),), (new_secret(1),), ingest, trust, (new_secret(1),), (new_secret(1),)
        ),
    }


def new_secret(key_id: int) -> Key:
    """A fresh secret key."""
    return Key(key_id, base64.b64encode(secrets.token_bytes(32)).decode())


def write_secret(path: Path, document: msgspec.Struct) -> None:
    """Write a new file that only its owner may read; one that exists is an error."""
    data = msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)


def _load(path: Path, type_: type[K], name: str) -> K:
    try:
        keys = msgspec.json.decode(path.read_bytes(), type=type_)
    except OSError as error:
        raise ConfigError("keys", f"{path}: {error.strerror}; make one with `nearside keys new`") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError("keys", not_wanted(path, name, error)) from error
    check_site(keys.site)
    return keys


def _check_signing(path: Path, held: dict[str, SigningKey], allowed: tuple[str, ...]) -> None:
    for role, key in held.items():
        if role not in allowed:
            raise ConfigError("keys", f"{path}: a key for {role!r} does not belong here")
        key.raw()
