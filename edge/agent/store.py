"""The agent's part of the state folder: bundles laid down whole, the rollout taken last."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from edge.agent.trusted import SignedManifest
from edge.bundle import format as fmt
from edge.bundle.active import (
    Active,
    bundle_folder,
    bundles_folder,
    read_active,
    replace_file,
    spool_root,
    write_active,
)
from edge.bundle.format import Artifact
from edge.bundle.reader import artifact_path
from edge.errors import BundleError, ReachError

KEPT_BUNDLES: Final = 3
INCOMING: Final = "incoming-"
ROLLOUT: Final = "rollout.signed"
READ_ONLY: Final = 0o444


class Store:
    """Bundles in ``bundles/<id>``; one that is being fetched is in ``bundles/incoming-<id>``.

    A folder gets its final name in one step once everything in it was verified.
    """

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._bundles = bundles_folder(state_dir)
        self._bundles.mkdir(parents=True, exist_ok=True)
        spool_root(state_dir).mkdir(parents=True, exist_ok=True)

    def active(self) -> Active | None:
        """What is active; None before the first activation, or when that can't be read."""
        try:
            return read_active(self._state_dir)
        except BundleError:
            # Workers refuse it by name; here it only means that all is to be fetched.
            return None

    def activate(self, active: Active) -> None:
        """Make this the bundle of all workers that look from now on."""
        folder = bundle_folder(self._state_dir, active.bundle)
        if folder.is_dir():
            os.utime(folder)
        write_active(self._state_dir, active)

    def rollout(self) -> bytes | None:
        """The signed rollout that was taken last, if any."""
        try:
            return (self._state_dir / ROLLOUT).read_bytes()
        except OSError:
            return None

    def save_rollout(self, data: bytes) -> None:
        """Remember the rollout: no older one is taken after a restart."""
        replace_file(self._state_dir / ROLLOUT, data)

    def has(self, bundle: str) -> bool:
        """Whether the bundle is here, complete."""
        return bundle_folder(self._state_dir, bundle).is_dir()

    def folder(self, bundle: str) -> Path:
        """Where the complete bundle is."""
        return bundle_folder(self._state_dir, bundle)

    def begin(self, bundle: str) -> Path:
        """The folder to fetch into; artifacts of an earlier try are still there, others' are gone."""
        incoming = self._bundles / (INCOMING + bundle)
        for other in self._bundles.glob(INCOMING + "*"):
            if other != incoming:
                _remove(other)
        (incoming / "artifacts").mkdir(parents=True, exist_ok=True)
        for part in incoming.glob("artifacts/*.part"):
            part.unlink()
        return incoming

    def lay_manifests(self, folder: Path, manifests: Mapping[str, SignedManifest]) -> None:
        """Write the manifests, each with its signatures beside it."""
        for role, signed in manifests.items():
            for name, data in (
                (f"{role}.manifest", signed.payload),
                (f"{role}.manifest.sig", fmt.encode(signed.signatures)),
            ):
                replace_file(folder / name, data)
                (folder / name).chmod(READ_ONLY)

    def reuse(self, folder: Path, artifact: Artifact) -> bool:
        """Link the artifact from wherever it already lies, undamaged; whether it is there now."""
        wanted = artifact_path(folder, artifact.sha256)
        if wanted.exists():
            if _is(wanted, artifact):
                return True
            wanted.unlink()
        for other in self._bundles.iterdir():
            held = artifact_path(other, artifact.sha256)
            if other != folder and held.exists() and _is(held, artifact):
                return _link(held, wanted)
        return False

    def complete(self, bundle: str) -> None:
        """Give the fetched folder its final name."""
        folder = bundle_folder(self._state_dir, bundle)
        if folder.exists():
            _remove(folder)
        (self._bundles / (INCOMING + bundle)).rename(folder)
        descriptor = os.open(self._bundles, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def discard(self, bundle: str) -> None:
        """Throw away what was fetched for a bundle that was refused."""
        _remove(self._bundles / (INCOMING + bundle))

    def prune(self) -> None:
        """Remove all but the bundles that were activated last, and never the active one."""
        active = self.active()
        for incoming in self._bundles.glob(INCOMING + "*"):
            _remove(incoming)
        folders = [f for f in self._bundles.iterdir() if not f.name.startswith(INCOMING)]
        folders.sort(key=lambda folder: folder.stat().st_mtime_ns, reverse=True)
        for folder in folders[KEPT_BUNDLES:]:
            if active is None or folder.name != active.bundle:
                _remove(folder)


class ArtifactFile:
    """An artifact on its way: written beside its place, bounded, hashed as it comes."""

    def __init__(self, folder: Path, artifact: Artifact) -> None:
        self._artifact = artifact
        self._path = artifact_path(folder, artifact.sha256)
        # A name of its own: a try that was given up may still be finishing in its thread.
        self._part = self._path.with_suffix(f".{secrets.token_hex(4)}.part")
        self._hash = hashlib.sha256()
        self._size = 0
        free = shutil.disk_usage(folder).free
        if artifact.size > free:
            raise ReachError("disk", f"{artifact.name!r} needs {artifact.size} bytes, {free} are free")
        self._file = self._part.open("wb")

    def write(self, chunk: bytes) -> None:
        """Take the next bytes; more than were announced are refused before they are written."""
        self._size += len(chunk)
        if self._size > self._artifact.size:
            raise BundleError(
                "artifact-size", f"artifact {self._artifact.name!r} is over {self._artifact.size} bytes"
            )
        self._hash.update(chunk)
        self._file.write(chunk)

    def finish(self) -> None:
        """Check what came, and put it in its place."""
        artifact = self._artifact
        if self._size != artifact.size:
            raise BundleError(
                "artifact-size", f"artifact {artifact.name!r} has {self._size} bytes, not {artifact.size}"
            )
        if self._hash.hexdigest() != artifact.sha256:
            raise BundleError("artifact-hash", f"artifact {artifact.name!r} is not what was signed")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.chmod(READ_ONLY)
        self._part.replace(self._path)

    def abandon(self) -> None:
        """Forget what came, unless it was finished."""
        self._file.close()
        self._part.unlink(missing_ok=True)


def _is(path: Path, artifact: Artifact) -> bool:
    if path.stat().st_size != artifact.size:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == artifact.sha256


def _link(held: Path, wanted: Path) -> bool:
    try:
        os.link(held, wanted)
    except OSError:
        # The file system has no hard links, or no more of them: it is fetched.
        return False
    return True


def _remove(folder: Path) -> None:
    # What stays is in nobody's way, and is tried again the next time.
    shutil.rmtree(folder, ignore_errors=True)
