"""What the origin keeps, as values that are independent of the database."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edge.bundle.format import ManifestRef

Sign = Callable[[bytes], bytes]
"""Turns a payload into the encoded `Signed` of the origin's online key."""


@dataclass(frozen=True)
class Order:
    """Who wants a change, and why; kept with it."""

    author: str
    reason: str


@dataclass(frozen=True)
class NewRevision:
    """A revision before it has a number."""

    manifests: dict[str, ManifestRef]
    bundle: str
    activate: bool
    order: Order


@dataclass(frozen=True)
class RolloutChange:
    """What a rollout shall say: `None` keeps what is in force.

    `after` is the serial that the change was made from; when another change
    came first it is refused rather than undone by accident.
    """

    pops: dict[str, int] | None
    kill: tuple[str, ...] | None
    after: int | None
    order: Order


@dataclass(frozen=True)
class StoredRollout:
    """The rollout in force: its serial, its content, and its signed bytes."""

    serial: int
    pops: dict[str, int]
    kill: tuple[str, ...]
    signed: bytes


@dataclass(frozen=True)
class StockChange:
    """Items that go out of stock, and items that are back; with `replace`, all others are back, too."""

    out: frozenset[str]
    back: frozenset[str]
    replace: bool
    order: Order


@dataclass(frozen=True)
class StoredStock:
    """The stock list in force: its serial, how many items are out, how many the last change changed."""

    serial: int
    held: int
    changed: int


@dataclass(frozen=True)
class StoredManifest:
    """A manifest that a trusted key signed for `role`."""

    role: str
    size: int
    signed: bytes


@dataclass(frozen=True)
class PopToken:
    """A credential of a PoP by its hash; `order` is of its last change, be it that it was revoked."""

    name: str
    token_sha256: str
    revoked: bool
    changed_ms: int
    order: Order


@dataclass(frozen=True)
class Heard:
    """When a PoP was last heard, and when events of it last became part of the lake; 0 is never."""

    seen_ms: int = 0
    shipped_ms: int = 0


@dataclass(frozen=True)
class Segment:
    """Where a batch of records comes from; its watermark is how many bytes of it are in the lake."""

    site: str
    pop: str
    spool: str
    number: int


@dataclass(frozen=True)
class LakeFile:
    """A Parquet file of the lake; `path` is below the data folder, `kind` names its table."""

    kind: str
    path: str
    rows: int
    bytes: int


Row = dict[str, Any]


def now_ms() -> int:
    """UTC milliseconds since 1970."""
    return time.time_ns() // 1_000_000
