"""Message authentication codes of one site and one purpose, by keys that rotate."""

import hmac
from collections.abc import Sequence
from typing import Final

MAC_BYTES: Final = 16


class Macs:
    """HMAC-SHA-256, cut to 128 bits; none holds for another site, or another purpose.

    Parameters
    ----------
    keys
        ``(id, 32 bytes)``; the first signs, all are accepted.

    Attributes
    ----------
    first : int
        The id of the key that signs; to be told beside the code.
    """

    def __init__(self, purpose: bytes, site: str, keys: Sequence[tuple[int, bytes]]) -> None:
        self._prefix = b"nearside:" + purpose + b"\0" + site.encode() + b"\0"
        self.renew(keys)

    def renew(self, keys: Sequence[tuple[int, bytes]]) -> None:
        """Take other keys from now on."""
        self._keys = dict(keys)
        self.first = next(iter(self._keys), 0)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def sign(self, message: bytes) -> bytes:
        """The code of a message, by the first key."""
        return hmac.digest(self._keys[self.first], self._prefix + message, "sha256")[:MAC_BYTES]

    def holds(self, mac: bytes, message: bytes, number: int) -> bool:
        """Whether this is the message's code by the key of that id; no code is by a key that is not held."""
        key = self._keys.get(number)
        if key is None:
            return False
        return hmac.compare_digest(mac, hmac.digest(key, self._prefix + message, "sha256")[:MAC_BYTES])
