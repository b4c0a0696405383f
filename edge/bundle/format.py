"""The bundle's types on the wire and on disk; depends on nothing of ours but errors."""

import hashlib
from typing import Final, TypeVar

import msgspec

from edge.bundle.features import Column
from edge.bundle.rules_format import (
    MAX_BANDITS,
    MAX_EXPERIMENTS,
    MAX_FORMULAS,
    MAX_GROUPS,
    MAX_HOLDOUTS,
    MAX_LAYOUTS,
    MAX_REDIRECTS,
    MAX_TERMS,
    MAX_URL_CHARS,
    MAX_VARIATIONS,
    Attribute,
    Bandit,
    BanditArm,
    Best,
    Choices,
    ConsentPolicy,
    ConsentSource,
    Experiment,
    Holdout,
    Layout,
    PageActions,
    Purpose,
    RulesGolden,
    RulesSchema,
    Variation,
)
from edge.errors import BundleError

__all__ = [
    "ARTIFACT_KINDS",
    "FORMAT",
    "MAX_ARTIFACTS",
    "MAX_ARTIFACT_BYTES",
    "MAX_BANDITS",
    "MAX_DOCUMENT_BYTES",
    "MAX_EXPERIMENTS",
    "MAX_FORMULAS",
    "MAX_GROUPS",
    "MAX_HOLDOUTS",
    "MAX_KILLED",
    "MAX_LAYOUTS",
    "MAX_MANIFEST_BYTES",
    "MAX_REDIRECTS",
    "MAX_TERMS",
    "MAX_URL_CHARS",
    "MAX_VARIATIONS",
    "ROLES",
    "Artifact",
    "Attribute",
    "Bandit",
    "BanditArm",
    "Best",
    "Choices",
    "ConsentPolicy",
    "ConsentSource",
    "Experiment",
    "Holdout",
    "Layout",
    "Manifest",
    "ManifestRef",
    "ModelsGolden",
    "ModelsPlan",
    "PageActions",
    "Purpose",
    "RecommenderPlan",
    "Revision",
    "Rollout",
    "RulesGolden",
    "RulesSchema",
    "Signature",
    "Signed",
    "Variation",
    "bundle_id",
    "decode",
    "decode_manifest",
    "digest",
    "encode",
    "is_digest",
]

FORMAT: Final = 1
ROLES: Final = ("rules", "models", "catalog")

# Bounds that are checked before anything is allocated.
MAX_MANIFEST_BYTES: Final = 1 << 20
MAX_ARTIFACTS: Final = 4096
MAX_ARTIFACT_BYTES: Final = 1 << 32
MAX_DOCUMENT_BYTES: Final = 16 << 20
MAX_KILLED: Final = 10_000

ARTIFACT_KINDS: Final[dict[str, frozenset[str]]] = {
    "rules": frozenset(
        (
            "schema",
            "index",
            "campaigns",
            "contents",
            "holes",
            "experiments",
            "behaviours",
            "feeds",
            "lists",
            "tastes",
            "written",
            "page",
            "events",
            "recommenders",
            "golden",
        )
    ),
    "models": frozenset(
        (
            "plan",
            "graph",
            "arrays",
            "golden",
            "certificate",
            "shadow",
            "predictions",
            "prediction-graph",
            "prediction-arrays",
        )
    ),
    "catalog": frozenset({"items", "cards", "about", "around", "golden"}),
}
"""What each role's key may ship: a marketer's key can never ship a model."""


class Artifact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One immutable file of a bundle, addressed by its content."""

    name: str
    kind: str
    sha256: str
    size: int


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one role publishes: its artifacts, and the interfaces between roles.

    `provides` and `requires` map an interface's name (``items``,
    ``recommender/ease``) to a hash; a bundle whose requirements are not
    provided with the same hash is refused.
    """

    format: int
    role: str
    site: str
    provides: dict[str, str]
    requires: dict[str, str]
    artifacts: tuple[Artifact, ...]


class ManifestRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A manifest by content."""

    sha256: str
    size: int


class Revision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A numbered pin of three manifests, signed by the origin's `online` key."""

    format: int
    site: str
    number: int
    manifests: dict[str, ManifestRef]


class Rollout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which revision each PoP serves (``*``: all others) and which campaigns are killed.

    `serial` only grows: an edge refuses an older one. Signed by `online`.
    """

    format: int
    site: str
    serial: int
    pops: dict[str, int]
    kill: tuple[str, ...] = ()

    def revision_for(self, pop: str) -> int:
        """The revision that `pop` shall serve; 0 when none is named."""
        return self.pops.get(pop, self.pops.get("*", 0))


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An Ed25519 signature over exact bytes, and the id of its key."""

    key: str
    value: bytes


class Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bytes and who vouches for them; the bytes are signed, not their meaning."""

    payload: bytes
    signatures: tuple[Signature, ...]


class RecommenderPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One recommender of the graph: its output names and how many items it lists.

    Without a grant for all its `purposes` it lists what it lists for visitors of whom nothing is known. A
    `pool` is no list of its own, but candidates with scores, of which one is made. `columns` are the
    positions of those columns of the plan that it depends on.
    """

    name: str
    items_output: str
    scores_output: str
    limit: int
    purposes: tuple[str, ...] = ()
    pool: bool = False
    columns: tuple[int, ...] = ()


class ModelsPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the one graph is called.

    `bindings` maps a graph input to ``(arrays artifact, array)``, bound by
    memory map. The two inputs that change per call are `history` (int32,
    shape (batch, length), catalog positions, most recent first, padded with
    `n_items`) and `weight` (float32, same shape, 0 where padded). Where there are
    `gates`, so is `gate` (int32, shape (batch, gates)): which row of each gate's masks
    the context picks. Where there are `columns`, so is `context` (float32, shape (batch, columns)): what
    the attributes are as numbers, NaN where missing. Where it keeps `stock`, one more is bound as arrays
    are: `stock` (float32, shape (n_items + 1,)), -inf for what is sold out, else 0.
    """

    graph: str
    n_items: int
    max_history: int
    bindings: dict[str, tuple[str, str]]
    recommenders: tuple[RecommenderPlan, ...]
    gates: int = 0
    stock: bool = False
    columns: tuple[Column, ...] = ()


class ModelsGolden(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A history (item ids, most recent first) and the ordered item ids each recommender lists.

    `scores` are theirs, rounded to six digits; bundles of before have none. `row` is one number for each
    column of the plan.
    """

    history: tuple[str, ...]
    items: dict[str, tuple[str, ...]]
    scores: dict[str, tuple[float, ...]] = {}
    row: tuple[float, ...] = ()


T = TypeVar("T")


def encode(document: msgspec.Struct | tuple[msgspec.Struct, ...]) -> bytes:
    """The document as deterministic msgpack: fields in order, mappings sorted."""
    return msgspec.msgpack.encode(document, order="deterministic")


def decode(data: bytes | memoryview, type_: type[T], limit: int = MAX_DOCUMENT_BYTES) -> T:
    """Read a document of the wanted type.

    Raises
    ------
    BundleError
        More than `limit` bytes, or not a document of this type.
    """
    if len(data) > limit:
        raise BundleError("too-large", f"{len(data)} bytes, more than {limit}")
    try:
        return msgspec.msgpack.decode(data, type=type_)
    # A string that is not UTF-8 is no DecodeError.
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        name = getattr(type_, "__name__", str(type_))
        raise BundleError("malformed", f"not a {name}: {error}") from error


def digest(data: bytes | memoryview) -> str:
    """SHA-256 of the bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def is_digest(text: str) -> bool:
    """Whether the text has the form of a SHA-256 in hex: safe as a file name."""
    return len(text) == 64 and all(c in "0123456789abcdef" for c in text)


def bundle_id(manifests: dict[str, str]) -> str:
    """A bundle's name: 32 hex digits from the hashes of its three manifests, by role."""
    return digest("".join(manifests[role] for role in ROLES).encode())[:32]


def decode_manifest(data: bytes | memoryview, role: str, site: str) -> Manifest:
    """Read a manifest and check all that can be checked without its artifacts.

    Raises
    ------
    BundleError
        With codes ``too-large``, ``malformed``, ``format``, ``foreign-site``,
        ``wrong-role`` or ``artifact-list``.
    """
    manifest = decode(data, Manifest, MAX_MANIFEST_BYTES)
    if manifest.format != FORMAT:
        raise BundleError("format", f"format {manifest.format}; this edge reads {FORMAT}")
    if manifest.site != site:
        raise BundleError("foreign-site", f"made for site {manifest.site!r}, not {site!r}")
    if manifest.role != role:
        raise BundleError("wrong-role", f"a {manifest.role} manifest in the place of {role}")
    _check_artifacts(manifest)
    return manifest


def _check_artifacts(manifest: Manifest) -> None:
    if len(manifest.artifacts) > MAX_ARTIFACTS:
        raise BundleError("artifact-list", f"more than {MAX_ARTIFACTS} artifacts")
    names = set()
    for artifact in manifest.artifacts:
        if artifact.kind not in ARTIFACT_KINDS[manifest.role]:
            raise BundleError(
                "wrong-role", f"{manifest.role} may not ship {artifact.name!r} ({artifact.kind})"
            )
        if not is_digest(artifact.sha256) or not 0 <= artifact.size <= MAX_ARTIFACT_BYTES:
            raise BundleError("artifact-list", f"{artifact.name!r} has no valid hash or size")
        if artifact.name in names:
            raise BundleError("artifact-list", f"{artifact.name!r} is listed twice")
        names.add(artifact.name)
