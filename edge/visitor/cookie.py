"""The visitor cookie: state, encrypted so that it can be neither read nor made up."""

import base64
import binascii
import os
from collections.abc import Sequence
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from edge.errors import TokenError
from edge.visitor.state import VERSION, VisitorState

NAME: Final = b"nearside"
LED: Final = b"nearside-led"
"""A cookie that says of its visitor that a redirect led them here a moment ago, and nothing else."""
MAX_COOKIE_BYTES: Final = 1500
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
# base64 of key id, nonce, plain text and tag must fit.
MAX_PLAIN_BYTES: Final = MAX_COOKIE_BYTES * 3 // 4 - 1 - NONCE_BYTES - TAG_BYTES

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(VisitorState)


class _AnyVersion(msgspec.Struct, array_like=True):
    """What states of all versions begin with."""

    version: int


class CookieBox:
    """Seals and opens the visitor cookie of one site: AES-256-GCM, bound to the site's id.

    Parameters
    ----------
    keys
        ``(id, 32 bytes)``; the first seals, all open: so keys rotate.
    """

    def __init__(self, site: str, keys: Sequence[tuple[int, bytes]]) -> None:
        self._bound_to = site.encode()
        self._ciphers = {number: AESGCM(key) for number, key in keys}
        self._first = keys[0][0]
        self._sealer = self._ciphers[self._first]

    def seal(self, state: VisitorState, nonce: bytes = b"") -> bytes:
        """The cookie's value, at most `MAX_COOKIE_BYTES`; to fit, the oldest items are dropped first."""
        plain = _encoder.encode(state)
        while len(plain) > MAX_PLAIN_BYTES:
            state = _shorter(state)
            plain = _encoder.encode(state)
        nonce = nonce or os.urandom(NONCE_BYTES)
        sealed = self._sealer.encrypt(nonce, plain, self._bound_to)
        return base64.urlsafe_b64encode(bytes((self._first,)) + nonce + sealed).rstrip(b"=")

    def open(self, value: bytes) -> VisitorState:
        """The state in a cookie.

        Raises
        ------
        TokenError
            ``cookie``: too long, not ours, of an unknown key, forged, or of a
            newer version than this edge writes.
        """
        if len(value) > MAX_COOKIE_BYTES:
            raise TokenError("cookie", "longer than any we made")
        try:
            raw = base64.b64decode(value + b"=" * (-len(value) % 4), b"-_", validate=True)
            cipher = self._ciphers[raw[0]]
            plain = cipher.decrypt(raw[1 : 1 + NONCE_BYTES], raw[1 + NONCE_BYTES :], self._bound_to)
        except (binascii.Error, IndexError, KeyError, ValueError, InvalidTag) as error:
            raise TokenError("cookie", f"can't be opened: {type(error).__name__}") from error
        return _read(plain)


def _shorter(state: VisitorState) -> VisitorState:
    """The state without what it can best do without."""
    if state.items:
        return msgspec.structs.replace(state, items=state.items[: len(state.items) * 3 // 4])
    if state.assigned:
        return msgspec.structs.replace(state, assigned=state.assigned[1:])
    return msgspec.structs.replace(state, behaviours=b"")


def _read(plain: bytes) -> VisitorState:
    try:
        state = _decoder.decode(plain)
        version = state.version
    except (msgspec.DecodeError, ValueError) as error:
        version = _version(plain)
        if version <= VERSION:
            raise TokenError("cookie", f"holds no visitor state: {error}") from error
    if version > VERSION:
        raise TokenError("cookie-newer", f"version {version}; this edge writes {VERSION}")
    return state


def _version(plain: bytes) -> int:
    """The version of a state whose other fields may be of any type; 0 where there is none."""
    try:
        return msgspec.msgpack.decode(plain, type=_AnyVersion).version
    except (msgspec.DecodeError, ValueError):
        return 0


def find(header: bytes) -> bytes:
    """Our cookie's value in a Cookie header, or empty."""
    start = header.find(NAME + b"=")
    while start > 0 and header[start - 1] != ord(";") and header[max(0, start - 2) : start] != b"; ":
        start = header.find(NAME + b"=", start + 1)
    if start < 0:
        return b""
    return header[start + len(NAME) + 1 :].partition(b";")[0].strip()


def without(header: bytes, cookie: bytes = NAME) -> bytes:
    """A Cookie header without one cookie, by default without ours: what the site may see."""
    if not cookie or cookie not in header:
        return header
    dropped = (NAME, LED) if cookie == NAME else (cookie,)
    parts = [part.strip() for part in header.split(b";")]
    return b"; ".join(part for part in parts if part.partition(b"=")[0].rstrip() not in dropped)
