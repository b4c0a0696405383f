"""Undoes the codings in which a site sends pages, as they come, within bounds: few bytes may be millions."""

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final, Protocol

import brotli
import zstandard

MAX_MEMBERS: Final = 16
"""Streams of one gzip body, or frames of one zstd body; servers send one."""
MAX_RATIO: Final = 250
"""Bytes of a page for each that comes; what is squeezed harder is no page that anybody reads."""
FREE_BYTES: Final = 256 << 10
"""More than that of it: a small page may well be one phrase many times, and codings give out whole blocks."""
MAX_WINDOW_BYTES: Final = 8 << 20
"""RFC 9659: what a decoder of zstd has to hold for the web, and no more."""

_SLICE_BYTES: Final = 128
"""zstd has no bound on what one call gives; four bytes may be 128 kB."""


class DecodingError(Exception):
    """A body that can't be had without its coding.

    Attributes
    ----------
    reason : str
        ``broken``, ``size`` (more than may be) or ``ratio`` (a bomb).
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Codec(Protocol):
    @property
    def ended(self) -> bool:
        """Whether the body may end here."""

    def feed(self, data: bytes, limit: int) -> bytes:
        """What these bytes are; if that is more than `limit` bytes, a little more than that of it."""


class Decoding:
    """One body on its way out of its coding.

    Parameters
    ----------
    coding
        One of `DECODABLE`.
    max_bytes
        Of the body without it.
    """

    def __init__(self, coding: bytes, max_bytes: int) -> None:
        self._codec = _CODECS[coding]()
        self._max_bytes = max_bytes
        self._given, self._has_come = 0, False

    def take(self, data: bytes) -> bytes:
        """What the next bytes are.

        Raises
        ------
        DecodingError
            It can't be decoded, or not within its bounds.
        """
        room, at_once = self._max_bytes - self._given, FREE_BYTES + MAX_RATIO * len(data)
        found = self._codec.feed(data, min(room, at_once))
        if len(found) > room:
            raise DecodingError("size")
        if len(found) > at_once:
            raise DecodingError("ratio")
        self._has_come = self._has_come or bool(data)
        self._given += len(found)
        return found

    def end(self) -> None:
        """See that the body may end here; one that is empty is an empty page.

        Raises
        ------
        DecodingError
            ``broken``: more was to come.
        """
        if self._has_come and not self._codec.ended:
            raise DecodingError("broken")


def decoded(body: bytes, coding: bytes, max_bytes: int) -> bytes:
    """The whole body without its coding.

    Raises
    ------
    DecodingError
        It can't be decoded, or not within its bounds.
    """
    decoding = Decoding(coding, max_bytes)
    found = decoding.take(body)
    decoding.end()
    return found


class _Plain:
    ended = True

    def feed(self, data: bytes, limit: int) -> bytes:
        return data


class _Streams(ABC):
    """A body of one stream or several, one behind the other, by a library's objects for one."""

    def __init__(self) -> None:
        self._stream: Any = None
        self._streams = 0

    @property
    def ended(self) -> bool:
        return self._stream is not None and bool(self._stream.eof)

    def feed(self, data: bytes, limit: int) -> bytes:
        parts: list[bytes] = []
        rest = memoryview(data)  # it is cut up, and must not be copied for each cut
        while rest and limit >= 0:
            if self._stream is None or self._stream.eof:
                self._begin(rest)
            found, rest = self._decode(rest, limit)
            parts.append(found)
            limit -= len(found)
        return b"".join(parts)

    def _begin(self, data: memoryview) -> None:
        self._streams += 1
        if self._streams > MAX_MEMBERS:
            raise DecodingError("broken")
        self._stream = self._new(data)

    @abstractmethod
    def _new(self, data: memoryview) -> Any:
        """The library's object for a stream that begins so."""

    @abstractmethod
    def _decode(self, data: memoryview, limit: int) -> tuple[bytes, memoryview]:
        """What the bytes are, and those behind the end of the stream, or that are still to be read."""


class _Gzip(_Streams):
    def _new(self, data: memoryview) -> Any:
        return zlib.decompressobj(zlib.MAX_WBITS | 16)

    def _decode(self, data: memoryview, limit: int) -> tuple[bytes, memoryview]:
        try:
            found = self._stream.decompress(data, limit + 1)
        except zlib.error as error:
            raise DecodingError("broken") from error
        return found, memoryview(self._stream.unused_data)


class _Deflate(_Gzip):
    _head = b""

    def feed(self, data: bytes, limit: int) -> bytes:
        if self._stream is None and len(self._head) + len(data) < 2:
            self._head += data
            return b""
        data, self._head = self._head + data, b""
        return super().feed(data, limit)

    def _new(self, data: memoryview) -> Any:
        # Some servers send it without the header that belongs to it.
        wrapped = data[0] & 0x0F == 8 and int.from_bytes(data[:2], "big") % 31 == 0
        return zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)


class _Zstd(_Streams):
    def __init__(self) -> None:
        super().__init__()
        self._context = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)

    def _new(self, data: memoryview) -> Any:
        return self._context.decompressobj()

    def _decode(self, data: memoryview, limit: int) -> tuple[bytes, memoryview]:
        try:
            found = self._stream.decompress(data[:_SLICE_BYTES])
        except zstandard.ZstdError as error:
            raise DecodingError("broken") from error
        unused = len(self._stream.unused_data)  # the end of what it was given
        return found, data[min(_SLICE_BYTES, len(data)) - unused :]


class _Brotli:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    @property
    def ended(self) -> bool:
        return bool(self._stream.is_finished())

    def feed(self, data: bytes, limit: int) -> bytes:
        if self.ended and data:
            raise DecodingError("broken")
        try:
            # It gives no more than a block of what it has ready, however much that is.
            found: bytes = self._stream.process(data, output_buffer_limit=limit + 1)
            while len(found) <= limit and (more := self._stream.process(b"", output_buffer_limit=limit + 1)):
                found += more
        except brotli.error as error:
            raise DecodingError("broken") from error
        return found


_CODECS: Final[dict[bytes, Callable[[], _Codec]]] = {
    b"": _Plain,
    b"identity": _Plain,
    b"gzip": _Gzip,
    b"x-gzip": _Gzip,
    b"deflate": _Deflate,
    b"br": _Brotli,
    b"zstd": _Zstd,
}

DECODABLE: Final = frozenset(_CODECS)
"""The codings in which a page may come."""
