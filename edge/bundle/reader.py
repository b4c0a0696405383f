"""Opens a bundle folder: manifests checked, artifacts present, mapped, bound to their hashes."""

import mmap
from pathlib import Path

from edge.bundle import format as fmt
from edge.bundle.format import Artifact, Manifest
from edge.errors import BundleError


class Bundle:
    """Three manifests and the mapped artifacts that they name; never changed once open.

    Attributes
    ----------
    id : str
        32 hex digits from the hashes of the manifests.
    manifests : dict[str, Manifest]
        By role.
    """

    def __init__(self, folder: Path, manifests: dict[str, Manifest], bundle_id: str) -> None:
        self.folder = folder
        self.manifests = manifests
        self.id = bundle_id
        self.site = manifests["rules"].site

    def artifacts(self, role: str, kind: str) -> dict[str, Artifact]:
        """The artifacts of a kind, by name."""
        return {a.name: a for a in self.manifests[role].artifacts if a.kind == kind}

    def one(self, role: str, kind: str) -> Artifact:
        """The only artifact of a kind.

        Raises
        ------
        BundleError
            ``artifact-list``: there is none, or more than one.
        """
        found = list(self.artifacts(role, kind).values())
        if len(found) != 1:
            raise BundleError("artifact-list", f"{len(found)} {kind} artifacts in {role}, not 1")
        return found[0]

    def read(self, artifact: Artifact) -> memoryview:
        """The artifact's bytes, mapped; empty ones too."""
        path = artifact_path(self.folder, artifact.sha256)
        with path.open("rb") as file:
            if not artifact.size:
                return memoryview(b"")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def artifact_path(folder: Path, sha256: str) -> Path:
    """Where a bundle folder keeps an artifact."""
    return folder / "artifacts" / sha256


def open_bundle(folder: Path, site: str, *, verify: bool = True) -> Bundle:
    """Open a bundle folder.

    Parameters
    ----------
    verify
        Hash every artifact. A worker passes False: its agent has done it, and
        laid the files down read-only.

    Raises
    ------
    BundleError
        Something is missing, malformed, foreign, or not what its hash says.
    """
    manifests, hashes = {}, {}
    for role in fmt.ROLES:
        path = folder / f"{role}.manifest"
        try:
            size = path.stat().st_size
            data = path.read_bytes() if size <= fmt.MAX_MANIFEST_BYTES else b""
        except OSError as error:
            raise BundleError("missing", f"{path}: {error.strerror}") from error
        if size > fmt.MAX_MANIFEST_BYTES:
            raise BundleError("too-large", f"{path}: {size} bytes")
        manifests[role] = fmt.decode_manifest(data, role, site)
        hashes[role] = fmt.digest(data)
    check_interfaces(manifests)
    for manifest in manifests.values():
        for artifact in manifest.artifacts:
            check_artifact(artifact_path(folder, artifact.sha256), artifact, verify=verify)
    return Bundle(folder, manifests, fmt.bundle_id(hashes))


def read_site(folder: Path) -> str:
    """The site that a bundle folder says it is for, for tools that are not told.

    Raises
    ------
    BundleError
        ``missing``: it is no bundle. What it holds is not looked at any further.
    """
    try:
        data = (folder / "rules.manifest").read_bytes()
    except OSError as error:
        raise BundleError("missing", _no_bundle(folder)) from error
    return fmt.decode(data, Manifest, fmt.MAX_MANIFEST_BYTES).site


def _no_bundle(folder: Path) -> str:
    """What a person named in place of a bundle, and what to do about it."""
    if (folder / "site.yaml").is_file():
        return f"{folder} is a workspace; make its bundle with `nearside compile {folder} -o {folder}.bundle`"
    found = "is no bundle" if folder.exists() else "is not there, so it is no bundle"
    return f"{folder} {found}; make one with `nearside compile WORKSPACE -o BUNDLE`"


def check_artifact(path: Path, artifact: Artifact, *, verify: bool) -> None:
    """Refuse a file that is missing, of another size, or (`verify`) of another hash."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise BundleError("missing", f"artifact {artifact.name!r}: {error.strerror}") from error
    if size != artifact.size:
        raise BundleError(
            "artifact-size", f"artifact {artifact.name!r} has {size} bytes, not {artifact.size}"
        )
    if verify and fmt.digest(path.read_bytes()) != artifact.sha256:
        raise BundleError("artifact-hash", f"artifact {artifact.name!r} is not what was signed")


def check_interfaces(manifests: dict[str, Manifest]) -> None:
    """Refuse manifests of which one requires what none provides with the same hash."""
    provided: dict[str, str] = {}
    for manifest in manifests.values():
        provided |= manifest.provides
    for role, manifest in manifests.items():
        for name, wanted in manifest.requires.items():
            if provided.get(name) != wanted:
                raise BundleError("interface", f"{role} requires {name!r} as {wanted[:12]}…")
