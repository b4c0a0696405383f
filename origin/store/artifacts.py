"""A site's published artifacts as files named by their hash."""

import hashlib
import os
import secrets
from pathlib import Path

from edge.bundle.format import Artifact
from origin.refusal import RefusedError


class ArtifactFolder:
    """The artifacts of one site. A file here is whole and is what its name says."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        folder.mkdir(parents=True, exist_ok=True)
        for torn in folder.glob("*.tmp"):
            torn.unlink()

    def path(self, sha256: str) -> Path:
        """Where the artifact is, or would be."""
        return self._folder / sha256

    def missing(self, artifacts: tuple[Artifact, ...]) -> list[Artifact]:
        """Those that are not here in the size that their manifest says."""
        return [a for a in artifacts if not self._holds(a)]

    def _holds(self, artifact: Artifact) -> bool:
        try:
            return self.path(artifact.sha256).stat().st_size == artifact.size
        except FileNotFoundError:
            return False

    def upload(self, sha256: str) -> "Upload":
        """Begin to take an artifact."""
        return Upload(self.path(sha256), self._max_bytes)


class Upload:
    """One artifact on its way in: bounded and hashed as it comes, visible only when whole."""

    def __init__(self, target: Path, max_bytes: int) -> None:
        self._target = target
        self._max_bytes = max_bytes
        self._temporary = target.with_name(f"{target.name}.{secrets.token_hex(4)}.tmp")
        self._file = self._temporary.open("xb")
        self._hash = hashlib.sha256()
        self._taken = 0

    def write(self, data: bytes) -> None:
        """Take the next bytes.

        Raises
        ------
        RefusedError
            ``too-large``: more bytes than an artifact may have.
        """
        self._taken += len(data)
        if self._taken > self._max_bytes:
            raise RefusedError(
                413,
                "too-large",
                f"an artifact may have {self._max_bytes} bytes",
                "raise NEARSIDE_ORIGIN_MAX_ARTIFACT_BYTES, or make the artifact smaller",
            )
        self._hash.update(data)
        self._file.write(data)

    def finish(self) -> int:
        """Lay the artifact down if it is what its name says; returns its size.

        Raises
        ------
        RefusedError
            ``artifact-hash``: it is not.
        """
        found = self._hash.hexdigest()
        if found != self._target.name:
            raise RefusedError(
                422,
                "artifact-hash",
                f"the body's SHA-256 is {found[:12]}…, not {self._target.name[:12]}…",
                "send it again; it was cut or changed on its way",
            )
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._temporary.replace(self._target)
        return self._taken

    def close(self) -> None:
        """Forget what was not finished."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)
