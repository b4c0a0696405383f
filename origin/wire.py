"""The JSON that the origin takes and answers: the server, its clients and the OpenAPI document share it."""

from typing import Any

import msgspec

from edge.bundle.format import Artifact


class RevisionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new revision: manifest hashes by role, and who publishes them why."""

    manifests: dict[str, str]
    author: str
    reason: str = ""
    activate: bool = True


class RolloutRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change of the rollout; what it leaves out stays as it is."""

    author: str
    reason: str = ""
    pops: dict[str, int] | None = None
    kill: tuple[str, ...] | None = None
    after: int | None = None


class PopRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A PoP that shall have a credential; `replace` revokes the one that it has."""

    name: str
    author: str
    reason: str = ""
    replace: bool = False


class RevokeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who revokes a PoP's credential, and why."""

    author: str
    reason: str = ""


class StockRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Items that are out of stock, and items that are back; with `replace`, all that `out` lacks is back."""

    author: str
    out: tuple[str, ...] = ()
    back: tuple[str, ...] = ()
    replace: bool = False
    reason: str = ""


class Live(msgspec.Struct, frozen=True):
    """The process answers."""

    live: bool


class Stored(msgspec.Struct, frozen=True):
    """An artifact was taken; `size` in bytes."""

    size: int


class Accepted(msgspec.Struct, frozen=True):
    """A manifest was taken, for its role."""

    role: str


class Revised(msgspec.Struct, frozen=True):
    """A new revision's number, and the serial of the rollout in force (0: none yet)."""

    number: int
    serial: int


class RolledOut(msgspec.Struct, frozen=True):
    """The serial of the rollout that is now in force."""

    serial: int


class Stocked(msgspec.Struct, frozen=True):
    """The stock list in force: its serial, how many items are out, and how many this changed."""

    serial: int
    out: int
    changed: int


class StockEntry(msgspec.Struct, frozen=True):
    """A change of stock: how many items went out and came back, how many were out since; who, why, when.

    `id` is what decision records name the list by.
    """

    serial: int
    id: str
    out: int
    back: int
    held: int
    author: str
    reason: str
    created_ms: int


class RevisionEntry(msgspec.Struct, frozen=True):
    """A revision in the list: manifest hashes by role, who made it, why and when.

    `pops` are the names for which the rollout in force names it (``*``: all
    that it does not name); `bytes` is the size of its artifacts.
    """

    number: int
    bundle: str
    manifests: dict[str, str]
    author: str
    reason: str
    created_ms: int
    pops: tuple[str, ...] = ()
    bytes: int = 0


class ManifestDetail(msgspec.Struct, frozen=True):
    """A manifest as a revision pins it; `signed_by` are the ids of the keys that signed it."""

    sha256: str
    size: int
    signed_by: tuple[str, ...]
    provides: dict[str, str]
    requires: dict[str, str]
    artifacts: tuple[Artifact, ...]


class RevisionDetail(msgspec.Struct, frozen=True):
    """A revision with all that its three manifests say."""

    number: int
    bundle: str
    author: str
    reason: str
    created_ms: int
    pops: tuple[str, ...]
    bytes: int
    manifests: dict[str, ManifestDetail]


class RolloutEntry(msgspec.Struct, frozen=True):
    """A rollout that was, or is, in force; who ordered it, why and when."""

    serial: int
    pops: dict[str, int]
    kill: tuple[str, ...]
    author: str
    reason: str
    created_ms: int


class ChangedArtifact(msgspec.Struct, frozen=True):
    """An artifact of the same name with another content."""

    before: Artifact
    after: Artifact


class RoleDiff(msgspec.Struct, frozen=True):
    """How one role's manifest differs; `same` where it is the same manifest."""

    same: bool
    added: tuple[Artifact, ...]
    removed: tuple[Artifact, ...]
    changed: tuple[ChangedArtifact, ...]


class RevisionDiff(msgspec.Struct, frozen=True):
    """How revision `b` differs from `a`, artifact by artifact.

    `download_bytes` is what an edge that holds `a` downloads for `b`.
    """

    a: int
    b: int
    roles: dict[str, RoleDiff]
    download_bytes: int


class PopEntry(msgspec.Struct, frozen=True):
    """A PoP: what it may do, when it was heard, what it should serve.

    `credential` is ``own``, ``revoked``, or ``site`` for a PoP that never had
    one of its own; `author`, `reason` and `changed_ms` are of the last change of
    it. `seen_ms` is when its news stream or its events were last heard, and
    `shipped_ms` when events of it last became part of the lake; 0 is never.
    `revision` is 0 where no rollout names one.
    """

    name: str
    credential: str
    author: str
    reason: str
    changed_ms: int
    connected: bool
    seen_ms: int
    shipped_ms: int
    revision: int


class NewCredential(msgspec.Struct, frozen=True):
    """A PoP's credential as its machine keeps it in a file; the origin tells the token this once."""

    site: str
    pop: str
    token: str


class Revoked(msgspec.Struct, frozen=True):
    """A PoP's credential is worth nothing any more."""

    revoked: str


class Committed(msgspec.Struct, frozen=True):
    """How many bytes of a spool's segment are in the lake."""

    committed: int


class News(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of news: a rollout (an encoded `Signed` in base64), the serial of stock, or a sign of life."""

    rollout: str = ""
    stock: int = 0
    alive: bool = False


class Fault(msgspec.Struct, frozen=True):
    """Why a request was refused: a stable name, a sentence, and what to do."""

    code: str
    message: str
    hint: str


class Refusal(msgspec.Struct, frozen=True):
    """Every refusal. Beside `error` stand values that a client acts on, where a code has them."""

    error: Fault
    missing: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    serial: int | msgspec.UnsetType = msgspec.UNSET
    committed: int | msgspec.UnsetType = msgspec.UNSET
    offset: int | msgspec.UnsetType = msgspec.UNSET


def encode(document: Any) -> bytes:
    """The document as JSON."""
    return msgspec.json.encode(document)
