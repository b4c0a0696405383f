"""A manifest in the making: artifacts by name, and what they provide and require."""

from dataclasses import dataclass, field

from edge.bundle import format as fmt


@dataclass
class Draft:
    """What one role will publish."""

    role: str
    bodies: dict[str, bytes] = field(default_factory=dict)
    artifacts: list[fmt.Artifact] = field(default_factory=list)
    provides: dict[str, str] = field(default_factory=dict)
    requires: dict[str, str] = field(default_factory=dict)

    def put(self, name: str, kind: str, body: bytes) -> str:
        """Add an artifact; gives its hash."""
        sha256 = fmt.digest(body)
        self.artifacts.append(fmt.Artifact(name, kind, sha256, len(body)))
        self.bodies[sha256] = body
        return sha256

    def manifest(self, site: str) -> fmt.Manifest:
        """The manifest, its artifacts sorted by name."""
        artifacts = tuple(sorted(self.artifacts, key=lambda artifact: artifact.name))
        return fmt.Manifest(fmt.FORMAT, self.role, site, self.provides, self.requires, artifacts)


def interface(text: str) -> str:
    """The hash that stands for an interface described by `text`."""
    return fmt.digest(text.encode())
