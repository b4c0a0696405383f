"""What the site told: a response whose headers were read, its body still to come."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from email.utils import formatdate
from typing import Final

import httpx

from edge.errors import UpstreamError
from edge.proxy.fields import Fields, directives, values
from edge.proxy.policy import Received
from edge.worker.site.decoding import DECODABLE, Decoding, DecodingError, decoded
from edge.worker.site.upstream import chunks, end_to_end

MAX_READ_BYTES: Final = 1 << 20
"""What is kept and not longer is read whole before it is sent, so that a slow client keeps nobody waiting."""

SLICE_BYTES: Final = 16 << 10
"""As much of a page in a coding is decoded at once while it comes."""

_LENGTH: Final = re.compile(rb"[0-9]{1,12}")
# No body, so the length that some sites state is that of another answer.
_WITHOUT_BODY: Final = (204, 304)


_OF_KEEPING: Final = frozenset(
    (b"cache-control", b"expires", b"pragma", b"etag", b"last-modified", b"age", b"cdn-cache-control",
     b"cloudflare-cdn-cache-control", b"akamai-cache-control", b"edge-control", b"surrogate-control",
     b"surrogate-key", b"cache-tag", b"x-accel-expires")
)  # fmt: skip


class Told:
    """A response of the site.

    Attributes
    ----------
    received : Received
        Its end-to-end fields, with a Date, and when it was asked for and came.
    answers_us : bool
        Whether we asked if something holds still, not the client.
    undecoded : str
        Why its coding could not be undone, or empty.
    """

    def __init__(self, response: httpx.Response, asked_s: float, at_s: float, *, answers_us: bool) -> None:
        self._response = response
        self._stream = chunks(response)
        self._read: list[bytes] = []
        self._read_bytes, self._is_whole = 0, False
        fields = end_to_end(response.headers.raw)
        if not any(name == b"date" for name, _ in fields):
            fields.append((b"date", formatdate(at_s, usegmt=True).encode()))
        self.received = Received(response.status_code, fields, asked_s, at_s)
        self.answers_us = answers_us
        self.undecoded = ""

    def keep_private(self) -> None:
        """It was made for one visitor, whatever the site says of keeping it."""
        fields = [(name, value) for name, value in self.received.fields if name not in _OF_KEEPING]
        fields.append((b"cache-control", b"private, no-store"))
        self.received = replace(self.received, fields=fields)

    @property
    def status(self) -> int:
        """Its status."""
        return self.received.status

    @property
    def asked_s(self) -> float:
        """When it was asked for."""
        return self.received.asked_s

    def is_page(self, max_bytes: int) -> bool:
        """Whether it is HTML that may be cut, as far as its headers tell."""
        fields = self.received.fields
        kind = b"".join(values(fields, b"content-type")[:1]).lower()
        if self.status != 200 or not kind.startswith(b"text/html"):
            return False
        length = self._length(0)
        if length is None or length > max_bytes:
            return False
        if b"no-transform" in directives(values(fields, b"cache-control")):
            return False
        self.undecoded = "" if self.coding in DECODABLE else "unknown"
        return not self.undecoded

    def is_short(self, max_bytes: int) -> bool:
        """Whether it states a length that may be read before any of it is sent."""
        length = 0 if self.status in _WITHOUT_BODY else self._length(None)
        return length is not None and length <= min(max_bytes, MAX_READ_BYTES)

    def _length(self, missing: int | None) -> int | None:
        stated = values(self.received.fields, b"content-length")
        if not stated:
            return missing
        return int(stated[0]) if len(stated) == 1 and _LENGTH.fullmatch(stated[0]) else None

    def fields_to_pass(self) -> Fields:
        """Its fields as they may be sent on."""
        fields = self.received.fields
        if self.status in _WITHOUT_BODY:
            return [(name, value) for name, value in fields if name != b"content-length"]
        return fields

    @property
    def coding(self) -> bytes:
        """In which coding its body comes."""
        return b",".join(values(self.received.fields, b"content-encoding")).strip().lower()

    async def page(self, max_bytes: int) -> bytes | None:
        """The page; None if it is longer than that, or its coding is broken: then `chunks` has all of it.

        Raises
        ------
        UpstreamError
            ``upstream-body``: it broke off.
        """
        body = await self.read(max_bytes)
        if body is None:
            return None
        try:
            return decoded(body, self.coding, max_bytes)
        except DecodingError as error:
            self.undecoded = error.reason
            return None

    async def read(self, max_bytes: int) -> bytes | None:
        """The whole body; None where it is longer, and then `chunks` has all of it.

        Raises
        ------
        UpstreamError
            ``upstream-body``: it broke off.
        """
        while not self._is_whole and self._read_bytes <= max_bytes:
            chunk = await anext(self._stream, None)
            if chunk is None:
                self._is_whole = True
                break
            self._read.append(chunk)
            self._read_bytes += len(chunk)
        return b"".join(self._read) if self._read_bytes <= max_bytes else None

    async def is_here(self, max_bytes: int, patience_s: float) -> bool:
        """Whether the whole body, or as much of it as may be read, comes within this time.

        Raises
        ------
        UpstreamError
            ``upstream-body``: it broke off.
        """
        try:
            async with asyncio.timeout(patience_s):
                await self.read(max_bytes)
        except TimeoutError:
            self._stream = chunks(self._response)  # goes on where the waiting was given up
            return False
        return True

    @property
    def is_sound(self) -> bool:
        """Whether what is here of it can be decoded."""
        try:
            Decoding(self.coding, sys.maxsize).take(b"".join(self._read))
        except DecodingError:
            return False
        return True

    async def pieces(self) -> AsyncIterator[bytes]:
        """The page as it comes, without its coding.

        Raises
        ------
        UpstreamError
            ``upstream-body``: it broke off, or can't be decoded further.
        """
        decoding = Decoding(self.coding, sys.maxsize)
        try:
            async for chunk in self.chunks():
                for at in range(0, len(chunk), SLICE_BYTES):
                    if found := decoding.take(chunk[at : at + SLICE_BYTES]):
                        yield found
            decoding.end()
        except DecodingError as error:
            self.undecoded = error.reason
            raise UpstreamError("upstream-body", "it can't be decoded further") from error

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes, what was read before it first."""
        for chunk in self._read:
            yield chunk
        self._read.clear()
        async for chunk in self._stream:
            yield chunk

    async def close(self) -> None:
        """Leave the rest of the body."""
        await self._response.aclose()
