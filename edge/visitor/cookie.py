"""The visitor's cookies: what they carry is encrypted, so that it can be neither read nor made up."""

import base64
import binascii
import os
from collections.abc import Sequence
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from edge.consent.policy import OPTED_OUT
from edge.errors import TokenError
from edge.visitor import events, wishes
from edge.visitor.events import EventState
from edge.visitor.state import VERSION, VisitorState
from edge.visitor.wishes import Wishes

NAME: Final = b"nearside"
"""Written by the answers to page views alone."""

EVENTS_NAME: Final = b"nearside-e"
"""Written by the answers to reported events alone: so a page view and a click at once lose nothing."""

WISHES_NAME: Final = b"nearside-me"
"""Written by the answers of the visitor's own page alone: no page view can undo a wish."""

LED: Final = b"nearside-led"
"""A cookie that says of its visitor that a redirect led them here a moment ago, and nothing else."""

OF_VISITOR: Final = (NAME, EVENTS_NAME, WISHES_NAME)
"""What is kept of a visitor, who may take their consent back."""

OWN: Final = (*OF_VISITOR, LED, OPTED_OUT)
"""All that are ours, and no affair of the site's."""

ERASED: Final = b"=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
MAX_COOKIE_BYTES: Final = 1500
MAX_STATES: Final = 4
"""Of one cookie's values in a request; others are not looked at."""

NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
# base64 of key id, nonce, plain text and tag must fit.
MAX_PLAIN_BYTES: Final = MAX_COOKIE_BYTES * 3 // 4 - 1 - NONCE_BYTES - TAG_BYTES

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(VisitorState)
_events_decoder = msgspec.msgpack.Decoder(EventState)
_wishes_decoder = msgspec.msgpack.Decoder(Wishes)


class _AnyVersion(msgspec.Struct, array_like=True):
    """What states of all versions begin with."""

    version: int


class CookieBox:
    """Seals and opens the visitor's cookies of one site: AES-256-GCM, bound to the site's id and the cookie.

    Parameters
    ----------
    keys
        ``(id, 32 bytes)``; the first seals, all open: so keys rotate.
    """

    def __init__(self, site: str, keys: Sequence[tuple[int, bytes]]) -> None:
        self._bound_to = site.encode()
        self._events_bound_to = site.encode() + b"\0events"
        self._wishes_bound_to = site.encode() + b"\0wishes"
        self.renew(keys)

    def renew(self, keys: Sequence[tuple[int, bytes]]) -> None:
        """Take other keys from now on."""
        self._ciphers = {number: AESGCM(key) for number, key in keys}
        self._first = keys[0][0]
        self._sealer = self._ciphers[self._first]

    def seal(self, state: VisitorState, nonce: bytes = b"") -> bytes:
        """The cookie's value, at most `MAX_COOKIE_BYTES`; to fit, the oldest items are dropped first."""
        plain = _encoder.encode(state)
        while len(plain) > MAX_PLAIN_BYTES:
            state = _shorter(state)
            plain = _encoder.encode(state)
        return self._sealed(plain, nonce or os.urandom(NONCE_BYTES), self._bound_to)

    def seal_events(self, state: EventState) -> bytes:
        """The event cookie's value; to fit, what was bought longest ago is dropped, all else is bounded."""
        plain = _encoder.encode(state)
        while len(plain) > MAX_PLAIN_BYTES and state.bought:
            state = msgspec.structs.replace(state, bought=state.bought[:-1])
            plain = _encoder.encode(state)
        return self._sealed(plain, os.urandom(NONCE_BYTES), self._events_bound_to)

    def seal_wishes(self, held: Wishes) -> bytes:
        """The value of the cookie of wishes; they are bounded so that it fits."""
        return self._sealed(_encoder.encode(held), os.urandom(NONCE_BYTES), self._wishes_bound_to)

    def _sealed(self, plain: bytes, nonce: bytes, bound_to: bytes) -> bytes:
        sealed = self._sealer.encrypt(nonce, plain, bound_to)
        return base64.urlsafe_b64encode(bytes((self._first,)) + nonce + sealed).rstrip(b"=")

    def open(self, value: bytes) -> VisitorState:
        """The state in a cookie.

        Raises
        ------
        TokenError
            ``cookie``: too long, not ours, of an unknown key, forged, or of a
            newer version than this edge writes.
        """
        return _read(self._opened(value, self._bound_to))

    def open_events(self, value: bytes) -> EventState:
        """The state in an event cookie.

        Raises
        ------
        TokenError
            As `open`.
        """
        plain = self._opened(value, self._events_bound_to)
        try:
            state = _events_decoder.decode(plain)
        except (msgspec.DecodeError, ValueError) as error:
            raise TokenError("cookie", f"holds no event state: {error}") from error
        if state.version > events.VERSION:
            raise TokenError("cookie-newer", f"version {state.version}; this edge writes {events.VERSION}")
        return state

    def open_wishes(self, value: bytes) -> Wishes:
        """What is in a cookie of wishes.

        Raises
        ------
        TokenError
            As `open`.
        """
        plain = self._opened(value, self._wishes_bound_to)
        try:
            held = _wishes_decoder.decode(plain)
        except (msgspec.DecodeError, ValueError) as error:
            raise TokenError("cookie", f"holds no wishes: {error}") from error
        if held.version > wishes.VERSION:
            raise TokenError("cookie-newer", f"version {held.version}; this edge writes {wishes.VERSION}")
        return held

    def _opened(self, value: bytes, bound_to: bytes) -> bytes:
        if len(value) > MAX_COOKIE_BYTES:
            raise TokenError("cookie", "longer than any we made")
        try:
            raw = base64.b64decode(value + b"=" * (-len(value) % 4), b"-_", validate=True)
            cipher = self._ciphers[raw[0]]
            return cipher.decrypt(raw[1 : 1 + NONCE_BYTES], raw[1 + NONCE_BYTES :], bound_to)
        except (binascii.Error, IndexError, KeyError, ValueError, InvalidTag) as error:
            raise TokenError("cookie", f"can't be opened: {type(error).__name__}") from error


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


def find(header: bytes, name: bytes = NAME) -> bytes:
    """The value of a cookie of ours in a Cookie header, or empty."""
    start = header.find(name + b"=")
    while start > 0 and header[start - 1] != ord(";") and header[max(0, start - 2) : start] != b"; ":
        start = header.find(name + b"=", start + 1)
    if start < 0:
        return b""
    return header[start + len(name) + 1 :].partition(b";")[0].strip()


def find_all(header: bytes, name: bytes = NAME) -> list[bytes]:
    """All values of a cookie of ours: there are two where one was set for a wider domain or another path."""
    first = header.find(name + b"=")
    if first < 0:
        return []
    end = header.find(b";", first)  # ours is the last cookie mostly, so there is little left to search
    if end < 0 or header.find(name + b"=", end) < 0:
        value = find(header, name)
        return [value] if value else []
    pairs = [part.strip().partition(b"=") for part in header.split(b";")]
    return [value.strip() for key, _, value in pairs if key == name and value][:MAX_STATES]


def without(header: bytes, cookie: bytes = b"") -> bytes:
    """A Cookie header without one cookie, by default without ours: what the site may see."""
    names = (cookie,) if cookie else OWN
    if names[0] not in header:  # the others of ours begin so, too
        return header
    parts = [part.strip() for part in header.split(b";")]
    return b"; ".join(part for part in parts if part.partition(b"=")[0].rstrip() not in names)


def set_cookie(name: bytes, value: bytes, lifetime_s: int, *, secure: bool, readable: bool = False) -> bytes:
    """A Set-Cookie header's value; without a lifetime it ends with the browser's session.

    No script can read it unless it is `readable`.
    """
    parts = [name + b"=" + value, b"Path=/", b"SameSite=Lax"]
    if not readable:
        parts.append(b"HttpOnly")
    if lifetime_s:
        parts.append(b"Max-Age=%d" % lifetime_s)
    if secure:
        parts.append(b"Secure")
    return b"; ".join(parts)
