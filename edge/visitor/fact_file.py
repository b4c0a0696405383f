"""Facts in one mapped file: sorted hashes of visitors, and what is known of each."""

import mmap
import os
import tempfile
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from edge.bundle.arrays import pack, unpack
from edge.bundle.strings import Strings, pack_strings
from edge.errors import BundleError, ConfigError
from edge.visitor.facts import MAX_NAMES, NO_FACTS, Facts, hash_of

MAX_FILE_BYTES: Final = 16 << 30
_HEAD: Final = "head"
_Row = tuple[tuple[int, str], ...]
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Row)


def build(site: str, key: tuple[int, bytes], rows: Iterable[tuple[bytes, Mapping[str, str]]]) -> bytes:
    """The bytes of a file of facts; the same rows give the same bytes, in whatever order they come.

    Parameters
    ----------
    key
        ``(id, 32 bytes)``: an event key of the site; the file says which one it was made with.
    rows
        Visitors by id, each once, with their facts.
    """
    number, secret = key
    held = sorted((hash_of(site, secret, visitor), facts) for visitor, facts in rows)
    names = sorted({name for _, facts in held for name in facts})
    places = {name: at for at, name in enumerate(names)}
    values = [_encoder.encode(tuple(sorted((places[n], v) for n, v in facts.items()))) for _, facts in held]
    hashes = np.frombuffer(b"".join(hash_ for hash_, _ in held), ">u8").reshape(-1, 2)
    arrays = {
        **pack_strings("names", [name.encode() for name in names]),
        **pack_strings("values", values),
        **pack_strings("site", [site.encode()]),
        "first": hashes[:, 0].astype("<u8"),
        "second": hashes[:, 1].astype("<u8"),
        _HEAD: np.array([number], np.uint32),
    }
    return pack(arrays)


def write(path: Path, body: bytes) -> None:
    """Put the file in its place at once: a reader sees the old one or the new one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o640)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


class FactFile:
    """A mapped file of facts; all workers share its pages.

    Raises
    ------
    ConfigError
        ``facts``: it can't be read, is no such file, another site's, or made with a key that is not held.
    """

    def __init__(self, path: Path, site: str, keys: Sequence[tuple[int, bytes]]) -> None:
        try:
            arrays = unpack(_mapped(path))
            names, values = Strings(arrays, "names"), Strings(arrays, "values")
            owner = Strings(arrays, "site")[0].decode()
            first, second, head = arrays["first"], arrays["second"], arrays[_HEAD]
            names.check_texts()
        except (BundleError, KeyError, IndexError, UnicodeDecodeError) as error:
            raise ConfigError("facts", f"{path} is no file of facts: {error}") from error
        sizes = {len(values), first.size, second.size}
        if len(sizes) != 1 or first.dtype != np.uint64 or second.dtype != np.uint64 or head.size != 1:
            raise ConfigError("facts", f"{path} is no file of facts: its parts do not fit each other")
        if owner != site:
            raise ConfigError("facts", f"{path} is about visitors of {owner!r}, not of {site!r}")
        number = int(head[0])
        if number not in dict(keys):
            hint = "make it again with `nearside facts` and this keys file"
            raise ConfigError("facts", f"{path} was made with event key {number}, which is not held; {hint}")
        self._site, self._key = site, dict(keys)[number]
        self._names = [names[at].decode() for at in range(min(len(names), MAX_NAMES))]
        self._first, self._second, self._values = first.data, second.data, values

    def __len__(self) -> int:
        return len(self._first)

    def get(self, visitor: bytes) -> Facts:
        """See `FactStore`; what is damaged is not known."""
        hash_ = hash_of(self._site, self._key, visitor)
        first, second = int.from_bytes(hash_[:8], "big"), int.from_bytes(hash_[8:], "big")
        at = bisect_left(self._first, first)
        while at < len(self._first) and self._first[at] == first:
            if self._second[at] == second:
                return self._facts(at)
            at += 1
        return NO_FACTS

    def _facts(self, at: int) -> Facts:
        try:
            row = _decoder.decode(self._values[at])
            return {self._names[place]: value for place, value in row}
        except (msgspec.DecodeError, UnicodeDecodeError, IndexError):
            return NO_FACTS


def _mapped(path: Path) -> memoryview:
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not 0 < size <= MAX_FILE_BYTES:
                raise ConfigError("facts", f"{path} has {size} bytes, which is no file of facts")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        hint = "make one with `nearside facts`"
        raise ConfigError("facts", f"{path}: {error.strerror or error}; {hint}") from error
