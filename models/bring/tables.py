"""Reads tables of numbers that libraries leave behind: .npy, .npz and CSV, bounded and without pickles."""

import csv
import io
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from models.bring.source import cannot

MAX_BYTES: Final = 1 << 30
"""Of numbers that are held at once, unpacked."""

SPARSE: Final = ("csr", "csc", "coo")
PARTS: Final = {"data", "format", "shape"}
"""What `scipy.sparse.save_npz` always writes."""

PAIR: Final = ("item", "other", "score")

Table = NDArray[Any]


def read_npy(path: Path) -> Table:
    """The one array of a file.

    Raises
    ------
    GivenError
        ``bring``: it is not there, no array of numbers or texts, or too large.
    """
    try:
        with path.open("rb") as file:
            return _array(file, path.stat().st_size, path.name)
    except OSError as error:
        raise cannot(path.name, f"can't be read: {error}") from error


def read_npz(path: Path) -> dict[str, Table]:
    """The arrays of a file by name; raises as `read_npy`."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if total > MAX_BYTES:
                raise cannot(path.name, f"holds {total >> 20} MB; at most {MAX_BYTES >> 20} are read")
            found = {}
            for member in members:
                with archive.open(member) as file:
                    name = member.filename.removesuffix(".npy")
                    found[name] = _array(file, member.file_size, f"{path.name}: {name!r}")
    except (OSError, zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError) as error:
        raise cannot(path.name, f"can't be read as what `np.savez` writes: {error}") from error
    return found


def _array(file: IO[bytes], size: int, what: str) -> Table:
    """An array, once its header is found to say no more than there is."""
    try:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in read:
            raise ValueError(f"version {version} of the format")
        shape, in_columns, dtype = read[version](file)
        if dtype.hasobject:
            raise ValueError("it holds Python objects, which are a pickle; save numbers or texts")
        wanted = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or wanted > min(size, MAX_BYTES):
            raise ValueError(f"its header says {shape} of {dtype}, which is more than there is")
        body = file.read(wanted)
        if len(body) < wanted:
            raise ValueError(f"its header says {shape} of {dtype}, which is more than there is")
        return np.frombuffer(body, dtype).reshape(shape, order="F" if in_columns else "C")
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise cannot(what, f"can't be read as an array: {error}") from error


def is_sparse(arrays: Mapping[str, Table]) -> bool:
    """Whether they are a matrix as `scipy.sparse.save_npz` writes it."""
    return arrays.keys() >= PARTS


def sparse_matrix(arrays: Mapping[str, Table], n_items: int, what: str) -> scipy.sparse.csr_array:
    """The square matrix that `scipy.sparse.save_npz` wrote.

    Raises
    ------
    GivenError
        ``bring``: another shape or form, or indices that are none of its items.
    """
    form = arrays["format"].item() if arrays["format"].ndim == 0 else b""
    name = form.decode("ascii", "replace") if isinstance(form, bytes) else str(form)
    shape = tuple(arrays["shape"].tolist()) if arrays["shape"].ndim == 1 else ()
    if name not in SPARSE:
        raise cannot(what, f"is a sparse matrix of form {name!r}", "save `matrix.tocsr()`")
    if shape != (n_items, n_items):
        raise cannot(what, f"has the shape {shape}, and there are {n_items:,} items", "a row an item")
    wanted = ("row", "col") if name == "coo" else ("indices", "indptr")
    if missing := [part for part in wanted if part not in arrays or arrays[part].ndim != 1]:
        raise cannot(what, f"lacks {', '.join(missing)}", "save it by `scipy.sparse.save_npz`")
    numbers = finite(arrays["data"], what)
    try:
        if name == "coo":
            return scipy.sparse.coo_array((numbers, (arrays["row"], arrays["col"])), shape).tocsr()
        kind = scipy.sparse.csr_array if name == "csr" else scipy.sparse.csc_array
        made = kind((numbers, arrays["indices"], arrays["indptr"]), shape)
        made.check_format(full_check=True)  # else what is out of range is read past the end
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        raise cannot(what, f"is no matrix: {error}") from error
    return made.tocsr()


def finite(array: Table, what: str) -> NDArray[np.float64]:
    """Numbers as float64, all of them finite."""
    if array.dtype.kind not in "fiub":
        raise cannot(what, f"holds {array.dtype}, which are no numbers")
    numbers = array.astype(np.float64)
    if not np.isfinite(numbers).all():
        place = tuple(np.argwhere(~np.isfinite(numbers))[0].tolist())
        raise cannot(what, f"holds {numbers[place]} at {place}", "each number must be finite")
    if np.abs(numbers).max(initial=0) > 1e30:
        raise cannot(what, f"holds a number as large as {np.abs(numbers).max():.3g}", "scale it down")
    return numbers


def read_pairs(path: Path) -> tuple[tuple[str, ...], scipy.sparse.csr_array]:
    """The items and the matrix of a CSV file of ``item,other,score``.

    Raises
    ------
    GivenError
        ``bring``, with the line: a column is missing, a score is no number, or a pair is there twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _matrix(path, list(_pairs(path, file)))
    except (OSError, UnicodeDecodeError) as error:
        raise cannot(path.name, f"can't be read as UTF-8 text: {error}") from error


def _pairs(path: Path, file: io.TextIOBase | IO[str]) -> Iterator[tuple[str, str, float]]:
    reader = csv.DictReader(file, strict=True)
    seen: dict[tuple[str, str], int] = {}
    try:
        if missing := [name for name in PAIR if name not in (reader.fieldnames or ())]:
            raise ValueError(f"no column {', '.join(missing)}; the header must name {','.join(PAIR)}")
        for row in reader:
            item, other, score = (row[name] or "" for name in PAIR)
            if not item or not other:
                raise ValueError("item or other is empty")
            first = seen.setdefault((item, other), reader.line_num)
            if first != reader.line_num:
                raise ValueError(f"{item!r} and {other!r} are there again, as in line {first}")
            yield item, other, _score(score)
    except (csv.Error, ValueError) as error:
        raise cannot(f"{path.name}:{max(1, reader.line_num)}:", str(error)) from error


def _score(text: str) -> float:
    try:
        score = float(text)
    except ValueError:
        raise ValueError(f"score {text!r} is no number") from None
    if not math.isfinite(score) or abs(score) > 1e30:
        raise ValueError(f"score {text!r} is not finite")
    return score


def _matrix(
    path: Path, pairs: Sequence[tuple[str, str, float]]
) -> tuple[tuple[str, ...], scipy.sparse.csr_array]:
    if not pairs:
        raise cannot(path.name, "has no pair of items")
    ids = tuple(sorted({item for one, other, _ in pairs for item in (one, other)}))
    at = {item: place for place, item in enumerate(ids)}
    rows, columns = [at[one] for one, _, _ in pairs], [at[other] for _, other, _ in pairs]
    scores = [score for _, _, score in pairs]
    return ids, scipy.sparse.csr_array((scores, (rows, columns)), shape=(len(ids), len(ids)))
