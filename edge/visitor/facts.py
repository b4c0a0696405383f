"""Facts about visitors: what the origin computed or was told, found by a keyed hash of the visitor's id."""

import hashlib
from collections.abc import Mapping
from typing import Final, Protocol

NAME_CHARS: Final = 64
_HASH_BYTES: Final = 16

Facts = Mapping[str, str]
"""By name, as they were written; the attribute that reads a fact says of which type it is."""

NO_FACTS: Final[Facts] = {}


class FactStore(Protocol):
    """Where facts are found. Never waits for anything: what is not at hand is not known."""

    def get(self, visitor: bytes) -> Facts:
        """The facts about the visitor of this id; of one who is unknown there are none."""


class NoFactStore:
    """What an edge without a store has."""

    def get(self, visitor: bytes) -> Facts:
        """Nobody is known."""
        return NO_FACTS


def hash_of(site: str, key: bytes, visitor: bytes) -> bytes:
    """What stands for a visitor in a store: 16 bytes, of no use to who lacks the site's key."""
    person = hashlib.sha256(b"nearside:facts\0" + site.encode()).digest()[:16]
    return hashlib.blake2b(visitor, digest_size=_HASH_BYTES, key=key, person=person).digest()
