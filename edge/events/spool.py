"""The spool: append-only segments on disk; a record is acknowledged once it is written here."""

import fcntl
import os
import secrets
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from edge.decide.types import Record
from edge.errors import GivenError

HEADER: Final = struct.Struct("<II")
"""Before each record: its length in bytes, and its CRC-32."""

MAX_RECORD_BYTES: Final = 64 << 10
SEGMENT_BYTES: Final = 4 << 20
MAX_SPOOL_BYTES: Final = 512 << 20

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)


class SpoolFullError(GivenError):
    """The spool is at its bound; the record was not taken, and the caller counts it."""


class SpoolWriter:
    """One process's own spool: a folder with a lock and numbered segments.

    The lock lives as long as the process: who can take it knows that the
    writer is dead. A record survives the death of the process, not the loss
    of the machine's power.
    """

    def __init__(self, root: Path, max_bytes: int = MAX_SPOOL_BYTES) -> None:
        self.id = secrets.token_hex(8)
        self._folder = root / self.id
        self._folder.mkdir(parents=True)
        self._lock = os.open(self._folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._max_bytes = max_bytes
        self._segment = 0
        self._file = -1
        self._offset = SEGMENT_BYTES

    def append(self, records: Iterable[Record]) -> int:
        """Write the records with one system call; returning acknowledges them.

        Returns
        -------
        int
            How many were longer than `MAX_RECORD_BYTES`, so not taken: readers
            would take such a one, and all after it, for damage.

        Raises
        ------
        SpoolFullError
            There is no room until the agent has shipped some; nothing was written.
        """
        framed = list(map(frame, records))
        taken = [record for record in framed if len(record) <= HEADER.size + MAX_RECORD_BYTES]
        data = b"".join(taken)
        if not data:
            return len(framed)
        if self._offset + len(data) > SEGMENT_BYTES:
            self._next_segment(len(data))
        written = os.write(self._file, data)
        if written != len(data):
            os.ftruncate(self._file, self._offset)
            # A whole record of the part may have been shipped in between: go on in a
            # segment of its own, or what comes next would lie below the origin's watermark.
            self._offset = SEGMENT_BYTES
            raise SpoolFullError("spool-full", "the disk took only a part of the write")
        self._offset += written
        return len(framed) - len(taken)

    def _next_segment(self, wanted: int) -> None:
        held = sum(path.stat().st_size for path in self._folder.glob("*.seg"))
        if held + wanted > self._max_bytes:
            raise SpoolFullError("spool-full", f"{held} bytes wait to be shipped")
        path = self._folder / segment_name(self._segment + 1)
        # Opened before the old one is closed: where this fails, the number of a closed file would
        # soon be that of a visitor's connection.
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
        if self._file >= 0:
            os.close(self._file)
        self._segment, self._file, self._offset = self._segment + 1, file, 0

    def close(self) -> None:
        """Release the lock; what was written stays for the agent."""
        if self._file >= 0:
            os.close(self._file)
        os.close(self._lock)


def segment_name(number: int) -> str:
    """The file name of a segment."""
    return f"{number:08d}.seg"


def is_alive(folder: Path) -> bool:
    """Whether the process that writes this spool still runs."""
    lock = os.open(folder / "lock", os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(lock)


def frame(record: Record) -> bytes:
    """The record as it stands in a segment."""
    payload = _encoder.encode(record)
    return HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def whole_bytes(data: bytes | memoryview) -> int:
    """How many of the bytes are whole, undamaged records: where a torn tail begins."""
    end = 0
    for payload in _payloads(data):
        end += HEADER.size + len(payload)
    return end


def records(data: bytes | memoryview) -> Sequence[Record]:
    """The whole records in the bytes.

    Raises
    ------
    GivenError
        ``record``: a whole record is not of a known kind.
    """
    try:
        return [_decoder.decode(payload) for payload in _payloads(data)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise GivenError("record", str(error)) from error


def _payloads(data: bytes | memoryview) -> Iterator[memoryview]:
    view = memoryview(data)
    start = 0
    while start + HEADER.size <= len(view):
        length, crc = HEADER.unpack_from(view, start)
        payload = view[start + HEADER.size : start + HEADER.size + length]
        # A length of 0 is no record: a machine that lost its power may leave a tail of zeros.
        if not 0 < length <= MAX_RECORD_BYTES or len(payload) < length or zlib.crc32(payload) != crc:
            return
        yield payload
        start += HEADER.size + length
