"""What is sold out, as a document and a file: it changes between bundles, and names items by id."""

import hashlib
from pathlib import Path
from typing import Final

import msgspec

from edge.bundle import format as fmt
from edge.bundle.active import replace_file
from edge.errors import BundleError

INPUT: Final = "stock"
"""The graph's input that says which items may be listed, where its plan has one."""

MAX_OUT: Final = 1_000_000
MAX_STOCK_BYTES: Final = 32 << 20
_ID_CHARS: Final = 32
_SEAL_BYTES: Final = 32


class StockList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The items that are not available. Signed by `online`; an edge refuses a lower `serial`.

    `out` are item ids, sorted, each once. Ids that a catalog lacks say nothing.
    """

    format: int
    site: str
    serial: int
    out: tuple[str, ...]


def decode_stock(payload: bytes, site: str) -> StockList:
    """Read a stock list and check all that can be checked without a catalog.

    Raises
    ------
    BundleError
        ``too-large``, ``malformed``, ``format``, ``foreign-site``, or ``stock``: its items are not in order.
    """
    stock = fmt.decode(payload, StockList, MAX_STOCK_BYTES)
    if stock.format != fmt.FORMAT:
        raise BundleError("format", f"a stock list of format {stock.format}; this edge reads {fmt.FORMAT}")
    if stock.site != site:
        raise BundleError("foreign-site", f"a stock list for site {stock.site!r}, not {site!r}")
    if stock.serial < 1 or len(stock.out) > MAX_OUT:
        raise BundleError("stock", f"stock list {stock.serial} has {len(stock.out)} items")
    if any(one >= other for one, other in zip(stock.out, stock.out[1:], strict=False)):
        raise BundleError("stock", f"the items of stock list {stock.serial} are not in order, or named twice")
    return stock


def stock_id(payload: bytes) -> str:
    """The name of a stock list in records: 32 hex digits of its hash."""
    return fmt.digest(payload)[:_ID_CHARS]


def stock_path(state_dir: Path) -> Path:
    """Where a state folder keeps the stock list in force."""
    return state_dir / "stock"


def write_stock(state_dir: Path, signed: bytes) -> None:
    """Replace the file in one step, with a hash in front: a reader sees the old or the new one, undamaged."""
    replace_file(stock_path(state_dir), hashlib.sha256(signed).digest() + signed)


def read_stock(state_dir: Path) -> bytes | None:
    """The signed stock list of a state folder; None where there never was one.

    Raises
    ------
    BundleError
        ``stock``: the file is damaged; what is in force already stays.
    """
    path = stock_path(state_dir)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BundleError("stock", f"{path}: {error.strerror}") from error
    signed = data[_SEAL_BYTES:]
    if hashlib.sha256(signed).digest() != data[:_SEAL_BYTES]:
        raise BundleError("stock", f"{path} is damaged")
    return signed
