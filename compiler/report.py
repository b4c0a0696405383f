"""What a compilation made, for people and for scripts: sizes, counts, timings, warnings, parity."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from compiler.models.certificate_words import certificate_lines
from compiler.problems import Problem
from compiler.rules.list_trial import Trial
from edge.bundle.certificate import Certificate
from edge.bundle.format import Manifest


@dataclass(frozen=True)
class Report:
    """Beside a bundle, never inside: it holds what differs between two compilations of the same inputs.

    Attributes
    ----------
    bundle : str
        The bundle's id.
    manifests : dict[str, Manifest]
        By role.
    counts : dict[str, int]
        What is in it, by its name in the plural.
    timings_ms : dict[str, float]
        How long each step took.
    golden : dict[str, int]
        Golden decisions by role that the edge's runtime answered as the compiler's references do.
    lists : dict[str, Trial]
        How often the filter of each list takes strangers for members, as stated and as tried.
    certificate : Certificate or None
        The same that is in the bundle; None where it has no models.
    """

    site: str
    bundle: str
    manifests: dict[str, Manifest]
    counts: dict[str, int]
    timings_ms: dict[str, float]
    golden: dict[str, int]
    warnings: tuple[Problem, ...]
    lists: dict[str, Trial]
    certificate: Certificate | None = None

    def json(self) -> str:
        """The report as JSON."""
        document = {
            "site": self.site,
            "bundle": self.bundle,
            "bytes": self.total_bytes,
            "manifests": {role: _manifest(manifest) for role, manifest in self.manifests.items()},
            "counts": self.counts,
            "timings_ms": self.timings_ms,
            "golden": self.golden,
            "lists": {name: asdict(trial) for name, trial in self.lists.items()},
            "models": msgspec.to_builtins(self.certificate.models) if self.certificate else [],
            "warnings": [asdict(problem) for problem in self.warnings],
        }
        return json.dumps(document, indent=1, ensure_ascii=False) + "\n"

    def text(self) -> str:
        """The report as lines to read."""
        lines = [f"bundle {self.bundle} of site {self.site}: {_size(self.total_bytes)}"]
        for role, manifest in self.manifests.items():
            lines.append(f"{role}:")
            lines += [f"  {a.name:<28} {_size(a.size):>10}  {a.sha256[:12]}" for a in manifest.artifacts]
        lines.append("holds:  " + _listed({name: count for name, count in self.counts.items() if count}))
        lines.append("golden: " + _listed(self.golden) + "; all answered alike by the edge's runtime")
        lines += [f"list {name}: {trial}" for name, trial in self.lists.items()]
        lines += certificate_lines(self.certificate)
        lines.append("took:   " + ", ".join(f"{name} {ms:.0f} ms" for name, ms in self.timings_ms.items()))
        lines += [str(problem) for problem in self.warnings]
        return "\n".join(lines) + "\n"

    @property
    def total_bytes(self) -> int:
        """The size of all artifacts; those of the same content count once."""
        artifacts = [a for manifest in self.manifests.values() for a in manifest.artifacts]
        return sum({artifact.sha256: artifact.size for artifact in artifacts}.values())


def report_path(bundle: Path) -> Path:
    """Where the report of a bundle folder is kept."""
    return bundle.with_name(bundle.name + ".report.json")


def _manifest(manifest: Manifest) -> dict[str, Any]:
    artifacts = [
        {"name": a.name, "kind": a.kind, "sha256": a.sha256, "bytes": a.size} for a in manifest.artifacts
    ]
    return {"provides": manifest.provides, "requires": manifest.requires, "artifacts": artifacts}


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def _size(size_bytes: int) -> str:
    return f"{size_bytes:,} B" if size_bytes < 10_000 else f"{size_bytes / 1000:,.0f} kB"
