"""The keys file of an edge: secrets by id, the ingest token, and whom to trust."""

import base64
import binascii
from pathlib import Path

import msgspec

from edge.bundle import format as fmt
from edge.errors import ConfigError

SIGNING_ROLES = (*fmt.ROLES, "online")


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A secret key: `id` 0..255, `key` 32 bytes in base64. The first of a list seals, all open."""

    id: int
    key: str

    def raw(self) -> bytes:
        """The key's 32 bytes."""
        return _raw(self.key, f"key {self.id}")


class PublicKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An Ed25519 public key, 32 bytes in base64."""

    id: str
    public: str

    def raw(self) -> bytes:
        """The key's 32 bytes."""
        return _raw(self.public, f"key {self.id}")


class Credential(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one PoP shows the origin as its own; the only secret that PoPs do not share."""

    site: str
    pop: str
    token: str


class EdgeKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an edge of a site holds; the same for all its PoPs.

    `trust` lists the public keys that may sign for each role of `SIGNING_ROLES`.
    `front` are the keys of fronts that sign where a visitor is, `signal` those
    by which the site knows that a request's signals are an edge's.
    `ingest_token` is empty where every PoP has a credential of its own.
    """

    site: str
    cookie: tuple[Key, ...]
    event: tuple[Key, ...]
    ingest_token: str
    trust: dict[str, tuple[PublicKey, ...]]
    front: tuple[Key, ...] = ()
    signal: tuple[Key, ...] = ()


CREDENTIAL = "a PoP's credential"
# A field that no other file of secrets has, and what the file is.
_TELLING = {
    "publish_token": "publisher.json",
    "publish_token_sha256": "origin.json",
    "cookie": "edge.json",
    "pop": CREDENTIAL,
}


def not_wanted(path: Path, wanted: str, error: Exception) -> str:
    """What to say of a file that can't be read as the wanted one: which other one it is, if that is so."""
    try:
        document = msgspec.json.decode(path.read_bytes(), type=dict[str, object])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return f"{path}: {error}"
    found = next((name for field, name in _TELLING.items() if field in document), wanted)
    if found == wanted:
        return f"{path}: {error}"
    maker = "pops add" if wanted == CREDENTIAL else "keys new"
    return f"{path} is {found}, and this needs {wanted}, which `nearside {maker}` wrote"


def load_keys(path: Path) -> EdgeKeys:
    """Read and check a keys file.

    Raises
    ------
    ConfigError
        ``keys``: it can't be read, or a key is missing or has the wrong size.
    """
    try:
        keys = msgspec.json.decode(path.read_bytes(), type=EdgeKeys)
    except OSError as error:
        raise ConfigError("keys", f"{path}: {error.strerror}; make one with `nearside keys new`") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError("keys", not_wanted(path, "edge.json", error)) from error
    for name, held in (
        ("cookie", keys.cookie),
        ("event", keys.event),
        ("front", keys.front),
        ("signal", keys.signal),
    ):
        if not held and name not in ("front", "signal"):
            raise ConfigError("keys", f"{path}: no {name} key")
        for key in held:
            if not 0 <= key.id <= 255:
                raise ConfigError("keys", f"{path}: {name} key id {key.id} is not within 0..255")
            key.raw()
    for role in SIGNING_ROLES:
        for public in keys.trust.get(role, ()):
            public.raw()
        if not keys.trust.get(role):
            raise ConfigError("keys", f"{path}: nobody is trusted to sign for {role!r}")
    return keys


def load_credential(path: Path, site: str, pop: str) -> str:
    """The token in the file of a PoP's credential.

    Raises
    ------
    ConfigError
        ``credential``: it can't be read, or is another site's or PoP's.
    """
    try:
        held = msgspec.json.decode(path.read_bytes(), type=Credential)
    except OSError as error:
        raise ConfigError(
            "credential", f"{path}: {error.strerror}; make one with `nearside pops add`"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError("credential", not_wanted(path, CREDENTIAL, error)) from error
    if (held.site, held.pop) != (site, pop):
        raise ConfigError(
            "credential", f"{path} is of PoP {held.pop!r} of {held.site!r}, not of {pop!r} of {site!r}"
        )
    if not held.token.isascii() or not held.token.isprintable():
        raise ConfigError("credential", f"{path}: its token can't stand in a header")
    return held.token


def _raw(text: str, name: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ConfigError("keys", f"{name} is not base64: {error}") from error
    if len(raw) != 32:
        raise ConfigError("keys", f"{name} has {len(raw)} bytes, not 32")
    return raw
