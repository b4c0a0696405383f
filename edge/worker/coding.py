"""Content codings: what a client accepts, and what a coded page may say of itself."""

import re
import zlib
from functools import lru_cache
from typing import Final

from edge.worker.upstream import RawHeaders

MIN_CODED_BYTES: Final = 1024
"""Below, a page and its headers fit into one packet either way."""
MAX_ACCEPT_BYTES: Final = 512

_OFFER: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9a-z-]+)(?:\s*;\s*q=([01](?:\.[0-9]{0,3})?))?", re.I)
# They state the bytes of another coding.
_OF_BYTES: Final = frozenset(
    (b"content-md5", b"digest", b"content-digest", b"repr-digest", b"accept-ranges", b"content-encoding")
)


def accepts_gzip(header: bytes) -> bool:
    """Whether gzip is a right answer to this Accept-Encoding; no header asks for the plain bytes.

    Stricter than RFC 9110, section 12.5.3: of what can't be read, nothing is accepted.
    """
    return len(header) <= MAX_ACCEPT_BYTES and _accepts_gzip(header)


@lru_cache(1024)
def _accepts_gzip(header: bytes) -> bool:
    weights: dict[bytes, float] = {}
    for offer in header.split(b","):
        if match := _OFFER.fullmatch(offer.strip()):
            weights[match[1].lower()] = float(match[2] or 1)
    gzip = weights.get(b"gzip", weights.get(b"x-gzip", weights.get(b"*", 0)))
    return gzip > 0 and gzip >= weights.get(b"identity", 0)


def recoded(headers: RawHeaders) -> RawHeaders:
    """A page's headers for the same page in another coding: its validator is the same in meaning alone."""
    fields = [(name, value) for name, value in headers if name.lower() not in _OF_BYTES]
    return [(name, _weak(value) if name.lower() == b"etag" else value) for name, value in fields]


def _weak(etag: bytes) -> bytes:
    return etag if etag.startswith(b"W/") else b"W/" + etag


def varying(headers: RawHeaders) -> RawHeaders:
    """The headers, saying that the answer goes by Accept-Encoding."""
    told = b",".join(value.lower() for name, value in headers if name.lower() == b"vary")
    named = {field.strip() for field in told.split(b",")}
    return headers if named & {b"accept-encoding", b"*"} else [*headers, (b"vary", b"accept-encoding")]


_WRAPPED: Final = {b"gzip": zlib.MAX_WBITS | 16, b"x-gzip": zlib.MAX_WBITS | 16, b"deflate": zlib.MAX_WBITS}
DECODABLE: Final = frozenset((b"", b"identity", *_WRAPPED))
MAX_MEMBERS: Final = 16
"""Streams of one gzip body; servers send one."""


def decoded(body: bytes, coding: bytes, max_bytes: int) -> bytes | None:
    """The body without its coding; None if it is broken, or longer than may be."""
    if coding not in _WRAPPED:
        return body if coding in DECODABLE else None
    parts: list[bytes] = []
    left, rest = max_bytes, body
    try:
        while rest and len(parts) < MAX_MEMBERS:
            stream = zlib.decompressobj(_window(coding, rest))
            parts.append(stream.decompress(rest, left + 1))
            left -= len(parts[-1])
            if left < 0 or not stream.eof:
                return None
            rest = stream.unused_data
    except zlib.error:
        return None
    return None if rest else b"".join(parts)


def _window(coding: bytes, body: bytes) -> int:
    """What zlib is to expect: some servers send `deflate` without the header that belongs to it."""
    wrapped = body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    return -zlib.MAX_WBITS if coding == b"deflate" and not wrapped else _WRAPPED[coding]
