"""Content codings: what a client accepts, and what a coded page may say of itself."""

import re
from functools import lru_cache
from typing import Final

from edge.worker.site.upstream import RawHeaders

MIN_CODED_BYTES: Final = 1024
"""Below, a page and its headers fit into one packet either way."""
MAX_ACCEPT_BYTES: Final = 512

CODINGS: Final = (b"br", b"zstd", b"gzip")
"""What pages may leave in, the smallest first."""

_ALIASES: Final = {b"x-gzip": b"gzip"}
_OFFER: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9a-z-]+)(?:\s*;\s*q=([01](?:\.[0-9]{0,3})?))?", re.I)
# They state the bytes of another coding.
_OF_BYTES: Final = frozenset(
    (b"content-md5", b"digest", b"content-digest", b"repr-digest", b"accept-ranges", b"content-encoding")
)


def accepted(header: bytes) -> tuple[bytes, ...]:
    """Which of `CODINGS` are right answers to this Accept-Encoding, the best first; no header asks for none.

    Stricter than RFC 9110, section 12.5.3: of what can't be read, nothing is accepted.
    """
    return _accepted(header) if len(header) <= MAX_ACCEPT_BYTES else ()


@lru_cache(1024)
def _accepted(header: bytes) -> tuple[bytes, ...]:
    weights: dict[bytes, float] = {}
    for offer in header.split(b","):
        if match := _OFFER.fullmatch(offer.strip()):
            name = match[1].lower()
            weights[_ALIASES.get(name, name)] = float(match[2] or 1)
    # Programs that say "anything" know of gzip.
    liked = {b"gzip": weights.get(b"*", 0), **weights}
    least = weights.get(b"identity", 0)
    found = [coding for coding in CODINGS if liked.get(coding, 0) > 0 and liked[coding] >= least]
    return tuple(sorted(found, key=lambda coding: -liked[coding]))


def offered(header: bytes) -> bytes:
    """The Accept-Encoding for a site whose answer is decoded here, and passed on where that fails.

    Few browsers differ in it, whatever they write: what a site varies by it is kept a few times only.
    """
    return b", ".join(sorted(accepted(header))) or b"identity"


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
