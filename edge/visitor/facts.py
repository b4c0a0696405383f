"""Facts about visitors: what the origin computed or was told, found by a keyed hash of the visitor's id."""

import hashlib
from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

NAME_CHARS: Final = 64
MAX_NAMES: Final = 64
MAX_FACTS_BYTES: Final = 4_096
"""Of one visitor."""
_HASH_BYTES: Final = 16

Facts = Mapping[str, str]
"""By name, as they were written; the attribute that reads a fact says of which type it is."""

NO_FACTS: Final[Facts] = {}


class FactStore(Protocol):
    """Where facts are found. Never waits for anything: what is not at hand is not known."""

    def get(self, visitor: bytes) -> Facts:
        """The facts about the visitor of this id; of one who is unknown there are none."""


class RemoteStore(FactStore, Protocol):
    """One that knows what was looked up before."""

    async def look_up(self, visitor: bytes) -> None:
        """Make the facts about this visitor known, if that takes no longer than a page may wait."""


class NoFactStore:
    """What an edge without a store has."""

    def get(self, visitor: bytes) -> Facts:
        """Nobody is known."""
        return NO_FACTS


def hash_of(site: str, key: bytes, visitor: bytes) -> bytes:
    """What stands for a visitor in a store: 16 bytes, of no use to who lacks the site's key."""
    person = hashlib.sha256(b"nearside:facts\0" + site.encode()).digest()[:16]
    return hashlib.blake2b(visitor, digest_size=_HASH_BYTES, key=key, person=person).digest()


REMOTE: Final = ("redis://", "rediss://", "unix://")


def is_remote(where: str) -> bool:
    """Whether facts are in a Redis, and not in a file."""
    return where.startswith(REMOTE)


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(dict[str, str])


def remote_name(site: str, key: int, hash_: bytes) -> bytes:
    """Under which name a Redis holds the facts about a visitor: with the number of the key that hid them."""
    return b"nearside:facts:%s:%d:%s" % (site.encode(), key, hash_.hex().encode())


def remote_value(facts: Facts) -> bytes:
    """What it holds there; the same facts give the same bytes."""
    return _encoder.encode(dict(sorted(facts.items())))


def facts_of(value: bytes) -> Facts:
    """The facts that such a value holds; one that is damaged, or larger than may be, holds none."""
    if len(value) > 2 * MAX_FACTS_BYTES:
        return NO_FACTS
    try:
        found = _decoder.decode(value)
    except msgspec.DecodeError:
        return NO_FACTS
    return found if len(found) <= MAX_NAMES else NO_FACTS
